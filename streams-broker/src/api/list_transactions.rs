//! ListTransactions, by state, producer and age.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId,
};

use regex::Regex;

use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::transactions::{State, Transaction};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    if let Err(error) = context.check() {
        return ListTransactionsResponse::default().with_error_code(error.code());
    }
    let now = broker.now();
    let pattern = request.transactional_id_pattern.as_deref();
    let pattern = pattern.filter(|pattern| !pattern.is_empty());
    let Ok(pattern) = pattern.map(whole).transpose() else {
        let code = ResponseError::InvalidRegularExpression.code();
        return ListTransactionsResponse::default().with_error_code(code);
    };
    let wanted = |id: &str, transaction: &Transaction| {
        let (states, producers) = (&request.state_filters, &request.producer_id_filters);
        let state = states.is_empty()
            || states
                .iter()
                .any(|state| &**state == transaction.state.name());
        let producer =
            producers.is_empty() || producers.iter().any(|id| id.0 == transaction.producer.id);
        // Apache Kafka does not ask whether it runs still: `TransactionStateManager.listTransactionStates`.
        let since = now.saturating_sub(transaction.started);
        let old = request.duration_filter < 0 || since > request.duration_filter;
        let matches = pattern.as_ref().is_none_or(|pattern| pattern.is_match(id));
        state && producer && old && matches
    };
    let listed = broker
        .transactions
        .iter()
        .filter(|(id, transaction)| wanted(id, transaction))
        .map(|(id, transaction)| {
            TransactionState::default()
                .with_transactional_id(TransactionalId(text(id)))
                .with_producer_id(ProducerId(transaction.producer.id))
                .with_transaction_state(text(transaction.state.name()))
        });
    let listed = listed.collect();
    let filters = once(request.state_filters.iter().cloned(), Clone::clone);
    let unknown = filters.filter(|state| !State::is_name(state));
    ListTransactionsResponse::default()
        .with_transaction_states(listed)
        .with_unknown_state_filters(unknown.collect())
}

/// An expression that the whole id must match.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(pattern).and_then(|_| Regex::new(&format!("^(?:{pattern})$")))
}
