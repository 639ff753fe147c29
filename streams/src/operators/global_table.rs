//! `global_table`: reads a topic as a table that every process has whole.

use crate::dsl::{GlobalKTable, GlobalRows};
use crate::processor::TypedGlobalReader;
use crate::serde::{ByType, HasSerde, Serde, TableKey, TableValue};
use crate::topology::TopologyBuilder;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

impl TopologyBuilder {
    /// Reads a topic as a table of which every process has all partitions: for joins by any key, without repartitioning. A
    /// record with a null value removes its key; one with a null key belongs to no row and is dropped.
    ///
    /// The topic is read outside of the consumer group, by each process for itself, before the first record of the streams is
    /// processed and from then on. It is its own changelog, so it should be compacted.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let airports = builder.global_table::<String, String>("airports").named("airports");
    /// let flights = builder.stream::<String, String>("flights");
    /// flights
    ///     .join_global(&airports, |_, destination| destination.clone(), |_, airport| format!("to {airport}"))
    ///     .to("named-flights");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("airports", "SFO", "San Francisco")?;
    /// driver.pipe("flights", "UA 5", "SFO")?;
    /// assert_eq!(driver.read_values::<String>("named-flights")?, ["to San Francisco"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn global_table<K, V>(&self, topic: &str) -> GlobalKTable<K, V>
    where
        K: HasSerde + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        self.global_table_with(topic, ByType, ByType)
    }

    /// Reads a topic as a global table, with the serdes chosen: [`ByType`], or [`By`](crate::By) one.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let tags: GlobalKTable<String, Vec<String>> = builder.global_table_with("tags", ByType, By(Json));
    /// builder
    ///     .stream::<String, String>("pages")
    ///     .join_global(&tags, |page, _| page.clone(), |_, tags| tags.len() as u64)
    ///     .to("tag-counts");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("tags", "page", r#"["a","b"]"#)?;
    /// driver.pipe("pages", "page", "")?;
    /// assert_eq!(driver.read_values::<u64>("tag-counts")?, [2]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn global_table_with<K: ?Sized + 'static, V: 'static>(
        &self,
        topic: &str,
        key: impl TableKey<K>,
        value: impl TableValue<V>,
    ) -> GlobalKTable<K, V> {
        let (key, value) = (Arc::new(key.serde()), Arc::new(value.serde()));
        let id = self.add_global_table(topic, Location::caller(), |id| {
            Arc::new(TypedGlobalReader::<K, V, _, _> {
                id,
                key: key.clone(),
                value: value.clone(),
                of: PhantomData,
            })
        });
        GlobalKTable::new(GlobalRows { id, key, value }, self.clone())
    }
}
