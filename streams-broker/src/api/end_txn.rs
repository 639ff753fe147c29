//! EndTxn: decides the outcome of the producer's transaction.

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use super::{Context, fenced_as};
use crate::broker::Broker;
use crate::log::batch::Outcome;
use crate::transactions::{ClientVersion, ProducerIdentity};

/// The version from which on an end raises the epoch (KIP-890).
const BUMPS_EPOCH: i16 = 5;

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
    let version = if context.version >= BUMPS_EPOCH {
        ClientVersion::V2
    } else {
        ClientVersion::V1
    };
    let now = broker.now();
    let ended = context.check().and_then(|()| {
        let id = &request.transactional_id;
        broker.transactions.end(id, producer, outcome, version, now)
    });
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let error = fenced_as(error, context.version >= 2);
            return EndTxnResponse::default().with_error_code(error.code());
        }
    };
    if let Some(ending) = ended.ending {
        broker.decide(ending);
    }
    let response = EndTxnResponse::default();
    if version == ClientVersion::V1 {
        return response;
    }
    response
        .with_producer_id(ProducerId(ended.producer.id))
        .with_producer_epoch(ended.producer.epoch)
}
