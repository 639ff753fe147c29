//! What operators' tools ask for, a case a rule.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeLogDirsRequest, ElectLeadersRequest, ListConfigResourcesRequest,
    TopicName,
};

use crate::wire::{Wire, batch, text, unique};

const TOPIC: i8 = 2;

impl Wire {
    /// Replaces a topic's configurations, and says with which code.
    fn replace_configs(&mut self, topic: &str, configs: &[(&str, Option<&str>)]) -> i16 {
        let config = |(name, value): &(&str, Option<&str>)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_value(value.map(text))
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configs(configs.iter().map(config).collect());
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(2, request).responses[0].error_code
    }

    /// Partition, size.
    fn sizes(&mut self, version: i16, topic: &str, partitions: &[i32]) -> Vec<(i32, i64)> {
        let topic = DescribableLogDirTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(partitions.to_vec());
        let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
        let response = self.ask(version, request);
        assert_eq!((response.error_code, response.results.len()), (0, 1));
        let directory = &response.results[0];
        assert_eq!(directory.error_code, 0);
        assert!(version < 4 || directory.usable_bytes <= directory.total_bytes);
        let partitions = directory.topics.iter().flat_map(|topic| &topic.partitions);
        let mut sizes: Vec<_> = partitions
            .map(|partition| (partition.partition_index, partition.partition_size))
            .collect();
        sizes.sort_unstable();
        sizes
    }

    /// The code of each partition.
    fn elect(&mut self, kind: i8, topic: &str, partitions: &[i32]) -> (i16, Vec<i16>) {
        let topic = TopicPartitions::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(partitions.to_vec());
        let request = ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_timeout_ms(10_000)
            .with_topic_partitions(Some(vec![topic]));
        let response = self.ask(2, request);
        let results = response.replica_election_results.first();
        let mut codes: Vec<_> = results
            .into_iter()
            .flat_map(|topic| &topic.partition_result)
            .map(|result| (result.partition_id, result.error_code))
            .collect();
        codes.sort_unstable();
        let codes = codes.into_iter().map(|(_, code)| code).collect();
        (response.error_code, codes)
    }
}

#[test]
fn configurations_that_are_not_named_in_a_replacement_go_back_to_their_defaults() {
    let mut wire = Wire::new();
    let topic = unique("replaced");
    let configs = [("retention.ms", "1000"), ("max.message.bytes", "2000")];
    assert_eq!(wire.create(&topic, 1, 1, &configs), 0);
    let replaced = wire.replace_configs(&topic, &[("max.message.bytes", Some("3000"))]);
    assert_eq!(replaced, 0);
    assert_eq!(
        wire.config_soon(&topic, "max.message.bytes", "3000"),
        "3000"
    );
    assert_eq!(wire.config(&topic, "retention.ms"), "604800000");
    let soon = [("retention.ms", Some("soon"))];
    assert_eq!(wire.replace_configs(&topic, &soon), 40);
    let unknown = [("no.such.setting", Some("1"))];
    assert_eq!(wire.replace_configs(&topic, &unknown), 40);
    assert_eq!(wire.replace_configs(&topic, &[("retention.ms", None)]), 42);
    assert_eq!(wire.replace_configs(&unique("none"), &[]), 3);
    // What was refused has changed nothing.
    assert_eq!(wire.config(&topic, "max.message.bytes"), "3000");
}

#[test]
fn log_directories_tell_the_sizes_of_the_partitions_that_there_are() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let one = batch((-1, -1), -1, 3, false);
    assert_eq!(wire.produce(None, &topic, 0, &one).0, 0);
    let size = i64::try_from(one.len()).unwrap();
    for version in 1..=4 {
        let sizes = wire.sizes(version, &topic, &[0, 1, 9]);
        assert_eq!(sizes.len(), 2, "version {version}");
        assert_eq!(sizes[0], (0, size), "version {version}");
    }
    assert_eq!(wire.sizes(4, &unique("none"), &[0]), []);
    let all = wire.ask(4, DescribeLogDirsRequest::default().with_topics(None));
    let mut topics = all.results.iter().flat_map(|directory| &directory.topics);
    assert!(topics.any(|described| *described.name == *topic));
}

#[test]
fn resources_with_configurations_are_listed_by_kind() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let mut list = |version, kinds: &[i8]| {
        let request = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        let response = wire.ask(version, request);
        let listed = response.config_resources.into_iter();
        let listed: Vec<_> = listed
            .map(|resource| (resource.resource_type, resource.resource_name.to_string()))
            .collect();
        (response.error_code, listed)
    };
    let (code, topics) = list(1, &[TOPIC]);
    assert_eq!(code, 0);
    assert!(topics.contains(&(TOPIC, topic.clone())));
    assert!(topics.iter().all(|(kind, _)| *kind == TOPIC));
    let brokers = [(4, "1".to_owned()), (8, "1".to_owned())];
    let (code, mut listed) = list(1, &[4, 8]);
    listed.sort_unstable();
    assert_eq!((code, listed.as_slice()), (0, &brokers[..]));
    let (code, all) = list(1, &[]);
    assert_eq!(code, 0);
    assert!(all.contains(&(TOPIC, topic)) && all.contains(&brokers[0]));
    assert_eq!(list(1, &[3]), (35, vec![]));
    // Version 0 knows client metrics only.
    assert_eq!(list(0, &[]), (0, vec![]));
}

#[test]
fn no_election_is_needed_where_the_only_broker_leads() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    for kind in [0, 1] {
        assert_eq!(wire.elect(kind, &topic, &[0, 1, 9]), (0, vec![84, 84, 3]));
    }
    assert_eq!(wire.elect(0, &unique("none"), &[0]), (0, vec![3]));
    assert_eq!(wire.elect(7, &topic, &[0]).0, 42);
    let all = ElectLeadersRequest::default()
        .with_timeout_ms(10_000)
        .with_topic_partitions(None);
    let all = wire.ask(2, all);
    assert_eq!(all.error_code, 0);
    let results = all.replica_election_results.iter();
    assert_eq!(
        results
            .map(|topic| topic.partition_result.len())
            .sum::<usize>(),
        0
    );
}
