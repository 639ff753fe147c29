//! The store that keeps a value for each key and window.

use super::declared::sealed::View;
use super::entry_types::EntryTypes;
use super::segments::{SEGMENT, TimeOf, time_at};
use super::{
    Entries, Order, Segments, StoreContext, StoreId, StoreKind, StoreSerdes, StoreView, Window,
    Windowed,
};
use crate::processor::{Context, Outcome};
use crate::rules::Message;
use crate::serde::{HasSerde, Serde, Written};
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::time::Duration;

/// The start of the window and the sequence number, behind the key.
pub(super) const SUFFIX: usize = 12;

/// What a second value for a key and a window start does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duplicates {
    Replace,
    Retain,
}

/// A store that keeps a value for each key and start of a window, for processors: see [`Stores::window`](super::Stores::window).
///
/// It forgets by its own time, which is the largest start that was written: a window that starts no later than that time less
/// the retention is absent. Several keys are in the order of segments of time, then keys, then starts.
///
/// ```
/// use std::time::Duration;
/// use streams::prelude::*;
/// use streams::testing::TestRecord;
///
/// /// Tells the sum of the last ten milliseconds.
/// struct Recent(WindowStore<str, i64>);
///
/// impl Processor<str, i64> for Recent {
///     type KeyOut = str;
///     type ValueOut = i64;
///     fn process(&mut self, record: Record<'_, str, i64>, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
///         let at = record.timestamp;
///         self.0.put(cx, record.key, Some(record.value), at)?;
///         let recent = self.0.fetch(cx, record.key, at - 10..=at);
///         let sum = recent.map(|entry| entry.map(|(_, value)| value)).sum::<Outcome<i64>>()?;
///         cx.forward(record.with_value(&sum))
///     }
/// }
///
/// let builder = TopologyBuilder::new("recent");
/// let window = Stores::window::<str, i64>("recent", Duration::from_millis(100), Duration::from_millis(10));
/// let store = builder.store(window);
/// builder.stream::<str, i64>("in").process_with(&store, Recent).to("out");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for (value, at) in [(1_i64, 0), (2, 8), (4, 12)] {
///     driver.pipe_record("in", &TestRecord::new("a".to_owned(), value).at(at))?;
/// }
/// assert_eq!(driver.read_values::<i64>("out")?, [1, 3, 6]);
/// # Ok::<(), streams::Error>(())
/// ```
pub struct WindowStore<K: ToOwned + ?Sized, V> {
    id: StoreId,
    serdes: StoreSerdes<K, V>,
    segments: Segments,
    size: i64,
    duplicates: Duplicates,
}

impl<K: ToOwned + ?Sized, V> Clone for WindowStore<K, V> {
    fn clone(&self) -> Self {
        Self {
            serdes: self.serdes.clone(),
            ..*self
        }
    }
}

impl<K, V> WindowStore<K, V>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    pub(crate) fn by_type(retention: Duration, size: Duration) -> Self {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self {
            id: StoreId::NONE,
            serdes: StoreSerdes::by_type(),
            segments: Segments::keeping(millis(retention)),
            size: millis(size),
            duplicates: Duplicates::Replace,
        }
    }

    pub(crate) fn retaining_duplicates(self) -> Self {
        Self {
            duplicates: Duplicates::Retain,
            ..self
        }
    }
}

impl<K: ToOwned + ?Sized + 'static, V: 'static> StoreView for WindowStore<K, V> {}

impl<K: ToOwned + ?Sized + 'static, V: 'static> View for WindowStore<K, V> {
    fn kind(&self) -> StoreKind {
        StoreKind::Window(self.segments)
    }

    fn types(&self) -> EntryTypes {
        EntryTypes::of::<K, V>()
    }

    // As `org.apache.kafka.streams.state.Stores#persistentWindowStore`.
    fn refusal(&self) -> Option<String> {
        let retention = self.segments.retention();
        let too_short = (retention < self.size).then(|| {
            format!(
                "has a retention of {} and windows of {}, so that a window is forgotten before it ends; make the retention at \
                 least as long as the windows",
                in_words(retention),
                in_words(self.size)
            )
        });
        self.segments.refusal().or(too_short)
    }

    fn of(self, id: StoreId) -> Self {
        Self { id, ..self }
    }
}

