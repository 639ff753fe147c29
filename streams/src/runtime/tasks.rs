//! The tasks of a stream thread, and where each of their input partitions stands.

use super::output::Route;
use crate::kafka::TopicPartition;
use crate::kafka::batch::{Batch, OwnedMessage, TopicHandle};
use crate::processor::{SourceId, Task, TaskId};
use crate::topology::Topology;
use std::collections::HashMap;

/// A task, with the routes of the topics that it writes to.
pub(crate) struct ActiveTask {
    pub(crate) task: Task,
    /// By the task's own numbering of its output topics; grows with topics that are chosen per record.
    pub(crate) routes: Vec<Route>,
    inputs: usize,
}

/// An input partition.
pub(crate) struct Input {
    pub(crate) partition: TopicPartition,
    pub(crate) task: usize,
    pub(crate) source: SourceId,
    /// Behind the last record that was processed; `None` before the first one.
    next_offset: Option<i64>,
    /// What the consumer called its position when the input began here. Until the position moves it may be left over
    /// from before a rebalance or an abort, and must not be committed.
    stale_position: Option<i64>,
    /// The first record that was processed here: where to go back to while nothing is committed.
    first_offset: Option<i64>,
    /// Records processed since the last checkpoint.
    records: i64,
    /// What was last committed.
    committed: Option<i64>,
}

impl Input {
    /// Whether the record at `offset` was already processed.
    #[inline]
    pub(crate) fn is_behind(&self, offset: i64) -> bool {
        self.next_offset.is_some_and(|next| offset < next)
    }

    #[inline]
    pub(crate) fn advance(&mut self, offset: i64) {
        self.next_offset = Some(offset + 1);
        self.first_offset.get_or_insert(offset);
        // Reading this record has moved the consumer's position: it is no longer left over.
        self.stale_position = None;
        self.records += 1;
    }
}

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
    pub(crate) records: Vec<(TopicPartition, i64)>,
}

pub(crate) struct Tasks {
    topology: Topology,
    active: Vec<ActiveTask>,
    inputs: Vec<Input>,
    /// Where the last record went: runs of one partition are the rule.
    last: Option<(TopicHandle, i32, usize)>,
    schedule: Vec<Scheduled>,
}

/// A record's turn: where it is in the batch, and the input that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheduled {
    pub(crate) message: usize,
    pub(crate) input: usize,
}

impl Tasks {
    pub(crate) fn new(topology: Topology) -> Self {
        Self {
            topology,
            active: Vec::new(),
            inputs: Vec::new(),
            last: None,
            schedule: Vec::new(),
        }
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.inputs.iter().map(|i| i.partition.clone()).collect()
    }

    pub(crate) fn input_mut(&mut self, input: usize) -> Option<(&mut Input, &mut ActiveTask)> {
        let input = self.inputs.get_mut(input)?;
        let task = self.active.get_mut(input.task)?;
        Some((input, task))
    }

