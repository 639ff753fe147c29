//! Configurations of topics: what is altered, and what is refused.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as OldResource, AlterableConfig as OldConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};

use crate::wire::{Wire, text, unique};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
const TOPIC: i8 = 2;

fn config(name: &str, value: Option<&str>) -> AlterableConfig {
    AlterableConfig::default()
        .with_name(text(name))
        .with_value(value.map(text))
}

fn of(topic: &str, configs: Vec<AlterableConfig>) -> AlterConfigsResource {
    AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configs(configs)
}

fn alter(wire: &mut Wire, resources: Vec<AlterConfigsResource>) -> Vec<i16> {
    let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
    let answer = wire.ask(1, request);
    let codes = answer.responses.iter();
    codes.map(|response| response.error_code).collect()
}

/// `ConfigAdminManager.preprocess`
#[test]
fn alterations_that_are_not_clear_are_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let retention = || config("retention.ms", Some("5000"));
    let twice = of(&topic, vec![retention(), retention()]);
    assert_eq!(alter(&mut wire, vec![twice]), [42]);
    let one = || of(&topic, vec![retention()]);
    assert_eq!(alter(&mut wire, vec![one(), one()]), [42, 42]);
    let null = of(&topic, vec![config("retention.ms", None)]);
    assert_eq!(alter(&mut wire, vec![null]), [42]);
    let unknown = vec![retention().with_config_operation(9)];
    assert_eq!(alter(&mut wire, vec![of(&topic, unknown)]), [-1]);
    assert_eq!(wire.config(&topic, "retention.ms"), "604800000");
}

/// `ControllerConfigurationValidator.validateTopicName`
#[test]
fn topics_that_cannot_be_have_no_configurations() {
    let mut wire = Wire::new();
    for (name, altered) in [("a b", 17), ("", 42)] {
        assert_eq!(wire.alter(name, "retention.ms", SET, "5000"), altered);
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(name));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        assert_eq!(wire.ask(4, request).results[0].error_code, 17, "{name:?}");
    }
}

#[test]
fn what_is_not_there_is_as_good_as_deleted() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.alter(&topic, "no.such", DELETE, ""), 0);
    assert_eq!(wire.alter(&topic, "retention.ms", DELETE, ""), 0);
    assert_eq!(wire.alter(&topic, "cleanup.policy", SUBTRACT, "compact"), 0);
    // A policy may be none at all.
    assert_eq!(wire.alter(&topic, "cleanup.policy", SUBTRACT, "delete"), 0);
    assert_eq!(wire.config_soon(&topic, "cleanup.policy", ""), "");
    assert_eq!(wire.alter(&topic, "cleanup.policy", APPEND, "delete"), 0);
    let policy = wire.config_soon(&topic, "cleanup.policy", "delete");
    assert_eq!(policy, "delete");
}

/// `LogConfig.validate`
#[test]
fn values_have_ranges_and_must_go_together() {
    let mut wire = Wire::new();
    for (configs, code) in [
        (&[("compression.gzip.level", "10")][..], 40),
        (&[("compression.gzip.level", "-1")], 0),
        (&[("compression.zstd.level", "-200000")], 40),
        (&[("compression.lz4.level", "0")], 40),
        (&[("compression.lz4.level", "17")], 0),
        (&[("follower.replication.throttled.replicas", "*")], 0),
        (&[("follower.replication.throttled.replicas", "0:1,1:1")], 0),
        (&[("follower.replication.throttled.replicas", "1:1,x")], 40),
        (&[("local.retention.ms", "5")], 0),
        (&[("local.retention.ms", "-3")], 40),
        (&[("local.retention.bytes", "-2")], 0),
        (&[("remote.log.copy.disable", "true")], 0),
        (&[("remote.storage.enable", "true")], 40),
        (
            &[
                ("min.compaction.lag.ms", "2"),
                ("max.compaction.lag.ms", "1"),
            ],
            40,
        ),
        (&[("cleanup.policy", "")], 0),
    ] {
        let created = wire.create(&unique("ranges"), 1, 1, configs);
        assert_eq!(created, code, "{configs:?}");
    }
}

const THROTTLED: &str = "follower.replication.throttled.replicas";

/// `ConfigurationControlManager.validateAlterConfig`: a longer one cannot be sent, but a list can become longer.
#[test]
fn a_value_is_no_longer_than_its_length_can_tell() {
    const WORDS: &str = "The configuration value cannot be added because it exceeds the maximum value size of 32767 \
                         bytes.";
    let replicas = (10_000..14_096).map(|partition| format!("{partition}:1"));
    let longest = replicas.collect::<Vec<_>>().join(",");
    assert_eq!(longest.len(), 32_767);
    let mut wire = Wire::new();
    let topic = wire.topic();
    let mut change = |operation, value: &str| {
        let config = config(THROTTLED, Some(value)).with_config_operation(operation);
        let resource = of(&topic, vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = wire.ask(1, request).responses.remove(0);
        (answer.error_code, answer.error_message)
    };
    assert_eq!(change(SET, &longest).0, 0);
    assert_eq!(change(APPEND, "1:1"), (40, Some(text(WORDS))));
    // What it has already makes it no longer.
    assert_eq!(change(APPEND, &longest).0, 0);
    assert_eq!(change(SUBTRACT, &longest).0, 0);
    assert_eq!(wire.config_soon(&topic, THROTTLED, ""), "");

    let configs = [(THROTTLED, longest.as_str())];
    assert_eq!(wire.create(&unique("long"), 1, 1, &configs), 0);
    let config = OldConfig::default()
        .with_name(text(THROTTLED))
        .with_value(Some(text(&longest)));
    let resource = OldResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(&topic))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(wire.ask(2, request).responses[0].error_code, 0);
}

/// `ConfigurationControlManager.incrementalAlterConfigResource`
#[test]
fn a_list_is_extended_by_what_it_has_not() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    for (value, operation, becomes) in [
        ("2:1,1:1", SET, "2:1,1:1"),
        ("2:1,3:1", APPEND, "2:1,1:1,3:1"),
        ("4:1,4:1", APPEND, "2:1,1:1,3:1,4:1"),
        ("1:1,5:1", SUBTRACT, "2:1,3:1,4:1"),
    ] {
        assert_eq!(wire.alter(&topic, THROTTLED, operation, value), 0);
        assert_eq!(wire.config_soon(&topic, THROTTLED, becomes), becomes);
    }
}
