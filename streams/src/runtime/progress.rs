//! How far the inputs are: what a checkpoint commits.

use super::tasks::{ActiveTask, Input, Phase, Tasks, offset_of};
use crate::kafka::TopicPartition;

/// Which offsets a checkpoint commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// In the middle of a batch: behind the last record processed.
    Records,
    /// Between batches: the consumer's position, which is also behind control markers and aborted records.
    Positions,
}

/// Everything that one checkpoint commits.
#[derive(Debug, Default)]
pub(crate) struct Advance {
    pub(crate) offsets: Vec<(TopicPartition, i64)>,
    /// The stream times of the tasks whose inputs these are: whoever goes on there goes on at that time.
    pub(crate) times: Vec<(TopicPartition, i64)>,
    pub(crate) records: Vec<(TopicPartition, i64)>,
}

impl Tasks {
    /// Says what the consumer calls the positions of partitions of which nothing was read yet.
    pub(crate) fn mark_stale(
        &mut self,
        partitions: &[TopicPartition],
        positions: &[(TopicPartition, i64)],
    ) {
        for input in self
            .inputs
            .iter_mut()
            .filter(|i| partitions.contains(&i.partition))
        {
            input.stale_position = offset_of(&input.partition, positions);
        }
    }

    /// Tells the stream times that the group has committed. A task goes on at the largest one of its inputs, wherever and
    /// after whatever it does (`org.apache.kafka.streams.processor.internals.StreamTask#initializeTaskTime`).
    pub(crate) fn go_on_at(&mut self, times: &[(TopicPartition, i64)]) {
        for input in &mut self.inputs {
            let Some(time) = offset_of(&input.partition, times) else {
                continue;
            };
            input.time = Some(time);
            let task = self.active.get_mut(input.task);
            if let Some(task) = task.and_then(ActiveTask::running) {
                task.observe(time);
            }
        }
    }

    /// What has been processed since the last checkpoint.
    pub(crate) fn advance(
        &self,
        progress: Progress,
        positions: &[(TopicPartition, i64)],
    ) -> Advance {
        let mut advance = Advance::default();
        for input in self.inputs.iter().filter(|input| self.is_running(input)) {
            if input.records > 0 {
                advance
                    .records
                    .push((input.partition.clone(), input.records));
            }
            let offset = match progress {
                // An earlier checkpoint may have committed a position behind control markers after that record.
                Progress::Records => input
                    .next_offset
                    .map(|next| next.max(input.committed.unwrap_or(next))),
                Progress::Positions => self.reached(input, positions),
            };
            if let Some(offset) = offset.filter(|o| input.committed != Some(*o)) {
                advance.offsets.push((input.partition.clone(), offset));
            }
        }
        self.name_punctuated(&mut advance);
        advance.times = self.times_of(&advance.offsets);
        advance
    }

    fn times_of(&self, offsets: &[(TopicPartition, i64)]) -> Vec<(TopicPartition, i64)> {
        let time = |(partition, _): &(TopicPartition, i64)| {
            let input = self.inputs.iter().find(|i| i.partition == *partition)?;
            let Phase::Running(task) = &self.active.get(input.task)?.phase else {
                return None;
            };
            Some((partition.clone(), task.stream_time()?))
        };
        offsets.iter().filter_map(time).collect()
    }

    /// Only offsets have the group refuse a member that is none any more. So a task that has written without having read
    /// names an offset too, the one where it is: the changes of a zombie's punctuators must not be committed.
    fn name_punctuated(&self, advance: &mut Advance) {
        let punctuated = self
            .active
            .iter()
            .enumerate()
            .filter(|(_, t)| t.has_punctuated);
        for (at, _) in punctuated {
            let mut inputs = self.inputs.iter().filter(|input| input.task == at);
            let named = |input: &Input| advance.offsets.iter().any(|(p, _)| *p == input.partition);
            if inputs.clone().any(named) {
                continue;
            }
            if let Some(input) = inputs.next() {
                let offset = input.committed.or(input.next_offset).unwrap_or(input.start);
                advance.offsets.push((input.partition.clone(), offset));
            }
        }
    }

    /// The offset up to which an input is processed, between batches.
    fn reached(&self, input: &Input, positions: &[(TopicPartition, i64)]) -> Option<i64> {
        let position = offset_of(&input.partition, positions);
        let moved = position.filter(|p| input.stale_position != Some(*p));
        // The position never runs behind the records: where it seems to, it is left over.
        match (input.next_offset, moved) {
            (Some(next), Some(position)) => Some(next.max(position)),
            (next, moved) => next.or(moved),
        }
    }

    /// Where each input stands, between batches.
    pub(crate) fn reached_offsets(
        &self,
        positions: &[(TopicPartition, i64)],
    ) -> Vec<(TopicPartition, i64)> {
        let running = self.inputs.iter().filter(|input| self.is_running(input));
        running
            .filter_map(|i| Some((i.partition.clone(), self.reached(i, positions)?)))
            .collect()
    }

    /// What `advance` named is committed.
    pub(crate) fn committed(&mut self, advance: &Advance) {
        for active in &mut self.active {
            active.has_punctuated = false;
        }
        for input in &mut self.inputs {
            input.records = 0;
            input.committed = offset_of(&input.partition, &advance.offsets).or(input.committed);
            input.time = offset_of(&input.partition, &advance.times).or(input.time);
        }
    }
}
