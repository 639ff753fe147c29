//! What Apache Kafka does on the wire, a case a rule. The same cases run on it: see `tests/tests/protocol.rs`.

mod admin_tools;
mod batches;
mod configurations;
mod consumer_groups;
mod described;
mod group_tools;
mod groups;
mod leader_epochs;
mod logs;
mod markers;
mod migrations;
mod produce_answers;
mod producers;
mod rules;
mod sessions;
mod topic_ids;
mod topics;
mod transactions;
mod transactions_v2;
mod versions;
