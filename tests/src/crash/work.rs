//! What the job under test does: how its input is made, and what has to come of it.

use std::path::Path;

use super::{flights, rows};
use crate::{CopyJob, Counts, Oracle, Random, Sender, TestCluster};

/// What the job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It copies records.
    Copy,
    /// It counts the words of records: with state, a changelog, and a repartition topic.
    CountWords,
    /// It adds up rows of a table by group: with updates that take the old row off, a topic that is its table's changelog, and a
    /// record cache.
    AddRows,
    /// The example with the flights: tables, joins of tables, three aggregations, dead letters. It needs a cluster of its own,
    /// since its function names its topics.
    FlightDelays,
}

impl Work {
    /// The binary of this package that does it.
    pub fn program(self) -> &'static str {
        match self {
            Work::Copy => "crash-job",
            Work::CountWords => "count-job",
            Work::AddRows => "rows-job",
            Work::FlightDelays => "flight-delays",
        }
    }

    /// The job, with its topics, ready for instances to start.
    pub(super) fn job<'a>(
        self,
        cluster: &'a TestCluster,
        program: &'a Path,
        partitions: i32,
    ) -> CopyJob<'a> {
        match self {
            Work::Copy | Work::CountWords | Work::AddRows => {
                CopyJob::new(cluster, program, partitions)
            }
            Work::FlightDelays => flights::job(cluster, program, partitions),
        }
    }

    /// Writes the record of that number.
    pub(super) fn send(
        self,
        sender: &Sender,
        input: &str,
        partition: i32,
        number: usize,
        random: &mut Random,
    ) {
        match self {
            Work::Copy => sender.text(input, partition, &format!("{partition}:{number}")),
            Work::CountWords => {
                let mut word = || format!("w{}", random.between(0, 499));
                sender.text(input, partition, &[word(), word(), word()].join(" "));
            }
            Work::AddRows => rows::send(sender, input, random),
            Work::FlightDelays => flights::send(sender, input, number, random),
        }
    }

    /// Whether all that has to come out has come, or too much.
    pub(super) fn is_worked_off(self, cluster: &TestCluster, job: &CopyJob<'_>) -> bool {
        match self {
            Work::Copy => true,
            Work::CountWords => {
                let expected = Counts::of_words(&cluster.read_committed(&job.input));
                cluster.read_committed(&job.output).len() >= expected.updates()
            }
            Work::AddRows => rows::is_worked_off(cluster, job),
            Work::FlightDelays => flights::is_worked_off(cluster),
        }
    }

    /// Recounts what has come out from the inputs.
    #[track_caller]
    pub(super) fn judge(self, cluster: &TestCluster, job: &CopyJob<'_>) {
        let inputs = cluster.read_committed(&job.input);
        let outputs = cluster.read_committed(&job.output);
        match self {
            Work::Copy => Oracle::exactly_once(&inputs, &outputs),
            Work::CountWords => {
                let changelog = format!("{}-counts-changelog", job.application_id);
                let counts = Counts::of_words(&inputs);
                counts.are_told_by(&outputs);
                counts.are_kept_in(&cluster.read_committed(&changelog));
            }
            Work::AddRows => rows::judge(cluster, job),
            Work::FlightDelays => flights::judge(cluster),
        }
    }
}
