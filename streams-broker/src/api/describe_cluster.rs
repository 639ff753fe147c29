//! DescribeCluster: the one broker, which is the controller too.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::{Context, text};
use crate::broker::{Broker, CLUSTER_ID};

pub(super) fn handle(
    broker: &mut Broker,
    _: &Context<'_>,
    _: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let node = &broker.node;
    let this = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    DescribeClusterResponse::default()
        .with_cluster_id(text(CLUSTER_ID))
        .with_controller_id(BrokerId(node.id))
        .with_brokers(vec![this])
}
