//! The tasks of a stream thread, and where each of their input partitions stands.

use super::output::Route;
use super::schedule::Scheduled;
use crate::kafka::TopicPartition;
use crate::kafka::batch::TopicHandle;
use crate::processor::{SourceId, Task, TaskId};
use crate::state::GlobalState;
use crate::topology::Topology;
use std::sync::Arc;

/// A task, with the routes of the topics that it writes to.
pub(crate) struct ActiveTask {
    pub(crate) id: TaskId,
    pub(crate) phase: Phase,
    /// A punctuator has written something since the last checkpoint.
    pub(crate) has_punctuated: bool,
    /// By the task's own numbering of its output topics, which grows with topics that are chosen per record. Only topics
    /// of records that were written are open.
    pub(crate) routes: Vec<Option<Route>>,
    pub(super) inputs: usize,
}

/// What becomes of a task's records.
pub(crate) enum Phase {
    /// It processes them.
    Running(Box<Task>),
    /// None are read: it has a state, which it has not got yet.
    Waiting,
    /// None are read: the restorer brings its state up to date, by the request of this number.
    Restoring(u64),
}

impl ActiveTask {
    /// Whether something of it is to be committed, be there records or not.
    pub(super) fn has_written(&self) -> bool {
        let changed = match &self.phase {
            Phase::Running(task) => task.state().unapplied_bytes() > 0,
            Phase::Waiting | Phase::Restoring(_) => false,
        };
        changed || self.has_punctuated
    }

    /// The task, if it processes records.
    #[inline]
    pub(crate) fn running(&mut self) -> Option<&mut Task> {
        match &mut self.phase {
            Phase::Running(task) => Some(task),
            Phase::Waiting | Phase::Restoring(_) => None,
        }
    }
}

/// An input partition.
pub(crate) struct Input {
    pub(crate) partition: TopicPartition,
    pub(crate) task: usize,
    pub(crate) source: SourceId,
    /// Behind the last record that was processed; `None` before the first one.
    pub(super) next_offset: Option<i64>,
    /// What the consumer called its position when the input began here. Until the position moves it may be left over
    /// from before a rebalance or an abort, and must not be committed.
    pub(super) stale_position: Option<i64>,
    /// Where it began here: where to go back to while nothing is committed.
    pub(super) start: i64,
    /// Records processed since the last checkpoint.
    pub(super) records: i64,
    /// What this thread has committed last; `None` before it has.
    pub(super) committed: Option<i64>,
    /// Up to where the group has processed it, as it has committed it; `None` while it has committed nothing.
    pub(super) processed: Option<i64>,
    /// The stream time that was committed for it last.
    pub(super) time: Option<i64>,
}

impl Input {
    /// Where the next record has to be, or behind it; `None` if the record at `offset` is.
    #[inline]
    pub(crate) fn expected_instead_of(&self, offset: i64) -> Option<i64> {
        Some(self.next_offset.unwrap_or(self.start)).filter(|next| offset < *next)
    }

    #[inline]
    pub(crate) fn advance(&mut self, offset: i64) {
        self.next_offset = Some(offset + 1);
        // Reading this record has moved the consumer's position: it is no longer left over.
        self.stale_position = None;
        self.records += 1;
    }
}

pub(crate) struct Tasks {
    pub(super) topology: Topology,
    globals: Arc<GlobalState>,
    pub(super) active: Vec<ActiveTask>,
    pub(super) inputs: Vec<Input>,
    /// Where the last record went: runs of one partition are the rule.
    pub(super) last: Option<(TopicHandle, i32, usize)>,
    pub(super) schedule: Vec<Scheduled>,
}

impl Tasks {
    pub(crate) fn new(topology: Topology) -> Self {
        Self {
            topology,
            globals: Arc::default(),
            active: Vec::new(),
            inputs: Vec::new(),
            last: None,
            schedule: Vec::new(),
        }
    }

    /// Has the tasks look global tables up here.
    pub(crate) fn with_globals(self, globals: Arc<GlobalState>) -> Self {
        Self { globals, ..self }
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.inputs.iter().map(|i| i.partition.clone()).collect()
    }

    pub(crate) fn input_mut(&mut self, input: usize) -> Option<(&mut Input, &mut ActiveTask)> {
        let input = self.inputs.get_mut(input)?;
        let task = self.active.get_mut(input.task)?;
        Some((input, task))
    }

    /// The tasks that are active, by their place, for as long as none is added or removed.
    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    pub(crate) fn task_mut(&mut self, at: usize) -> Option<&mut ActiveTask> {
        self.active.get_mut(at)
    }

    /// When the next punctuator by the wall clock is due; `i64::MAX` if there is none.
    pub(crate) fn next_punctuation(&self) -> i64 {
        let next = self.active.iter().filter_map(|active| match &active.phase {
            Phase::Running(task) => Some(task.next_punctuation()),
            Phase::Waiting | Phase::Restoring(_) => None,
        });
        next.min().unwrap_or(i64::MAX)
    }

