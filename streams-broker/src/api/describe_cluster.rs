//! DescribeCluster: the one broker, which is the controller too.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::operations::{OF_CLUSTER, UNTOLD};
use super::{Context, text};
use crate::broker::Broker;
use crate::topics::Refused;

/// Who is asked for, in the protocol's numbers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if let Err(refused) = check(context, request.endpoint_type) {
        return DescribeClusterResponse::default()
            .with_error_code(refused.code.code())
            .with_error_message(Some(text(refused.message)));
    }
    let node = &broker.node;
    let this = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    let asked = request.include_cluster_authorized_operations;
    DescribeClusterResponse::default()
        .with_cluster_id(text(broker.cluster_id.clone()))
        .with_controller_id(BrokerId(node.id))
        .with_brokers(vec![this])
        .with_cluster_authorized_operations(if asked { OF_CLUSTER } else { UNTOLD })
}

/// There is no endpoint for controllers (`KafkaApis.handleDescribeCluster`).
fn check(context: &Context<'_>, endpoint_type: i8) -> Result<(), Refused> {
    context.check()?;
    match endpoint_type {
        BROKERS => Ok(()),
        CONTROLLERS => Err(Refused::new(
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        )),
        other => Err(Refused::new(
            ResponseError::UnsupportedEndpointType,
            format!("Unsupported endpoint type {other}"),
        )),
    }
}
