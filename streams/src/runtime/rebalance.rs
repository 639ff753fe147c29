//! What a stream thread does when the group gives it partitions or takes them away.

use super::event::Event;
use super::patience::Patience;
use super::progress::Progress;
use super::recovery::OFFSETS_LIMIT;
use super::thread::{StreamThread, names};
use super::work::Interrupt;
use crate::Error;
use crate::config::OffsetReset;
use crate::kafka::TopicPartition;
use crate::kafka::consumer::Rebalance;
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::offsets::{CommittedOffsets, LogEnd};

impl StreamThread {
    /// Answers what the group asks for. What cannot be answered now is asked again: librdkafka waits for each answer.
    pub(super) fn answer_rebalances(&mut self) -> Result<(), Interrupt> {
        while let Some(rebalance) = self.consumer.poll_events()? {
            match rebalance {
                Rebalance::Assign(partitions) => {
                    if let Err(error) = self.take_on(&partitions) {
                        self.consumer.put_back(Rebalance::Assign(partitions));
                        return Err(error);
                    }
                }
                Rebalance::Revoke(partitions) => self.revoke(partitions)?,
                Rebalance::Lose(partitions) => self.lose(partitions)?,
            }
        }
        Ok(())
    }

    /// The group waits for the answer: what was processed is committed before another member goes on with it.
    fn revoke(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Interrupt> {
        let committed = self.work.checkpoint(&self.consumer, Progress::Positions);
        let told = names(&partitions);
        self.give_up(Rebalance::Revoke(partitions))?;
        let thread = self.work.index;
        self.work.tell(&Event::Revoked {
            thread,
            partitions: told,
        });
        committed
    }

    fn lose(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Interrupt> {
        let aborted = self.work.output.abort(Remedy::Abort);
        let told = names(&partitions);
        self.give_up(Rebalance::Lose(partitions))?;
        let thread = self.work.index;
        self.work.tell(&Event::Lost {
            thread,
            partitions: told,
        });
        aborted?;
        self.rewind()
    }

    fn take_on(&mut self, partitions: &[TopicPartition]) -> Result<(), Interrupt> {
        self.consumer.refuse_a_second_assignment()?;
        // Before anything that may take long: the group may deal anew meanwhile.
        let owner = self.consumer.group_metadata()?;
        let committed = self.committed(partitions)?;
        let starts = self.starts(partitions, &committed.offsets)?;
        self.consumer.assign(&starts, owner)?;
        self.work.tasks.add(&starts, &committed.offsets);
        self.work.tasks.go_on_at(&committed.times);
        self.work
            .tasks
            .mark_stale(partitions, &self.consumer.positions()?);
        self.send_for_states()?;
        self.tell_of_lacking();
        // Not before: what failed above is answered again, from the same offsets.
        self.carried.clear();
        self.elsewhere.is_known();
        self.dealing.has_dealt();
        // A bounded run may have nothing to read from a partition that an earlier run has read to its end.
        if let Some(bound) = &self.work.shared.bound {
            bound.reached(&starts);
        }
        self.work.tell(&Event::Assigned {
            thread: self.work.index,
            partitions: names(partitions),
        });
        Ok(())
    }

    /// Tells which tasks wait for an input that the group has not given to this member.
    fn tell_of_lacking(&self) {
        for task in self.work.tasks.waiting() {
            if let Some(partition) = self.work.tasks.lacking(task) {
                tracing::info!(
                    "task {task} waits until the group gives {partition} to this member too, which belongs to its state"
                );
            }
        }
    }

    /// Where partitions begin: at the group's committed offsets, or where the offset reset says.
    fn starts(
        &self,
        partitions: &[TopicPartition],
        committed: &[(TopicPartition, i64)],
    ) -> Result<Vec<(TopicPartition, i64)>, Interrupt> {
        let mut starts = committed.to_vec();
        for (partition, carried) in &self.carried {
            match starts.iter_mut().find(|(p, _)| p == partition) {
                Some((_, start)) => *start = (*start).max(*carried),
                None if partitions.contains(partition) => {
                    starts.push((partition.clone(), *carried))
                }
                None => {}
            }
        }
        let missing: Vec<_> = partitions
            .iter()
            .filter(|p| !starts.iter().any(|(known, _)| known == *p))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(starts);
        }
        let which = match self.work.shared.topology.config().offset_reset {
            OffsetReset::Earliest => LogEnd::First,
            OffsetReset::Latest => LogEnd::Last,
            OffsetReset::None => return Err(Error::Client(format!(
                "the group has no committed offset for {}, and `offset_reset = none` says that this is an error; `earliest` or `latest` says where to begin",
                names(&missing).join(", ")
            ))
            .into()),
        };
        starts.extend(self.log_ends(&missing, which)?);
        Ok(starts)
    }

    /// The group's committed offsets, as the broker has them now.
    pub(super) fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<CommittedOffsets, ClientError> {
        Patience::new(OFFSETS_LIMIT, &self.work.shared.stop)
            .repeat(|wait| self.consumer.committed(partitions, wait))
    }

    pub(super) fn log_ends(
        &self,
        partitions: &[TopicPartition],
        which: LogEnd,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        Patience::new(OFFSETS_LIMIT, &self.work.shared.stop)
            .repeat(|wait| self.consumer.log_ends(partitions, which, wait))
    }

    /// Gives the partitions of a rebalance up, which is the answer to it.
    fn give_up(&mut self, rebalance: Rebalance) -> Result<(), ClientError> {
        let partitions = rebalance.partitions();
        self.dealing.is_over();
        let tasks = self.work.tasks.remove(partitions);
        self.lay_down(tasks);
        let answered = self.consumer.unassign(rebalance.partitions());
        if answered.is_err() {
            self.consumer.put_back(rebalance);
        }
        answered
    }
}
