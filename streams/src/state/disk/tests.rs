//! What a store on disk keeps, forgets and refuses.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::offset::now;
use super::place::LONGEST_KEY;
use super::store::{CLEARED_AT_ONCE, TABLE_BYTES};
use super::table::{self, Marks};
use super::*;
use crate::state::{Committed as _, Entry, KeyRange, Order, Reached, RestoreBatch, StoreKind};
use std::ops::Bound;

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
    assert!((1..=now()).contains(&store.written_at().unwrap().unwrap()));
    assert_eq!(store.get(b"a").unwrap().as_deref(), None);
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(b"2".as_slice()));
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
    let keys: Vec<Vec<u8>> = (0..CLEARED_AT_ONCE + 5)
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

/// How many batches are in logs.
fn batches(disk: &Disk) -> usize {
    disk.logs.batches()
}

#[test]
fn a_log_that_has_its_share_becomes_a_table_and_nothing_is_lost_or_as_it_was_before() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    let value = noise(1 << 20);
    apply(
        &mut store,
        &[(b"gone", Some(b"1")), (b"kept", Some(b"1"))],
        1,
    );
    let mut offset = 1;
    let mut logged = vec![batches(&disk)];
    // Twice what a log may have.
    while offset <= 32 {
        offset += 1;
        let key = [u8::try_from(offset % 8).unwrap()];
        let value = [&[u8::try_from(offset).unwrap()], value.as_slice()].concat();
        apply(&mut store, &[(&key, Some(&value)), (b"gone", None)], offset);
        logged.push(batches(&disk));
    }
    assert!(
        logged.iter().filter(|count| **count == 0).count() >= 2,
        "{logged:?}"
    );
    assert!(logged.iter().all(|count| *count <= 16), "{logged:?}");
    let check = |store: &DiskStore| {
        for key in 0..8_u8 {
            let found = store.get(&[key]).unwrap().unwrap();
            let newest = (26..=33).find(|offset| offset % 8 == key).unwrap();
            assert_eq!(found.first(), Some(&newest), "{key}");
        }
        assert!(store.get(b"gone").unwrap().is_none());
        assert_eq!(
            store.get(b"kept").unwrap().as_deref(),
            Some(b"1".as_slice())
        );
        assert_eq!(store.changelog_offset().unwrap(), Some(33));
        for order in [Order::Ascending, Order::Descending] {
            assert_eq!(keys(store, &KeyRange::ALL, order).len(), 9);
        }
    };
    check(&store);
    drop((store, disk));
    let disk = Disk::open(directory.path()).unwrap();
    check(&disk.store("s", 0).unwrap());
}

/// What dying between the table and the end of its log leaves.
#[test]
fn what_is_in_a_table_does_not_count_when_the_log_has_it_still() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    apply(&mut store, &[(b"a", Some(b"old")), (b"b", Some(b"old"))], 1);
    apply(&mut store, &[(b"a", None)], 2);
    let marks = Marks {
        logged: Some(store.log.next()),
        reached: store.log.reached(),
    };
    table::write(&store.place, "testing", &store.log, &marks, |_| Ok(())).unwrap();
    drop(store);
    assert_eq!(batches(&disk), 2);

    let mut store = disk.store("s", 0).unwrap();
    assert!(store.log.is_empty());
    assert_eq!(store.reached().unwrap(), Some(Reached::Written(2)));
    // Newer than the log that does not count.
    restore(&mut store, large(0, 10_000, b'r'), 3).unwrap();
    apply(&mut store, &[(b"b", Some(b"new"))], 4);
    drop(store);
    let mut store = disk.store("s", 0).unwrap();
    let check = |store: &DiskStore| {
        assert_eq!(store.get(b"a").unwrap().as_deref(), None);
        assert_eq!(store.get(b"b").unwrap().as_deref(), Some(b"new".as_slice()));
        assert_eq!(store.changelog_offset().unwrap(), Some(4));
    };
    check(&store);
    store.ingestion(usize::MAX).unwrap().unwrap();
    assert_eq!(batches(&disk), 0, "what did not count goes with what did");
    check(&store);
}

#[test]
fn a_cleared_store_has_no_log_and_logs_on() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    apply(&mut store, &[(b"a", Some(b"1"))], 1);
    apply(&mut store, &[(b"b", Some(b"1"))], 2);
    store.clear().unwrap();
    assert_eq!((batches(&disk), store.reached().unwrap()), (0, None));
    drop(store);
    let mut store = disk.store("s", 0).unwrap();
    assert_eq!(store.reached().unwrap(), None);
    apply(&mut store, &[(b"c", Some(b"1"))], 3);
    drop((store, disk));
    let store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    assert_eq!(keys(&store, &KeyRange::ALL, Order::Ascending), [b"c"]);
    assert_eq!(store.changelog_offset().unwrap(), Some(3));
}

#[test]
fn a_log_that_lacks_a_batch_or_is_no_log_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    for offset in 1..4 {
        apply(&mut store, &[(b"a", Some(b"1"))], offset);
    }
    drop(store);
    let told = || {
        let error = disk.store("s", 0).err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        let directory = directory.path().display().to_string();
        ["`s`", "log is damaged", "delete", &directory]
            .iter()
            .all(|part| error.contains(part))
    };
    assert!(!told());
    disk.logs.damage("s", 0, 1, Some(b"\x01"));
    assert!(told());
    disk.logs.damage("s", 0, 1, None);
    assert!(told());
    // The others are none of its.
    disk.store("s", 1).unwrap();
    disk.store("ss", 0).unwrap();
}

