//! The order in which the records of a batch are processed, and the input that each belongs to.

use super::tasks::Tasks;
use crate::kafka::batch::{Batch, OwnedMessage, TopicHandle};
use std::collections::VecDeque;

/// A record's turn: where it is in the batch, and the input that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheduled {
    pub(crate) message: usize,
    pub(crate) input: usize,
}

/// The turns of one task in a batch, and its records by input.
#[derive(Default)]
struct Turns {
    places: Vec<usize>,
    inputs: Vec<VecDeque<Scheduled>>,
}

impl Turns {
    fn add(&mut self, place: usize, scheduled: Scheduled) {
        self.places.push(place);
        let is_of = |queue: &&mut VecDeque<Scheduled>| {
            queue
                .front()
                .is_some_and(|first| first.input == scheduled.input)
        };
        match self.inputs.iter_mut().find(is_of) {
            Some(queue) => queue.push_back(scheduled),
            None => self.inputs.push(VecDeque::from([scheduled])),
        }
    }

    fn merge(&mut self, schedule: &mut [Scheduled], timestamp: impl Fn(usize) -> i64) {
        for place in &self.places {
            let heads = self.inputs.iter_mut().filter(|queue| !queue.is_empty());
            let head = |queue: &&mut VecDeque<Scheduled>| {
                queue
                    .front()
                    .map_or(i64::MAX, |first| timestamp(first.message))
            };
            let next = heads.min_by_key(head).and_then(VecDeque::pop_front);
            if let (Some(place), Some(next)) = (schedule.get_mut(*place), next) {
                *place = next;
            }
        }
    }
}

impl Tasks {
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
        if self.active.iter().any(|task| task.inputs > 1) {
            self.order_by_time(&mut schedule, |at| {
                batch.get(at).map_or(i64::MAX, OwnedMessage::timestamp)
            });
        }
        schedule
    }

    pub(crate) fn reuse(&mut self, schedule: Vec<Scheduled>) {
        self.schedule = schedule;
    }

    /// Merges the inputs of each task by the timestamp at the head of each; the order within an input stays, and a task keeps
    /// the turns that its records had.
    fn order_by_time(&self, schedule: &mut [Scheduled], timestamp: impl Fn(usize) -> i64) {
        let mut turns: Vec<Turns> = self.active.iter().map(|_| Turns::default()).collect();
        for (at, scheduled) in schedule.iter().enumerate() {
            let task = self.inputs.get(scheduled.input).map(|input| input.task);
            if let Some(turns) = task.and_then(|task| turns.get_mut(task)) {
                turns.add(at, *scheduled);
            }
        }
        for turns in turns.iter_mut().filter(|turns| turns.inputs.len() > 1) {
            turns.merge(schedule, &timestamp);
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
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::kafka::TopicPartition;
    use crate::prelude::*;

    #[test]
    fn inputs_of_one_task_are_taken_by_timestamp_and_each_in_its_order() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<String, String>("left");
        left.merge(&builder.stream("right")).to("out");
        let mut tasks = Tasks::new(builder.build());
        tasks.add(
            &[
                (TopicPartition::new("left", 0), 0),
                (TopicPartition::new("right", 0), 0),
            ],
            &[],
        );
        // Two records of each input came, the left ones first; the second left one is older than the first.
        let mut schedule =
            [(0, 0), (1, 0), (2, 1), (3, 1)].map(|(message, input)| Scheduled { message, input });
        let timestamps = [20, 5, 10, 30];
        tasks.order_by_time(&mut schedule, |at| timestamps[at]);
        assert_eq!(schedule.map(|s| s.message), [2, 0, 1, 3]);
    }

    #[test]
    fn tasks_keep_their_own_turns() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<String, String>("left");
        left.merge(&builder.stream("right")).to("out");
        let mut tasks = Tasks::new(builder.build());
        let inputs = [("left", 0), ("right", 0), ("left", 1), ("right", 1)];
        tasks.add(
            &inputs.map(|(topic, partition)| (TopicPartition::new(topic, partition), 0)),
            &[],
        );
        let place = |topic: &str, partition: i32| {
            let is = |i: &super::super::tasks::Input| {
                *i.partition.topic == *topic && i.partition.partition == partition
            };
            tasks.inputs.iter().position(is).unwrap()
        };
        let [l0, r0, l1, r1] = inputs.map(|(topic, partition)| place(topic, partition));
        let arrived = [(0, l0), (1, l1), (2, r1), (3, r0)];
        let mut schedule = arrived.map(|(message, input)| Scheduled { message, input });
        let timestamps = [9, 8, 7, 6];
        tasks.order_by_time(&mut schedule, |at| timestamps[at]);
        assert_eq!(schedule.map(|s| s.message), [3, 2, 1, 0]);
    }
}
