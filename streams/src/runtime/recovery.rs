//! What a stream thread does when the client fails: abort what is open, go back to the committed offsets, go on.

use super::event::Event;
use super::patience::Patience;
use super::thread::{StreamThread, join, names};
use super::work::Interrupt;
use crate::config::OffsetReset;
use crate::kafka::TopicPartition;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::offsets::LogEnd;
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// For offsets asked of the brokers.
pub(super) const OFFSETS_LIMIT: Duration = Duration::from_secs(30);

/// How long a new consumer waits for the end of the old one, which may take long where that one was fenced.
const REJOIN_AFTER: Duration = Duration::from_secs(1);

/// After how long without a successful checkpoint repeated failures end the job.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

/// A member that is fenced more often than this within [`FENCED_WITHIN`] has a double, which must be told.
const FENCED_AT_MOST: usize = 5;
const FENCED_WITHIN: Duration = Duration::from_secs(120);

/// Failures since the last successful checkpoint.
pub(super) struct Trouble {
    since: Instant,
    failures: u32,
    checkpoints: u64,
}

impl Trouble {
    /// One failure more, after so many checkpoints of the thread.
    fn more(before: Option<Self>, checkpoints: u64) -> Self {
        match before {
            Some(trouble) if trouble.checkpoints == checkpoints => Trouble {
                failures: trouble.failures + 1,
                ..trouble
            },
            _ => Trouble {
                since: Instant::now(),
                failures: 1,
                checkpoints,
            },
        }
    }

    /// Grows with each failure.
    fn pause(&self) -> Duration {
        Duration::from_millis(50) * 2u32.saturating_pow(self.failures.saturating_sub(1).min(6))
    }
}

/// Notes when this member was fenced: again and again, which its own sleep doesn't explain, means that another process
/// has its instance id.
#[derive(Default)]
pub(super) struct Double {
    fenced: Vec<Instant>,
}

impl Double {
    fn shows_itself(&mut self) -> bool {
        self.fenced.retain(|when| when.elapsed() < FENCED_WITHIN);
        self.fenced.push(Instant::now());
        self.fenced.len() > FENCED_AT_MOST
    }
}