    /// Takes partitions on, each at the offset where it begins: a task for each sub-topology and partition number. `committed`
    /// are the group's committed offsets.
    pub(crate) fn add(
        &mut self,
        starts: &[(TopicPartition, i64)],
        committed: &[(TopicPartition, i64)],
    ) {
        for (partition, start) in starts {
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
                start: *start,
                records: 0,
                committed: None,
                processed: offset_of(partition, committed),
                time: None,
            });
        }
        self.last = None;
        self.count_inputs();
    }

    fn task_for(&mut self, id: TaskId) -> usize {
        if let Some(at) = self.active.iter().position(|t| t.id == id) {
            return at;
        }
        self.active.push(ActiveTask {
            id,
            phase: self.first_phase(id),
            has_punctuated: false,
            routes: Vec::new(),
            inputs: 0,
        });
        self.active.len() - 1
    }

    /// A task without state runs at once.
    fn first_phase(&self, id: TaskId) -> Phase {
        let sub_topology = self.topology.sub_topologies().get(id.sub_topology);
        match sub_topology.is_none_or(|sub| sub.stores.is_empty()) {
            true => self.running_task(Task::new(&self.topology, id)),
            false => Phase::Waiting,
        }
    }

    /// The phase of a task that has all it needs.
    pub(crate) fn running_task(&self, mut task: Task) -> Phase {
        let id = task.id();
        let is_of_it = |i: &&Input| self.active.get(i.task).is_some_and(|t| t.id == id);
        let times = self.inputs.iter().filter(is_of_it).filter_map(|i| i.time);
        times.for_each(|time| task.observe(time));
        Phase::Running(Box::new(task.with_globals(self.globals.clone())))
    }

    /// The tasks that process records.
    pub(crate) fn running(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.active.iter().filter_map(|active| match &active.phase {
            Phase::Running(task) => Some((active.id, &**task)),
            Phase::Waiting | Phase::Restoring(_) => None,
        })
    }

    /// The tasks that process records.
    pub(crate) fn running_mut(&mut self) -> impl Iterator<Item = (TaskId, &mut Task)> {
        let active = self.active.iter_mut();
        active.filter_map(|active| Some((active.id, active.running()?)))
    }

    /// The tasks that wait for their state.
    pub(crate) fn waiting(&self) -> Vec<TaskId> {
        let waits = |t: &&ActiveTask| matches!(t.phase, Phase::Waiting);
        self.active.iter().filter(waits).map(|t| t.id).collect()
    }

    pub(crate) fn phase_mut(&mut self, id: TaskId) -> Option<&mut Phase> {
        let active = self.active.iter_mut().find(|t| t.id == id)?;
        Some(&mut active.phase)
    }

    /// The inputs of a task, and where each is read on.
    pub(crate) fn inputs_of(&self, id: TaskId) -> Vec<(TopicPartition, i64)> {
        let inputs = self.inputs.iter();
        inputs
            .filter(|i| self.active.get(i.task).is_some_and(|t| t.id == id))
            .map(|i| (i.partition.clone(), i.next_offset.unwrap_or(i.start)))
            .collect()
    }

    /// The bytes that stores have changed since the last checkpoint.
    pub(crate) fn unapplied_bytes(&self) -> usize {
        let running = self.running();
        running
            .map(|(_, task)| task.state().unapplied_bytes())
            .sum()
    }

    /// The bytes of updates that wait in record caches.
    pub(crate) fn held_bytes(&self) -> usize {
        self.running().map(|(_, task)| task.held_bytes()).sum()
    }

    pub(super) fn is_running(&self, input: &Input) -> bool {
        let task = self.active.get(input.task);
        task.is_some_and(|t| matches!(t.phase, Phase::Running(_)))
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

    /// Gives partitions up, and the tasks that have no partition left. These are returned, and what tasks with state had
    /// that wait from now on, since an input of theirs was among the partitions.
    #[must_use = "they may have state"]
    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) -> Vec<(TaskId, Phase)> {
        let mut kept: Vec<(TaskId, Input)> = Vec::new();
        for input in self.inputs.drain(..) {
            let id = self.active.get(input.task).map(|t| t.id);
            if let (Some(id), false) = (id, partitions.contains(&input.partition)) {
                kept.push((id, input));
            }
        }
        let is_kept = |t: &ActiveTask| kept.iter().any(|(id, _)| *id == t.id);
        let (active, removed) = self.active.drain(..).partition::<Vec<_>, _>(is_kept);
        self.active = active;
        self.inputs = kept
            .into_iter()
            .filter_map(|(id, input)| {
                let task = self.active.iter().position(|t| t.id == id)?;
                Some(Input { task, ..input })
            })
            .collect();
        self.last = None;
        self.count_inputs();
        let mut had: Vec<_> = removed.into_iter().map(|t| (t.id, t.phase)).collect();
        let ids = self.active.iter().map(|t| t.id);
        let lacking: Vec<bool> = ids.map(|id| self.lacking(id).is_some()).collect();
        for (active, _) in self.active.iter_mut().zip(lacking).filter(|(_, l)| *l) {
            active.routes.clear();
            active.has_punctuated = false;
            had.push((
                active.id,
                std::mem::replace(&mut active.phase, Phase::Waiting),
            ));
        }
        had
    }

    /// After an abort: fresh tasks, whose inputs begin at `offsets`; `committed` are the group's committed offsets. Tasks with state wait for it, as it may be that what
    /// they have is less than what is committed; what they had is returned.
    #[must_use = "they may have state"]
    pub(crate) fn restart(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        committed: &[(TopicPartition, i64)],
    ) -> Vec<(TaskId, Phase)> {
        let fresh: Vec<Phase> = self.active.iter().map(|t| self.first_phase(t.id)).collect();
        let mut had = Vec::new();
        for (active, fresh) in self.active.iter_mut().zip(fresh) {
            active.routes.clear();
            active.has_punctuated = false;
            if let Phase::Running(_) = active.phase {
                had.push((active.id, std::mem::replace(&mut active.phase, fresh)));
            }
        }
        for input in &mut self.inputs {
            input.next_offset = offset_of(&input.partition, offsets);
            input.processed = offset_of(&input.partition, committed).or(input.processed);
            input.records = 0;
        }
        self.last = None;
        had
    }

    /// Where each input goes on if the group has no committed offset: where it began here, or what this thread has
    /// committed, if that is gone (with its topic).
    pub(crate) fn starts(&self) -> Vec<(TopicPartition, i64)> {
        let start = |i: &Input| i.committed.unwrap_or(i.start).max(i.start);
        self.inputs
            .iter()
            .map(|i| (i.partition.clone(), start(i)))
            .collect()
    }
}

