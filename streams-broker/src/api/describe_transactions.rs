//! DescribeTransactions: state, owner and partitions of transactional ids.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TopicName,
};

use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::transactions::{Transaction, check_id};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let states = once(request.transactional_ids, Clone::clone).map(|id| {
        let found = context.check().and_then(|()| {
            check_id(&id)?;
            let found = broker.transactions.get(&id);
            found.ok_or(ResponseError::TransactionalIdNotFound)
        });
        let state = match found {
            Ok(transaction) => describe(transaction),
            Err(error) => TransactionState::default().with_error_code(error.code()),
        };
        state.with_transactional_id(id)
    });
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}

fn describe(transaction: &Transaction) -> TransactionState {
    let topic = |(name, partitions): (&String, &std::collections::BTreeSet<i32>)| {
        TopicData::default()
            .with_topic(TopicName(text(name)))
            .with_partitions(partitions.iter().copied().collect())
    };
    TransactionState::default()
        .with_transaction_state(text(transaction.state.name()))
        .with_transaction_timeout_ms(i32::try_from(transaction.timeout).unwrap_or(i32::MAX))
        .with_transaction_start_time_ms(transaction.started)
        .with_producer_id(ProducerId(transaction.producer.id))
        .with_producer_epoch(transaction.producer.epoch)
        .with_topics(transaction.partitions.iter().map(topic).collect())
}
