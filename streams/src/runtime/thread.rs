//! A stream thread: one consumer, one producer, the tasks of the partitions that the group gave it.
//!
//! Its loop, in this order, each turn: answer a rebalance; see whether the group has dealt out everything; begin tasks whose
//! state is there; call the punctuators that are due; read a batch and process it; take a checkpoint when one is due.
//! Any error of the client leads to [`StreamThread::recover`]: abort, go back to the committed offsets, process again.

use super::batch_size::BatchSize;
use super::dealing::Dealing;
use super::delivery::Delivery;
use super::elsewhere::Elsewhere;
use super::event::Event;
use super::output::Output;
use super::progress::Progress;
use super::recovery::{Double, Trouble};
use super::shared::Shared;
use super::standstill::Standstill;
use super::stateful::Restores;
use super::tasks::Tasks;
use super::work::{Interrupt, Totals, Work};
use crate::Result;
use crate::config::Guarantee;
use crate::kafka::TopicPartition;
use crate::kafka::consumer::GroupConsumer;
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::properties::ConsumerSettings;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Again,
    Finished,
}

/// The longest wait for a record: a stop or a rebalance is noticed after it.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How often it is seen whether a bounded run has all that it is to read, while more keeps coming.
const LOOK_AT_BOUND: Duration = Duration::from_millis(100);

/// How long closing the consumer may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same where the job should have ended already.
const LAST_CLOSE: Duration = Duration::from_secs(1);

pub(crate) struct StreamThread {
    pub(super) consumer: GroupConsumer,
    pub(super) work: Work,
    pub(super) restores: Restores,
    pub(super) trouble: Option<Trouble>,
    pub(super) double: Double,
    /// Its consumer is of no use any more. Kept until a new one is there, whatever else fails meanwhile.
    pub(super) must_rejoin: bool,
    /// Where inputs began that a new consumer takes over from an old one.
    pub(super) carried: Vec<(TopicPartition, i64)>,
    /// The job was asked to end, but its last checkpoint failed: how far the inputs were, and have to come again.
    unfinished: Option<Vec<(TopicPartition, i64)>>,
    pub(super) elsewhere: Elsewhere,
    pub(super) dealing: Dealing,
    pub(super) standstill: Standstill,
    looked_at_bound: Instant,
    batch_size: BatchSize,
}

impl StreamThread {
    /// Starts the producer and joins the group.
    pub(crate) fn start(shared: Arc<Shared>, index: usize) -> Result<Self, ClientError> {
        let config = shared.topology.config();
        let output = Output::new(
            &shared.properties,
            Delivery::of_thread(config, &shared.instance, index),
            index,
            Arc::clone(&shared.stop),
        )?;
        let consumer = join(&shared, index)?;
        let tasks = Tasks::new(shared.topology.clone()).with_globals(shared.globals.clone());
        let thread = Self {
            consumer,
            work: Work::new(shared, index, tasks, output),
            restores: Restores::default(),
            trouble: None,
            double: Double::default(),
            must_rejoin: false,
            carried: Vec::new(),
            unfinished: None,
            elsewhere: Elsewhere::default(),
            dealing: Dealing::default(),
            standstill: Standstill::default(),
            looked_at_bound: Instant::now(),
            batch_size: BatchSize::default(),
        };
        thread.tell_producer_ready();
        Ok(thread)
    }

    pub(super) fn tell_producer_ready(&self) {
        let transactional_id = match self.work.output.delivery() {
            Delivery::ExactlyOnce {
                transactional_id, ..
            } => Some(transactional_id.clone()),
            Delivery::AtLeastOnce => None,
        };
        let identity = self.work.output.producer_identity();
        self.work.tell(&Event::ProducerReady {
            thread: self.work.index,
            transactional_id,
            producer_id: identity.map(|(id, _)| id),
            epoch: identity.map(|(_, epoch)| epoch),
        });
    }

    /// Processes until the job is stopped or done, or an error ends it. The group is left in either case.
    pub(crate) fn run(mut self) -> Result<Totals> {
        let result = self.work_until_finished();
        if result.is_err() {
            // Nothing half done stays open on the broker until its timeout.
            if let Err(error) = self.work.output.abort(Remedy::Abort) {
                tracing::debug!(%error, "aborting while the job ends");
            }
        }
        self.lay_down_all();
        self.consumer.close(if self.work.shared.stop.is_overdue() {
            LAST_CLOSE
        } else {
            CLOSE_TIMEOUT
        });
        result.map(|()| self.work.totals)
    }

