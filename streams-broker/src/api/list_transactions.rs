//! ListTransactions, by state, producer and age.

use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId,
};

use super::{Context, text};
use crate::broker::Broker;
use crate::transactions::{State, Transaction};

pub(super) fn handle(
    broker: &mut Broker,
    _: &Context<'_>,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let now = broker.now();
    let wanted = |transaction: &Transaction| {
        let (states, producers) = (&request.state_filters, &request.producer_id_filters);
        let state = states.is_empty()
            || states
                .iter()
                .any(|state| &**state == transaction.state.name());
        let producer =
            producers.is_empty() || producers.iter().any(|id| id.0 == transaction.producer.id);
        let running = transaction.state == State::Ongoing || transaction.state.is_preparing();
        let old = request.duration_filter < 0
            || (running && now - transaction.started > request.duration_filter);
        state && producer && old
    };
    let listed = broker
        .transactions
        .iter()
        .filter(|(_, transaction)| wanted(transaction))
        .map(|(id, transaction)| {
            TransactionState::default()
                .with_transactional_id(TransactionalId(text(id)))
                .with_producer_id(ProducerId(transaction.producer.id))
                .with_transaction_state(text(transaction.state.name()))
        });
    ListTransactionsResponse::default().with_transaction_states(listed.collect())
}
