//! Where the stores of a process are, by what the job and the stores say.

use super::{
    Committed, Disk, GlobalStore, Memory, Store, StoreError, StoreId, StoreSpec, TaskState,
};
use crate::config::StateBackend;
use crate::topology::GlobalTable;

/// Opens the stores of tasks.
pub(crate) struct Backends {
    disk: Option<Disk>,
    default: StateBackend,
}

impl Backends {
    /// All in memory, unless there is a disk, which is where a store is by `default`.
    pub(crate) fn new(disk: Option<Disk>, default: StateBackend) -> Self {
        Self { disk, default }
    }

    /// Whether one of these stores is on disk, by what it says itself or by `default`.
    pub(crate) fn need_disk(
        specs: &[StoreSpec],
        global_tables: &[GlobalTable],
        default: StateBackend,
    ) -> bool {
        let global_tables = global_tables.iter().map(|table| table.backend);
        let said = specs.iter().map(|spec| spec.backend).chain(global_tables);
        said.into_iter()
            .any(|backend| backend.unwrap_or(default) == StateBackend::Disk)
    }

    /// The stores of the task of this partition, as they were left.
    pub(crate) fn open(
        &self,
        specs: &[StoreSpec],
        stores: &[StoreId],
        partition: i32,
    ) -> Result<TaskState, StoreError> {
        let open = |id: &StoreId| {
            let spec = specs.get(id.0);
            let disk = spec.and_then(|spec| Some((spec, self.disk_for(spec.backend)?)));
            let committed: Box<dyn Committed> = match disk {
                Some((spec, disk)) => Box::new(disk.store(&spec.name_on_disk(), partition)?),
                None => Box::new(Memory::default()),
            };
            Ok((*id, Store::new(committed)))
        };
        let opened: Result<Vec<_>, StoreError> = stores.iter().map(open).collect();
        Ok(TaskState::new(opened?))
    }

    /// The disk, for a store that says this of where it is kept.
    fn disk_for(&self, backend: Option<StateBackend>) -> Option<&Disk> {
        let disk = self.disk.as_ref();
        disk.filter(|_| backend.unwrap_or(self.default) == StateBackend::Disk)
    }

    /// The store of a global table whose topic has so many partitions, as it was left.
    pub(crate) fn open_global(
        &self,
        table: &GlobalTable,
        partitions: i32,
    ) -> Result<GlobalStore, StoreError> {
        // Called after its topic: the rows of another one, and its positions, are of no use. No table whose topic is its
        // changelog is called so.
        let (name, disk) = (format!("@@{}", table.topic), self.disk_for(table.backend));
        let open = |partition| -> Result<Box<dyn Committed>, StoreError> {
            Ok(match disk {
                Some(disk) => Box::new(disk.store(&name, partition)?),
                None => Box::new(Memory::default()),
            })
        };
        Ok(GlobalStore {
            entries: open(0)?,
            positions: (1..=partitions).map(open).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn are_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// The bytes that all stores take up on disk.
    pub(crate) fn disk_use(&self) -> Result<u64, StoreError> {
        self.disk.as_ref().map_or(Ok(0), Disk::bytes)
    }

    /// Whether anything was ever kept on this disk for the store of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.knows(name))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use crate::state::Residence;

    /// Counts in a store on disk, in one in memory, and in one where the job says.
    fn topology() -> Topology {
        let builder = TopologyBuilder::new("app");
        let (disk, memory) = (StateBackend::Disk, StateBackend::Memory);
        let grouped = builder.stream::<str, str>("in").group_by_key();
        let _ = grouped.count().named("disk").state_backend(disk);
        let _ = grouped.count().named("memory").state_backend(memory);
        let _ = grouped.count().named("as-the-job-says");
        builder.build()
    }

    fn residences(default: StateBackend) -> Vec<Residence> {
        let directory = tempfile::tempdir().unwrap();
        let backends = Backends::new(Some(Disk::open(directory.path()).unwrap()), default);
        let topology = topology();
        let stores = &topology.graph().stores;
        let ids: Vec<StoreId> = (0..stores.len()).map(StoreId).collect();
        let state = backends.open(stores, &ids, 0).unwrap();
        let residences = state.iter().map(|(_, store)| store.committed.residence());
        residences.collect()
    }

    #[test]
    fn a_store_is_where_it_says_and_else_where_the_job_says() {
        use Residence::{Disk, Memory};
        assert_eq!(residences(StateBackend::Disk), [Disk, Memory, Disk]);
        assert_eq!(residences(StateBackend::Memory), [Disk, Memory, Memory]);
    }

    #[test]
    fn a_disk_is_needed_where_one_store_says_so() {
        let needs = |builder: TopologyBuilder, default| {
            let topology = builder.build();
            let graph = topology.graph();
            Backends::need_disk(&graph.stores, &graph.global_tables, default)
        };
        for (says, needed) in [(StateBackend::Disk, true), (StateBackend::Memory, false)] {
            let other = match says {
                StateBackend::Disk => StateBackend::Memory,
                StateBackend::Memory => StateBackend::Disk,
            };
            let builder = TopologyBuilder::new("app");
            let _ = builder.table::<str, String>("in").state_backend(says);
            assert_eq!(needs(builder, other), needed, "table: {says}");
            let builder = TopologyBuilder::new("app");
            let _ = builder
                .global_table::<str, String>("in")
                .state_backend(says);
            assert_eq!(needs(builder, other), needed, "global table: {says}");
            let builder = TopologyBuilder::new("app");
            let store = Stores::key_value::<str, i64>("kept").state_backend(says);
            let _ = builder.store(store);
            assert_eq!(needs(builder, other), needed, "declared: {says}");
        }
    }

    #[test]
    fn a_table_that_is_not_kept_has_no_backend() {
        let builder = TopologyBuilder::new("app");
        let rows = builder.table::<str, String>("in").named("rows");
        let long = |_: &str, row: &String| row.len() > 10;
        let kept = rows.filter(long).named("kept").materialized();
        let _ = kept.state_backend(StateBackend::Memory);
        builder.build().check().unwrap();

        let builder = TopologyBuilder::new("app");
        let rows = builder.table::<str, String>("in");
        let line = line!() + 1;
        let _ = rows.filter(long).state_backend(StateBackend::Memory);
        let error = builder.build().check().unwrap_err().to_string();
        for part in [
            &*format!("backends.rs:{line}:"),
            "`.materialized().state_backend(..)`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
