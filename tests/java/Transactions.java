import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * Copies a topic exactly once with a transactional producer, and is fenced by a second one.
 * Arguments: servers, input, output, records in the input.
 */
class Transactions {
    public static void main(String[] arguments) throws Exception {
        String servers = arguments[0], input = arguments[1], output = arguments[2];
        int count = Integer.parseInt(arguments[3]);
        String group = "copy-" + output;
        try (var producer = producer(servers, "tx-" + output); var consumer = consumer(servers, group)) {
            producer.initTransactions();
            consumer.subscribe(List.of(input));
            int copied = 0, batch = 0;
            while (copied < count) {
                var records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) continue;
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (var record : records) {
                    producer.send(new ProducerRecord<>(output, record.partition(), record.key(), record.value()));
                    var partition = new TopicPartition(record.topic(), record.partition());
                    offsets.put(partition, new OffsetAndMetadata(record.offset() + 1, "m"));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (batch++ % 3 == 1) {
                    producer.abortTransaction();
                    var committed = consumer.committed(consumer.assignment());
                    for (var partition : consumer.assignment()) {
                        var offset = committed.get(partition);
                        consumer.seek(partition, offset == null ? 0 : offset.offset());
                    }
                } else {
                    producer.commitTransaction();
                    copied += records.count();
                }
            }
            check(copied == count, "copied " + copied);
            zombie(servers, output, producer);
        }
        System.out.println("ok");
    }

    /** The first producer has an open transaction when the second comes. */
    static void zombie(String servers, String output, KafkaProducer<String, String> first) throws Exception {
        first.beginTransaction();
        first.send(new ProducerRecord<>(output, 0, "zombie", "aborted")).get();
        try (var second = producer(servers, "tx-" + output)) {
            second.initTransactions();
            second.beginTransaction();
            second.send(new ProducerRecord<>(output, 0, "end", "end")).get();
            second.commitTransaction();
        }
        try {
            first.send(new ProducerRecord<>(output, 0, "zombie", "aborted"));
            first.commitTransaction();
            check(false, "a zombie could commit");
        } catch (ProducerFencedException | InvalidProducerEpochException expected) {
        }
    }

    static KafkaProducer<String, String> producer(String servers, String id) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", servers);
        config.put("transactional.id", id);
        config.put("linger.ms", 1);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String servers, String group) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", servers);
        config.put("group.id", group);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        config.put("isolation.level", "read_committed");
        config.put("max.poll.records", 300);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }
}
