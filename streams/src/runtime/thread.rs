//! A stream thread: one consumer, one producer, the tasks of the partitions that the group gave it.
//!
//! Its loop, in this order, each turn: answer a rebalance; read a batch and process it; take a checkpoint when one is due.
//! Any error of the client leads to [`StreamThread::recover`]: abort, go back to the committed offsets, process again.

use super::event::Event;
use super::output::{Delivery, Output, delivery};
use super::shared::Shared;
use super::tasks::{Progress, Tasks};
use super::work::{Interrupt, Totals, Work};
use crate::config::{Guarantee, OffsetReset};
use crate::kafka::TopicPartition;
use crate::kafka::consumer::{GroupConsumer, Rebalance};
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::properties::ConsumerSettings;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Again,
    Finished,
}

/// The longest wait for a record: a stop or a rebalance is noticed after it.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// For offsets asked of the broker.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(30);

/// After how long without a successful checkpoint repeated failures end the job.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

/// How often a stopped job tries to recover before it ends without a last checkpoint.
const ATTEMPTS_WHEN_STOPPED: u32 = 3;

/// How long closing the consumer may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A member that is fenced more often than this within [`FENCED_WITHIN`] has a double, which must be told.
const FENCED_AT_MOST: usize = 5;
const FENCED_WITHIN: Duration = Duration::from_secs(120);

pub(crate) struct StreamThread {
    consumer: GroupConsumer,
    work: Work,
    trouble: Option<Trouble>,
    /// When this member was fenced.
    fenced: Vec<Instant>,
    /// Its consumer is of no use any more. Kept until a new one is there, whatever else fails meanwhile.
    must_rejoin: bool,
}

/// Failures since the last successful checkpoint.
struct Trouble {
    since: Instant,
    failures: u32,
    checkpoints: u64,
}

impl StreamThread {
    /// Starts the producer and joins the group.
    pub(crate) fn start(shared: Arc<Shared>, index: usize) -> Result<Self, ClientError> {
        let config = shared.topology.config();
        let output = Output::new(
            &shared.properties,
            delivery(config, &shared.instance, index),
            index,
        )?;
        let consumer = join(&shared, index)?;
        let tasks = Tasks::new(shared.topology.clone());
        let thread = Self {
            consumer,
            work: Work::new(shared, index, tasks, output),
            trouble: None,
            fenced: Vec::new(),
            must_rejoin: false,
        };
        thread.tell_producer_ready();
        Ok(thread)
    }

