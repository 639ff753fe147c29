//! Topics and their configurations.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest, TopicName,
};
use uuid::Uuid;

use super::{Wire, batch, patiently, text, unique};

impl Wire {
    pub(crate) fn create(
        &mut self,
        name: &str,
        partitions: i32,
        replicas: i16,
        configs: &[(&str, &str)],
    ) -> i16 {
        let config = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        self.ask(5, request).topics[0].error_code
    }

    /// A topic of two partitions that is ready for use.
    pub(crate) fn topic(&mut self) -> String {
        let name = unique("t");
        self.create_ready(&name);
        name
    }

    fn create_ready(&mut self, name: &str) {
        assert_eq!(self.create(name, 2, 1, &[]), 0);
        let ready = patiently(&[3, 5, 6], || {
            (
                self.produce(None, name, 1, &batch((-1, -1), -1, 1, false))
                    .0,
                (),
            )
        });
        assert_eq!(ready.0, 0);
        let ready = patiently(&[3, 5, 6], || (self.list(name, 0, -1).0, ()));
        assert_eq!(ready.0, 0);
    }

    /// Code and id of a topic.
    pub(crate) fn topic_id(&mut self, name: &str) -> (i16, Uuid) {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic]))
            .with_allow_auto_topic_creation(false);
        let answer = self.ask(12, request).topics.remove(0);
        (answer.error_code, answer.topic_id)
    }

    /// Deletes a topic; when this returns its log is gone.
    pub(crate) fn delete_topic(&mut self, name: &str) {
        let topic = DeleteTopicState::default().with_name(Some(TopicName(text(name))));
        let request = DeleteTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        assert_eq!(self.ask(6, request).responses[0].error_code, 0);
        assert_eq!(patiently(&[0], || self.topic_id(name)).0, 3);
        let gone = patiently(&[0], || (self.list(name, 0, -1).0, ()));
        assert_eq!(gone.0, 3);
    }

    /// A topic of two partitions in the place of one that was deleted.
    pub(crate) fn topic_again(&mut self, name: &str) {
        self.create_ready(name);
    }

    pub(crate) fn grow(&mut self, topic: &str, count: i32) -> i16 {
        let topic = CreatePartitionsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        self.ask(1, request).results[0].error_code
    }

    /// Alters one configuration: 0 sets it, 1 deletes it, 2 appends to a list, 3 subtracts from one.
    pub(crate) fn alter(&mut self, topic: &str, name: &str, operation: i8, value: &str) -> i16 {
        let config = AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(Some(text(value)).filter(|_| operation != 1));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(1, request).responses[0].error_code
    }

    /// The value of a topic's configuration, once the topic is known.
    pub(crate) fn config(&mut self, topic: &str, name: &str) -> String {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configuration_keys(Some(vec![text(name)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let (_, result) = patiently(&[3], || {
            let result = self.ask(4, request.clone()).results.remove(0);
            (result.error_code, result)
        });
        result.configs[0].value.clone().unwrap().to_string()
    }

    /// The value of a topic's configuration, which is waited for: brokers learn it from the controller.
    pub(crate) fn config_soon(&mut self, topic: &str, name: &str, expected: &str) -> String {
        let (_, value) = patiently(&[-1], || {
            let value = self.config(topic, name);
            (if value == expected { 0 } else { -1 }, value)
        });
        value
    }
}