#[test]
fn many_logs_have_a_small_share_each() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let value = noise(64 << 10);
    let mut stores: Vec<DiskStore> = (0..64).map(|p| disk.store("s", p).unwrap()).collect();
    for round in 0..12_u8 {
        for store in &mut stores {
            apply(store, &[(&[round], Some(&value))], i64::from(round));
        }
    }
    assert!(
        batches(&disk) * value.len() <= 40 << 20,
        "{}",
        batches(&disk)
    );
    for store in &stores {
        assert_eq!(keys(store, &KeyRange::ALL, Order::Ascending).len(), 12);
        assert_eq!(store.changelog_offset().unwrap(), Some(11));
    }
}

/// Stores of other names, so that each log has the smallest share.
fn others(disk: &Disk) -> Vec<DiskStore> {
    let mut others: Vec<DiskStore> = (0..128).map(|p| disk.store("others", p).unwrap()).collect();
    for other in &mut others {
        apply(other, &[(b"a", Some(b"1"))], 1);
    }
    others
}

#[test]
fn whatever_is_written_restored_cleared_and_opened_again_is_read_as_it_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(directory.path()).unwrap();
    let mut held = others(&disk);
    let mut store = disk.store("s", 7).unwrap();
    let mut model = std::collections::BTreeMap::new();
    let mut reached = None;
    let mut seed = 1_u32;
    let mut below = |most: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % most
    };
    for step in 0..300_i64 {
        match below(40) {
            0 => {
                drop((store, held, disk));
                disk = Disk::open(directory.path()).unwrap();
                held = others(&disk);
                store = disk.store("s", 7).unwrap();
            }
            1 => {
                drop(store);
                store = disk.store("s", 7).unwrap();
            }
            2 if step % 4 == 0 => {
                store.clear().unwrap();
                model.clear();
                reached = None;
            }
            3 | 4 => {
                let from = below(30);
                restore(&mut store, large(from, 5_000, b'r'), step).unwrap();
                let rows = (from..from + 5_000).map(|key| (key, vec![b'r'; 1_000]));
                model.extend(rows);
                reached = Some(Reached::Read(step));
            }
            5 => {
                let mut batch = RestoreBatch::default();
                let key = below(40);
                batch.push(StoreKind::KeyValue, &key.to_be_bytes(), None, 0);
                restore(&mut store, batch, step).unwrap();
                model.remove(&key);
                reached = Some(Reached::Read(step));
            }
            _ => {
                let rows: Vec<(u32, Option<Vec<u8>>)> = (0..below(6))
                    .map(|_| {
                        let value = (below(3) > 0).then(|| noise(below(20_000) as usize));
                        (below(60), value)
                    })
                    .collect();
                let keys: Vec<[u8; 4]> = rows.iter().map(|(key, _)| key.to_be_bytes()).collect();
                let values = rows.iter().map(|(_, value)| value.as_deref());
                let mut writes = keys.iter().map(<[u8; 4]>::as_slice).zip(values);
                let now = (below(8) > 0).then_some(Reached::Written(step));
                store.apply(&mut writes, now).unwrap();
                reached = now.or(reached);
                for (key, value) in rows {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
            }
        }
        for _ in 0..3 {
            let key = below(60);
            let found = store.get(&key.to_be_bytes()).unwrap();
            assert!(
                found.as_deref() == model.get(&key).map(Vec::as_slice),
                "{step}: {key}"
            );
        }
        assert_eq!(store.reached().unwrap(), reached, "{step}");
        if step % 20 == 0 {
            let model = model
                .iter()
                .map(|(key, value)| (key.to_be_bytes().to_vec(), value.clone()));
            let mut model: Vec<(Vec<u8>, Vec<u8>)> = model.collect();
            assert!(
                entries(&store, &KeyRange::ALL, Order::Ascending) == model,
                "{step}"
            );
            model.reverse();
            assert!(
                entries(&store, &KeyRange::ALL, Order::Descending) == model,
                "{step}"
            );
        }
    }
    let other = held.first().unwrap();
    assert_eq!(other.get(b"a").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[test]
fn nothing_is_read_after_a_write_that_has_failed() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    apply(&mut store, &[(b"a", Some(b"1"))], 1);
    std::fs::remove_dir_all(directory.path()).unwrap();
    let value = noise(17 << 20);
    let mut writes = std::iter::once((b"a".as_slice(), Some(value.as_slice())));
    let failure = store
        .apply(&mut writes, Some(Reached::Written(2)))
        .unwrap_err();
    assert!(
        failure.to_string().contains("room on the disk"),
        "{failure}"
    );
    assert_eq!(store.get(b"a").map(|_| ()), Err(failure.clone()));
    assert_eq!(store.reached(), Err(failure.clone()));
    let scanned = store.scan(&KeyRange::ALL, Order::Ascending).next();
    assert_eq!(scanned.unwrap().err(), Some(failure.clone()));
    assert_eq!(store.clear(), Err(failure.clone()));
    let again = store.apply(&mut std::iter::empty(), None);
    assert_eq!(again, Err(failure));
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
