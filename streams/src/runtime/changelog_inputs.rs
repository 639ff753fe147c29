//! Inputs of tasks that are the changelogs of their tables: how far they are processed, and tasks that have not got theirs.

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

    /// An input of a task that is the changelog of a store of its, and that this thread does not have: the group may give the
    /// inputs of a task one after the other. Another member may process it, and with it the table, so the task waits.
    pub(crate) fn lacking(&self, id: TaskId) -> Option<TopicPartition> {
        let stores = &self.topology.sub_topologies().get(id.sub_topology)?.stores;
        let specs = &self.topology.graph().stores;
        let sources = stores
            .iter()
            .filter_map(|store| specs.get(store.0)?.source.as_ref());
        let mut changelogs =
            sources.map(|source| TopicPartition::new(source.topic.as_str(), id.partition));
        changelogs.find(|changelog| !self.inputs.iter().any(|i| i.partition == *changelog))
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

    #[test]
    fn a_task_waits_while_the_changelog_of_its_table_is_not_its_input() {
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
    fn a_task_that_loses_the_changelog_of_its_table_waits_again() {
        let mut tasks = joining();
        let both = [(partition("in"), 7), (partition("rows"), 5)];
        tasks.add(&both, &both);
        let id = *tasks.waiting().first().unwrap();
        *tasks.phase_mut(id).unwrap() = Phase::Restoring(1);
        let had = tasks.remove(&[partition("rows")]);
        assert!(matches!(&*had, [(task, Phase::Restoring(1))] if *task == id));
        assert_eq!(tasks.waiting(), [id]);
        assert_eq!(tasks.lacking(id), Some(partition("rows")));
        // Another input takes nothing from it.
        tasks.add(&[(partition("rows"), 9)], &[(partition("rows"), 9)]);
        *tasks.phase_mut(id).unwrap() = Phase::Restoring(2);
        assert!(tasks.remove(&[partition("in")]).is_empty());
        assert!(tasks.waiting().is_empty());
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
