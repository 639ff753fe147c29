//! The buffer in front of a stream-table join with grace: records wait in it, so that updates of the table can catch up.
//!
//! A record that leaves is joined apart from the one whose time has released it (`processor/released.rs`): when the join
//! fails on it, neither that one nor any later one is hurt.

use super::repartition::NullKeys;
use crate::dsl::{KStream, KTable, Outlet};
use crate::processor::{
    Context, Failure, Headers, Lifecycle, Next, Outcome, Process, ProcessorSpec, Record, Released,
};
use crate::serde::{Deserializer, MaybeNull, SerdeError, Serializer};
use crate::state::{Due, StoreId, StoreKind, StoreSpec, TimeBuffer};
use crate::topology::NodeId;
use std::panic::Location;
use std::time::Duration;

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KStream<K, V> {
    /// Links the join of `node` with `table` behind a buffer.
    #[track_caller]
    pub(super) fn buffered<KT, VT, P>(
        &self,
        node: NodeId,
        table: &KTable<KT, VT>,
        grace: Duration,
        null_keys: NullKeys,
        join: impl FnOnce() -> P + 'static,
    ) where
        KT: ?Sized + 'static,
        VT: 'static,
        P: Process<K, V> + 'static,
    {
        let (at, builder) = (Location::caller(), self.builder().clone());
        let store = builder.add_store(StoreSpec {
            suffix: "-Buffer",
            ..StoreSpec::new(StoreKind::KeyValue, node)
        });
        let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let table = table.view().clone();
        let joining = Outlet::<Next<K, V>>::new();
        joining.add(Box::new(move || Box::new(join())));
        let after = joining.clone();
        let slot = builder.add_processor(|_| {
            Box::new(move || ProcessorSpec {
                node,
                table: None,
                supplier: Box::new(|| Box::new(())),
                lifecycle: Box::new(Leaving {
                    store,
                    key: K::KeySerde::default(),
                    value: V::ValueSerde::default(),
                    next: after.link_shared(),
                }),
            })
        });
        let link = move || {
            // Asked here, since a table is made versioned by a call behind the one that makes it.
            if let Some(error) = unfit(table.history_retention(), grace) {
                builder.add_error(format!("{at}: {error}"));
            }
            Box::new(GraceBuffer {
                store,
                slot,
                grace,
                null_keys,
                key: K::KeySerde::default(),
                value: V::ValueSerde::default(),
                next: joining.link_shared(),
            }) as Next<K, V>
        };
        self.outlet().add(Box::new(link));
    }
}

/// Why a table with this history cannot be joined with this grace.
fn unfit(history: Option<i64>, grace: i64) -> Option<String> {
    match history {
        None => Some(
            "a join with grace looks the table up in its past, and this table has none: make it `.versioned(..)` where it is \
             read or materialized"
                .to_owned(),
        ),
        Some(history) if history < grace => Some(format!(
            "the grace of the join is {grace} ms, and the history of the table {history} ms: make the history at least as long \
             as the grace"
        )),
        Some(_) => None,
    }
}

struct GraceBuffer<K: ?Sized, V: ?Sized, KS, VS> {
    store: StoreId,
    /// Of what its records are given to when they leave.
    slot: usize,
    grace: i64,
    null_keys: NullKeys,
    key: KS,
    value: VS,
    next: Next<K, V>,
}

impl<K, V, KS, VS> Process<K, V> for GraceBuffer<K, V, KS, VS>
where
    K: MaybeNull + ?Sized,
    V: MaybeNull + ?Sized,
    KS: Serializer<K>,
    VS: Serializer<V>,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        if record.value.present().is_none() {
            return Ok(());
        }
        if record.key.present().is_none() {
            return match self.null_keys {
                NullKeys::Drop => Ok(()),
                NullKeys::Keep => Err(Failure::new(
                    "a left join with grace keeps its records by key, and this one has a null key; filter such records out \
                     before the join",
                )
                .into()),
            };
        }
        if self.buffer(cx)?.is_past(record.timestamp) {
            self.next.process(cx, record)?;
        } else {
            self.put(cx, record)?;
        }
        for due in self.buffer(cx)?.advance(record.timestamp)? {
            self.release(cx, due)?;
        }
        Ok(())
    }
}

impl<K, V, KS, VS> GraceBuffer<K, V, KS, VS>
where
    K: ?Sized,
    V: ?Sized,
    KS: Serializer<K>,
    VS: Serializer<V>,
{
    fn buffer<'c>(&self, cx: &'c mut Context) -> Outcome<TimeBuffer<'c>> {
        let store = cx.state.store_mut(self.store)?;
        Ok(TimeBuffer::new(store, self.grace)?)
    }

    fn put(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (mut key, mut entry) = (Vec::new(), Vec::new());
        let unwritable = |part, cx: &Context, error| {
            Failure::unwritable(part, &cx.store_place(self.store), error)
        };
        let written = self.key.write(record.key, &mut key);
        written.map_err(|error| unwritable("key", cx, error))?;
        write_headers(record.headers, &mut entry);
        let written = self.value.write(record.value, &mut entry);
        written.map_err(|error| unwritable("value", cx, error))?;
        Ok(self.buffer(cx)?.put(record.timestamp, &key, &entry)?)
    }

    /// Has a record leave once the one that is being processed is done.
    fn release(&self, cx: &mut Context, due: Due) -> Outcome {
        let Some((headers, value)) = read_headers(&due.value) else {
            return Err(cx.corrupt(self.store, "the headers of an entry cannot be read"));
        };
        cx.released.push(Released {
            buffer: self.slot,
            key: due.key,
            value: Some(value.to_vec()),
            old: None,
            timestamp: due.time,
            headers,
        });
        Ok(())
    }
}

