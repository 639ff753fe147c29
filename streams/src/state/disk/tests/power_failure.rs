//! What is left when a machine fails: what was synced, and a part of the journal that ends somewhere.

use super::log::others;
use super::*;
use std::path::PathBuf;

/// What gets to the disk or does not.
const PAGE: usize = 4_096;

/// The journals of a database.
fn journals(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "jnl"))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Looks at the database as it would be had the machine failed, with more and more of its journal: it ends there, or has zeros
/// behind that or in one page. One that cannot be opened is refused with what to do.
fn at_each_loss(directory: &Path, look: impl Fn(&Disk)) {
    let journal = journals(directory).pop().unwrap();
    let name = journal.file_name().unwrap();
    let bytes = std::fs::read(&journal).unwrap();
    // It is as long as it may grow to: what was written ends where zeros begin.
    let written = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap_or_default();
    for part in 0..12 {
        let at = (written * part / 11).next_multiple_of(PAGE).min(written);
        // A page that did not get to the disk has zeros, whatever is behind it.
        let mut zeroed = bytes.clone();
        zeroed.iter_mut().skip(at).for_each(|byte| *byte = 0);
        let mut holed = bytes.clone();
        holed
            .iter_mut()
            .skip(at)
            .take(PAGE)
            .for_each(|byte| *byte = 0);
        for left in [bytes.split_at(at).0, &zeroed, &holed] {
            let scratch = tempfile::tempdir().unwrap();
            copy(directory, scratch.path());
            std::fs::write(scratch.path().join(name), left).unwrap();
            // With debug assertions the database panics at some holes, which it refuses without.
            match std::panic::catch_unwind(|| Disk::open(scratch.path())) {
                Ok(Ok(disk)) => look(&disk),
                Ok(Err(refusal)) => assert!(refusal.contains("delete it"), "{refusal}"),
                Err(_) => {}
            }
        }
    }
}

fn row(number: i64) -> [u8; 8] {
    number.to_be_bytes()
}

#[test]
fn the_position_of_a_global_table_is_never_before_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let _others = others(&disk);
    let (mut rows, mut position) = (disk.store("g", 0).unwrap(), disk.store("g", 1).unwrap());
    // More often than a log of the smallest share takes batches.
    for number in 0..1_500 {
        let write = (row(number), [7; 20]);
        let mut writes = std::iter::once((write.0.as_slice(), Some(write.1.as_slice())));
        rows.apply(&mut writes, None).unwrap();
        let reached = Some(Reached::Read(number + 1));
        position.apply(&mut std::iter::empty(), reached).unwrap();
    }
    drop((rows, position));
    at_each_loss(directory.path(), |disk| {
        let (rows, position) = (disk.store("g", 0).unwrap(), disk.store("g", 1).unwrap());
        let read = position.changelog_offset().unwrap().unwrap_or(0);
        let there = |number: &i64| rows.get(&row(*number)).unwrap().is_some();
        assert_eq!((0..read).find(|number| !there(number)), None, "of {read}");
    });
}

#[test]
fn a_store_has_what_its_offset_says_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    let _others = others(&disk);
    let mut store = disk.store("s", 0).unwrap();
    let value = noise(3_000);
    for offset in 1..=300 {
        let mut written = value.clone();
        written.extend_from_slice(&row(offset));
        let (one, removed) = (row(offset % 7), row(100 + (offset + 1) % 5));
        let added = row(100 + offset % 5);
        let writes: [(&[u8], Option<&[u8]>); 3] = [
            (&one, Some(&written)),
            (&removed, None),
            (&added, Some(b"1")),
        ];
        apply(&mut store, &writes, offset);
    }
    drop(store);
    at_each_loss(directory.path(), |disk| {
        let store = disk.store("s", 0).unwrap();
        let offset = store.changelog_offset().unwrap().unwrap_or(0);
        for key in 0..7 {
            let newest = (1..=offset).rev().find(|offset| offset % 7 == key);
            let found = store.get(&row(key)).unwrap();
            let found = found.map(|value| value.get(3_000..).map(<[u8]>::to_vec).unwrap());
            assert_eq!(
                found,
                newest.map(|at| row(at).to_vec()),
                "{key} at {offset}"
            );
        }
        let there: Vec<i64> = (0..5)
            .filter(|key| store.get(&row(100 + key)).unwrap().is_some())
            .collect();
        let mut expected: Vec<i64> = (1..=offset).rev().take(4).map(|at| at % 5).collect();
        expected.sort_unstable();
        assert_eq!(there, expected, "at {offset}");
    });
}
