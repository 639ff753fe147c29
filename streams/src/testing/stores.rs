//! What the stores of a driver's topology hold.

use super::TopologyTestDriver;
use crate::serde::{HasSerde, Serde};
use crate::state::{
    GlobalId, KeyRange, Order, OwnedEntry, Owner, Segments, Store, StoreError, StoreId, StoreKind,
    StoreSpec, StoreView, ValueAndTimestamp, newest_of,
};
use crate::{Error, Result, rules};
use std::any::type_name;
use std::time::Duration;

impl TopologyTestDriver {
    /// The contents of a table's store, partition by partition in the order of its keys. Of a
    /// [`versioned`](crate::KTable::versioned) table these are the newest versions; the older ones can be looked up
    /// [`with_store`](Self::with_store).
    ///
    /// ```
    /// use streams::prelude::*;
    /// use streams::testing::TestRecord;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<String, String>("visits").group_by_key().count().named("counts").to_stream().to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe_record("visits", &TestRecord::new("ann".to_owned(), "home".to_owned()).at(7))?;
    /// let [(user, count)] = &driver.key_value_store::<String, i64>("counts")?[..] else { panic!() };
    /// assert_eq!((user.as_str(), count.value, count.timestamp), ("ann", 1, 7));
    /// # Ok::<(), streams::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the topology has no store of this name, or its entries are not of these types.
    pub fn key_value_store<K, V>(&self, name: &str) -> Result<Vec<(K, ValueAndTimestamp<V>)>>
    where
        K: HasSerde<Serde: Serde<K>>,
        V: HasSerde<Serde: Serde<V>>,
    {
        let entries = self.table_entries(name)?;
        let typed = entries.into_iter().map(|(key, entry)| {
            let unreadable = |reason: String| {
                Error::Topology(format!(
                    "the test cannot read an entry of the store `{name}` as `{}` and `{}`: {reason}; ask for the types that the \
                     table has in the topology",
                    type_name::<K>(),
                    type_name::<V>()
                ))
            };
            let (timestamp, value) = ValueAndTimestamp::<()>::split(&entry)
                .ok_or_else(|| unreadable("it has no timestamp".to_owned()))?;
            let key = K::Serde::default().deserialize(&key);
            let value = V::Serde::default().deserialize(value);
            Ok((
                key.map_err(|e| unreadable(e.to_string()))?,
                ValueAndTimestamp {
                    value: value.map_err(|e| unreadable(e.to_string()))?,
                    timestamp,
                },
            ))
        });
        typed.collect()
    }

    /// The rows of a table as bytes with their timestamps in front, committed or not.
    fn table_entries(&self, name: &str) -> Result<Vec<OwnedEntry>> {
        if let Some(entries) = self.global_entries(name)? {
            return Ok(entries);
        }
        let (id, spec) = self.named_store(name)?;
        let mut entries = Vec::new();
        for task in self.tasks.values() {
            // The stores of other sub-topologies are not in this task.
            let Ok(store) = task.state().store(id) else {
                continue;
            };
            let rows = match spec.kind {
                StoreKind::TimestampedKeyValue => all_of(store),
                StoreKind::Versioned(_) => newest_of(store).collect(),
                kind => return Err(of_another_kind(name, kind)),
            };
            entries.extend(rows.map_err(|e| Error::Topology(e.to_string()))?);
        }
        Ok(entries)
    }

    /// The entries of a global table's store, if it has this name.
    fn global_entries(&self, name: &str) -> Result<Option<Vec<OwnedEntry>>> {
        let mut tables = self.topology.graph().global_tables.iter();
        let Some(id) = tables.position(|table| table.name == name) else {
            return Ok(None);
        };
        let entries = self.globals.entries(GlobalId(id));
        Ok(Some(entries.map_err(|e| Error::Topology(e.to_string()))?))
    }

    /// The store of this name, as this view reads and writes it.
    pub(super) fn store_id(&self, name: &str, view: &impl StoreView) -> Result<StoreId> {
        let (id, store) = self.named_store(name)?;
        if store.kind != view.kind() {
            return Err(of_another_kind(name, store.kind));
        }
        match &store.owner {
            Owner::Declared { types, at, .. } if *types != view.types() => {
                let asked = view.types();
                Err(Error::Topology(format!(
                    "the store `{name}` has {types}, as {at} declares it, and was asked for with {asked}; ask for its own types"
                )))
            }
            _ => Ok(id),
        }
    }