impl StreamThread {
    /// Aborts what is open and goes back to the committed offsets, or says why that cannot help.
    pub(super) fn recover(&mut self, error: ClientError) -> Result<()> {
        let mut error = error;
        loop {
            if error.remedy() == Remedy::Fail {
                return Err(self.own_topic_gone(&error).unwrap_or_else(|| error.into()));
            }
            if error.remedy() == Remedy::Rejoin {
                self.must_rejoin = true;
                let is_fenced = error.code() == Code::FencedInstanceId;
                if is_fenced && self.double.shows_itself() {
                    return Err(error.into());
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

    /// What is said where a topic of the job's own was deleted: to create it, as for others, would not bring back what it had.
    fn own_topic_gone(&self, error: &ClientError) -> Option<Error> {
        let is_gone = matches!(
            error.code(),
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition
        );
        let topology = &self.work.shared.topology;
        let stores = topology.graph().stores.iter();
        let changelogs = stores.filter(|store| store.source.is_none());
        let changelogs = changelogs.map(|s| s.changelog_topic(topology.application_id()));
        let repartitions = topology.repartition_topics().map(str::to_owned);
        let text = error.to_string();
        let named = changelogs
            .chain(repartitions)
            .find(|topic| text.contains(topic));
        let topic = named.filter(|_| is_gone)?;
        Some(Error::Cluster(format!(
            "the internal topic `{topic}` was deleted while the job runs ({}). Bring it back with all that was in it; or reset the \
             application, which makes its state anew: delete its internal topics, the offsets of its group, and its state \
             directories",
            error.code()
        )))
    }

    /// Tells of the failure, pauses, and gives up after [`GIVE_UP_AFTER`], or when the job was to end and the time is over.
    fn note_trouble(&mut self, error: &ClientError) -> Result<()> {
        let trouble = Trouble::more(self.trouble.take(), self.work.totals.checkpoints);
        if trouble.since.elapsed() > GIVE_UP_AFTER {
            return Err(Error::Client(format!(
                "no checkpoint succeeded for {} s and {} attempts; the last error: {error}",
                trouble.since.elapsed().as_secs(),
                trouble.failures
            )));
        }
        let stop = &self.work.shared.stop;
        if stop.is_overdue() {
            return Err(self.stopped_early(&error.to_string()));
        }
        let is_stopping = stop.is_asked();
        self.work.totals.recoveries += 1;
        self.work.tell(&Event::Recovering {
            thread: self.work.index,
            why: format!("{error}: {}", what_is_done(error.remedy())),
        });
        if !is_stopping {
            std::thread::sleep(trouble.pause());
        }
        self.trouble = Some(trouble);
        Ok(())
    }

    /// The job was to end, and what it had processed could not be committed in time.
    pub(super) fn stopped_early(&self, why: &str) -> Error {
        let held = match self.work.totals.checkpoints {
            0 => "nothing was committed".to_owned(),
            number => format!("checkpoint {number} holds"),
        };
        Error::Client(format!(
            "stopped without a last checkpoint: {held}; what was processed after it is not committed, or its commit was not answered, and the next start goes on where the group's committed offsets are; the last error: {why}"
        ))
    }

    fn abort_and_rewind(&mut self, remedy: Remedy) -> Result<(), Interrupt> {
        let before = self.work.output.producer_identity();
        self.work.output.abort(remedy)?;
        self.work.restart_interval();
        if self.work.output.producer_identity() != before {
            self.tell_producer_ready();
        }
        if remedy == Remedy::Reposition {
            // librdkafka has stopped reading that partition, and only an assignment makes it begin again.
            self.carried = self.starts_within_the_logs()?;
            self.must_rejoin = true;
        }
        if self.must_rejoin {
            return self.rejoin().map_err(Interrupt::from);
        }
        self.rewind()?;
        // What the group asked for meanwhile is answered before anything is read: it may be that these partitions are lost.
        self.answer_rebalances()
    }

    /// Puts a new consumer in the place of a fenced one, which has lost its partitions.
    fn rejoin(&mut self) -> Result<(), ClientError> {
        self.work.restart_interval();
        let partitions = self.work.tasks.partitions();
        if self.carried.is_empty() {
            self.carried = self.work.tasks.starts();
        }
        let tasks = self.work.tasks.remove(&partitions);
        self.lay_down(tasks);
        self.dealing.is_over();
        self.consumer.close(REJOIN_AFTER);
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

    /// Every input goes back to where the group's committed offset is, with a fresh task. One with state waits for it.
    pub(super) fn rewind(&mut self) -> Result<(), Interrupt> {
        self.work.restart_interval();
        let partitions = self.work.tasks.partitions();
        if partitions.is_empty() {
            return Ok(());
        }
        let committed = self.committed(&partitions)?;
        let starts = self.restarts(&committed.offsets);
        if let Some(bound) = &self.work.shared.bound {
            bound.reached(&starts);
        }
        Patience::new(OFFSETS_LIMIT, &self.work.shared.stop)
            .repeat(|wait| self.consumer.seek(&starts, wait))?;
        let had_state = self.work.tasks.restart(&starts, &committed.offsets);
        self.work.tasks.go_on_at(&committed.times);
        self.lay_down(had_state);
        self.work
            .tasks
            .mark_stale(&partitions, &self.consumer.positions()?);
        Ok(())
    }

    /// Where the inputs go on after an abort. Where nothing is committed yet, the offset reset has chosen a start: `latest`
    /// must not choose another one now.
    fn restarts(&self, committed: &[(TopicPartition, i64)]) -> Vec<(TopicPartition, i64)> {
        let mut starts = self.work.tasks.starts();
        for (partition, committed) in committed {
            if let Some((_, start)) = starts.iter_mut().find(|(p, _)| p == partition) {
                *start = (*committed).max(*start);
            }
        }
        starts
    }

    /// An offset is no longer in its log. Records that retention or DeleteRecords took before they were read are gone:
    /// the offset reset says where to go on, as in Kafka Streams. An offset beyond the end belongs to another log.
    fn starts_within_the_logs(&self) -> Result<Vec<(TopicPartition, i64)>, Interrupt> {
        let partitions = self.work.tasks.partitions();
        let mut starts = self.restarts(&self.committed(&partitions)?.offsets);
        let first = self.log_ends(&partitions, LogEnd::First)?;
        let last = self.log_ends(&partitions, LogEnd::Last)?;
        for (partition, offset) in &mut starts {
            let of = |ends: &[(TopicPartition, i64)]| {
                let found = ends.iter().find(|(p, _)| p == partition);
                found.map(|(_, offset)| *offset)
            };
            let (Some(first), Some(last)) = (of(&first), of(&last)) else {
                continue;
            };
            if *offset > last {
                return Err(beyond_the_end(partition, *offset, first, last).into());
            }
            if *offset >= first {
                continue;
            }
            let to = match self.work.shared.topology.config().offset_reset {
                OffsetReset::Earliest => first,
                OffsetReset::Latest => last,
                OffsetReset::None => return Err(below_the_start(partition, *offset, first).into()),
            };
            self.work.tell(&Event::OffsetReset {
                thread: self.work.index,
                partition: partition.to_string(),
                from: *offset,
                to,
            });
            *offset = to;
        }
        Ok(starts)
    }
}

fn beyond_the_end(partition: &TopicPartition, offset: i64, first: i64, last: i64) -> Error {
    Error::Client(format!(
        "{partition} is to be read from offset {offset}, but has the offsets {first} to {last} only: the topic was deleted and created again, or truncated; what is in it now is not what the group's committed offsets are about. Reset them (`kafka-consumer-groups.sh --reset-offsets`) or give the job another application id"
    ))
}

fn below_the_start(partition: &TopicPartition, offset: i64, first: i64) -> Error {
    Error::Client(format!(
        "{partition} is to be read from offset {offset}, but begins at {first}: retention or DeleteRecords has taken records that were not read yet, and `offset_reset = none` says that this is an error; `earliest` goes on at {first}"
    ))
}

fn what_is_done(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Rejoin => {
            "a new consumer takes over, and processing goes on from the committed offsets"
        }
        Remedy::Replace => {
            "a new producer takes over, and processing goes on from the committed offsets"
        }
        _ => "the transaction is aborted, and processing goes on from the committed offsets",
    }
}
