import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads partition 0 of a topic to its end, and looks at each record; arguments: servers, topic, records in it. */
class Compacted {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[2]);
        Map<String, Object> config = Map.of("bootstrap.servers", arguments[0], "check.crcs", true);
        var text = new StringDeserializer();
        Set<String> keys = new HashSet<>();
        try (var consumer = new KafkaConsumer<>(config, text, text)) {
            var partition = new TopicPartition(arguments[1], 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            long deadline = System.currentTimeMillis() + 60000;
            while (consumer.position(partition) < end) {
                check(System.currentTimeMillis() < deadline, keys.size() + " records");
                for (var record : consumer.poll(Duration.ofMillis(50))) {
                    check(record.value().startsWith(record.key() + " "), "the value of " + record.key());
                    check(keys.add(record.key()), record.key() + " came again");
                }
            }
        }
        check(keys.size() == count, keys.size() + " records");
        System.out.println("ok");
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }
}
