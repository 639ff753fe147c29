import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/**
 * Kafka Streams under exactly_once_v2: counts records by the first letter of their value, through a repartition topic
 * and a changelog, and ends when everything that is in the input is counted.
 * Arguments: servers, application id, input, output, directory, records in the input.
 */
class StreamsCount {
    public static void main(String[] arguments) throws Exception {
        String servers = arguments[0], application = arguments[1], input = arguments[2], output = arguments[3];
        long count = Long.parseLong(arguments[5]);
        Properties config = new Properties();
        config.put("bootstrap.servers", servers);
        config.put("application.id", application);
        config.put("processing.guarantee", "exactly_once_v2");
        config.put("commit.interval.ms", 100);
        config.put("num.stream.threads", 2);
        config.put("replication.factor", 1);
        config.put("state.dir", arguments[4]);
        config.put("default.key.serde", Serdes.StringSerde.class.getName());
        config.put("default.value.serde", Serdes.StringSerde.class.getName());
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
                .groupBy((key, value) -> value.substring(0, 1), Grouped.as("letters"))
                .count(Materialized.as("counts"))
                .toStream()
                .to(output, Produced.with(Serdes.String(), Serdes.Long()));
        var failed = new Throwable[1];
        try (var streams = new KafkaStreams(builder.build(), config)) {
            streams.setUncaughtExceptionHandler(error -> {
                failed[0] = error;
                return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler
                        .StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            long deadline = System.currentTimeMillis() + 120000;
            try (var admin = Admin.create(Map.of("bootstrap.servers", servers))) {
                while (committed(admin, application, input) < count || !isDone(admin, application)) {
                    if (failed[0] != null) throw new AssertionError(failed[0]);
                    if (System.currentTimeMillis() > deadline) throw new AssertionError("not done in time");
                    Thread.sleep(100);
                }
            }
            if (!streams.close(Duration.ofSeconds(30))) throw new AssertionError("it doesn't close");
        }
        System.out.println("ok");
    }

    static long committed(Admin admin, String group, String topic) throws Exception {
        long sum = 0;
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        for (var one : offsets.entrySet()) {
            if (one.getKey().topic().equals(topic) && one.getValue() != null) sum += one.getValue().offset();
        }
        return sum;
    }

    /** Whether the repartition topic is read to its end. */
    static boolean isDone(Admin admin, String application) throws Exception {
        String topic = application + "-letters-repartition";
        var offsets = admin.listConsumerGroupOffsets(application).partitionsToOffsetAndMetadata().get();
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        for (var partition : described.partitions()) {
            asked.put(new TopicPartition(topic, partition.partition()), OffsetSpec.latest());
        }
        var ends = admin.listOffsets(asked).all().get();
        for (var end : ends.entrySet()) {
            var committed = offsets.get(end.getKey());
            if (end.getValue().offset() > 0 && (committed == null || committed.offset() < end.getValue().offset())) {
                return false;
            }
        }
        return true;
    }
}
