//! A topology on a cluster: started, watched, stopped.

use super::bounded::{Bound, Until};
use super::clock::CoarseClock;
use super::event::{self, Event, Listener};
use super::instance::{Instance, default_state_directory};
use super::lifecycle::JobState;
use super::shared::Shared;
use super::startup::{self, ClusterReport, blocking};
use super::thread::StreamThread;
use super::work::Totals;
use crate::kafka::admin::Admin;
use crate::kafka::properties::Properties;
use crate::topology::Topology;
use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

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

    /// Where the instance keeps its id, locked while it runs; default: `streams/<application_id>` below the system's
    /// directory for temporary files. Each instance on a machine needs a directory of its own, and keeps its
    /// transactional ids as long as it keeps the directory.
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
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Checks the job against the cluster without running it: topics, settings, permissions.
    ///
    /// # Errors
    ///
    /// The first thing that would keep the job from starting, with its remedy.
    pub async fn check(&self) -> Result<ClusterReport> {
        let report = startup::check(&self.topology, &self.properties).await?;
        startup::check_permissions(&self.topology, &self.properties, &report).await?;
        Ok(report)
    }

    /// Runs the job to its end: [`start`](Self::start), then [`JobHandle::join`].
    ///
    /// # Errors
    ///
    /// What keeps the job from starting or ends it.
    pub async fn run(self) -> Result<Summary> {
        self.start().await?.join().await
    }

    /// Checks the cluster, locks the state directory and starts the stream threads.
    ///
    /// # Errors
    ///
    /// If the topology or its configuration contradicts itself, the cluster lacks something, or the state directory is in
    /// use.
    pub async fn start(self) -> Result<JobHandle> {
        let started = Instant::now();
        let listener = self.listener.unwrap_or_else(|| Arc::new(event::log));
        let state = StateCell::new(Arc::clone(&listener));
        state.become_next(JobState::Starting);
        let prepared = prepare(&self.topology, &self.properties, self.state_dir, self.until).await;
        let (instance, bound) = prepared.inspect_err(|_| state.become_next(JobState::Failed))?;
        let clock = CoarseClock::start().map_err(|source| Error::Io {
            what: "starting the clock".into(),
            source,
        })?;
        let shared = Arc::new(Shared {
            instance: instance.id().to_owned(),
            topology: self.topology,
            properties: self.properties,
            clock,
            stop: AtomicBool::new(false),
            bound,
            listener,
        });
        let ends = spawn_threads(&shared)?;
        state.become_next(JobState::Running);
        Ok(JobHandle {
            shared,
            state,
            ends,
            started,
            _instance: instance,
        })
    }
}

async fn prepare(
    topology: &Topology,
    properties: &Properties,
    state_dir: Option<PathBuf>,
    until: Until,
) -> Result<(Instance, Option<Bound>)> {
    topology.check()?;
    let directory = state_dir.unwrap_or_else(|| default_state_directory(topology.application_id()));
    let instance = Instance::lock(&directory)?;
    let report = startup::check(topology, properties).await?;
    let bound = match until {
        Until::Stopped => None,
        Until::Latest => {
            let (properties, partitions) = (properties.clone(), report.source_partitions());
            let capture = move || {
                let client = |e: crate::kafka::error::ClientError| Error::Client(e.to_string());
                Bound::capture(&Admin::new(&properties).map_err(client)?, &partitions)
                    .map_err(client)
            };
            Some(blocking(capture).await?)
        }
    };
    Ok((instance, bound))
}

fn spawn_threads(shared: &Arc<Shared>) -> Result<mpsc::UnboundedReceiver<Result<Totals>>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for index in 0..shared.topology.config().stream_threads {
        let (shared, sender) = (Arc::clone(shared), sender.clone());
        std::thread::Builder::new()
            .name(format!("streams-{index}"))
            .spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| run_thread(&shared, index)));
                let result = result
                    .unwrap_or_else(|panic| Err(Error::Panic(super::work::panic_text(&*panic))));
                if result.is_err() {
                    // The other threads take a last checkpoint and end too: a job never runs on in part.
                    shared.stop.store(true, Ordering::Relaxed);
                }
                // Nobody listens any more when the handle was dropped.
                let _ = sender.send(result);
            })
            .map_err(|source| Error::Io {
                what: "starting a stream thread".into(),
                source,
            })?;
    }
    Ok(receiver)
}

fn run_thread(shared: &Arc<Shared>, index: usize) -> Result<Totals> {
    let thread =
        StreamThread::start(Arc::clone(shared), index).map_err(|e| Error::Client(e.to_string()))?;
    thread.run()
}

/// A running job.
///
/// Dropping it stops the job without waiting for its last checkpoint; [`join`](Self::join) waits.
pub struct JobHandle {
    shared: Arc<Shared>,
    state: StateCell,
    ends: mpsc::UnboundedReceiver<Result<Totals>>,
    started: Instant,
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
            shared: Arc::clone(&self.shared),
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
        while let Some(end) = self.ends.recv().await {
            match end {
                Ok(totals) => summary.add(totals),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        summary.took = self.started.elapsed();
        if let Some(error) = failure {
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
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Stops a job; may be kept and called by whoever needs to.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
    state: StateCell,
}

impl Stopper {
    /// Ends the job with a last checkpoint; returns at once.
    pub fn stop(&self) {
        self.state.become_next(JobState::Stopping);
        self.shared.stop.store(true, Ordering::Relaxed);
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

/// The job's state, which changes by the transition table only.
#[derive(Clone)]
struct StateCell {
    state: Arc<Mutex<JobState>>,
    listener: Listener,
}

impl StateCell {
    fn new(listener: Listener) -> Self {
        Self {
            state: Arc::new(Mutex::new(JobState::Created)),
            listener,
        }
    }

    fn get(&self) -> JobState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on to `next`; does nothing where that may not follow (a job that is stopped twice).
    fn become_next(&self, next: JobState) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.may_become(next) {
            let from = std::mem::replace(&mut *state, next);
            drop(state);
            (self.listener)(&Event::StateChanged { from, to: next });
        }
    }
}
