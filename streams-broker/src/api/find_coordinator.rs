//! FindCoordinator: the only broker coordinates every group and every transactional id.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::once::once;
use super::{Context, text};
use crate::broker::{Broker, Node};

const TRANSACTION: i8 = 1;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let node = &broker.node;
    if context.version >= 4 {
        let found = once(request.coordinator_keys, StrBytes::clone)
            .map(|key| coordinator(context, node, key, request.key_type));
        return FindCoordinatorResponse::default().with_coordinators(found.collect());
    }
    let found = coordinator(context, node, request.key, request.key_type);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn coordinator(context: &Context<'_>, node: &Node, key: StrBytes, key_type: i8) -> Coordinator {
    let checked = if (0..=TRANSACTION).contains(&key_type) {
        context.check()
    } else {
        Err(ResponseError::InvalidRequest)
    };
    if let Err(error) = checked {
        return Coordinator::default()
            .with_key(key)
            .with_error_code(error.code())
            .with_node_id(BrokerId(-1))
            .with_port(-1);
    }
    Coordinator::default()
        .with_key(key)
        .with_node_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port))
}
