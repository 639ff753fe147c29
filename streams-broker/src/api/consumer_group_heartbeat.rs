//! ConsumerGroupHeartbeat: joining, staying in and leaving a consumer group (KIP-848).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Context, text};
use crate::broker::Broker;
use crate::groups::consumer::heartbeat::{Beat, Heartbeat};
use crate::groups::consumer::member::Partitions;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let response = ConsumerGroupHeartbeatResponse::default();
    match context
        .check()
        .and_then(|()| heard(broker, context, request))
    {
        Ok(beat) => {
            let interval = broker.settings.int("group.consumer.heartbeat.interval.ms");
            let interval = if beat.member_epoch < 0 { 0 } else { interval };
            response
                .with_member_id(Some(text(beat.member_id)))
                .with_member_epoch(beat.member_epoch)
                .with_heartbeat_interval_ms(interval)
                .with_assignment(beat.assignment.map(assignment))
        }
        Err(error) => response
            .with_error_code(error.code())
            .with_error_message(Some(text(error.to_string()))),
    }
}

fn heard(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<Beat, ResponseError> {
    // The client chooses its id from version 1 on.
    let chooses_id = context.version >= 1;
    let group = request.group_id.clone();
    let mut heartbeat = heartbeat(context, request);
    heartbeat.check(chooses_id)?;
    if group.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    if heartbeat.member_id.is_empty() {
        heartbeat.member_id = uuid::Uuid::new_v4().to_string();
    }
    if heartbeat
        .regex
        .as_ref()
        .is_some_and(|regex| !regex.is_empty())
    {
        broker.reserve_for_matches()?;
    }
    let now = broker.now();
    broker.in_group(&group, |broker| {
        let (topics, settings) = (&broker.topics, &broker.settings);
        let groups = &mut broker.groups;
        groups.consumer_heartbeat(&group, &heartbeat, topics, settings, now)
    })
}

fn heartbeat(context: &Context<'_>, request: ConsumerGroupHeartbeatRequest) -> Heartbeat {
    let own = |text: Option<StrBytes>| text.map(|text| text.to_string());
    let names = request
        .subscribed_topic_names
        .map(|names| names.iter().map(|name| name.to_string()).collect());
    let owned = request.topic_partitions.map(|owned| {
        owned
            .into_iter()
            .map(|topic| (topic.topic_id, topic.partitions.into_iter().collect()))
            .collect()
    });
    Heartbeat {
        member_id: request.member_id.to_string(),
        member_epoch: request.member_epoch,
        instance: own(request.instance_id),
        rack: own(request.rack_id),
        rebalance_timeout: i64::from(request.rebalance_timeout_ms),
        topics: names,
        regex: own(request.subscribed_topic_regex),
        assignor: own(request.server_assignor),
        owned,
        client_id: context.client_id.to_owned(),
        client_host: format!("/{}", context.host),
    }
}

fn assignment(partitions: Partitions) -> Assignment {
    let topic = |(id, partitions): (uuid::Uuid, std::collections::BTreeSet<i32>)| {
        TopicPartitions::default()
            .with_topic_id(id)
            .with_partitions(partitions.into_iter().collect())
    };
    Assignment::default().with_topic_partitions(partitions.into_iter().map(topic).collect())
}
