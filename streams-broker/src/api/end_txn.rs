//! EndTxn: decides the outcome of the producer's transaction.

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{Context, code, fenced_as};
use crate::broker::Broker;
use crate::log::batch::Outcome;
use crate::transactions::ProducerIdentity;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: EndTxnRequest,
) -> EndTxnResponse {
    let producer = ProducerIdentity {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let outcome = if request.committed {
        Outcome::Commit
    } else {
        Outcome::Abort
    };
    let ended = context.check().and_then(|()| {
        broker
            .transactions
            .end(&request.transactional_id, producer, outcome)
    });
    let result = ended.map(|ending| {
        if let Some(ending) = ending {
            broker.decide(ending);
        }
    });
    let result = result.map_err(|error| fenced_as(error, context.version >= 2));
    EndTxnResponse::default().with_error_code(code(result))
}
