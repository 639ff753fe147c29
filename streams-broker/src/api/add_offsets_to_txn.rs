//! AddOffsetsToTxn: registers a group's offsets in the producer's transaction.

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Context, code, fenced_as};
use crate::broker::Broker;
use crate::transactions::ProducerIdentity;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let producer = ProducerIdentity {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let now = broker.now();
    let result = context.check().and_then(|()| {
        let (id, group) = (&request.transactional_id, &request.group_id);
        broker.transactions.add_group(id, producer, group, now)
    });
    let result = result.map_err(|error| fenced_as(error, context.version >= 2));
    AddOffsetsToTxnResponse::default().with_error_code(code(result))
}
