//! The store that keeps a value for each key and session.

use super::declared::sealed::View;
use super::entry_types::EntryTypes;
use super::segments::{SEGMENT, TimeOf, time_at};
use super::{
    Entries, Order, Scan, Segments, StoreContext, StoreId, StoreKind, StoreSerdes, StoreView,
    Window, Windowed,
};
use crate::processor::{Context, Outcome};
use crate::serde::{HasSerde, Serde, Written};
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

/// The end and the start of the session, behind the key.
pub(super) const SUFFIX: usize = 16;

const TIME_OF: TimeOf = time_of;

/// The end of the session that an entry belongs to.
pub(super) fn time_of(key: &[u8]) -> Option<i64> {
    time_at(key, SUFFIX)
}

/// A store that keeps a value for each key and session, for processors: see [`Stores::session`](super::Stores::session). A
/// session's window holds its end.
///
/// It forgets by its own time, which is the largest end that was written or removed: a session that ends no later than that
/// time less the retention is absent. Sessions are in the order of their keys, then ends, then starts.
///
/// ```
/// use std::time::Duration;
/// use streams::prelude::*;
/// use streams::testing::TestRecord;
///
/// /// Merges values that are no more than five milliseconds apart.
/// struct Merge(SessionStore<str, i64>);
///
/// impl Processor<str, i64> for Merge {
///     type KeyOut = str;
///     type ValueOut = i64;
///     fn process(&mut self, record: Record<'_, str, i64>, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
///         let (mut sum, mut session) = (*record.value, Window { start: record.timestamp, end: record.timestamp });
///         let found = self.0.find_sessions(cx, record.key, session.start - 5, session.end + 5);
///         for (found, value) in found.collect::<Outcome<Vec<_>>>()? {
///             sum += value;
///             session.start = session.start.min(found.window.start);
///             session.end = session.end.max(found.window.end);
///             self.0.remove(cx, record.key, found.window)?;
///         }
///         self.0.put(cx, record.key, session, Some(&sum))?;
///         cx.forward(record.with_value(&sum))
///     }
/// }
///
/// let builder = TopologyBuilder::new("merge");
/// let store = builder.store(Stores::session::<str, i64>("sessions", Duration::from_millis(100)));
/// builder.stream::<str, i64>("in").process_with(&store, Merge).to("out");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for (value, at) in [(1_i64, 0), (2, 8), (4, 4)] {
///     driver.pipe_record("in", &TestRecord::new("a".to_owned(), value).at(at))?;
/// }
/// assert_eq!(driver.read_values::<i64>("out")?, [1, 2, 7]);
/// # Ok::<(), streams::Error>(())
/// ```
pub struct SessionStore<K: ToOwned + ?Sized, V> {
    id: StoreId,
    serdes: StoreSerdes<K, V>,
    segments: Segments,
}

impl<K: ToOwned + ?Sized, V> Clone for SessionStore<K, V> {
    fn clone(&self) -> Self {
        Self {
            serdes: self.serdes.clone(),
            ..*self
        }
    }
}

impl<K, V> SessionStore<K, V>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    pub(crate) fn by_type(retention: Duration) -> Self {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        Self {
            id: StoreId::NONE,
            serdes: StoreSerdes::by_type(),
            segments: Segments::keeping(retention),
        }
    }
}

impl<K: ToOwned + ?Sized + 'static, V: 'static> StoreView for SessionStore<K, V> {}

impl<K: ToOwned + ?Sized + 'static, V: 'static> View for SessionStore<K, V> {
    fn kind(&self) -> StoreKind {
        StoreKind::Session(self.segments)
    }

    fn types(&self) -> EntryTypes {
        EntryTypes::of::<K, V>()
    }

    fn refusal(&self) -> Option<String> {
        self.segments.refusal()
    }

    fn of(self, id: StoreId) -> Self {
        Self { id, ..self }
    }
}

/// Which sessions are looked for: those that end no earlier, and start no later.
#[derive(Clone, Copy)]
struct Between {
    earliest_end: i64,
    latest_start: i64,
}

impl Between {
    const ALWAYS: Self = Self {
        earliest_end: 0,
        latest_start: i64::MAX,
    };
}

/// # Errors
///
/// All methods fail if the store cannot be read or written, or if an entry is not what the serdes of its types expect. No
/// policy skips such an error: hand it on with `?`.
impl<K: ToOwned + ?Sized, V> SessionStore<K, V> {
    /// Writes the value of a session, or removes it. What has expired is not written.
    pub fn put(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        session: Window,
        value: Option<&V>,
    ) -> Outcome {
        cx.task_mut().with_scratch(|cx, scratch| {
            self.segments.begin_key(session.end, scratch);
            self.serdes.write_key(cx, self.id, key, scratch)?;
            scratch.extend_from_slice(&session.end.to_be_bytes());
            scratch.extend_from_slice(&session.start.to_be_bytes());
            let end_of_key = scratch.len();
            let written = match value {
                Some(value) => self.serdes.write_value(cx, self.id, value, scratch)?,
                None => Written::Null,
            };
            let store = cx.state.store_mut(self.id)?;
            if self.segments.observe(store, session.end, TIME_OF)? {
                let (key, value) = scratch.split_at(end_of_key);
                store.put(key, (written == Written::Bytes).then_some(value))?;
            }
            Ok(())
        })
    }

    /// Removes a session.
    pub fn remove(&self, cx: &mut impl StoreContext, key: &K, session: Window) -> Outcome {
        self.put(cx, key, session, None)
    }

