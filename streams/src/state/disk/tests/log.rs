//! What is in the log of a store, and what of it is in a table.

use super::*;

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
        logged: Some(store.log.first_in_no_table()),
        reach: Reach::To(store.log.reached().unwrap()),
    };
    table::write(&store.place, "testing", &store.log, &marks, |_| Ok(())).unwrap();
    drop(store);
    assert_eq!(batches(&disk), 2);

    let mut store = disk.store("s", 0).unwrap();
    assert!(!store.log.has_rows() && store.log.reached().is_none());
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
    for round in 0..24_u8 {
        for store in &mut stores {
            apply(store, &[(&[round], Some(&value))], i64::from(round));
        }
    }
    assert!(
        batches(&disk) * value.len() <= 72 << 20,
        "{}",
        batches(&disk)
    );
    for store in &stores {
        assert_eq!(keys(store, &KeyRange::ALL, Order::Ascending).len(), 24);
        assert_eq!(store.changelog_offset().unwrap(), Some(23));
    }
}

/// Stores of other names, so that each log has the smallest share.
pub(super) fn others(disk: &Disk) -> Vec<DiskStore> {
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

#[test]
fn an_offset_alone_stays_one_batch_and_takes_no_memory_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    for offset in 1..=2_000 {
        apply(&mut store, &[], offset);
    }
    assert_eq!((batches(&disk), disk.logs.users().count()), (1, 0));
    // It says nothing.
    store.apply(&mut std::iter::empty(), None).unwrap();
    drop(store);
    let mut store = disk.store("s", 0).unwrap();
    assert_eq!(store.changelog_offset().unwrap(), Some(2_000));
    apply(&mut store, &[], 2_001);
    apply(&mut store, &[(b"a", Some(b"1"))], 2_002);
    apply(&mut store, &[], 2_003);
    assert_eq!((batches(&disk), disk.logs.users().count()), (3, 1));
    assert_eq!(store.changelog_offset().unwrap(), Some(2_003));
    drop((store, disk));
    let store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
    assert_eq!(store.changelog_offset().unwrap(), Some(2_003));
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[test]
fn what_small_rows_take_up_in_memory_counts() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    let mut tables = 0;
    for batch in 0..80_i64 {
        let keys: Vec<[u8; 8]> = (0..5_000)
            .map(|n| (batch * 5_000 + n).to_be_bytes())
            .collect();
        let mut writes = keys
            .iter()
            .map(|key| (key.as_slice(), Some(b"1".as_slice())));
        store
            .apply(&mut writes, Some(Reached::Written(batch)))
            .unwrap();
        tables += usize::from(batches(&disk) == 0);
    }
    // Less than 10 MB of bytes.
    assert_eq!(tables, 1);
    assert_eq!(
        store.scan(&KeyRange::ALL, Order::Ascending).count(),
        400_000
    );
}

#[test]
fn a_store_that_has_nothing_is_cleared_without_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let mut store = disk.store("s", 0).unwrap();
    store.clear().unwrap();
    assert_eq!(store.place.keyspace.table_count(), 0);
    apply(&mut store, &[(b"a", Some(b"1"))], 1);
    store.clear().unwrap();
    assert_eq!(store.place.keyspace.table_count(), 1);
    store.clear().unwrap();
    assert_eq!(store.place.keyspace.table_count(), 1);
}
