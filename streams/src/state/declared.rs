//! Stores of the user's own, for processors.

use super::{
    EntryTypes, KeyValueStore, Owner, SessionStore, StoreId, StoreKind, StoreSpec,
    VersionedKeyValueStore, WindowStore,
};
use crate::config::StateBackend;
use crate::processor::{Connect, Connecting};
use crate::serde::{HasSerde, Serde};
use crate::topology::TopologyBuilder;
use std::panic::Location;
use std::time::Duration;

/// The kinds of stores that processors can have, ready for [`TopologyBuilder::store`]. The name is that of what is kept: of
/// the store, and of its changelog topic.
#[derive(Clone, Copy, Debug)]
pub struct Stores;

impl Stores {
    /// A value for each key. See [`KeyValueStore`].
    pub fn key_value<K, V>(name: &str) -> StoreBuilder<KeyValueStore<K, V>>
    where
        K: HasSerde + ToOwned + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        StoreBuilder::new(name, KeyValueStore::by_type())
    }

    /// A value for each key and start of a window of this size, which the retention may not be shorter than. See
    /// [`WindowStore`].
    pub fn window<K, V>(
        name: &str,
        retention: Duration,
        size: Duration,
    ) -> StoreBuilder<WindowStore<K, V>>
    where
        K: HasSerde + ToOwned + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        StoreBuilder::new(name, WindowStore::by_type(retention, size))
    }

    /// A value for each key and session. See [`SessionStore`].
    pub fn session<K, V>(name: &str, retention: Duration) -> StoreBuilder<SessionStore<K, V>>
    where
        K: HasSerde + ToOwned + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        StoreBuilder::new(name, SessionStore::by_type(retention))
    }

    /// The versions of each key's value. See [`VersionedKeyValueStore`].
    pub fn versioned_key_value<K, V>(
        name: &str,
        history_retention: Duration,
    ) -> StoreBuilder<VersionedKeyValueStore<K, V>>
    where
        K: HasSerde + ToOwned + ?Sized + 'static,
        V: HasSerde<Serde: Serde<V>> + 'static,
    {
        StoreBuilder::new(name, VersionedKeyValueStore::by_type(history_retention))
    }
}

impl<K, V> StoreBuilder<WindowStore<K, V>>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    /// Keeps every value for a key and a start, in the order of their arrival, instead of the last one.
    pub fn retain_duplicates(self) -> Self {
        Self {
            view: self.view.retaining_duplicates(),
            ..self
        }
    }
}

impl<K, V> StoreBuilder<VersionedKeyValueStore<K, V>>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    /// In what portions the older versions are removed, at least a hundredth of the history retention: with short ones what has expired goes early, with long
    /// ones a look into the past has fewer places to look at. Without it, half of the history retention, and at least a
    /// minute.
    pub fn segment_interval(self, interval: Duration) -> Self {
        Self {
            view: self.view.in_segments_of(interval),
            ..self
        }
    }
}

/// A store that is not in a topology yet. See [`Stores`].
#[must_use = "a store is made by `TopologyBuilder::store`"]
pub struct StoreBuilder<S> {
    name: String,
    view: S,
    backend: Option<StateBackend>,
}

impl<S: StoreView> StoreBuilder<S> {
    pub(super) fn new(name: &str, view: S) -> Self {
        Self {
            name: name.to_owned(),
            view,
            backend: None,
        }
    }

    /// Keeps the store on disk or in memory, whatever the job's [`state_backend`](TopologyBuilder::state_backend) says.
    /// One in memory is read anew from its changelog after each start of a process.
    ///
    /// ```
    /// # use streams::prelude::*;
    /// # let builder = TopologyBuilder::new("app");
    /// let sessions = Stores::key_value::<String, i64>("open-sessions").state_backend(StateBackend::Memory);
    /// let sessions = builder.store(sessions);
    /// # let _ = sessions;
    /// ```
    pub fn state_backend(self, backend: StateBackend) -> Self {
        Self {
            backend: Some(backend),
            ..self
        }
    }

    pub(crate) fn into_parts(self) -> (String, S) {
        (self.name, self.view)
    }
}

/// What reads and writes a store: [`KeyValueStore`] and its like.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store",
    label = "not a typed view of a store",
    note = "a store is declared with `Stores::key_value`, `Stores::window`, `Stores::session` or another function of `Stores`"
)]
pub trait StoreView: sealed::View {}

pub(crate) mod sealed {
    use super::{EntryTypes, StoreId, StoreKind};

    /// A typed view of the bytes of a store.
    pub trait View: Clone + Send + Sync + 'static {
        fn kind(&self) -> StoreKind;

        fn types(&self) -> EntryTypes;

        /// Why a store like this is of no use to anybody.
        fn refusal(&self) -> Option<String> {
            None
        }

