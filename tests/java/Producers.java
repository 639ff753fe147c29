import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.StringSerializer;

/** Writes `COUNT` records with an idempotent producer and every compression; arguments: servers, topic. */
class Producers {
    static final int COUNT = 1000;

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        for (String compression : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            Map<String, Object> config = new HashMap<>();
            config.put("bootstrap.servers", arguments[0]);
            config.put("client.id", "producer-" + compression);
            config.put("compression.type", compression);
            config.put("enable.idempotence", true);
            config.put("delivery.timeout.ms", 30000);
            config.put("request.timeout.ms", 10000);
            config.put("linger.ms", 1);
            try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (int i = 0; i < COUNT; i++) {
                    var record = new ProducerRecord<>(topic, 0, "k" + i, compression + "-" + i);
                    record.headers().add("h", "one".getBytes()).add("h", "two".getBytes());
                    sent.add(producer.send(record));
                }
                long expected = sent.get(0).get().offset();
                for (var one : sent) {
                    check(one.get().offset() == expected++, "an offset out of order: " + one.get());
                }
                check(producer.partitionsFor(topic).size() == 2, "the partitions of the topic");
                String large = "x".repeat(1 << 20);
                expect(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, large)).get());
                expect(TimeoutException.class, () -> quick(arguments[0]));
            }
        }
        System.out.println("ok");
    }

    /** A topic that isn't there is waited for, in vain. */
    static void quick(String servers) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", servers, "max.block.ms", 100);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("no-such-topic", "x")).get();
        }
    }

    interface Action {
        void run() throws Exception;
    }

    static void expect(Class<? extends Throwable> wanted, Action action) throws Exception {
        try {
            action.run();
        } catch (Exception e) {
            Throwable found = wanted.isInstance(e) ? e : e.getCause();
            check(wanted.isInstance(found), "expected " + wanted + ", found " + e);
            return;
        }
        check(false, "expected " + wanted + ", found none");
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }
}
