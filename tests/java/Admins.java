import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What the admin client asks for; arguments: servers, a topic name that is free, and a subject: `topics`, `groups`,
 * `transactions` or `operations`.
 */
class Admins {
    static Admin admin;
    static String topic;

    public static void main(String[] arguments) throws Exception {
        topic = arguments[1];
        try (var created = Admin.create(Map.of("bootstrap.servers", arguments[0], "request.timeout.ms", 20000))) {
            admin = created;
            cluster();
            topics();
            if (arguments[2].equals("topics")) {
                records(arguments[0]);
                configs();
            } else if (arguments[2].equals("groups")) {
                groups();
            } else if (arguments[2].equals("transactions")) {
                transactions(arguments[0]);
                hangingTransaction(arguments[0]);
            } else {
                operations(arguments[0]);
            }
            admin.deleteTopics(List.of(topic)).all().get();
            eventuallyGone();
        }
        System.out.println("ok");
    }

    static void cluster() throws Exception {
        var cluster = admin.describeCluster();
        check(cluster.nodes().get().size() >= 1, "nodes");
        check(cluster.clusterId().get() != null, "cluster id");
        check(cluster.controller().get() != null, "controller");
        check(admin.describeFeatures().featureMetadata().get() != null, "features");
    }

    static void topics() throws Exception {
        var made = admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "-1"))));
        made.all().get();
        check(made.numPartitions(topic).get() == 2, "partitions of the new topic");
        check(made.config(topic).get().get("retention.ms").value().equals("-1"), "config of the new topic");
        expect(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get());
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        check(described.partitions().size() == 2, "described partitions");
        check(described.topicId().equals(made.topicId(topic).get()), "topic id");
        check(described.partitions().get(0).leader() != null, "leader");
        var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(described.topicId()))).allTopicIds().get();
        check(byId.get(described.topicId()).name().equals(topic), "described by id");
        var unknown = TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()));
        expect(UnknownTopicIdException.class, () -> admin.describeTopics(unknown).allTopicIds().get());
        expect(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of("none")).allTopicNames().get());
        check(admin.listTopics().names().get().contains(topic), "listed");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        expect(InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get());
        check(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 3, "grown");
    }

    static void records(String servers) throws Exception {
        var config = Map.<String, Object>of("bootstrap.servers", servers);
        var partition = new TopicPartition(topic, 0);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (long time : List.of(1000L, 3000L, 2000L)) {
                producer.send(new ProducerRecord<>(topic, 0, time, "k", "v")).get();
            }
            var producers = admin.describeProducers(List.of(partition)).partitionResult(partition).get();
            check(producers.activeProducers().size() == 1, "producers: " + producers.activeProducers());
        }
        check(offset(partition, OffsetSpec.earliest()) == 0, "earliest");
        check(offset(partition, OffsetSpec.latest()) == 3, "latest");
        check(offset(partition, OffsetSpec.forTimestamp(1500)) == 1, "by time");
        check(offset(partition, OffsetSpec.maxTimestamp()) == 1, "largest timestamp");
        check(offset(partition, OffsetSpec.earliestLocal()) == 0, "earliest local");
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(2))).all().get();
        check(offset(partition, OffsetSpec.earliest()) == 2, "earliest after a deletion");
        expect(OffsetOutOfRangeException.class,
                () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(9))).all().get());
    }

    static long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    static void configs() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var set = new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000"), AlterConfigOp.OpType.SET);
        var append = new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set, append))).all().get();
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check(config.get("max.message.bytes").value().equals("2000"), "altered config");
        check(config.get("cleanup.policy").value().equals("delete,compact"), config.get("cleanup.policy").value());
        check(!config.get("max.message.bytes").isDefault(), "its source");
        check(config.get("segment.ms").isDefault(), "the source of another");
        var wrong = new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET);
        expect(InvalidConfigurationException.class,
                () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(wrong))).all().get());
        String node = admin.describeCluster().controller().get().idString();
        var broker = new ConfigResource(ConfigResource.Type.BROKER, node);
        check(admin.describeConfigs(List.of(broker)).all().get().get(broker).get("num.partitions") != null, "broker");
    }

    static void groups() throws Exception {
        String group = "g-" + topic;
        var partition = new TopicPartition(topic, 0);
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(2, "m"))).all().get();
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        check(offsets.get(partition).offset() == 2 && offsets.get(partition).metadata().equals("m"), "group offsets");
        check(admin.listGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group)), "listed group");
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(described.groupState() == GroupState.EMPTY, "state " + described.groupState());
        admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
        check(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition) == null, "gone");
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(2))).all().get();
        admin.deleteConsumerGroups(List.of(group)).all().get();
        expect(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(group)).all().get());
    }

    static void transactions(String servers) throws Exception {
        String id = "tx-" + topic;
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", servers);
        config.put("transactional.id", id);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 1, "k", "v")).get();
            var described = admin.describeTransactions(List.of(id)).description(id).get();
            check(described.state() == TransactionState.ONGOING, "state " + described.state());
            check(described.topicPartitions().equals(Set.of(new TopicPartition(topic, 1))), "its partitions");
            var listed = admin.listTransactions().all().get();
            check(listed.stream().anyMatch(one -> one.transactionalId().equals(id)), "listed transaction");
            admin.fenceProducers(List.of(id)).all().get();
            try {
                producer.commitTransaction();
                check(false, "a fenced producer could commit");
            } catch (ProducerFencedException | InvalidProducerEpochException expected) {
            }
        }
    }

    /** A tool ends a transaction in the log, behind its coordinator's back. */
    static void hangingTransaction(String servers) throws Exception {
        var partition = new TopicPartition(topic, 0);
        Map<String, Object> config = Map.of("bootstrap.servers", servers, "transactional.id", "hangs-" + topic);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
            var states = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
            var open = states.stream().filter(one -> one.currentTransactionStartOffset().isPresent()).toList();
            check(open.size() == 1, "open transactions: " + states);
            var state = open.get(0);
            var committed = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
            var latest = Map.of(partition, OffsetSpec.latest());
            long stable = state.currentTransactionStartOffset().getAsLong();
            check(admin.listOffsets(latest, committed).partitionResult(partition).get().offset() == stable, "LSO");
            admin.abortTransaction(new AbortTransactionSpec(
                    partition, state.producerId(), (short) state.producerEpoch(),
                    state.coordinatorEpoch().orElse(0))).all().get();
            check(admin.listOffsets(latest, committed).partitionResult(partition).get().offset() == stable + 2, "its end");
        }
    }

    static void operations(String servers) throws Exception {
        var config = Map.<String, Object>of("bootstrap.servers", servers);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        }
        var broker = admin.describeCluster().controller().get().id();
        var directories = admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker);
        check(directories.size() == 1, "directories " + directories);
        var replicas = directories.values().iterator().next().replicaInfos();
        check(replicas.get(new TopicPartition(topic, 0)).size() > 60, "the size of a batch");
        check(replicas.get(new TopicPartition(topic, 1)).size() == 0, "the size of nothing");
        var listed = admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all().get();
        check(listed.contains(new ConfigResource(ConfigResource.Type.TOPIC, topic)), "config resources " + listed);
        var partitions = Set.of(new TopicPartition(topic, 0), new TopicPartition(topic, 7));
        var elected = admin.electLeaders(ElectionType.PREFERRED, partitions).partitions().get();
        check(elected.get(new TopicPartition(topic, 0)).get() instanceof ElectionNotNeededException, "election");
        check(elected.get(new TopicPartition(topic, 7)).get() instanceof UnknownTopicOrPartitionException, "election");
        check(admin.electLeaders(ElectionType.UNCLEAN, null).partitions().get().isEmpty(), "elections of all");
    }

    static void eventuallyGone() throws Exception {
        long deadline = System.currentTimeMillis() + 20000;
        while (admin.listTopics().names().get().contains(topic)) {
            check(System.currentTimeMillis() < deadline, "a deleted topic is listed");
        }
    }

    interface Action {
        void run() throws Exception;
    }

    static void expect(Class<? extends Throwable> wanted, Action action) throws Exception {
        try {
            action.run();
        } catch (ExecutionException e) {
            check(wanted.isInstance(e.getCause()), "expected " + wanted + ", found " + e.getCause());
            return;
        }
        check(false, "expected " + wanted + ", found none");
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }
}
