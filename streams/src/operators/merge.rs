//! `merge`: two streams become one.

use crate::dsl::{KStream, Outlet};
use crate::processor::Next;
use crate::topology::{Kind, NodeSpec};
use std::panic::Location;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// The records of both streams, in one. There is no order between them.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let web = builder.stream::<Keyless, str>("web-orders");
    /// let shop = builder.stream::<Keyless, str>("shop-orders");
    /// web.merge(&shop).to("orders");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("web-orders", &Keyless, "book")?;
    /// driver.pipe("shop-orders", &Keyless, "pen")?;
    /// assert_eq!(driver.read_values::<String>("orders")?, ["book", "pen"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn merge(&self, other: &KStream<K, V>) -> KStream<K, V> {
        let (at, builder) = (Location::caller(), self.builder());
        if !builder.is_same_as(other.builder()) {
            builder.add_error(format!("{at}: the two streams belong to different topologies; both must come from one builder"));
            return self.clone();
        }
        let node = builder.add(NodeSpec::new(
            Kind::Operator("merge"),
            &[self.node(), other.node()],
            at,
        ));
        let outlet = Outlet::<Next<K, V>>::new();
        for parent in [self, other] {
            let children = outlet.clone();
            // No node runs for a merge: both parents' edges lead to the same children.
            parent
                .outlet()
                .add(Box::new(move || children.link_shared()));
        }
        KStream::new(outlet, node, builder.clone())
            .partitioned(self.partitioning().and(other.partitioning()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    #[test]
    fn what_follows_a_merge_is_there_once() {
        let builder = TopologyBuilder::new("app");
        let (one, two) = (
            builder.stream::<Keyless, str>("one"),
            builder.stream::<Keyless, str>("two"),
        );
        let merged = one.merge(&two);
        merged.to("out");
        merged.filter(|_, v| v.len() > 1).to("long");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("one", &Keyless, "a").unwrap();
        driver.pipe("two", &Keyless, "bb").unwrap();
        assert_eq!(driver.read_values::<String>("out").unwrap(), ["a", "bb"]);
        assert_eq!(driver.read_values::<String>("long").unwrap(), ["bb"]);
    }

    #[test]
    fn a_stream_merged_with_itself_has_each_record_twice() {
        let builder = TopologyBuilder::new("app");
        let one = builder.stream::<Keyless, str>("one");
        one.merge(&one).to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("one", &Keyless, "a").unwrap();
        assert_eq!(driver.read_values::<String>("out").unwrap(), ["a", "a"]);
    }

    #[test]
    fn streams_of_two_topologies_cannot_be_merged() {
        let (builder, other) = (TopologyBuilder::new("app"), TopologyBuilder::new("other"));
        let foreign = other.stream::<Keyless, str>("two");
        let own = builder.stream::<Keyless, str>("one");
        let line = line!() + 1;
        let merged = own.merge(&foreign);
        merged.to("out");
        let error = builder.build().check().unwrap_err().to_string();
        assert!(
            error.contains(&format!("merge.rs:{line}:")) && error.contains("different topologies"),
            "{error}"
        );
    }
}