    /// Takes partitions on: a task for each sub-topology and partition number.
    pub(crate) fn add(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if self.inputs.iter().any(|i| i.partition == *partition) {
                continue;
            }
            let Some((sub_topology, source)) = self.topology.source_of(&partition.topic) else {
                tracing::warn!("assigned {partition}, which is not a source topic of this job");
                continue;
            };
            let task = self.task_for(TaskId {
                sub_topology,
                partition: partition.partition,
            });
            self.inputs.push(Input {
                partition: partition.clone(),
                task,
                source,
                next_offset: None,
                stale_position: None,
                first_offset: None,
                records: 0,
                committed: None,
            });
        }
        self.last = None;
        self.count_inputs();
    }

    fn task_for(&mut self, id: TaskId) -> usize {
        if let Some(at) = self.active.iter().position(|t| t.task.id() == id) {
            return at;
        }
        let task = Task::new(&self.topology, id);
        self.active.push(ActiveTask {
            task,
            routes: Vec::new(),
            inputs: 0,
        });
        self.active.len() - 1
    }

    fn count_inputs(&mut self) {
        for task in &mut self.active {
            task.inputs = 0;
        }
        for input in &self.inputs {
            if let Some(task) = self.active.get_mut(input.task) {
                task.inputs += 1;
            }
        }
    }

    /// Gives partitions up, and the tasks that have no partition left.
    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) {
        let mut kept: Vec<(TaskId, Input)> = Vec::new();
        for input in self.inputs.drain(..) {
            let id = self.active.get(input.task).map(|t| t.task.id());
            if let (Some(id), false) = (id, partitions.contains(&input.partition)) {
                kept.push((id, input));
            }
        }
        self.active
            .retain(|t| kept.iter().any(|(id, _)| *id == t.task.id()));
        self.inputs = kept
            .into_iter()
            .filter_map(|(id, input)| {
                let task = self.active.iter().position(|t| t.task.id() == id)?;
                Some(Input { task, ..input })
            })
            .collect();
        self.last = None;
        self.count_inputs();
    }

    /// After an abort: fresh tasks, whose inputs begin at `offsets`.
    pub(crate) fn restart(&mut self, offsets: &HashMap<TopicPartition, i64>) {
        for active in &mut self.active {
            active.task = Task::new(&self.topology, active.task.id());
            active.routes.clear();
        }
        for input in &mut self.inputs {
            input.next_offset = offsets.get(&input.partition).copied();
            input.records = 0;
        }
        self.last = None;
    }

    /// Where each input began to be processed.
    pub(crate) fn first_offsets(&self) -> impl Iterator<Item = (TopicPartition, i64)> {
        self.inputs
            .iter()
            .filter_map(|i| Some((i.partition.clone(), i.first_offset?)))
    }

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
            input.stale_position = positions
                .iter()
                .find(|(p, _)| *p == input.partition)
                .map(|(_, offset)| *offset);
        }
    }

    /// What has been processed since the last checkpoint.
    pub(crate) fn advance(
        &self,
        progress: Progress,
        positions: &[(TopicPartition, i64)],
    ) -> Advance {
        let mut advance = Advance::default();
        for input in &self.inputs {
            if input.records > 0 {
                advance
                    .records
                    .push((input.partition.clone(), input.records));
            }
            let offset = match progress {
                Progress::Records => input.next_offset,
                Progress::Positions => self.reached(input, positions),
            };
            if let Some(offset) = offset.filter(|o| input.committed != Some(*o)) {
                advance.offsets.push((input.partition.clone(), offset));
            }
        }
        advance
    }

    /// The offset up to which an input is processed, between batches.
    fn reached(&self, input: &Input, positions: &[(TopicPartition, i64)]) -> Option<i64> {
        let position = positions
            .iter()
            .find(|(p, _)| *p == input.partition)
            .map(|(_, offset)| *offset);
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
        self.inputs
            .iter()
            .filter_map(|i| Some((i.partition.clone(), self.reached(i, positions)?)))
            .collect()
    }

    /// What `advance` named is committed.
    pub(crate) fn committed(&mut self, advance: &Advance) {
        for input in &mut self.inputs {
            input.records = 0;
            if let Some((_, offset)) = advance.offsets.iter().find(|(p, _)| *p == input.partition) {
                input.committed = Some(*offset);
            }
        }
    }

    /// The order in which the records of a batch are processed.
    ///
    /// A task with several input partitions takes their records by timestamp
    /// (`org.apache.kafka.streams.processor.internals.PartitionGroup`), among those that have arrived; everything else
    /// stays as it came. Give the schedule back with [`Tasks::reuse`].
    pub(crate) fn schedule(&mut self, batch: &Batch<'_>) -> Vec<Scheduled> {
        let mut schedule = std::mem::take(&mut self.schedule);
        schedule.clear();
        for (at, message) in batch.iter().enumerate() {
            if let Some(input) = self.input_of(message) {
                schedule.push(Scheduled { message: at, input });
            }
        }
        for (task, _) in self.active.iter().enumerate().filter(|(_, t)| t.inputs > 1) {
            let timestamps: Vec<i64> = batch.iter().map(OwnedMessage::timestamp).collect();
            self.order_by_time(task, &mut schedule, &timestamps);
        }
        schedule
    }

    pub(crate) fn reuse(&mut self, schedule: Vec<Scheduled>) {
        self.schedule = schedule;
    }

    /// Merges the runs of a task's inputs by the timestamp at the head of each; the order within an input stays.
    fn order_by_time(&self, task: usize, schedule: &mut [Scheduled], timestamps: &[i64]) {
        let mut slots = Vec::new();
        let mut queues: Vec<(usize, std::collections::VecDeque<Scheduled>)> = Vec::new();
        for (slot, scheduled) in schedule.iter().enumerate() {
            if self
                .inputs
                .get(scheduled.input)
                .is_none_or(|i| i.task != task)
            {
                continue;
            }
            slots.push(slot);
            match queues
                .iter_mut()
                .find(|(input, _)| *input == scheduled.input)
            {
                Some((_, queue)) => queue.push_back(*scheduled),
                None => queues.push((scheduled.input, [*scheduled].into())),
            }
        }
        for slot in slots {
            let head = |queue: &std::collections::VecDeque<Scheduled>| {
                queue
                    .front()
                    .and_then(|s| timestamps.get(s.message))
                    .copied()
                    .unwrap_or(i64::MAX)
            };
            let earliest = queues
                .iter_mut()
                .filter(|(_, q)| !q.is_empty())
                .min_by_key(|(_, q)| head(q));
            if let (Some(place), Some(next)) = (
                schedule.get_mut(slot),
                earliest.and_then(|(_, q)| q.pop_front()),
            ) {
                *place = next;
            }
        }
    }

    #[inline]
    fn input_of(&mut self, message: &OwnedMessage) -> Option<usize> {
        let (handle, partition) = (message.topic_handle(), message.partition());
        match self.last {
            Some((last_handle, last_partition, input))
                if last_handle == handle && last_partition == partition =>
            {
                Some(input)
            }
            _ => self.look_up(message, handle, partition),
        }
    }

    fn look_up(
        &mut self,
        message: &OwnedMessage,
        handle: TopicHandle,
        partition: i32,
    ) -> Option<usize> {
        let topic = message.topic();
        let found = self
            .inputs
            .iter()
            .position(|i| i.partition.partition == partition && *i.partition.topic == *topic);
        self.last = found.map(|input| (handle, partition, input));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn partition(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    /// The tasks of a topology that copies `in`, with its partition 0.
    fn tasks() -> Tasks {
        let builder = TopologyBuilder::new("app");
        builder.stream::<String, String>("in").to("out");
        let mut tasks = Tasks::new(builder.build());
        tasks.add(&[partition("in")]);
        tasks
    }

    fn process(tasks: &mut Tasks, offset: i64) {
        if let Some((input, _)) = tasks.input_mut(0) {
            input.advance(offset);
        }
    }

    fn to_commit(tasks: &Tasks, position: i64) -> Vec<(TopicPartition, i64)> {
        tasks
            .advance(Progress::Positions, &[(partition("in"), position)])
            .offsets
    }

    #[test]
    fn a_position_that_is_left_over_is_not_committed() {
        let mut tasks = tasks();
        tasks.mark_stale(&[partition("in")], &[(partition("in"), 100)]);
        assert!(to_commit(&tasks, 100).is_empty());
        assert_eq!(to_commit(&tasks, 104), [(partition("in"), 104)]);
    }

    #[test]
    fn a_position_is_trusted_again_once_a_record_was_read() {
        let mut tasks = tasks();
        tasks.mark_stale(&[partition("in")], &[(partition("in"), 101)]);
        process(&mut tasks, 99);
        // A control marker at 100 brings the position to where it had been before the records were read again.
        assert_eq!(to_commit(&tasks, 101), [(partition("in"), 101)]);
    }

    #[test]
    fn within_a_batch_only_processed_records_are_committed() {
        let mut tasks = tasks();
        process(&mut tasks, 4);
        let advance = tasks.advance(Progress::Records, &[]);
        assert_eq!(advance.offsets, [(partition("in"), 5)]);
        assert_eq!(advance.records, [(partition("in"), 1)]);
    }

    #[test]
    fn an_input_remembers_where_it_began() {
        let mut tasks = tasks();
        process(&mut tasks, 7);
        process(&mut tasks, 8);
        tasks.restart(&HashMap::new());
        let first: Vec<_> = tasks.first_offsets().collect();
        assert_eq!(first, [(partition("in"), 7)]);
    }

    #[test]
    fn what_is_committed_is_not_committed_again() {
        let mut tasks = tasks();
        process(&mut tasks, 4);
        let advance = tasks.advance(Progress::Records, &[]);
        tasks.committed(&advance);
        assert!(to_commit(&tasks, 5).is_empty());
    }

    #[test]
    fn inputs_of_one_task_are_taken_by_timestamp_and_each_in_its_order() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<String, String>("left");
        left.merge(&builder.stream("right")).to("out");
        let mut tasks = Tasks::new(builder.build());
        tasks.add(&[partition("left"), partition("right")]);
        // Two records of each input came, the left ones first; the second left one is older than the first.
        let mut schedule =
            [(0, 0), (1, 0), (2, 1), (3, 1)].map(|(message, input)| Scheduled { message, input });
        tasks.order_by_time(0, &mut schedule, &[20, 5, 10, 30]);
        assert_eq!(schedule.map(|s| s.message), [2, 0, 1, 3]);
    }

    #[test]
    fn a_partition_that_is_given_up_takes_its_task_along() {
        let mut tasks = tasks();
        tasks.remove(&[partition("in")]);
        assert!(tasks.partitions().is_empty() && tasks.input_mut(0).is_none());
    }
}
