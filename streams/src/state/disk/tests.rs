//! What a store on disk keeps, forgets and refuses.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::offset::now;
use super::place::LONGEST_KEY;
use super::store::TABLE_BYTES;
use super::table::{self, Marks, Reach};
use super::*;
use crate::state::{
    Committed as _, Entry, KeyRange, Order, Origin, Reached, RestoreBatch, StoreKind,
};
use std::ops::Bound;

mod log;
mod power_failure;

fn apply(store: &mut DiskStore, writes: &[(&[u8], Option<&[u8]>)], offset: i64) {
    store
        .apply(&mut writes.iter().copied(), Some(Reached::Written(offset)))
        .unwrap();
}

fn entries(store: &DiskStore, range: &KeyRange, order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
    let entry = |entry: Entry<'_>| {
        let (key, value) = entry.unwrap();
        (key.into_owned(), value.into_owned())
    };
    store.scan(range, order).map(entry).collect()
}

fn keys(store: &DiskStore, range: &KeyRange, order: Order) -> Vec<Vec<u8>> {
    let entries = entries(store, range, order).into_iter();
    entries.map(|(key, _)| key).collect()
}

#[test]
fn entries_and_offset_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Disk::open(directory.path()).unwrap().store("s", 3).unwrap();
    assert_eq!(store.changelog_offset().unwrap(), None);
    apply(&mut store, &[(b"a", Some(b"1")), (b"b", Some(b"2"))], 17);
    apply(&mut store, &[(b"a", None)], 18);
    drop(store);
    let store = Disk::open(directory.path()).unwrap().store("s", 3).unwrap();
    assert_eq!(store.reached().unwrap(), Some(Reached::Written(18)));
    assert!((1..=now()).contains(&store.kept().unwrap().unwrap().at.unwrap()));
    assert_eq!(store.get(b"a").unwrap().as_deref(), None);
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(b"2".as_slice()));
}

#[test]
fn what_the_rows_are_of_is_kept_with_each_offset() {
    let directory = tempfile::tempdir().unwrap();
    let origin = Origin::new(StoreKind::KeyValue, Some(7));
    let kept = |store: &DiskStore| store.kept().unwrap().unwrap();
    let open = || Disk::open(directory.path()).unwrap().store("s", 3).unwrap();
    let mut store = open();
    apply(&mut store, &[(b"a", Some(b"1"))], 17);
    assert_eq!(kept(&store).origin, None);
    store.set_origin(origin);
    assert_eq!(kept(&store).origin, None, "nothing is written of it");
    apply(&mut store, &[(b"a", Some(b"1"))], 18);
    assert_eq!(kept(&store).origin, Some(origin));
    let ingestion = store.ingestion(TABLE_BYTES).unwrap().unwrap();
    ingestion
        .write(RestoreBatch::default(), 19, |_| Ok(()))
        .unwrap();
    drop((store, ingestion));
    let found = kept(&open());
    assert_eq!(
        (found.origin, found.reached),
        (Some(origin), Reached::Read(19))
    );
}

#[test]
fn a_task_sees_nothing_of_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut stores = [0, 1, -1].map(|partition| disk.store("s", partition).unwrap());
    for (store, at) in stores.iter_mut().zip(1..) {
        apply(store, &[(b"", Some(b"v")), (b"\xff\xff", Some(b"v"))], at);
    }
    stores.get_mut(1).unwrap().clear().unwrap();
    let seen = stores.map(|s| {
        let keys = keys(&s, &KeyRange::ALL, Order::Ascending);
        (keys.len(), s.changelog_offset().unwrap())
    });
    assert_eq!(seen, [(2, Some(1)), (0, None), (2, Some(3))]);
}

#[test]
fn a_scan_keeps_to_its_range_in_both_directions() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    let written: Vec<(&[u8], Option<&[u8]>)> = [b"a", b"b", b"c", b"d"]
        .iter()
        .map(|key| (key.as_slice(), Some(key.as_slice())))
        .collect();
    apply(&mut store, &written, 1);
    let range = KeyRange {
        from: Bound::Excluded(b"a".to_vec()),
        to: Bound::Included(b"c".to_vec()),
    };
    assert_eq!(keys(&store, &range, Order::Ascending), [b"b", b"c"]);
    assert_eq!(keys(&store, &range, Order::Descending), [b"c", b"b"]);
    let all = keys(&store, &KeyRange::ALL, Order::Descending);
    assert_eq!(all, [b"d", b"c", b"b", b"a"]);
}

#[test]
fn a_cleared_store_is_as_new() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    let keys: Vec<Vec<u8>> = (0..10_000_usize)
        .map(|n| n.to_be_bytes().to_vec())
        .collect();
    let mut writes = keys.iter().map(|k| (k.as_slice(), Some(k.as_slice())));
    store.apply(&mut writes, Some(Reached::Read(9))).unwrap();
    store.clear().unwrap();
    assert_eq!(store.changelog_offset().unwrap(), None);
    assert!(entries(&store, &KeyRange::ALL, Order::Ascending).is_empty());
}

#[test]
fn a_row_that_was_read_is_read_as_it_was_last_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    let key = 7_u32.to_be_bytes();
    let first = |store: &DiskStore| {
        let found = store.get(&key).unwrap();
        found.map(|value| value.first().copied().unwrap())
    };
    assert_eq!(first(&store), None);
    apply(&mut store, &[(&key, Some(b"1"))], 1);
    assert_eq!(first(&store), Some(b'1'));
    apply(&mut store, &[(&key, None)], 2);
    assert_eq!(first(&store), None);
    let mut batch = RestoreBatch::default();
    batch.push(StoreKind::KeyValue, &key, Some(b"3"), 0);
    restore(&mut store, batch, 3).unwrap();
    assert_eq!(first(&store), Some(b'3'));
    restore(&mut store, large(0, 10_000, b'4'), 4).unwrap();
    assert_eq!(first(&store), Some(b'4'));
    let long = vec![b'k'; LONGEST_KEY + 1];
    let writes = [(key.as_slice(), Some(b"5".as_slice())), (&long, None)];
    store.apply(&mut writes.into_iter(), None).unwrap_err();
    assert_eq!(first(&store), Some(b'4'), "a batch that was refused");
    store.clear().unwrap();
    assert_eq!(first(&store), None);
}