    fn work_until_finished(&mut self) -> Result<()> {
        loop {
            match self.turn() {
                Ok(Turn::Again) => {}
                Ok(Turn::Finished) => return Ok(()),
                Err(Interrupt::Client(error)) => self.recover(error)?,
                Err(Interrupt::Job(error)) => return Err(error),
            }
        }
    }

    fn turn(&mut self) -> Result<Turn, Interrupt> {
        if self.work.shared.stop.is_asked()
            && let Some(turn) = self.end()?
        {
            return Ok(turn);
        }
        self.answer_rebalances()?;
        self.see_that_all_is_dealt_out()?;
        self.begin_restored()?;
        self.tell_of_standstill();
        self.work.punctuate()?;
        let wait = self.work.until_checkpoint().min(IDLE_WAIT);
        let wait = wait.min(self.work.until_punctuation());
        let mut batch = self.consumer.poll_records(self.batch_size.get(), wait);
        let (records, began) = (batch.len(), Instant::now());
        self.work.process(&mut batch)?;
        drop(batch);
        self.batch_size.took(records, began.elapsed());
        self.work.output.serve()?;
        let due = self.work.checkpoint_is_due() || self.work.state_is_full();
        if due {
            self.work.checkpoint(&self.consumer, Progress::Positions)?;
        }
        // Positions are asked of another thread of the client: not worth it for each batch while records pour in.
        if due || records == 0 || self.looked_at_bound.elapsed() > LOOK_AT_BOUND {
            self.looked_at_bound = Instant::now();
            self.finish_if_done()
        } else {
            Ok(Turn::Again)
        }
    }

    /// A job that was asked to end takes a last checkpoint. When that fails it goes on until the same records are processed
    /// again, and takes it again, while there is time.
    fn end(&mut self) -> Result<Option<Turn>, Interrupt> {
        let reached = self.work.tasks.reached_offsets(&self.consumer.positions()?);
        let missing = self.missing(&reached);
        if !missing.is_empty() && !self.work.shared.stop.is_overdue() {
            return Ok(None);
        }
        if self.work.output.written().is_some() {
            self.unfinished.get_or_insert(reached);
        }
        self.work.checkpoint(&self.consumer, Progress::Positions)?;
        // What another member has by now is its to do.
        let ours = self.work.tasks.partitions();
        match missing.into_iter().find(|p| ours.contains(p)) {
            None => Ok(Some(Turn::Finished)),
            Some(partition) => Err(self
                .stopped_early(&format!("{partition} is not as far again as it was"))
                .into()),
        }
    }

    /// The inputs that are not as far again as they were when the last checkpoint failed.
    fn missing(&self, reached: &[(TopicPartition, i64)]) -> Vec<TopicPartition> {
        let is_there = |(partition, offset): &&(TopicPartition, i64)| {
            let found = reached.iter().find(|(p, _)| p == partition);
            found.is_some_and(|(_, reached)| reached >= offset)
        };
        let goal = self.unfinished.iter().flatten();
        goal.filter(|g| !is_there(g))
            .map(|(partition, _)| partition.clone())
            .collect()
    }

    /// A bounded run: takes the last checkpoint as soon as the positions say that everything is read.
    fn finish_if_done(&mut self) -> Result<Turn, Interrupt> {
        let shared = Arc::clone(&self.work.shared);
        let Some(bound) = &shared.bound else {
            return Ok(Turn::Again);
        };
        if !bound.is_done() {
            let reached = self.work.tasks.reached_offsets(&self.consumer.positions()?);
            if bound.would_finish(&reached) {
                self.work.checkpoint(&self.consumer, Progress::Positions)?;
                bound.reached(&reached);
            }
            self.look_elsewhere(bound)?;
            bound.go_on(&shared.properties, &self.consumer)?;
        }
        if !bound.is_done() {
            return Ok(Turn::Again);
        }
        self.work.checkpoint(&self.consumer, Progress::Positions)?;
        Ok(Turn::Finished)
    }
}

/// A new member of the group.
pub(super) fn join(shared: &Shared, index: usize) -> Result<GroupConsumer, ClientError> {
    let config = shared.topology.config();
    let member = format!("{}-{index}", shared.instance);
    let consumer = GroupConsumer::new(
        &shared.properties,
        &ConsumerSettings {
            thread: index,
            group_id: &config.application_id,
            group_instance_id: &member,
            isolation_level: match config.guarantee {
                Guarantee::ExactlyOnce => "read_committed",
                Guarantee::AtLeastOnce => "read_uncommitted",
            },
        },
    )?;
    consumer.subscribe(&shared.topology.consumed_topics().collect::<Vec<_>>())?;
    Ok(consumer)
}

pub(super) fn names(partitions: &[TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}
