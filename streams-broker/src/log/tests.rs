//! A partition's log: each test is one rule.
#![expect(clippy::unwrap_used, reason = "tests")]
use super::batch::tests::{batch, keyed};
use super::*;

const ADMISSION: Admission = Admission {
    max_bytes: 1_000_000,
    stamp: false,
    before: i64::MAX,
    after: i64::MAX,
    keyed: false,
    segments: SegmentLimits {
        bytes: usize::MAX,
        time: i64::MAX,
    },
};
const ALL: Limit = Limit {
    bytes: usize::MAX,
    at_least_one: true,
};

fn client(
    producer_id: i64,
    sequence: i32,
    count: u8,
    transactional: bool,
    timestamp: i64,
) -> Offered {
    let batch = batch((producer_id, 0), sequence, count, transactional, timestamp);
    Offered::from_client(&batch, usize::MAX).unwrap()
}

fn append(log: &mut Log, offered: Offered) -> i64 {
    log.append(offered, ADMISSION, Beginning::Anywhere, 0)
        .unwrap()
        .base_offset
}

fn committed(log: &Log, offset: i64) -> Read {
    log.read(offset, Isolation::ReadCommitted, ALL).unwrap()
}

#[test]
fn reads_start_with_the_batch_that_holds_the_offset() {
    let mut log = Log::default();
    for index in 0..10 {
        append(&mut log, client(-1, -1, 3, false, index));
    }
    let read = log.read(13, Isolation::ReadUncommitted, ALL).unwrap();
    assert_eq!((read.batches.len(), read.aborted), (6, None));
    assert_eq!(
        log.read(30, Isolation::ReadUncommitted, ALL)
            .unwrap()
            .batches
            .len(),
        0
    );
    assert_eq!(
        log.read(31, Isolation::ReadUncommitted, ALL).unwrap_err(),
        ResponseError::OffsetOutOfRange
    );
}

#[test]
fn a_limit_stops_but_never_blocks() {
    let mut log = Log::default();
    append(&mut log, client(-1, -1, 3, false, 0));
    append(&mut log, client(-1, -1, 3, false, 0));
    let one = Limit {
        bytes: 1,
        at_least_one: true,
    };
    assert_eq!(
        log.read(0, Isolation::ReadUncommitted, one)
            .unwrap()
            .batches
            .len(),
        1
    );
    let none = Limit {
        bytes: 1,
        at_least_one: false,
    };
    assert_eq!(
        log.read(0, Isolation::ReadUncommitted, none)
            .unwrap()
            .batches
            .len(),
        0
    );
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut log = Log::default();
    append(&mut log, client(-1, -1, 2, false, 0));
    append(&mut log, client(1, 0, 2, true, 0));
    append(&mut log, client(-1, -1, 2, false, 0));
    assert_eq!((log.last_stable(), log.end()), (2, 6));
    assert_eq!(committed(&log, 0).batches.len(), 1);
    assert_eq!(log.append_marker(Marker::of(1, 0, Outcome::Commit), 0), 6);
    assert_eq!(log.last_stable(), 7);
    let read = committed(&log, 0);
    assert_eq!((read.batches.len(), read.aborted), (4, Some(vec![])));
}

#[test]
fn aborted_transactions_are_listed_where_they_matter() {
    let mut log = Log::default();
    append(&mut log, client(1, 0, 2, true, 0));
    append(&mut log, client(2, 0, 2, true, 0));
    log.append_marker(Marker::of(2, 0, Outcome::Abort), 0);
    log.append_marker(Marker::of(1, 0, Outcome::Abort), 0);
    append(&mut log, client(-1, -1, 1, false, 0));
    let first = Aborted {
        producer_id: 1,
        first_offset: 0,
        marker_offset: 5,
        last_stable: 5,
    };
    let second = Aborted {
        producer_id: 2,
        first_offset: 2,
        marker_offset: 4,
        last_stable: 0,
    };
    assert_eq!(committed(&log, 0).aborted, Some(vec![second, first]));
    assert_eq!(committed(&log, 5).aborted, Some(vec![first]));
    assert_eq!(committed(&log, 6).aborted, Some(vec![]));
}

#[test]
fn a_marker_without_records_takes_one_offset_and_aborts_nothing() {
    let mut log = Log::default();
    assert_eq!(log.append_marker(Marker::of(1, 0, Outcome::Abort), 0), 0);
    assert_eq!((log.end(), committed(&log, 0).aborted), (1, Some(vec![])));
}

#[test]
fn a_duplicate_is_answered_with_its_first_offset() {
    let mut log = Log::default();
    assert_eq!(append(&mut log, client(1, 0, 2, false, 0)), 0);
    assert_eq!(append(&mut log, client(1, 2, 2, false, 0)), 2);
    assert_eq!(append(&mut log, client(1, 0, 2, false, 0)), 0);
    assert_eq!(log.end(), 4);
}

/// What is counted afresh must have room for what is bound to come.
#[test]
fn an_open_transaction_is_counted_with_its_marker() {
    let mut log = Log::default();
    append(&mut log, client(1, 0, 1, true, 0));
    let open = log.footprint();
    log.append_marker(Marker::of(1, 0, Outcome::Abort), 0);
    assert_eq!(log.footprint(), open);
}

#[test]
fn deleting_moves_the_start() {
    let mut log = Log::default();
    append(&mut log, client(-1, -1, 3, false, 0));
    append(&mut log, client(-1, -1, 3, false, 0));
    assert_eq!(log.delete_before(4), Ok(4));
    assert_eq!(
        log.read(3, Isolation::ReadUncommitted, ALL).unwrap_err(),
        ResponseError::OffsetOutOfRange
    );
    assert_eq!(
        log.read(4, Isolation::ReadUncommitted, ALL)
            .unwrap()
            .batches
            .len(),
        1
    );
    assert_eq!(log.delete_before(7), Err(ResponseError::OffsetOutOfRange));
    assert_eq!(log.delete_before(6), Ok(6));
    assert_eq!(log.end(), 6);
}