pub(super) fn offset_of(
    partition: &TopicPartition,
    offsets: &[(TopicPartition, i64)],
) -> Option<i64> {
    let found = offsets.iter().find(|(p, _)| p == partition);
    found.map(|(_, offset)| *offset)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use crate::runtime::progress::Progress;

    fn partition(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    /// The tasks of a topology that copies `in`, with its partition 0.
    fn tasks() -> Tasks {
        let builder = TopologyBuilder::new("app");
        builder.stream::<String, String>("in").to("out");
        let mut tasks = Tasks::new(builder.build());
        tasks.add(&[(partition("in"), 0)], &[]);
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
        let _ = tasks.restart(&[(partition("in"), 5)], &[]);
        assert_eq!(tasks.starts(), [(partition("in"), 0)]);
    }

    #[test]
    fn nothing_is_committed_below_what_is_committed_already() {
        let mut tasks = tasks();
        process(&mut tasks, 4);
        // Control markers at 5 and 6: the position is behind them.
        let advance = tasks.advance(Progress::Positions, &[(partition("in"), 7)]);
        assert_eq!(advance.offsets, [(partition("in"), 7)]);
        tasks.committed(&advance);
        let within = tasks.advance(Progress::Records, &[]);
        assert!(within.offsets.is_empty(), "{:?}", within.offsets);
    }

    #[test]
    fn a_record_before_the_place_where_the_input_is_was_not_expected() {
        let mut tasks = tasks();
        let _ = tasks.restart(&[(partition("in"), 5)], &[]);
        let expected = |tasks: &mut Tasks, offset| {
            tasks
                .input_mut(0)
                .and_then(|(input, _)| input.expected_instead_of(offset))
        };
        assert_eq!(expected(&mut tasks, 4), Some(5));
        assert_eq!(expected(&mut tasks, 6), None);
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
    fn a_task_that_has_only_punctuated_names_where_it_is() {
        let mut tasks = tasks();
        assert!(tasks.advance(Progress::Records, &[]).offsets.is_empty());
        let (_, active) = tasks.input_mut(0).unwrap();
        active.has_punctuated = true;
        let advance = tasks.advance(Progress::Records, &[]);
        assert_eq!(advance.offsets, [(partition("in"), 0)]);
        tasks.committed(&advance);
        assert!(tasks.advance(Progress::Records, &[]).offsets.is_empty());
    }

    #[test]
    fn a_partition_that_is_given_up_takes_its_task_along() {
        let mut tasks = tasks();
        let removed = tasks.remove(&[partition("in")]);
        assert_eq!(removed.len(), 1);
        assert!(tasks.partitions().is_empty() && tasks.input_mut(0).is_none());
    }
}
