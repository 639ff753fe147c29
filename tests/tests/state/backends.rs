//! Stores of one job, one on disk and one in memory, each as it says.

use streams::ByType;
use streams::prelude::*;
use streams_tests::Counts;

use crate::fixture::Counting;

const KEYS: usize = 20;

/// Counts by key twice: in a store that is where the job says, and in one that is somewhere else.
fn topology(job: &Counting, told: &str, elsewhere: StateBackend) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    let input: KStream<str, str> = builder.source(&job.input, ByType, ByType);
    let grouped = input.group_by_key();
    grouped.count().named("counts").to_stream().to(&job.output);
    let other = grouped.count().named("others").state_backend(elsewhere);
    other.to_stream().to(told);
    job.configured(&builder, |_| {})
}

/// Restarts the job, and tells how many records of its changelog each of the two stores has read.
fn restored_by_a_restart(job: &mut Counting, elsewhere: StateBackend) -> [u64; 2] {
    let told = job.cluster.topic("others", 1);
    for _ in 0..2 {
        job.take_restores();
        job.produce(200, KEYS);
        job.run(topology(job, &told, elsewhere)).unwrap();
    }
    job.judge();
    let counts = Counts::of(&job.inputs());
    counts.are_told_by(&job.cluster.read_committed(&told));
    let others = format!("{}-others-changelog", job.application);
    counts.are_kept_in(&job.cluster.read_committed(&others));
    let restores = job.take_restores();
    ["counts", "others"].map(|store| {
        let of_store = restores.iter().filter(|restore| restore.store == store);
        of_store.map(|restore| restore.records).sum()
    })
}

#[test]
fn a_store_in_memory_is_read_anew_beside_one_on_disk_which_lacks_nothing() {
    let mut job = Counting::new(1);
    let [on_disk, in_memory] = restored_by_a_restart(&mut job, StateBackend::Memory);
    assert_eq!(on_disk, 0);
    assert!(in_memory >= KEYS as u64, "{in_memory}");
}

#[test]
fn a_store_on_disk_lacks_nothing_beside_one_in_memory_which_is_read_anew() {
    let mut job = Counting::new(1);
    job.backend = StateBackend::Memory;
    let [in_memory, on_disk] = restored_by_a_restart(&mut job, StateBackend::Disk);
    assert_eq!(on_disk, 0);
    assert!(in_memory >= KEYS as u64, "{in_memory}");
}