        /// The same view of the store of this number.
        #[must_use]
        fn of(self, store: StoreId) -> Self;
    }
}

/// A store of a topology that is being drafted. What reads and writes it, a processor's supplier gets by connecting them
/// ([`KStream::process_with`](crate::KStream::process_with)).
///
/// It stays where the topology is drafted: a supplier that captures it instead does not compile.
#[must_use = "a store is for the processors that are connected with it"]
pub struct StoreHandle<S> {
    id: StoreId,
    view: S,
    builder: TopologyBuilder,
}

impl TopologyBuilder {
    /// Adds a store for processors. Those that are connected with it share it, and run in one sub-topology.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Adds up what each account pays in and takes out.
    /// struct Book(KeyValueStore<String, i64>);
    ///
    /// impl Processor<String, i64> for Book {
    ///     type KeyOut = String;
    ///     type ValueOut = i64;
    ///     fn process(&mut self, record: Record<'_, String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Outcome {
    ///         let balance = self.0.get(cx, record.key)?.unwrap_or_default() + record.value;
    ///         self.0.put(cx, record.key, &balance)?;
    ///         cx.forward(record.with_value(&balance))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("bank");
    /// let balances = builder.store(Stores::key_value::<String, i64>("balances"));
    /// let (paid_in, fees) = (builder.stream::<String, i64>("paid-in"), builder.stream::<String, i64>("fees"));
    /// paid_in.process_with(&balances, Book).to("balance-changes");
    /// fees.map_values(|fee| -fee).process_with(&balances, Book).to("balance-changes");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("paid-in", "anna", &10_i64)?;
    /// driver.pipe("fees", "anna", &3_i64)?;
    /// assert_eq!(driver.read_values::<i64>("balance-changes")?, [10, 7]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    ///
    /// A name that is used twice, a store that no processor is connected with, and a retention that is too short to find
    /// anything again are errors of [`Topology::check`](crate::Topology::check), with the place of this call.
    #[track_caller]
    pub fn store<S: StoreView>(&self, store: StoreBuilder<S>) -> StoreHandle<S> {
        let at = Location::caller();
        if let Some(reason) = store.view.refusal() {
            let name = &store.name;
            self.add_error(format!("{at}: the state store `{name}` {reason}"));
        }
        let owner = Owner::Declared {
            name: store.name,
            types: store.view.types(),
            at,
        };
        let spec = StoreSpec {
            backend: store.backend,
            ..StoreSpec::of(store.view.kind(), owner)
        };
        let id = self.add_store(spec);
        StoreHandle {
            id,
            view: store.view.of(id),
            builder: self.clone(),
        }
    }
}

impl<S: StoreView> Connect for &StoreHandle<S> {
    type Connected = S;

    fn connect(&self, to: &Connecting<'_>) -> S {
        to.store(&self.builder, self.id);
        self.view.clone()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::StoreView;
    use crate::StoreBuilder;
    use crate::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// What [`Topology::check`] says of a processor's store.
    fn error<S: StoreView>(store: StoreBuilder<S>) -> Option<String> {
        struct Holds<S>(S);
        impl<S: Send + 'static> Processor<str, str> for Holds<S> {
            type KeyOut = str;
            type ValueOut = str;
            fn process(
                &mut self,
                record: Record<'_, str, str>,
                cx: &mut ProcessorContext<'_, str, str>,
            ) -> Outcome {
                cx.forward(record)
            }
        }
        let builder = TopologyBuilder::new("app");
        let store = builder.store(store);
        let input = builder.stream::<str, str>("in");
        input.process_with(&store, Holds).to("out");
        let checked = builder.build().check();
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn windows_that_are_forgotten_before_they_end_are_an_error_with_the_place() {
        let window = |retention, size| Stores::window::<str, i64>("recent", retention, size);
        assert_eq!(error(window(SECOND, SECOND)), None);
        assert_eq!(error(window(Duration::MAX, SECOND)), None);
        let error = error(window(SECOND, 2 * SECOND)).unwrap();
        assert!(error.contains("declared.rs:"), "{error}");
        assert!(
            error.contains("`recent` has a retention of 1s and windows of 2s"),
            "{error}"
        );
    }

    #[test]
    fn a_store_that_would_forget_all_at_once_is_an_error() {
        for retention in [Duration::ZERO, Duration::from_micros(999)] {
            let window = Stores::window::<str, i64>("recent", retention, Duration::ZERO);
            let session = Stores::session::<str, i64>("recent", retention);
            for error in [error(window), error(session)] {
                let error = error.unwrap();
                assert!(error.contains("a retention of less than 1ms"), "{error}");
            }
        }
        // The newest versions stay.
        let versions = Stores::versioned_key_value::<str, i64>("recent", Duration::ZERO);
        assert_eq!(error(versions), None);
    }
}
