//! `group_by_key` and `group_by`: take records together.

use crate::dsl::{KGroupedStream, KStream};
use crate::serde::MaybeNull;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Takes the records with equal keys together. Where the key may have changed since the records were read, what
    /// follows goes through a repartition topic first, which brings equal keys to one partition.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<str, str>("visits").group_by_key().count().to_stream().to("visits-by-user");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for user in ["ann", "bob", "ann"] {
    ///     driver.pipe("visits", user, "")?;
    /// }
    /// let counts = driver.read_key_values::<String, Option<i64>>("visits-by-user")?;
    /// assert_eq!(counts.last(), Some(&("ann".to_owned(), Some(2))));
    /// # Ok::<(), streams::Error>(())
    /// ```
    pub fn group_by_key(&self) -> KGroupedStream<K, V>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        KGroupedStream::new(self.clone())
    }
}

// The keys of the stream itself are not needed: records without keys can be grouped by what they hold.
impl<K: ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KStream<K, V> {
    /// Takes the records together by another key, which goes through a repartition topic.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<Option<String>, String>("words");
    /// words.group_by(|_, word| word.len() as i64).count().to_stream().to("words-by-length");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for word in ["to", "be", "or"] {
    ///     driver.pipe("words", &None::<String>, word)?;
    /// }
    /// let counts = driver.read_key_values::<i64, Option<i64>>("words-by-length")?;
    /// assert_eq!(counts, [(2, Some(1)), (2, Some(2)), (2, Some(3))]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<K2: MaybeNull + 'static>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KGroupedStream<K2, V>
    where
        V: MaybeNull,
    {
        KGroupedStream::new(self.select_key(select))
    }
}