#[test]
fn records_are_found_by_time() {
    let mut log = Log::default();
    append(&mut log, client(-1, -1, 3, false, 100));
    append(&mut log, client(-1, -1, 3, false, 50));
    append(&mut log, client(-1, -1, 3, false, 200));
    assert_eq!(
        log.find_by_time(101, Isolation::ReadUncommitted),
        Some((101, 1))
    );
    assert_eq!(
        log.find_by_time(150, Isolation::ReadUncommitted),
        Some((200, 6))
    );
    assert_eq!(log.find_by_time(203, Isolation::ReadUncommitted), None);
    assert_eq!(
        log.find_latest_time(Isolation::ReadUncommitted),
        Some((202, 8))
    );
}

/// Also where the latest of them is no longer there.
#[test]
fn times_are_found_in_whatever_order_they_come() {
    let times = [5, 1, 9, 2, 7, 7, 3];
    for start in 0..=7 {
        let mut log = Log::default();
        for time in times {
            append(&mut log, client(-1, -1, 1, false, time));
        }
        assert_eq!(log.delete_before(start), Ok(start));
        let left: Vec<_> = times.into_iter().zip(0..).collect();
        let left = || left.iter().copied().filter(|(_, offset)| *offset >= start);
        for wanted in 0..11 {
            let expected = left().find(|(time, _)| *time >= wanted);
            let found = log.find_by_time(wanted, Isolation::ReadUncommitted);
            assert_eq!(found, expected, "{wanted} from {start} on");
        }
        let latest = left().map(|(time, _)| time).max();
        let expected = left().find(|(time, _)| Some(*time) == latest);
        assert_eq!(log.find_latest_time(Isolation::ReadUncommitted), expected);
    }
}

#[test]
fn too_large_a_batch_is_refused() {
    let admission = Admission {
        max_bytes: 70,
        ..ADMISSION
    };
    let error = Log::default()
        .append(
            client(-1, -1, 30, false, 0),
            admission,
            Beginning::Anywhere,
            0,
        )
        .unwrap_err();
    assert_eq!(error.code(), ResponseError::MessageTooLarge);
}

#[test]
fn records_of_another_time_or_without_a_key_are_refused_where_that_is_said() {
    let refused = |admission| {
        let batch = client(-1, -1, 1, false, 1_000);
        Log::default()
            .append(batch, admission, Beginning::Anywhere, 1_500)
            .map(|_| ())
            .map_err(|refusal| refusal.code())
    };
    assert_eq!(
        refused(Admission {
            before: 500,
            ..ADMISSION
        }),
        Ok(())
    );
    assert_eq!(
        refused(Admission {
            before: 499,
            ..ADMISSION
        }),
        Err(ResponseError::InvalidTimestamp)
    );
    assert_eq!(
        refused(Admission {
            after: -501,
            ..ADMISSION
        }),
        Err(ResponseError::InvalidTimestamp)
    );
    assert_eq!(
        refused(Admission {
            keyed: true,
            ..ADMISSION
        }),
        Err(ResponseError::InvalidRecord)
    );
}

#[test]
fn what_is_too_old_or_too_much_goes() {
    let mut log = Log::default();
    for timestamp in [100, 200, 300] {
        append(&mut log, client(-1, -1, 1, false, timestamp));
    }
    log.retain(
        Retention {
            time: Some(100),
            bytes: None,
        },
        250,
    );
    assert_eq!((log.start(), log.end()), (1, 3));
    let one = log.read(2, Isolation::ReadUncommitted, ALL).unwrap().size;
    log.retain(
        Retention {
            time: None,
            bytes: Some(2 * one),
        },
        0,
    );
    assert_eq!(log.start(), 1);
    log.retain(
        Retention {
            time: None,
            bytes: Some(one),
        },
        0,
    );
    assert_eq!(log.start(), 2);
    // Whether a transaction is still open doesn't matter.
    append(&mut log, client(7, 0, 1, true, 0));
    assert_eq!(log.last_stable(), 3);
    log.retain(
        Retention {
            time: Some(1),
            bytes: None,
        },
        1_000_000,
    );
    assert_eq!((log.start(), log.last_stable(), log.end()), (4, 4, 4));
}

#[test]
fn the_records_to_blame_are_named() {
    let admission = Admission {
        keyed: true,
        after: 100,
        ..ADMISSION
    };
    let blamed = |records: &Bytes, now| {
        let offered = Offered::from_client(records, usize::MAX).unwrap();
        let refused = Log::default().append(offered, admission, Beginning::Anywhere, now);
        let refusal = refused.unwrap_err();
        let code = refusal.code();
        let Refusal::Records(refused) = refusal else {
            return (code, Vec::new());
        };
        (code, refused.blamed("t-0", 2))
    };
    let (code, records) = blamed(&batch((-1, -1), -1, 3, false, 0), 0);
    assert_eq!(code, ResponseError::InvalidRecord);
    let indexes: Vec<_> = records.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [0, 1]);
    assert!(records.iter().all(|(_, words)| words.ends_with("t-0")));
    let (code, records) = blamed(&keyed(None, "ab"), -101);
    assert_eq!((code, records.len()), (ResponseError::InvalidTimestamp, 2));
    assert!(records.iter().all(|(_, words)| words.ends_with(", -1]")));
}