/// Sends on what has waited.
struct Leaving<K: ?Sized, V: ?Sized, KS, VS> {
    store: StoreId,
    key: KS,
    value: VS,
    next: Next<K, V>,
}

impl<K, V, KS, VS> Lifecycle for Leaving<K, V, KS, VS>
where
    K: ?Sized,
    V: ?Sized,
    KS: Deserializer<K>,
    VS: Deserializer<V>,
{
    fn released(&self, cx: &mut Context, released: &Released) -> Outcome {
        let sent = self.key.read(Some(&released.key), |key| {
            self.value.read(released.value.as_deref(), |value| {
                let record = Record {
                    key,
                    value,
                    timestamp: released.timestamp,
                    headers: &released.headers,
                };
                self.next.process(cx, record)
            })
        });
        let sent: Result<Outcome, SerdeError> = sent.and_then(|sent| sent);
        sent.map_err(|error| cx.corrupt(self.store, error))?
    }
}

/// Their number; then of each its name and value, with the length in front. A null value has the length [`NULL`].
fn write_headers(headers: &Headers, out: &mut Vec<u8>) {
    write_length(headers.len(), out);
    for (name, value) in headers.iter() {
        write_length(name.len(), out);
        out.extend_from_slice(name.as_bytes());
        match value {
            Some(value) => {
                write_length(value.len(), out);
                out.extend_from_slice(value);
            }
            None => out.extend_from_slice(&NULL.to_be_bytes()),
        }
    }
}

const NULL: u32 = u32::MAX;

/// A record is far below 4 GiB.
fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(NULL).to_be_bytes());
}

/// The headers in front of an entry, and the rest.
fn read_headers(bytes: &[u8]) -> Option<(Headers, &[u8])> {
    let mut headers = Headers::default();
    let (count, mut rest) = read_length(bytes)?;
    for _ in 0..count {
        let (length, after) = read_length(rest)?;
        let (name, after) = after.split_at_checked(length as usize)?;
        let (length, after) = read_length(after)?;
        let (value, after) = match length {
            NULL => (None, after),
            length => {
                let (value, after) = after.split_at_checked(length as usize)?;
                (Some(value), after)
            }
        };
        headers.add(std::str::from_utf8(name).ok()?, value);
        rest = after;
    }
    Some((headers, rest))
}

fn read_length(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*length), rest))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn headers_come_back() {
        let mut headers = Headers::default();
        headers.add("a", Some(b"1"));
        headers.add("a", None);
        headers.add("", Some(b""));
        let mut bytes = Vec::new();
        write_headers(&headers, &mut bytes);
        bytes.extend_from_slice(b"rest");
        let (read, rest) = read_headers(&bytes).unwrap();
        assert!(read.iter().eq(headers.iter()));
        assert_eq!(rest, b"rest");
    }

    fn error(history: Option<Duration>) -> Option<String> {
        let builder = TopologyBuilder::new("app");
        let table = builder.table::<String, String>("table").named("table");
        let stream = builder.stream::<String, String>("stream");
        let grace = Duration::from_secs(5);
        let joined = stream.join_with_grace(&table, grace, |value, _| value.clone());
        joined.to("out");
        if let Some(history) = history {
            let _ = table.versioned(history);
        }
        builder.build().check().err().map(|e| e.to_string())
    }

    #[test]
    fn the_table_needs_a_history_as_long_as_the_grace() {
        let unversioned = error(None).unwrap();
        assert!(
            unversioned.contains("make it `.versioned(..)`"),
            "{unversioned}"
        );
        let short = error(Some(Duration::from_secs(4))).unwrap();
        assert!(short.contains("5000 ms"), "{short}");
        assert!(short.contains("grace.rs:"), "{short}");
        assert_eq!(error(Some(Duration::from_secs(5))), None);
    }

    #[test]
    fn a_record_that_waited_leaves_with_its_own_headers() {
        let builder = TopologyBuilder::new("app");
        let table = builder.table::<String, String>("table").named("table");
        let table = table.versioned(Duration::from_secs(60));
        let stream = builder.stream::<String, String>("stream");
        let grace = Duration::from_millis(5);
        let joined = stream.join_with_grace(&table, grace, |value, _| value.clone());
        joined.to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |value: &str, at| TestRecord::new("k".to_owned(), value.to_owned()).at(at);
        driver.pipe_record("table", &record("row", 0)).unwrap();
        for (header, at) in [("first", 1), ("second", 9)] {
            let mut sent = record(header, at);
            sent.headers.add(header, Some(b"1"));
            driver.pipe_record("stream", &sent).unwrap();
        }
        let out = driver.read_raw("out");
        assert_eq!(out.len(), 1);
        let left = out.first().unwrap();
        assert_eq!(left.timestamp, Some(1));
        let names: Vec<_> = left.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["first"]);
    }

    #[test]
    fn what_a_released_record_releases_comes_before_the_next_one() {
        let builder = TopologyBuilder::new("app");
        let table = builder.table::<String, String>("table").named("table");
        let table = table.versioned(Duration::from_secs(60));
        let stream = builder.stream::<String, String>("stream");
        let ms = Duration::from_millis;
        let first = stream.left_join_with_grace(&table, ms(10), |value, _| value.clone());
        let first = first.named("first");
        let second = first.left_join_with_grace(&table, ms(1), |value, _| value.to_uppercase());
        first.merge(&second.named("second")).to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for (value, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 100)] {
            let record = TestRecord::new("k".to_owned(), value.to_owned()).at(at);
            driver.pipe_record("stream", &record).unwrap();
        }
        let out = driver.read_values::<String>("out").unwrap();
        assert_eq!(out, ["a", "b", "A", "c", "B"]);
    }
}
