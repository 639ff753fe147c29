//! `table`: reads a topic as a table.

use crate::dsl::KTable;
use crate::processor::{Context, Failure, InputRecord, KeptTable, Outcome, Source, Update};
use crate::serde::{ByType, Deserializer, HasSerde, Serde, TableKey, TableValue};
use crate::state::{Serdes, SourceChangelog, TypedSourceRows};
use crate::topology::{Kind, NodeSpec, TopicRef, TopologyBuilder};
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

impl TopologyBuilder {
    /// Reads a topic as a table: the newest value of each key, kept in a store. A record with a null value removes its key;
    /// one with a null key belongs to no row and is dropped.
    ///
    /// Every record updates the table, also one that is older than the value it replaces.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.table::<String, String>("airlines").to_stream().to("changes");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("airlines", "UA", "United")?;
    /// driver.pipe("airlines", "UA", &None::<String>)?;
    /// let changes = driver.read_values::<Option<String>>("changes")?;
    /// assert_eq!(changes, [Some("United".to_owned()), None]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn table<K, V>(&self, topic: &str) -> KTable<K, V>
    where
        K: HasSerde + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        self.table_with(topic, ByType, ByType)
    }

    /// Reads a topic as a table, with the serdes chosen: [`ByType`], or [`By`](crate::By) one.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let tags: KTable<str, Vec<String>> = builder.table_with("tags", ByType, By(Json));
    /// tags.to_stream().map_values(|tags| tags.iter().flatten().count() as u64).to("tag-counts");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("tags", "page", r#"["a","b"]"#)?;
    /// assert_eq!(driver.read_values::<u64>("tag-counts")?, [2]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn table_with<K: ?Sized + 'static, V: 'static>(
        &self,
        topic: &str,
        key: impl TableKey<K>,
        value: impl TableValue<V>,
    ) -> KTable<K, V> {
        let key = Arc::new(key.serde());
        let serdes = Serdes {
            key: key.clone(),
            value: Arc::new(value.serde()),
        };
        let read = TopicRef::External(topic.to_owned());
        let node = self.add(NodeSpec::new(
            Kind::Source(read.clone()),
            &[],
            Location::caller(),
        ));
        let (table, draft) = KTable::kept(node, self, serdes.clone());
        if self.optimization().reuses_ktable_source_topics() {
            let rows = TypedSourceRows {
                key: key.clone(),
                value: serdes.value.clone(),
                of: PhantomData,
            };
            let source = SourceChangelog {
                topic: topic.to_owned(),
                rows: Arc::new(rows),
            };
            self.set_store_source(draft.store().id(), source);
        }
        self.add_reader(
            read,
            Box::new(move || {
                Box::new(TableSource {
                    key,
                    value: serdes.value,
                    table: draft.link(),
                })
            }),
        );
        table
    }
}

struct TableSource<K: ?Sized, V, KS> {
    key: Arc<KS>,
    value: Arc<dyn Serde<V>>,
    table: Arc<KeptTable<K, V>>,
}

impl<K: ?Sized, V, KS: Deserializer<K>> Source for TableSource<K, V, KS> {
    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome {
        if input.key.is_none() {
            return Ok(());
        }
        let value = input.value.map(|bytes| self.value.deserialize(bytes));
        let value = value
            .transpose()
            .map_err(|e| Failure::unreadable("value", e))?;
        let update = |key: &K| {
            // Behind both serdes: a record that cannot be read does not move the stream's time.
            cx.observe(input.timestamp);
            let update = Update {
                key,
                new: value.as_ref(),
                timestamp: input.timestamp,
                record_timestamp: input.timestamp,
                headers: input.headers,
            };
            self.table.replace(cx, update)
        };
        self.key
            .read(input.key, update)
            .map_err(|e| Failure::unreadable("key", e))?
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn a_record_without_a_key_is_dropped_and_an_older_one_updates() {
        let builder = TopologyBuilder::new("app");
        builder.table::<String, String>("in").to_stream().to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |key: Option<&str>, at: i64| {
            TestRecord::new(key.map(|k| k.as_bytes().to_vec()), Some(b"v".to_vec())).at(at)
        };
        for record in [record(Some("k"), 5), record(None, 6), record(Some("k"), 3)] {
            driver.pipe_raw("in", 0, &record).unwrap();
        }
        let times: Vec<_> = driver.read_raw("out").iter().map(|r| r.timestamp).collect();
        assert_eq!(times, [Some(5), Some(3)]);
    }

    #[test]
    fn two_tables_of_one_name_are_an_error_with_both_places() {
        let builder = TopologyBuilder::new("app");
        let line = line!() + 1;
        let _ = builder.table::<String, String>("one");
        let _ = builder.table::<String, String>("two");
        let error = builder.build().check().unwrap_err().to_string();
        assert!(
            error.contains("the state store `app` is there twice"),
            "{error}"
        );
        for line in [line, line + 1] {
            assert!(error.contains(&format!("table.rs:{line}:")), "{error}");
        }
    }
}
