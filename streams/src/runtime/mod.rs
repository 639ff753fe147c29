//! Runs a topology on a cluster, exactly once.
//!
//! | file | concept |
//! |---|---|
//! | `job` | a topology on a cluster: start, stop, wait |
//! | `lifecycle` | the states of a job |
//! | `startup` | what is checked against the live cluster |
//! | `instance` | the instance id, locked in the state directory |
//! | `thread` | the loop of a stream thread: rebalances, recovery |
//! | `tasks` | tasks and the progress of their input partitions |
//! | `work` | a batch through the tasks into the output |
//! | `output` | records that leave, transactions, partitions |
//! | `checkpoint` | the commit of outputs and offsets together |
//! | `bounded` | a run that ends at the latest offsets |
//! | `event` | what a job tells about itself |
//!
//! Threads: each stream thread is an OS thread that owns its consumer, its producer and its tasks; nothing per record is
//! shared between threads. tokio is the control plane only: starting, waiting, signals.

mod bounded;
mod checkpoint;
mod clock;
mod event;
mod instance;
mod job;
mod lifecycle;
mod output;
mod partitioner;
mod shared;
mod startup;
mod tasks;
mod thread;
mod work;

pub use crate::kafka::properties::Properties;
pub use event::{Checkpoint, Event, PartitionCount};
pub use job::{Job, JobHandle, Stopper, Summary};
pub use lifecycle::JobState;
pub use startup::ClusterReport;
