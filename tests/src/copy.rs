//! A job as processes: with topics of its own, so that many tests share a cluster, or with those that its function names.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{Job, ReadRecord, TestCluster};

/// As the program has them by default, with more of the job's events.
const LOG_LEVELS: &str = "info,rdkafka=off,fjall=warn,lsm_tree=warn,streams::runtime::event=debug";

/// A job that makes one topic of another, and where its instances keep their state and their logs.
///
/// The directory with both is kept when the test fails.
#[derive(Debug)]
pub struct CopyJob<'a> {
    /// The topic that it reads.
    pub input: String,
    /// The topic that it writes, with four partitions if it is the job's own.
    pub output: String,
    /// Its name, which is its consumer group too.
    pub application_id: String,
    cluster: &'a TestCluster,
    program: &'a Path,
    directory: Option<TempDir>,
}

impl<'a> CopyJob<'a> {
    /// A job with new topics on `cluster`. `program` is the binary `crash-job`.
    #[track_caller]
    pub fn new(cluster: &'a TestCluster, program: &'a Path, partitions: i32) -> CopyJob<'a> {
        let names = [
            cluster.topic("input", partitions),
            cluster.topic("output", 4),
            cluster.unique("copy"),
        ];
        CopyJob::named(cluster, program, names)
    }

    /// A job whose function says what its input, its output and itself are called.
    #[track_caller]
    pub fn named(
        cluster: &'a TestCluster,
        program: &'a Path,
        [input, output, application_id]: [String; 3],
    ) -> CopyJob<'a> {
        let directory = tempfile::Builder::new()
            .prefix("copy-job-")
            .tempdir()
            .expect("a directory for the job");
        CopyJob {
            input,
            output,
            application_id,
            cluster,
            program,
            directory: Some(directory),
        }
    }

    /// The command line of an instance: `run` on the cluster, and `arguments`.
    pub fn command(&self, instance: usize, arguments: &[&str]) -> Command {
        let mut command = self.command_of("run", instance);
        command.args(arguments);
        command
    }

    /// The command line for one of the program's commands, on the cluster.
    pub fn command_of(&self, name: &str, instance: usize) -> Command {
        let mut command = Command::new(self.program);
        command
            .env("CRASH_INPUT", &self.input)
            .env("CRASH_OUTPUT", &self.output)
            .env("CRASH_APPLICATION_ID", &self.application_id)
            // How far each checkpoint has brought the stores is told at this level.
            .env("RUST_LOG", LOG_LEVELS)
            .args([
                name,
                "--bootstrap-servers",
                self.cluster.bootstrap_servers(),
                "--state-dir",
            ])
            .arg(self.directory().join(format!("state-{instance}")));
        command
    }

    /// Starts an instance, which has the state directory and the log of that number.
    pub fn start(&self, instance: usize, arguments: &[&str]) -> Job {
        Job::start(
            &self.command(instance, arguments),
            &self.directory().join(format!("instance-{instance}.log")),
        )
    }

    /// The committed records of its input.
    #[track_caller]
    pub fn inputs(&self) -> Vec<ReadRecord> {
        self.cluster.read_committed(&self.input)
    }

    /// The committed records of its output.
    #[track_caller]
    pub fn outputs(&self) -> Vec<ReadRecord> {
        self.cluster.read_committed(&self.output)
    }

    /// Where the state and the logs of its instances are.
    pub fn directory(&self) -> &Path {
        self.directory.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for CopyJob<'_> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(path) = self.directory.take().map(TempDir::keep)
        {
            println!(
                "the logs of the job's instances are kept in {}",
                path.display()
            );
        }
    }
}
