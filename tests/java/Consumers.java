import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Two members of a group read a topic, commit, leave and come back.
 * Arguments: servers, topic of 4 partitions, records in it, group protocols of the first two and the third, with commas.
 */
class Consumers {
    static String servers, topic, group;

    public static void main(String[] arguments) throws Exception {
        servers = arguments[0];
        topic = arguments[1];
        int count = Integer.parseInt(arguments[2]);
        String[] protocols = arguments[3].split(",");
        group = "group-" + topic;
        Set<String> read = new HashSet<>();
        try (var first = consumer(protocols[0]); var second = consumer(protocols[1])) {
            first.subscribe(List.of(topic));
            second.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + 60000;
            while (read.size() < count || first.assignment().size() != 2 || second.assignment().size() != 2) {
                check(System.currentTimeMillis() < deadline, read.size() + " records, "
                        + first.assignment() + ", " + second.assignment());
                for (var consumer : List.of(first, second)) {
                    for (var record : consumer.poll(Duration.ofMillis(50))) {
                        read.add(record.partition() + "-" + record.offset());
                        check(record.headers().toArray().length <= 2, "headers");
                    }
                    consumer.commitSync();
                }
            }
            Set<TopicPartition> all = new HashSet<>(first.assignment());
            all.addAll(second.assignment());
            check(all.size() == 4, "all partitions are assigned: " + all);
            lookUps(first, all);
        }
        // What was committed is where the group goes on.
        try (var third = consumer(protocols[2])) {
            third.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + 60000;
            while (third.assignment().size() < 4) {
                check(System.currentTimeMillis() < deadline, "no assignment");
                check(third.poll(Duration.ofMillis(50)).isEmpty(), "a record came again");
            }
            long position = 0;
            for (var partition : third.assignment()) position += third.position(partition);
            check(position == count, "positions " + position);
            third.unsubscribe();
        }
        System.out.println("ok");
    }

    static void lookUps(KafkaConsumer<String, String> consumer, Set<TopicPartition> all) {
        long ends = 0;
        for (long end : consumer.endOffsets(all).values()) ends += end;
        long committed = 0;
        for (var offset : consumer.committed(all).values()) committed += offset.offset();
        check(ends == committed, "committed " + committed + " of " + ends);
        for (long start : consumer.beginningOffsets(all).values()) check(start == 0, "start " + start);
        var mine = consumer.assignment().iterator().next();
        var found = consumer.offsetsForTimes(Map.of(mine, 0L)).get(mine);
        check(found != null && found.offset() == 0, "by time: " + found);
        consumer.seekToBeginning(List.of(mine));
        check(consumer.position(mine) == 0, "position after a seek");
        consumer.seekToEnd(List.of(mine));
        check(consumer.currentLag(mine).orElse(0) >= 0, "lag");
        check(consumer.listTopics().containsKey(topic), "the list of topics");
        consumer.pause(List.of(mine));
        consumer.resume(List.of(mine));
    }

    static KafkaConsumer<String, String> consumer(String protocol) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", servers);
        config.put("group.id", group);
        config.put("group.protocol", protocol);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        if (protocol.equals("classic")) config.put("heartbeat.interval.ms", 100);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }
}
