//! What the runtime promises of state: whatever ends a job, and wherever it goes on, each record counts once, nothing that
//! was kept is lost, and no more of a changelog is read than what is lacking.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backends;
mod changelog_settings;
mod counting;
mod disk;
mod fail_points;
mod fixture;
mod globals;
mod internal_topics;
mod members;
mod processors;
mod record_cache;
mod repartition;
mod restoring;
mod source_changelogs;
mod strange;
mod timed_stores;
mod versioned;
