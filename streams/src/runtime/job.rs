//! A topology on a cluster: started, watched, stopped.

use super::bounded::Until;
use super::clock::CoarseClock;
use super::disk_use::DiskUse;
use super::event::{self, Event, Listener};
use super::globals::Following;
use super::instance::Instance;
use super::internal_topics;
use super::known_changelogs::KnownChangelogs;
use super::lifecycle::{JobState, StateCell};
use super::preparation::{self, Prepared};
use super::purge::{self, Purge, Purging};
use super::shared::Shared;
use super::startup::{self, ClusterReport};
use super::stop::{self, Starting, Stop};
use super::threads;
use super::work::Totals;
use crate::kafka::properties::Properties;
use crate::state::Backends;
use crate::topology::Topology;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long [`Job::check`] waits for the cluster: who asks wants to know soon.
const CHECK_PATIENCE: Duration = Duration::from_secs(15);

/// A topology with the cluster it is to run on.
///
/// ```no_run
/// # use streams::prelude::*;
/// # use streams::runtime::{Job, Properties};
/// # async fn f(topology: Topology) -> streams::Result<()> {
/// let summary = Job::new(topology, Properties::new("localhost:9092")).until_latest().run().await?;
/// println!("{} records", summary.processed);
/// # Ok(())
/// # }
/// ```
pub struct Job {
    topology: Topology,
    properties: Properties,
    state_dir: Option<PathBuf>,
    until: Until,
    listener: Option<Listener>,
}

/// What a job did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Records read and processed, also those of aborted transactions, which were processed again.
    pub processed: u64,
    /// Records written in committed checkpoints.
    pub written: u64,
    /// Committed checkpoints, of all stream threads.
    pub checkpoints: u64,
    /// How often a transaction was aborted and its records processed again.
    pub recoveries: u64,
    /// From the start to the end.
    pub took: Duration,
}

impl Job {
    /// A job that runs until it is stopped.
    pub fn new(topology: Topology, properties: Properties) -> Self {
        Self {
            topology,
            properties,
            state_dir: None,
            until: Until::Stopped,
            listener: None,
        }
    }

    /// Where the instance keeps its id and the state of its tasks, locked while it runs; default:
    /// `streams/<application_id>` below the system's directory for temporary files. Each instance on a machine needs a
    /// directory of its own, and keeps its transactional ids as long as it keeps the directory. State that is lost with it
    /// is restored from the changelogs.
    #[must_use]
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// Ends the job by itself once everything that was in the source topics when it started is committed.
    #[must_use]
    pub fn until_latest(mut self) -> Self {
        self.until = Until::Latest;
        self
    }

    /// Hears the job's events, in place of the log. It is called on the stream threads and should return at once.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Checks the job against the cluster without running it: topics, its own among them, settings, and permissions, as far as
    /// they can be told without reading or writing a record. It creates nothing.
    ///
    /// # Errors
    ///
    /// The first thing that would keep the job from starting, with its remedy.
    pub async fn check(&self) -> Result<ClusterReport> {
        let report = startup::check(&self.topology, &self.properties, CHECK_PATIENCE).await?;
        startup::check_permissions(&self.topology, &self.properties, &report).await?;
        let no_stores = Backends::new(None, self.topology.config().state_backend);
        let own = internal_topics::verify(
            &self.topology,
            &self.properties,
            &report,
            &no_stores,
            &KnownChangelogs::default(),
        )
        .await?;
        internal_topics::try_creation(&self.properties, &own.missing).await?;
        Ok(report.with_own_topics(own))
    }

    /// Runs the job to its end: [`start`](Self::start), then [`JobHandle::join`].
    ///
    /// # Errors
    ///
    /// What keeps the job from starting or ends it.
    pub async fn run(self) -> Result<Summary> {
        self.start().await?.join().await
    }