#[test]
fn a_key_that_is_too_long_is_refused_and_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    let key = vec![b'k'; LONGEST_KEY + 1];
    let (longest, long) = (key.get(1..).unwrap(), key.as_slice());
    apply(&mut store, &[(longest, Some(b"1")), (b"l", Some(b"2"))], 1);
    assert_eq!(
        store.get(longest).unwrap().as_deref(),
        Some(b"1".as_slice())
    );
    assert_eq!(store.get(long).unwrap().as_deref(), None);
    let (from, to) = (Bound::Included(key.clone()), Bound::Unbounded);
    let above = keys(&store, &KeyRange { from, to }, Order::Ascending);
    assert_eq!(above, [b"l"]);
    let (from, to) = (Bound::Unbounded, Bound::Excluded(key.clone()));
    let below = keys(&store, &KeyRange { from, to }, Order::Ascending);
    assert_eq!(below, [longest]);

    let writes = [(long, Some(b"1".as_slice()))];
    let applied = store.apply(&mut writes.into_iter(), None);
    let mut batch = large(0, 10_000, b'1');
    batch.push(StoreKind::KeyValue, long, None, 0);
    let restored = restore(&mut store, batch, 10);
    let put = crate::state::Store::new(Box::new(store)).put(long, None);
    for refused in [applied, restored, put] {
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("65531 bytes") && error.contains("`s`"),
            "{error}"
        );
    }
}

/// Bytes that cannot be compressed, as journals are.
fn noise(bytes: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let mut next = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number.to_be_bytes().first().copied().unwrap_or_default()
    };
    (0..bytes).map(|_| next()).collect()
}

/// As a restore does it.
fn restore(store: &mut DiskStore, mut batch: RestoreBatch, offset: i64) -> Result<(), StoreError> {
    match store.ingestion(batch.bytes())? {
        Some(ingestion) => ingestion.write(batch, offset, |_| Ok(())),
        None => store.restore(&mut batch, offset),
    }
}

/// A batch that becomes a table: so many entries of 1 kB, from this one on.
fn large(from: u32, count: u32, value: u8) -> RestoreBatch {
    let mut batch = RestoreBatch::default();
    for key in (from..from + count).rev() {
        let value = [value; 1_000];
        batch.push(StoreKind::KeyValue, &key.to_be_bytes(), Some(&value), 0);
    }
    assert!(batch.bytes() >= TABLE_BYTES);
    batch
}

#[test]
fn what_is_restored_at_once_is_newer_than_what_was_there_and_older_than_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let (mut store, mut other) = (disk.store("s", 0).unwrap(), disk.store("s", 1).unwrap());
    let keys = [0_u32, 1, 2, 3].map(u32::to_be_bytes);
    let [first, second, third, fourth] = keys.each_ref().map(<[u8; 4]>::as_slice);
    apply(
        &mut store,
        &[(first, Some(b"old")), (fourth, Some(b"old"))],
        1,
    );
    apply(&mut other, &[(first, Some(b"other"))], 2);
    let mut batch = large(0, 10_000, b'1');
    batch.push(StoreKind::KeyValue, fourth, None, 0);
    restore(&mut store, batch, 10).unwrap();
    restore(&mut store, large(2, 10_000, b'2'), 20).unwrap();
    apply(&mut store, &[(third, Some(b"new"))], 30);
    let check = |store: &DiskStore, other: &DiskStore| {
        let get = |key: &[u8]| store.get(key).unwrap().map(|v| v.first().copied().unwrap());
        let found = [first, second, third].map(get);
        assert_eq!(found, [Some(b'1'), Some(b'1'), Some(b'n')]);
        assert_eq!(get(fourth), Some(b'2'));
        assert_eq!(get(&10_001_u32.to_be_bytes()), Some(b'2'));
        assert_eq!(store.scan(&KeyRange::ALL, Order::Ascending).count(), 10_002);
        assert_eq!(store.changelog_offset().unwrap(), Some(30));
        assert_eq!(
            other.get(first).unwrap().as_deref(),
            Some(b"other".as_slice())
        );
        assert_eq!(other.changelog_offset().unwrap(), Some(2));
    };
    check(&store, &other);
    drop((store, other, disk));
    let disk = Disk::open(directory.path()).unwrap();
    check(&disk.store("s", 0).unwrap(), &disk.store("s", 1).unwrap());
}

#[test]
fn a_store_that_rests_keeps_no_journals_of_those_that_are_busy() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let (mut resting, mut busy) = (disk.store("r", 0).unwrap(), disk.store("b", 0).unwrap());
    apply(&mut resting, &[(b"row", Some(b"1"))], 1);
    let value = noise(1 << 20);
    for number in 0..400_u32 {
        apply(&mut busy, &[(&number.to_be_bytes(), Some(&value))], 2);
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // One that is flushed, and the one that is written to, which grows while that waits for a worker.
    let most = 3 * JOURNALS_BYTES;
    while disk.database.journal_disk_space().unwrap() > most {
        let kept = disk.database.journal_disk_space().unwrap() >> 20;
        assert!(std::time::Instant::now() < deadline, "{kept} MiB to read");
        std::thread::yield_now();
    }
}
