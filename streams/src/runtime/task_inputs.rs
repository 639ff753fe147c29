//! The inputs of tasks with state: how far they are processed, and tasks that have not got all of theirs.

use super::tasks::Tasks;
use crate::kafka::TopicPartition;
use crate::processor::TaskId;

impl Tasks {
    /// Up to where the group has processed the inputs of a task; those of which nothing is committed are left out.
    pub(crate) fn processed_of(&self, id: TaskId) -> Vec<(TopicPartition, i64)> {
        let inputs = self.inputs.iter();
        inputs
            .filter(|i| self.active.get(i.task).is_some_and(|t| t.id == id))
            .filter_map(|i| Some((i.partition.clone(), i.processed?)))
            .collect()
    }

    /// An input of a task with state that this thread does not have. The group may give the inputs of a task one after the
    /// other; and where instances run different topologies, one of them may read topics that another one does not. Two tasks
    /// that share a state would spoil it, so a task waits until it has all of its inputs.
    pub(crate) fn lacking(&self, id: TaskId) -> Option<TopicPartition> {
        let sub = self.topology.sub_topologies().get(id.sub_topology)?;
        if sub.stores.is_empty() {
            return None;
        }
        let topics = &self.topology.graph().topics;
        let topics = sub.sources.iter().filter_map(|s| topics.get(s.0));
        let mut inputs = topics.map(|t| TopicPartition::new(t.name.as_str(), id.partition));
        inputs.find(|input| !self.inputs.iter().any(|i| i.partition == *input))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use crate::runtime::progress::Advance;
    use crate::runtime::tasks::Phase;

    fn partition(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    /// The tasks of a topology that joins `in` with the table of `rows`, which is its changelog.
    fn joining() -> Tasks {
        let builder = TopologyBuilder::new("app");
        builder.topology_optimization(TopologyOptimization::ReuseKtableSourceTopics);
        let rows = builder.table::<String, String>("rows");
        let stream = builder.stream::<String, String>("in");
        let joined = stream.join(&rows, |value, row| format!("{value} {row}"));
        joined.to("out");
        Tasks::new(builder.build())
    }

    /// The tasks of a topology that counts `in` and `more` together, of which one is repartitioned.
    fn counting() -> Tasks {
        let builder = TopologyBuilder::new("app");
        let more = builder.stream::<String, String>("more").repartition();
        let all = builder.stream::<String, String>("in").merge(&more);
        all.group_by_key().count().to_stream().to("out");
        Tasks::new(builder.build())
    }

    #[test]
    fn a_task_with_state_waits_until_it_has_all_of_its_inputs() {
        let mut tasks = joining();
        tasks.add(&[(partition("in"), 7)], &[(partition("in"), 7)]);
        let id = *tasks.waiting().first().unwrap();
        assert_eq!(tasks.lacking(id), Some(partition("rows")));
        tasks.add(&[(partition("rows"), 5)], &[(partition("rows"), 5)]);
        assert_eq!(tasks.waiting(), [id]);
        assert_eq!(tasks.lacking(id), None);
        assert!(tasks.processed_of(id).contains(&(partition("rows"), 5)));
    }

    #[test]
    fn a_repartition_topic_is_an_input_as_others_are() {
        let mut tasks = counting();
        // What writes the repartition topic has no state.
        tasks.add(&[(partition("more"), 0), (partition("in"), 0)], &[]);
        let waiting = tasks.waiting();
        let [id] = *waiting.as_slice() else {
            unreachable!("{waiting:?}");
        };
        let lacking = tasks.lacking(id).unwrap();
        assert!(lacking.topic.ends_with("-repartition"), "{lacking}");
        tasks.add(&[(lacking, 0)], &[]);
        assert_eq!(tasks.lacking(id), None);
    }

    #[test]
    fn a_task_that_loses_one_of_its_inputs_waits_again() {
        for lost in ["rows", "in"] {
            let mut tasks = joining();
            let both = [(partition("in"), 7), (partition("rows"), 5)];
            tasks.add(&both, &both);
            let id = *tasks.waiting().first().unwrap();
            *tasks.phase_mut(id).unwrap() = Phase::Restoring(1);
            let had = tasks.remove(&[partition(lost)]);
            assert!(matches!(&*had, [(task, Phase::Restoring(1))] if *task == id));
            assert_eq!(tasks.waiting(), [id]);
            assert_eq!(tasks.lacking(id), Some(partition(lost)));
        }
    }

    #[test]
    fn what_is_committed_is_processed() {
        let mut tasks = joining();
        let both = [(partition("in"), 7), (partition("rows"), 5)];
        tasks.add(&both, &both);
        let id = *tasks.waiting().first().unwrap();
        let advance = Advance {
            offsets: vec![(partition("rows"), 9)],
            ..Advance::default()
        };
        tasks.committed(&advance);
        // Given back later, without the other input: a restore goes up to there.
        assert_eq!(
            tasks.processed_of(id),
            [(partition("in"), 7), (partition("rows"), 9)]
        );
    }

    #[test]
    fn nothing_is_processed_where_nothing_is_committed() {
        let mut tasks = joining();
        tasks.add(&[(partition("in"), 7), (partition("rows"), 5)], &[]);
        let id = *tasks.waiting().first().unwrap();
        assert!(tasks.processed_of(id).is_empty());
        let committed = [(partition("rows"), 6)];
        let _ = tasks.restart(&committed, &committed);
        assert_eq!(tasks.processed_of(id), committed);
    }
}