    /// Checks the cluster, locks the state directory and starts the stream threads. A cluster that does not answer is waited
    /// for, a minute at the most.
    ///
    /// # Errors
    ///
    /// If the topology or its configuration contradicts itself, the cluster lacks something, or the state directory is in
    /// use.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with a timer (`enable_all`, as `#[tokio::main]` has it).
    pub async fn start(mut self) -> Result<JobHandle> {
        let started = Instant::now();
        let listener = self.listener.unwrap_or_else(|| Listener::new(event::log));
        let state = StateCell::new(listener.clone());
        state.become_next(JobState::Starting);
        let stop = Arc::new(Stop::new(self.topology.config().transaction_timeout()));
        let starting = Starting::new(&stop);
        let prepared = preparation::prepare(
            &self.topology,
            &mut self.properties,
            self.state_dir,
            self.until,
            &listener,
            &stop,
        )
        .await;
        let Prepared {
            instance,
            bound,
            states,
            tasks,
            globals,
            topic_ids,
        } = prepared.inspect_err(|_| state.become_next(JobState::Failed))?;
        let clock = CoarseClock::start().map_err(|source| Error::Io {
            what: "starting the clock".into(),
            source,
        })?;
        let shared = Arc::new(Shared {
            purge: Arc::new(Purge::new(&self.topology)),
            instance: instance.id().to_owned(),
            topology: self.topology,
            properties: self.properties,
            clock,
            stop,
            bound,
            states,
            tasks,
            globals: globals
                .as_ref()
                .map(|g| g.state().clone())
                .unwrap_or_default(),
            topic_ids,
            disk_use: DiskUse::default(),
            state: state.clone(),
            listener,
        });
        let following = globals.map(|globals| globals.follow(&shared)).transpose();
        let following = following.inspect_err(|_| state.become_next(JobState::Failed))?;
        let ends = threads::spawn(&shared)
            .await
            .inspect_err(|_| state.become_next(JobState::Failed))?;
        state.become_next(JobState::Running);
        starting.succeed();
        Ok(JobHandle {
            following,
            _purging: purge::start(&shared),
            shared,
            state,
            ends,
            started,
            _instance: instance,
        })
    }
}

/// A running job.
///
/// Dropping it stops the job without waiting for its last checkpoint; [`join`](Self::join) waits.
pub struct JobHandle {
    shared: Arc<Shared>,
    state: StateCell,
    ends: mpsc::UnboundedReceiver<Result<Totals>>,
    started: Instant,
    following: Option<Following>,
    _purging: Option<Purging>,
    _instance: Instance,
}

impl JobHandle {
    /// What the job is doing.
    pub fn state(&self) -> JobState {
        self.state.get()
    }

    /// Ends the job with a last checkpoint; returns at once.
    pub fn stop(&self) {
        self.stopper().stop();
    }

    /// Something that can stop the job from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: Arc::clone(&self.shared.stop),
            state: self.state.clone(),
        }
    }

    /// Waits until the job has ended.
    ///
    /// # Errors
    ///
    /// What ended the job, if it was not stopped or done.
    pub async fn join(mut self) -> Result<Summary> {
        let mut summary = Summary::default();
        let mut failure = None;
        let mut overdue = stop::watch(Arc::clone(&self.shared.stop));
        loop {
            tokio::select! {
                end = self.ends.recv() => match end {
                    Some(Ok(totals)) => summary.add(totals),
                    Some(Err(error)) => failure = failure.or(Some(error)),
                    None => break,
                },
                Ok(()) = &mut overdue => {
                    failure = failure.or(Some(stop::still_waiting()));
                    break;
                }
            }
        }
        summary.took = self.started.elapsed();
        // It has ended the other threads, which know of no error.
        let of_globals = self.following.as_ref().and_then(Following::failure);
        if let Some(error) = of_globals.or(failure) {
            self.state.become_next(JobState::Failed);
            return Err(error);
        }
        self.state.become_next(JobState::Stopping);
        self.state.become_next(JobState::Stopped);
        Ok(summary)
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        self.shared.stop.ask();
    }
}

/// Stops a job; may be kept and called by whoever needs to, also after the job has ended.
#[derive(Clone)]
pub struct Stopper {
    stop: Arc<Stop>,
    state: StateCell,
}

impl Stopper {
    /// Ends the job with a last checkpoint; returns at once.
    pub fn stop(&self) {
        self.state.become_next(JobState::Stopping);
        self.stop.ask();
    }
}

impl Summary {
    fn add(&mut self, totals: Totals) {
        self.processed += totals.processed;
        self.written += totals.written;
        self.checkpoints += totals.checkpoints;
        self.recoveries += totals.recoveries;
    }
}