fn in_words(millis: i64) -> Message {
    Message::new("").duration(Duration::from_millis(millis.unsigned_abs()))
}

const TIME_OF: TimeOf = time_of;

/// The start of the window that an entry belongs to.
pub(super) fn time_of(key: &[u8]) -> Option<i64> {
    time_at(key, SUFFIX)
}

/// # Errors
///
/// All methods fail if the store cannot be read or written, or if an entry is not what the serdes of its types expect. No
/// policy skips such an error: hand it on with `?`.
impl<K: ToOwned + ?Sized, V> WindowStore<K, V> {
    /// Writes the value of a key and a window that starts at `start`, or removes it. What has expired is not written. Where
    /// duplicates are retained, each value is one more, and nothing is removed.
    pub fn put(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        value: Option<&V>,
        start: i64,
    ) -> Outcome {
        cx.task_mut().with_scratch(|cx, scratch| {
            self.segments.begin_key(start, scratch);
            self.serdes.write_key(cx, self.id, key, scratch)?;
            scratch.extend_from_slice(&start.to_be_bytes());
            let number = match self.duplicates {
                Duplicates::Replace => 0,
                Duplicates::Retain if value.is_none() => return Ok(()),
                Duplicates::Retain => self.next_number(cx, scratch)?,
            };
            scratch.extend_from_slice(&number.to_be_bytes());
            let end_of_key = scratch.len();
            let written = match value {
                Some(value) => self.serdes.write_value(cx, self.id, value, scratch)?,
                None => Written::Null,
            };
            let store = cx.state.store_mut(self.id)?;
            if self.segments.observe(store, start, TIME_OF)? {
                let (key, value) = scratch.split_at(end_of_key);
                store.put(key, (written == Written::Bytes).then_some(value))?;
            }
            Ok(())
        })
    }

    /// The number of one more value for a key and a start: they stay in the order of their arrival.
    fn next_number(&self, cx: &Context, prefix: &[u8]) -> Outcome<u32> {
        let range = super::KeyRange::prefix(prefix);
        let store = cx.state.store(self.id)?;
        for entry in store.scan(&range, Order::Descending) {
            let (key, _) = entry?;
            // Longer keys may begin with the same bytes.
            if key.len() == prefix.len() + 4
                && let Some(number) = key.last_chunk()
            {
                return Ok(u32::from_be_bytes(*number).wrapping_add(1));
            }
        }
        Ok(0)
    }

    /// The value of a key in the window that starts at `start`; where duplicates are retained, the first one.
    pub fn get(&self, cx: &mut impl StoreContext, key: &K, start: i64) -> Outcome<Option<V>> {
        match self.fetch(cx, key, start..=start).next() {
            Some(entry) => entry.map(|(_, value)| Some(value)),
            None => Ok(None),
        }
    }

