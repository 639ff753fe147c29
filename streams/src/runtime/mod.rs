//! Runs a topology on a cluster, exactly once.
//!
//! | file | concept |
//! |---|---|
//! | `job` | a topology on a cluster: start, stop, wait |
//! | `lifecycle` | the states of a job |
//! | `preparation` | what is done before the threads start |
//! | `first_contact` | waiting for a broker that answers |
//! | `startup` | what is checked against the live cluster |
//! | `transaction_size` | how much one transaction holds at the most |
//! | `permissions` | what the cluster's ACLs let the job do |
//! | `user_topics` | the topics that the topology names, as the cluster has them |
//! | `instance` | the instance id, locked in the state directory |
//! | `threads` | the stream threads, started all or none |
//! | `thread` | the loop of a stream thread |
//! | `rebalance` | partitions that the group gives and takes |
//! | `dealing` | whether the group has dealt out all partitions |
//! | `recovery` | after a failure: abort, go back to the committed offsets |
//! | `stop`, `patience` | the request to end, and how long the client is waited for |
//! | `tasks` | tasks and the progress of their input partitions |
//! | `progress` | how far the inputs are, and what a checkpoint commits |
//! | `schedule` | the order of a batch's records |
//! | `batch_size` | how many records are read at once |
//! | `work` | a batch through the tasks into the output |
//! | `failing` | records that fail, and what `on_error` does with them |
//! | `punctuate` | punctuators, between batches and behind records |
//! | `record_cache` | updates of tables that wait, sent on |
//! | `output` | records that leave, transactions, partitions |
//! | `delivery` | whether they leave in transactions, and the producer for it |
//! | `record_size` | how large a record is, and what is said where that is too much |
//! | `deadlines` | when the next checkpoint is due |
//! | `checkpoint` | the commit of outputs and offsets together |
//! | `changelog` | what the tasks' stores have changed, on its way to Kafka |
//! | `changelog_reader` | reads what stores are restored from |
//! | `changelog_settings` | whether the topics that stores are restored from keep all rows |
//! | `source_changelogs` | topics of tables that are their changelogs |
//! | `known_changelogs` | the changelogs that the job has had |
//! | `internal_topics` | changelog and repartition topics: planned, checked, created |
//! | `orphans` | topics that look like internal ones and belong to nothing |
//! | `partition_counts` | how many partitions they have |
//! | `purge` | deletes what is committed from repartition topics |
//! | `task_counts` | which tasks state is kept for |
//! | `task_states` | the state of tasks that no thread works on |
//! | `stateful` | tasks with state, from assigned to ready |
//! | `task_inputs` | which inputs they have, and which they lack |
//! | `standstill` | tells of tasks that wait for one |
//! | `restorer` | the thread that brings state up to date |
//! | `waiting_restore` | a restore that cannot begin yet |
//! | `logs` | where changelogs begin and end, and which topics they are |
//! | `store_start` | where a store is read on, by what it has |
//! | `restoring` | one task's way to the end of its changelogs |
//! | `store_restore` | one store's way |
//! | `table_size` | how much of a changelog is written to a store at once |
//! | `tables` | batches of it that are written while the next one is read |
//! | `table_write` | one of them, on a thread of its own |
//! | `globals` | global tables, read whole by each process |
//! | `global_topics` | whether their topics change |
//! | `kept_positions` | how far they were read |
//! | `bounded` | a run that ends at the latest offsets |
//! | `elsewhere` | what other members do of it |
//! | `disk_use` | what the stores take up |
//! | `event` | what a job tells about itself |
//! | `shared` | what the stream threads have in common |
//! | `clock` | a clock that costs a record nothing to read |
//!
//! Threads: each stream thread is an OS thread that owns its consumer, its producer and its tasks; nothing per record is
//! shared between threads. tokio is the control plane only: starting, waiting, signals.

mod batch_size;
mod bounded;
mod changelog;
mod changelog_reader;
mod changelog_settings;
mod checkpoint;
mod clock;
mod deadlines;
mod dealing;
mod delivery;
mod disk_use;
mod elsewhere;
mod event;
mod failing;
mod first_contact;
mod global_topics;
mod globals;
mod instance;
mod internal_topics;
mod job;
mod kept_positions;
mod known_changelogs;
mod lifecycle;
mod logs;
mod orphans;
mod output;
mod partition_counts;
mod patience;
mod permissions;
mod preparation;
mod progress;
mod punctuate;
mod purge;
mod rebalance;
mod record_cache;
mod record_size;
mod recovery;
mod restorer;
mod restoring;
mod schedule;
mod shared;
mod source_changelogs;
mod standstill;
mod startup;
mod stateful;
mod stop;
mod store_restore;
mod store_start;
mod table_size;
mod table_write;
mod tables;
mod task_counts;
mod task_inputs;
mod task_states;
mod tasks;
mod thread;
mod threads;
mod transaction_size;
mod user_topics;
mod waiting_restore;
mod work;

pub use crate::kafka::properties::Properties;
#[cfg(feature = "cli")]
pub(crate) use event::log as log_event;
pub use event::{ChangelogWritten, Checkpoint, Event, PartitionCount, Restore, RestoreStatus};
pub use internal_topics::OwnTopic;
pub use job::{Job, JobHandle, Stopper, Summary};
pub use lifecycle::JobState;
pub use startup::ClusterReport;