    /// The value of a session with exactly these bounds.
    pub fn fetch_session(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        session: Window,
    ) -> Outcome<Option<V>> {
        let found = self.find_sessions(cx, key, session.end, session.start);
        for entry in found {
            let (found, value) = entry?;
            if found.window == session {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The sessions of a key that end at `earliest_end` or later, and start at `latest_start` or earlier.
    pub fn find_sessions<'s>(
        &'s self,
        cx: &'s impl StoreContext,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
    ) -> Sessions<'s, K, V> {
        let key = Bound::Included(key);
        self.sessions(
            cx.task(),
            (key, key),
            Between {
                earliest_end,
                latest_start,
            },
            Order::Ascending,
        )
    }

    /// As [`find_sessions`](Self::find_sessions), backwards.
    pub fn backward_find_sessions<'s>(
        &'s self,
        cx: &'s impl StoreContext,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
    ) -> Sessions<'s, K, V> {
        let key = Bound::Included(key);
        self.sessions(
            cx.task(),
            (key, key),
            Between {
                earliest_end,
                latest_start,
            },
            Order::Descending,
        )
    }

    /// As [`find_sessions`](Self::find_sessions), of all keys in a range.
    pub fn find_sessions_of_keys<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
        earliest_end: i64,
        latest_start: i64,
    ) -> Sessions<'s, K, V>
    where
        K: 'k,
    {
        let keys = (keys.start_bound().cloned(), keys.end_bound().cloned());
        self.sessions(
            cx.task(),
            keys,
            Between {
                earliest_end,
                latest_start,
            },
            Order::Ascending,
        )
    }

    /// The sessions of a key.
    pub fn fetch<'s>(&'s self, cx: &'s impl StoreContext, key: &K) -> Sessions<'s, K, V> {
        let key = Bound::Included(key);
        self.sessions(cx.task(), (key, key), Between::ALWAYS, Order::Ascending)
    }

    /// The sessions of all keys in a range.
    pub fn fetch_keys<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
    ) -> Sessions<'s, K, V>
    where
        K: 'k,
    {
        let keys = (keys.start_bound().cloned(), keys.end_bound().cloned());
        self.sessions(cx.task(), keys, Between::ALWAYS, Order::Ascending)
    }

    /// As [`fetch_keys`](Self::fetch_keys), backwards.
    pub fn backward_fetch_keys<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
    ) -> Sessions<'s, K, V>
    where
        K: 'k,
    {
        let keys = (keys.start_bound().cloned(), keys.end_bound().cloned());
        self.sessions(cx.task(), keys, Between::ALWAYS, Order::Descending)
    }

    fn sessions<'s>(
        &'s self,
        cx: &'s Context,
        keys: (Bound<&K>, Bound<&K>),
        between: Between,
        order: Order,
    ) -> Sessions<'s, K, V> {
        Sessions {
            store: self,
            cx,
            entries: Entries::of(self.scan(cx, keys, between, order)),
        }
    }

    fn scan<'s>(
        &'s self,
        cx: &'s Context,
        keys: (Bound<&K>, Bound<&K>),
        between: Between,
        order: Order,
    ) -> Outcome<Scan<'s>> {
        let store = cx.state.store(self.id)?;
        let Some(observed) = self.segments.observed(store, TIME_OF)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        let keys = self.serdes.key_bounds(cx, self.id, keys)?;
        let earliest_end = between.earliest_end.max(self.segments.first_time(observed));
        let range = match keys.only() {
            Some(key) => {
                let at = |end: i64| [key, &end.to_be_bytes()].concat();
                let after_starts = [at(i64::MAX), vec![u8::MAX; 8]].concat();
                (at(earliest_end.max(0)), Some(after_starts))
            }
            None => (keys.first().to_vec(), None),
        };
        let ends = (earliest_end, i64::MAX);
        let entries = self.segments.scan(store, ends, observed, range, order);
        Ok(Box::new(entries.filter(move |entry| match entry {
            Ok((key, _)) => {
                let session = window_of(key);
                let inner = key.get(SEGMENT..key.len().saturating_sub(SUFFIX));
                session.end >= earliest_end
                    && session.start <= between.latest_start
                    && keys.contains(inner.unwrap_or_default())
            }
            Err(_) => true,
        })))
    }
}

fn window_of(key: &[u8]) -> Window {
    Window {
        start: time_at(key, SUFFIX / 2).unwrap_or_default(),
        end: time_at(key, SUFFIX).unwrap_or_default(),
    }
}

/// Values of a [`SessionStore`] with their keys and sessions. Each is read when it is asked for.
#[must_use = "entries are read when they are asked for"]
pub struct Sessions<'s, K: ToOwned + ?Sized, V> {
    store: &'s SessionStore<K, V>,
    cx: &'s Context,
    entries: Entries<'s>,
}

impl<K: ToOwned + ?Sized, V> Iterator for Sessions<'_, K, V> {
    type Item = Outcome<(Windowed<K::Owned>, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let SessionStore { id, serdes, .. } = self.store;
        Some(self.entries.next()?.and_then(|(key, value)| {
            let inner = key.get(SEGMENT..key.len().saturating_sub(SUFFIX));
            let windowed = Windowed {
                key: serdes.read_key(self.cx, *id, inner.unwrap_or_default())?,
                window: window_of(&key),
            };
            Ok((windowed, serdes.read_value(self.cx, *id, &value)?))
        }))
    }
}