    /// The values of a key in the windows that start in this time, by start.
    pub fn fetch<'s>(
        &'s self,
        cx: &'s impl StoreContext,
        key: &K,
        starts: RangeInclusive<i64>,
    ) -> WindowValues<'s, K, V> {
        self.values(cx.task(), key, starts, Order::Ascending)
    }

    /// As [`fetch`](Self::fetch), the last window first.
    pub fn backward_fetch<'s>(
        &'s self,
        cx: &'s impl StoreContext,
        key: &K,
        starts: RangeInclusive<i64>,
    ) -> WindowValues<'s, K, V> {
        self.values(cx.task(), key, starts, Order::Descending)
    }

    /// The values of all keys in a range, in the windows that start in this time.
    pub fn fetch_keys<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
        starts: RangeInclusive<i64>,
    ) -> Windows<'s, K, V>
    where
        K: 'k,
    {
        self.windows(cx.task(), &keys, starts, Order::Ascending)
    }

    /// As [`fetch_keys`](Self::fetch_keys), backwards.
    pub fn backward_fetch_keys<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
        starts: RangeInclusive<i64>,
    ) -> Windows<'s, K, V>
    where
        K: 'k,
    {
        self.windows(cx.task(), &keys, starts, Order::Descending)
    }

    /// All values.
    pub fn all<'s>(&'s self, cx: &'s impl StoreContext) -> Windows<'s, K, V> {
        self.fetch_keys(cx, .., 0..=i64::MAX)
    }

    /// All values, backwards.
    pub fn backward_all<'s>(&'s self, cx: &'s impl StoreContext) -> Windows<'s, K, V> {
        self.backward_fetch_keys(cx, .., 0..=i64::MAX)
    }

    fn values<'s>(
        &'s self,
        cx: &'s Context,
        key: &K,
        starts: RangeInclusive<i64>,
        order: Order,
    ) -> WindowValues<'s, K, V> {
        let bound = Bound::Included(key);
        let scan = self.scan(cx, (bound, bound), starts, order);
        WindowValues(Windows {
            store: self,
            cx,
            entries: Entries::of(scan),
        })
    }

    fn windows<'s, 'k>(
        &'s self,
        cx: &'s Context,
        keys: &impl RangeBounds<&'k K>,
        starts: RangeInclusive<i64>,
        order: Order,
    ) -> Windows<'s, K, V>
    where
        K: 'k,
    {
        let keys = (keys.start_bound().cloned(), keys.end_bound().cloned());
        Windows {
            store: self,
            cx,
            entries: Entries::of(self.scan(cx, keys, starts, order)),
        }
    }

    fn scan<'s>(
        &'s self,
        cx: &'s Context,
        keys: (Bound<&K>, Bound<&K>),
        starts: RangeInclusive<i64>,
        order: Order,
    ) -> Outcome<super::Scan<'s>> {
        let store = cx.state.store(self.id)?;
        let Some(observed) = self.segments.observed(store, TIME_OF)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        let keys = self.serdes.key_bounds(cx, self.id, keys)?;
        let first = (*starts.start()).max(self.segments.first_time(observed));
        let times = (first, *starts.end());
        let range = match keys.only() {
            Some(key) => {
                let at = |time: i64| [key, &time.max(0).to_be_bytes()].concat();
                let after_numbers = [at(times.1), vec![u8::MAX; 4]].concat();
                (at(times.0), Some(after_numbers))
            }
            None => (keys.first().to_vec(), None),
        };
        let entries = self.segments.scan(store, times, observed, range, order);
        Ok(Box::new(entries.filter(move |entry| match entry {
            Ok((key, _)) => {
                let start = TIME_OF(key).unwrap_or_default();
                let inner = key.get(SEGMENT..key.len().saturating_sub(SUFFIX));
                let inner = inner.unwrap_or_default();
                (times.0..=times.1).contains(&start) && keys.contains(inner)
            }
            Err(_) => true,
        })))
    }
}

/// Values of a [`WindowStore`] with their keys and windows. Each is read when it is asked for.
#[must_use = "entries are read when they are asked for"]
pub struct Windows<'s, K: ToOwned + ?Sized, V> {
    store: &'s WindowStore<K, V>,
    cx: &'s Context,
    entries: Entries<'s>,
}

impl<K: ToOwned + ?Sized, V> Iterator for Windows<'_, K, V> {
    type Item = Outcome<(Windowed<K::Owned>, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let WindowStore {
            id, serdes, size, ..
        } = self.store;
        Some(self.entries.next()?.and_then(|(key, value)| {
            let start = TIME_OF(&key).unwrap_or_default();
            let inner = key.get(SEGMENT..key.len().saturating_sub(SUFFIX));
            let windowed = Windowed {
                key: serdes.read_key(self.cx, *id, inner.unwrap_or_default())?,
                window: Window {
                    start,
                    end: start.saturating_add(*size),
                },
            };
            Ok((windowed, serdes.read_value(self.cx, *id, &value)?))
        }))
    }
}

/// Values of one key of a [`WindowStore`], with the starts of their windows. Each is read when it is asked for.
#[must_use = "entries are read when they are asked for"]
pub struct WindowValues<'s, K: ToOwned + ?Sized, V>(Windows<'s, K, V>);

impl<K: ToOwned + ?Sized, V> Iterator for WindowValues<'_, K, V> {
    type Item = Outcome<(i64, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Windows { store, cx, entries } = &mut self.0;
        Some(entries.next()?.and_then(|(key, value)| {
            let start = TIME_OF(&key).unwrap_or_default();
            Ok((start, store.serdes.read_value(cx, store.id, &value)?))
        }))
    }
}
