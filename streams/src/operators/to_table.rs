//! `to_table`: a stream's records as the updates of a table.

use super::repartition::NullKeys;
use crate::dsl::{KStream, KTable};
use crate::processor::{Context, KeptTable, Outcome, Process, Record, Update};
use crate::serde::{HasSerde, MaybeNull, Serde};
use crate::state::Serdes;
use std::sync::Arc;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Takes the records as the updates of a table, kept in a store. A record with a null value removes its key; one with a
    /// null key belongs to no row and is dropped. Where the key may have changed, it goes through a repartition topic first.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let seen = builder.stream::<String, Option<String>>("logins").to_table().named("last-seen");
    /// seen.to_stream().to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("logins", "ann", "Berlin")?;
    /// driver.pipe("logins", "bob", "Rome")?;
    /// driver.pipe("logins", "bob", &None::<String>)?;
    /// let [(name, place)] = &driver.key_value_store::<String, String>("last-seen")?[..] else { panic!() };
    /// assert_eq!((name.as_str(), place.value.as_str()), ("ann", "Berlin"));
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn to_table(&self) -> KTable<K::Present, V::Present>
    where
        K: MaybeNull,
        V: MaybeNull<Present: HasSerde<Serde: Serde<V::Present>> + Sized>,
    {
        let (stream, node) = self.by_key("to-table", NullKeys::Drop);
        let (table, draft) = KTable::kept(node, stream.builder(), Serdes::by_type());
        stream
            .outlet()
            .add(Box::new(move || Box::new(ToTable(draft.link()))));
        table
    }
}

struct ToTable<K: ?Sized, V>(Arc<KeptTable<K, V>>);

impl<K: MaybeNull + ?Sized, V: MaybeNull<Present: Sized> + ?Sized> Process<K, V>
    for ToTable<K::Present, V::Present>
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let Some(key) = record.key.present() else {
            return Ok(());
        };
        let update = Update {
            key,
            new: record.value.present(),
            timestamp: record.timestamp,
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        self.0.replace(cx, update)
    }
}
