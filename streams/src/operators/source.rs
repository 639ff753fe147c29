//! `source`: reads a topic.

use crate::dsl::{KStream, Outlet};
use crate::processor::{HeaderUse, TypedSource};
use crate::serde::{ByType, ReadKey, ReadValue, TopicKey, TopicValue};
use crate::topology::TopologyBuilder;
use std::panic::Location;

impl TopologyBuilder {
    /// Reads a topic as a stream, key and value by their types' own serdes.
    ///
    /// A record whose key or value cannot be read, or is null where the type has no place for a null, goes where the job's
    /// `on_error(deserialize = ..)` says. A topic may be read more than once, also as different types.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("copy");
    /// builder.stream::<Keyless, str>("input").to("output");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("input", &Keyless, "hello")?;
    /// assert_eq!(driver.read_values::<String>("output")?, ["hello"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn stream<K: TopicKey + ?Sized + 'static, V: TopicValue + ?Sized + 'static>(
        &self,
        topic: &str,
    ) -> KStream<K, V> {
        self.source(topic, ByType, ByType)
    }

    /// Reads a topic as a stream, with the serdes chosen: [`ByType`], or [`By`](crate::By) one.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("lengths");
    /// let words: KStream<Keyless, Vec<String>> = builder.source("words", ByType, By(Json));
    /// words.map_values(|words| words.len() as u64).to("lengths");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, r#"["a","b"]"#)?;
    /// assert_eq!(driver.read_values::<u64>("lengths")?, [2]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn source<K: ?Sized + 'static, V: ?Sized + 'static>(
        &self,
        topic: &str,
        key: impl ReadKey<K>,
        value: impl ReadValue<V>,
    ) -> KStream<K, V> {
        self.read_topic(topic, key, value, HeaderUse::Keep)
    }

    /// Like [`source`](Self::source), but the records have no headers, whatever stands in the topic: what is written of them
    /// has none either. Reading headers takes time also where there are none, about a tenth of what a copied record takes.
    ///
    /// A record that cannot be read keeps its headers on its way to the dead letters.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("lines");
    /// let lines: KStream<Keyless, str> = builder.source_without_headers("input", ByType, ByType);
    /// lines.to("output");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("input", &Keyless, "hello")?;
    /// assert_eq!(driver.read_values::<String>("output")?, ["hello"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn source_without_headers<K: ?Sized + 'static, V: ?Sized + 'static>(
        &self,
        topic: &str,
        key: impl ReadKey<K>,
        value: impl ReadValue<V>,
    ) -> KStream<K, V> {
        self.read_topic(topic, key, value, HeaderUse::Ignore)
    }

    #[track_caller]
    fn read_topic<K: ?Sized + 'static, V: ?Sized + 'static>(
        &self,
        topic: &str,
        key: impl ReadKey<K>,
        value: impl ReadValue<V>,
        headers: HeaderUse,
    ) -> KStream<K, V> {
        let (key, value) = (key.serde(), value.serde());
        let outlet = Outlet::new();
        let children = outlet.clone();
        let link = move || {
            Box::new(TypedSource {
                key,
                value,
                headers,
                next: children.link(),
            }) as Box<_>
        };
        let node = self.add_source(topic, Location::caller(), Box::new(link));
        KStream::new(outlet, node, self.clone())
    }
}
