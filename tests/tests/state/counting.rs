//! Counts that outlive restarts, with the state as it was left, an older one, or none.

use std::path::{Path, PathBuf};

use streams::StateBackend;
use streams::runtime::Event;

use crate::fixture::{Counting, copy_directory};

#[test]
fn a_restart_goes_on_with_its_state_and_reads_nothing() {
    let mut job = Counting::new(3);
    job.produce(1_000, 50);
    job.run_until_latest();
    job.judge();
    job.take_restores();
    job.produce(500, 50);
    job.run_until_latest();
    job.judge();
    let restores = job.take_restores();
    assert_eq!(restores.len(), 3, "{restores:?}");
    let records: u64 = restores.iter().map(|r| r.records).sum();
    assert_eq!(records, 0, "{restores:?}");
}

#[test]
fn a_changelog_has_a_record_for_each_key_that_a_checkpoint_changed() {
    let mut job = Counting::new(1);
    job.produce(1_000, 10);
    // One checkpoint, at the end.
    let topology = job.topology_with(|config| {
        config.checkpoint_interval = Some(std::time::Duration::from_secs(30));
    });
    job.run(topology).unwrap();
    job.judge();
    assert_eq!(job.changelog_records(), 10);
    let told = job.count(|event| match event {
        Event::Checkpoint(c) => c
            .changelogs
            .iter()
            .any(|w| w.store == "counts" && w.records == 10 && w.bytes == 10 * (5 + 8)),
        _ => false,
    });
    assert_eq!(told, 1);
}

#[test]
fn without_its_state_directory_the_changelog_gives_it_all() {
    let mut job = Counting::new(3);
    job.produce(1_000, 50);
    job.run_until_latest();
    job.take_restores();
    let written = job.changelog_records();
    job.directory = tempfile::tempdir().unwrap();
    job.produce(500, 50);
    job.run_until_latest();
    job.judge();
    assert_eq!(job.take_restored(), written as u64);
}

#[test]
fn an_older_state_gets_only_what_it_lacks() {
    let mut job = Counting::new(3);
    job.produce(1_000, 50);
    job.run_until_latest();
    let older = tempfile::tempdir().unwrap();
    copy_directory(job.directory.path(), older.path());
    let before = job.changelog_records();
    job.produce(500, 20);
    job.run_until_latest();
    job.take_restores();
    let lacking = job.changelog_records() - before;
    job.directory = older;
    job.produce(100, 50);
    job.run_until_latest();
    job.judge();
    assert_eq!(job.take_restored(), lacking as u64);
}

#[test]
fn state_in_memory_is_made_again_from_the_changelog() {
    let mut job = Counting::new(2);
    job.backend = StateBackend::Memory;
    job.produce(300, 20);
    job.run_until_latest();
    job.take_restores();
    let written = job.changelog_records();
    job.produce(300, 20);
    job.run_until_latest();
    job.judge();
    assert_eq!(job.take_restored(), written as u64);
    assert!(!job.directory.path().join("stores").exists());
}

#[test]
fn state_is_committed_early_when_there_is_much_of_it() {
    let mut job = Counting::new(1);
    job.produce(2_000, 2_000);
    let topology = job.topology_with(|config| {
        config.checkpoint_interval = Some(std::time::Duration::from_secs(30));
        config.uncommitted_state_bytes = 5_000;
    });
    let summary = job.run(topology).unwrap();
    job.judge();
    // Some 24 bytes a key.
    assert!(summary.checkpoints >= 8, "{summary:?}");
}

/// The files by which the stores of a state directory are locked.
fn store_locks(directory: &Path) -> Vec<PathBuf> {
    let is_dir = |path: &PathBuf| path.is_dir();
    let below = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|e| e.unwrap().path()).collect::<Vec<_>>()
    };
    let applications = below(&directory.join("stores"));
    let clusters = applications.iter().flat_map(|path| below(path));
    clusters
        .filter(is_dir)
        .map(|path| path.join("lock"))
        .collect()
}

#[test]
fn a_job_that_has_ended_has_let_go_of_its_stores() {
    let mut job = Counting::new(1);
    job.produce(100, 10);
    job.run_until_latest();
    let mut stoppers = Vec::new();
    for round in 0..5 {
        // Without its state the job restores it, on a thread and with clients of its own.
        std::fs::remove_dir_all(job.directory.path().join("stores")).unwrap();
        job.produce(10, 10);
        let handle = job.start_until_latest();
        stoppers.push(handle.stopper());
        job.join(handle);
        let locks = store_locks(job.directory.path());
        assert_eq!(locks.len(), 1);
        for lock in locks {
            let lock = std::fs::File::open(lock).unwrap();
            assert!(lock.try_lock().is_ok(), "locked in round {round}");
        }
    }
    job.judge();
}

#[test]
fn what_the_stores_take_up_is_told() {
    let mut job = Counting::new(1);
    job.produce(1_000, 100);
    job.run_until_latest();
    let told = job.take_events().into_iter().find_map(|event| match event {
        Event::DiskUse { bytes, open_files } => Some((bytes, open_files)),
        _ => None,
    });
    let (bytes, open_files) = told.unwrap();
    assert!(
        bytes > 0 && open_files.is_none_or(|n| n > 0),
        "{bytes} {open_files:?}"
    );
}