    fn tell_producer_ready(&self) {
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
        self.consumer.close(CLOSE_TIMEOUT);
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
        if self.work.shared.stop.load(Ordering::Relaxed) {
            self.work.checkpoint(&self.consumer, Progress::Positions)?;
            return Ok(Turn::Finished);
        }
        if let Some(rebalance) = self.consumer.poll_events()? {
            self.answer(rebalance)?;
        }
        let wait = self.work.until_checkpoint().min(IDLE_WAIT);
        let batch = self.consumer.poll_records(wait);
        let nothing_came = batch.is_empty();
        self.work.process(&batch)?;
        drop(batch);
        self.work.output.serve()?;
        let due = self.work.checkpoint_is_due();
        if due {
            self.work.checkpoint(&self.consumer, Progress::Positions)?;
        }
        // Positions are asked of another thread of the client: not worth it while records pour in.
        if due || nothing_came {
            self.finish_if_done()
        } else {
            Ok(Turn::Again)
        }
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
        }
        if !bound.is_done() {
            return Ok(Turn::Again);
        }
        self.work.checkpoint(&self.consumer, Progress::Positions)?;
        Ok(Turn::Finished)
    }

    // ---- rebalances ----

    fn answer(&mut self, rebalance: Rebalance) -> Result<(), Interrupt> {
        match rebalance {
            Rebalance::Assign(partitions) => self.take_on(&partitions),
            Rebalance::Revoke(partitions) => {
                // The group waits for the answer: what was processed is committed before another member goes on with it.
                let committed = self.work.checkpoint(&self.consumer, Progress::Positions);
                self.give_up(&partitions)?;
                let thread = self.work.index;
                self.work.tell(&Event::Revoked {
                    thread,
                    partitions: names(&partitions),
                });
                committed
            }
            Rebalance::Lose(partitions) => {
                let aborted = self.work.output.abort(Remedy::Abort);
                self.give_up(&partitions)?;
                let thread = self.work.index;
                self.work.tell(&Event::Lost {
                    thread,
                    partitions: names(&partitions),
                });
                aborted?;
                self.rewind().map_err(Interrupt::from)
            }
        }
    }

    fn take_on(&mut self, partitions: &[TopicPartition]) -> Result<(), Interrupt> {
        self.consumer.assign(partitions)?;
        self.work.tasks.add(partitions);
        self.work
            .tasks
            .mark_stale(partitions, &self.consumer.positions()?);
        self.note_what_is_done(partitions)?;
        self.work.tell(&Event::Assigned {
            thread: self.work.index,
            partitions: names(partitions),
        });
        Ok(())
    }

    /// A bounded run may have nothing to read from a partition that an earlier run has read to its end.
    fn note_what_is_done(&self, partitions: &[TopicPartition]) -> Result<(), Interrupt> {
        let Some(bound) = &self.work.shared.bound else {
            return Ok(());
        };
        let mut offsets = self.consumer.committed(partitions, OFFSETS_TIMEOUT)?;
        if self.work.shared.topology.config().offset_reset == OffsetReset::Latest {
            let missing = partitions
                .iter()
                .filter(|p| !offsets.iter().any(|(known, _)| known == *p));
            let at_the_end: Vec<_> = missing.map(|p| (p.clone(), i64::MAX)).collect();
            offsets.extend(at_the_end);
        }
        bound.reached(&offsets);
        Ok(())
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.work.tasks.remove(partitions);
        self.consumer.unassign(partitions)
    }

    // ---- recovery ----

    /// Aborts what is open and goes back to the committed offsets, or says why that cannot help.
    fn recover(&mut self, error: ClientError) -> Result<()> {
        let mut error = error;
        loop {
            if error.remedy() == Remedy::Fail {
                return Err(Error::Client(error.to_string()));
            }
            if error.remedy() == Remedy::Rejoin {
                self.must_rejoin = true;
                if self.has_a_double() {
                    return Err(Error::Client(error.to_string()));
                }
            }
            self.note_trouble(&error)?;
            match self.abort_and_rewind(error.remedy()) {
                Ok(()) => return Ok(()),
                Err(Interrupt::Job(error)) => return Err(error),
                Err(Interrupt::Client(next)) => error = next,
            }
        }
    }

    /// Tells of the failure, pauses for a time that grows with each, and gives up after [`GIVE_UP_AFTER`].
    fn note_trouble(&mut self, error: &ClientError) -> Result<()> {
        let checkpoints = self.work.totals.checkpoints;
        let trouble = match self.trouble.take() {
            Some(trouble) if trouble.checkpoints == checkpoints => Trouble {
                failures: trouble.failures + 1,
                ..trouble
            },
            _ => Trouble {
                since: Instant::now(),
                failures: 1,
                checkpoints,
            },
        };
        if trouble.since.elapsed() > GIVE_UP_AFTER {
            return Err(Error::Client(format!(
                "no checkpoint succeeded for {} s and {} attempts; the last error: {error}",
                trouble.since.elapsed().as_secs(),
                trouble.failures
            )));
        }
        if self.work.shared.stop.load(Ordering::Relaxed)
            && trouble.failures >= ATTEMPTS_WHEN_STOPPED
        {
            return Err(Error::Client(format!(
                "stopped without a last checkpoint, after {} attempts; what was not committed is processed again by the next start; the last error: {error}",
                trouble.failures
            )));
        }
        self.work.totals.recoveries += 1;
        let what = match error.remedy() {
            Remedy::Rejoin => {
                "a new consumer takes over, and processing goes on from the committed offsets"
            }
            Remedy::Replace => {
                "a new producer takes over, and processing goes on from the committed offsets"
            }
            _ => "the transaction is aborted, and processing goes on from the committed offsets",
        };
        self.work.tell(&Event::Recovering {
            thread: self.work.index,
            why: format!("{error}: {what}"),
        });
        let pause = Duration::from_millis(50)
            * 2u32.saturating_pow(trouble.failures.saturating_sub(1).min(6));
        self.trouble = Some(trouble);
        if !self.work.shared.stop.load(Ordering::Relaxed) {
            std::thread::sleep(pause);
        }
        Ok(())
    }

    fn abort_and_rewind(&mut self, remedy: Remedy) -> Result<(), Interrupt> {
        let before = self.work.output.producer_identity();
        self.work.output.abort(remedy)?;
        self.work.transaction_ended();
        if self.work.output.producer_identity() != before {
            self.tell_producer_ready();
        }
        if self.must_rejoin {
            return self.rejoin().map_err(Interrupt::from);
        }
        self.rewind()?;
        // What the group asked for meanwhile is answered before anything is read: it may be that these partitions are lost.
        while let Some(rebalance) = self.consumer.poll_events()? {
            self.answer(rebalance)?;
        }
        Ok(())
    }

    /// Whether this member is fenced again and again, which its own sleep doesn't explain.
    fn has_a_double(&mut self) -> bool {
        self.fenced.retain(|when| when.elapsed() < FENCED_WITHIN);
        self.fenced.push(Instant::now());
        self.fenced.len() > FENCED_AT_MOST
    }

    /// Puts a new consumer in the place of a fenced one, which has lost its partitions.
    fn rejoin(&mut self) -> Result<(), ClientError> {
        self.work.transaction_ended();
        let partitions = self.work.tasks.partitions();
        self.work.tasks.remove(&partitions);
        self.consumer.close(CLOSE_TIMEOUT);
        self.consumer = join(&self.work.shared, self.work.index)?;
        self.must_rejoin = false;
        if !partitions.is_empty() {
            self.work.tell(&Event::Lost {
                thread: self.work.index,
                partitions: names(&partitions),
            });
        }
        Ok(())
    }

    /// Every input goes back to where the group's committed offset is, with a fresh task.
    fn rewind(&mut self) -> Result<(), ClientError> {
        self.work.transaction_ended();
        let partitions = self.work.tasks.partitions();
        if partitions.is_empty() {
            return Ok(());
        }
        let committed = self.consumer.committed(&partitions, OFFSETS_TIMEOUT)?;
        if let Some(bound) = &self.work.shared.bound {
            bound.reached(&committed);
        }
        // Where nothing is committed yet, the offset reset has chosen a start: `latest` must not choose another one now.
        let mut starts: HashMap<_, _> = self.work.tasks.first_offsets().collect();
        starts.extend(committed);
        let reset = self.work.shared.topology.config().offset_reset;
        self.consumer
            .seek(&partitions, &starts, reset, OFFSETS_TIMEOUT)?;
        self.work.tasks.restart(&starts);
        self.work
            .tasks
            .mark_stale(&partitions, &self.consumer.positions()?);
        Ok(())
    }
}

/// A new member of the group.
fn join(shared: &Shared, index: usize) -> Result<GroupConsumer, ClientError> {
    let config = shared.topology.config();
    let member = format!("{}-{index}", shared.instance);
    let consumer = GroupConsumer::new(
        &shared.properties,
        &ConsumerSettings {
            group_id: &config.application_id,
            group_instance_id: &member,
            offset_reset: match config.offset_reset {
                OffsetReset::Earliest => "earliest",
                OffsetReset::Latest => "latest",
                OffsetReset::None => "error",
            },
            isolation_level: match config.guarantee {
                Guarantee::ExactlyOnce => "read_committed",
                Guarantee::AtLeastOnce => "read_uncommitted",
            },
        },
    )?;
    consumer.subscribe(&shared.topology.source_topics().collect::<Vec<_>>())?;
    Ok(consumer)
}

fn names(partitions: &[TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}
