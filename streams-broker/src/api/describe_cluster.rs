//! DescribeCluster: the one broker, which is the controller too.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::{Context, text};
use crate::broker::Broker;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    _: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if let Err(error) = context.check() {
        return DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(text(error.to_string())));
    }
    let node = &broker.node;
    let this = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    DescribeClusterResponse::default()
        .with_cluster_id(text(broker.cluster_id.clone()))
        .with_controller_id(BrokerId(node.id))
        .with_brokers(vec![this])
}
