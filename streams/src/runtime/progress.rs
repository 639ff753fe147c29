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
        self.name_writers(&mut advance);
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

    /// Only offsets have the group refuse a member that is none any more. So a task that has written without having read, in a
    /// punctuator or before its first record, names an offset too, the one where it is: the changes of a zombie must not be
    /// committed. And no task has rows of which the group has no offset.
    fn name_writers(&self, advance: &mut Advance) {
        let numbered = self.active.iter().enumerate();
        for (at, _) in numbered.filter(|(_, task)| task.has_written()) {
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
            if let Some(offset) = offset_of(&input.partition, &advance.offsets) {
                input.committed = Some(offset);
                input.processed = Some(offset);
            }
            input.time = offset_of(&input.partition, &advance.times).or(input.time);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn partition(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    /// The task of a topology that copies these topics.
    fn copying(topics: &[&str]) -> Tasks {
        let builder = TopologyBuilder::new("app");
        let streams = topics.iter().map(|t| builder.stream::<String, String>(t));
        let merged = streams.reduce(|a, b| a.merge(&b)).unwrap();
        merged.to("out");
        let mut tasks = Tasks::new(builder.build());
        let starts: Vec<_> = topics.iter().map(|t| (partition(t), 0)).collect();
        tasks.add(&starts, &[]);
        tasks
    }

    fn observe(tasks: &mut Tasks, time: i64) {
        let (_, active) = tasks.input_mut(0).unwrap();
        active.running().unwrap().observe(time);
    }

    fn stream_time(tasks: &mut Tasks) -> Option<i64> {
        let (_, active) = tasks.input_mut(0).unwrap();
        active.running().and_then(|task| task.stream_time())
    }

    #[test]
    fn a_task_goes_on_at_the_stream_time_that_is_committed_with_its_offset() {
        let mut tasks = copying(&["in"]);
        observe(&mut tasks, 1_000);
        let (input, _) = tasks.input_mut(0).unwrap();
        input.advance(4);
        let advance = tasks.advance(Progress::Records, &[]);
        assert_eq!(advance.times, [(partition("in"), 1_000)]);
        tasks.go_on_at(&advance.times);
        observe(&mut tasks, 2_000);
        // What was not committed is forgotten, as it comes again.
        let _ = tasks.restart(&[(partition("in"), 5)], &[]);
        assert_eq!(stream_time(&mut tasks), Some(1_000));
        tasks.go_on_at(&[(partition("in"), 1_500)]);
        assert_eq!(stream_time(&mut tasks), Some(1_500));
    }

    #[test]
    fn a_task_goes_on_at_the_largest_time_of_its_inputs() {
        for times in [[1_000, 3_000], [3_000, 1_000]] {
            let mut tasks = copying(&["a", "b"]);
            let [a, b] = times;
            let times = [(partition("a"), a), (partition("b"), b)];
            tasks.go_on_at(&times);
            assert_eq!(stream_time(&mut tasks), Some(3_000));
            let starts = [(partition("a"), 0), (partition("b"), 0)];
            let _ = tasks.restart(&starts, &[]);
            assert_eq!(stream_time(&mut tasks), Some(3_000));
        }
    }
}
