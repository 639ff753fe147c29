//! What Apache Kafka does on the wire, a case a rule. The same cases run on it: see `tests/tests/protocol.rs`.

mod admin_tools;
mod apis;
mod batches;
mod configurations;
mod consumer_groups;
mod described;
mod ending;
mod group_tools;
mod groups;
mod leader_epochs;
mod logs;
mod markers;
mod migrations;
mod offset_expiry;
mod produce_answers;
mod producers;
mod recreated;
mod restarts;
mod rules;
mod sessions;
mod topic_ids;
mod topics;
mod transactions;
mod transactions_v2;
mod versions;