    fn named_store(&self, name: &str) -> Result<(StoreId, &StoreSpec)> {
        let graph = self.topology.graph();
        let mut numbered = graph.stores.iter().enumerate();
        if let Some((id, store)) = numbered.find(|(_, store)| store.name == name) {
            return Ok((StoreId(id), store));
        }
        let global = graph.global_tables.iter().map(|t| t.name.as_str());
        let known = graph.stores.iter().map(|store| store.name.as_str());
        let known: Vec<_> = known.chain(global.clone()).collect();
        Err(Error::Topology(
            if global.clone().any(|global| global == name) {
                of_a_table(name)
            } else if let Some(node) = graph.nodes.iter().find(|node| node.name == name) {
                format!(
                    "there is no store `{name}`: what the operator at {} makes is not kept; write `.materialized()` behind it, or \
                     read the table that it comes from",
                    node.at
                )
            } else if known.is_empty() {
                format!("there is no store `{name}`: the topology has none")
            } else {
                format!(
                    "there is no store `{name}`; the topology has {}",
                    known.join(", ")
                )
            },
        ))
    }
}

/// Names the way to a store that was asked for in another one.
fn of_another_kind(name: &str, kind: StoreKind) -> Error {
    let kept = |segments: Segments| {
        let millis = segments.retention().unsigned_abs();
        rules::Message::new("").duration(Duration::from_millis(millis))
    };
    Error::Topology(match kind {
        StoreKind::TimestampedKeyValue => of_a_table(name),
        StoreKind::KeyValue => format!(
            "the store `{name}` is one of keys and values: ask for `with_store(Stores::key_value::<K, V>(\"{name}\"), ..)`"
        ),
        StoreKind::Window(segments) => format!(
            "the store `{name}` is one of windows with a retention of {}: ask for \
             `with_store(Stores::window::<K, V>(\"{name}\", retention, size), ..)` with this retention",
            kept(segments)
        ),
        StoreKind::Session(segments) => format!(
            "the store `{name}` is one of sessions with a retention of {}: ask for \
             `with_store(Stores::session::<K, V>(\"{name}\", retention), ..)` with this retention",
            kept(segments)
        ),
        StoreKind::Versioned(segments) => format!(
            "the store `{name}` is one of versions with a history retention of {}: ask for \
             `with_store(Stores::versioned_key_value::<K, V>(\"{name}\", history_retention), ..)` with this retention, and the \
             segment interval that it was made with",
            kept(segments)
        ),
    })
}

fn of_a_table(name: &str) -> String {
    format!(
        "the store `{name}` is that of a table: read it by `key_value_store::<K, V>(\"{name}\")`"
    )
}

fn all_of(store: &Store) -> Result<Vec<OwnedEntry>, StoreError> {
    let entries = store.scan(&KeyRange::ALL, Order::Ascending);
    let owned =
        entries.map(|entry| entry.map(|(key, value)| (key.into_owned(), value.into_owned())));
    owned.collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    fn driver() -> TopologyTestDriver {
        let builder = TopologyBuilder::new("app");
        let _ = builder.table::<String, i64>("in").named("prices");
        let partitions = std::num::NonZero::new(2).unwrap();
        TopologyTestDriver::with_partitions(builder.build(), partitions).unwrap()
    }

    #[test]
    fn a_partition_that_is_not_there_is_an_error_that_says_how_many_there_are() {
        let mut driver = driver();
        for partition in [-1, 2, 77] {
            let record = TestRecord::new("a".to_owned(), 1_i64).at(5);
            let error = driver.pipe_record_to("in", partition, &record);
            let error = error.unwrap_err().to_string();
            let expected = format!("no partition {partition} of `in`: it has 2 in this driver");
            assert!(error.contains(&expected), "{error}");
        }
        let entries = driver.key_value_store::<String, i64>("prices").unwrap();
        assert_eq!(entries, []);
    }

    #[test]
    fn entries_come_partition_by_partition_in_the_order_of_their_keys() {
        let mut driver = driver();
        for (partition, key) in [(1, "a"), (0, "z"), (0, "b")] {
            let record = TestRecord::new(key.to_owned(), 1_i64).at(5);
            driver.pipe_record_to("in", partition, &record).unwrap();
        }
        let entries = driver.key_value_store::<String, i64>("prices").unwrap();
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "z", "a"]);
    }

    #[test]
    fn a_store_that_is_not_there_is_an_error_that_names_those_that_are() {
        let error = driver()
            .key_value_store::<String, i64>("price")
            .unwrap_err();
        let expected = "there is no store `price`; the topology has prices";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn an_entry_of_another_type_is_an_error() {
        let mut driver = driver();
        driver.pipe("in", "a", &1_i64).unwrap();
        let error = driver.key_value_store::<String, i32>("prices").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("4 bytes") && error.contains("`i32`"),
            "{error}"
        );
        assert!(error.contains("types that the table has"), "{error}");
    }

    #[test]
    fn a_table_that_is_not_kept_is_told_with_the_remedy() {
        let builder = TopologyBuilder::new("app");
        let prices = builder.table::<String, i64>("in").named("prices");
        let high = prices.filter(|_, price| *price > 1).named("high");
        high.to_stream().to("out");
        let driver = TopologyTestDriver::new(builder.build()).unwrap();
        let error = driver.key_value_store::<String, i64>("high").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("stores.rs:") && error.contains(".materialized()"),
            "{error}"
        );
    }
}
