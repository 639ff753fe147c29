//! `to_stream`: a table's updates, as a stream.

use crate::dsl::{KStream, KTable, Outlet};
use crate::processor::{Context, Next, Outcome, ProcessChange, TableRecord};
use crate::topology::Kind;

impl<K: ?Sized + 'static, V: Clone + 'static> KTable<K, V> {
    /// The table's updates, as a stream: `None` where a row was removed.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let prices = builder.table::<String, i64>("prices");
    /// prices.to_stream().filter(|_, price| price.is_none()).to("withdrawn");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("prices", "pen", &Some(3_i64))?;
    /// driver.pipe("prices", "pen", &None::<i64>)?;
    /// assert_eq!(driver.read_key_values::<String, Option<i64>>("withdrawn")?, [("pen".to_owned(), None)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        let node = self.node_behind(Kind::Operator("to-stream"));
        let outlet = Outlet::new();
        let children = outlet.clone();
        self.link(move || ToStream {
            next: children.link(),
        });
        KStream::new(outlet, node, self.builder().clone())
    }
}

struct ToStream<K: ?Sized, V> {
    next: Next<K, Option<V>>,
}

impl<K: ?Sized, V: Clone> ProcessChange<K, V> for ToStream<K, V> {
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let value = record.change.new.cloned();
        self.next.process(cx, record.into_record(&value))
    }
}
