//! InitProducerId: an identity for an idempotent producer, or the next epoch of a transactional one.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{Context, fenced_as};
use crate::broker::Broker;
use crate::transactions::{NO_PRODUCER, ProducerIdentity, check_id};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let (producer, code) = match context
        .check()
        .and_then(|()| initialise(broker, context.version, &request))
    {
        Ok(producer) => (producer, 0),
        Err(error) => (NO_PRODUCER, fenced_as(error, context.version >= 4).code()),
    };
    InitProducerIdResponse::default()
        .with_error_code(code)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
}

fn initialise(
    broker: &mut Broker,
    version: i16,
    request: &InitProducerIdRequest,
) -> Result<ProducerIdentity, ResponseError> {
    let Some(id) = request.transactional_id.as_deref() else {
        return Ok(broker.transactions.fresh_producer());
    };
    let timeout = i64::from(request.transaction_timeout_ms);
    check_id(id)?;
    if timeout <= 0 || timeout > broker.settings.number("transaction.max.timeout.ms") {
        return Err(ResponseError::InvalidTransactionTimeout);
    }
    let expected = ProducerIdentity {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let expected = if version >= 3 { expected } else { NO_PRODUCER };
    // Either both are given or neither is.
    if (expected.id < 0) != (expected.epoch < 0) {
        return Err(ResponseError::InvalidRequest);
    }
    broker.initialise_producer(id, timeout, expected)
}
