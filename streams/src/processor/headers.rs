//! A record's headers.

use std::fmt;
use std::ops::Range;

/// The headers of a record, in order. A name may occur more than once, and a value may be absent.
///
/// ```
/// use streams::Headers;
///
/// let mut headers = Headers::default();
/// headers.add("trace", Some(b"1"));
/// headers.add("trace", Some(b"2"));
/// headers.add("seen", None);
/// assert_eq!(headers.last("trace"), Some(Some(b"2".as_slice())));
///
/// headers.remove("trace");
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("seen", None)]);
/// ```
///
/// All names and all values lie in two buffers that are kept by [`clear`](Headers::clear), so that headers which are used
/// again and again allocate nothing.
#[derive(Default)]
pub struct Headers {
    names: String,
    values: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

impl Headers {
    /// No headers.
    pub const EMPTY: &'static Headers = &Headers {
        names: String::new(),
        values: Vec::new(),
        entries: Vec::new(),
    };

    /// Appends a header.
    pub fn add(&mut self, name: &str, value: Option<&[u8]>) {
        let name_start = self.names.len();
        self.names.push_str(name);
        let value = value.map(|value| {
            let start = self.values.len();
            self.values.extend_from_slice(value);
            start..self.values.len()
        });
        self.entries.push(Entry {
            name: name_start..self.names.len(),
            value,
        });
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, name: &str) {
        let names = &self.names;
        self.entries
            .retain(|entry| names.get(entry.name.clone()) != Some(name));
    }

    /// Removes all headers.
    pub fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
        self.entries.clear();
    }

    /// The headers, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, Option<&[u8]>)> {
        self.entries.iter().map(|entry| {
            let name = self.names.get(entry.name.clone()).unwrap_or_default();
            (
                name,
                entry
                    .value
                    .clone()
                    .map(|range| self.values.get(range).unwrap_or_default()),
            )
        })
    }

    /// The value of the last header of this name.
    pub fn last(&self, name: &str) -> Option<Option<&[u8]>> {
        self.iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of their names and values.
    pub(crate) fn bytes(&self) -> usize {
        self.names.len() + self.values.len()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    /// Keeps the buffers, and leaves behind what was removed.
    fn clone_from(&mut self, other: &Self) {
        self.clear();
        for (name, value) in other.iter() {
            self.add(name, value);
        }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: Option<&[u8]>| value.map(|v| String::from_utf8_lossy(v).into_owned());
        f.debug_list()
            .entries(self.iter().map(|(name, value)| (name, text(value))))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Headers {
        let mut headers = Headers::default();
        headers.add("a", Some(b"1"));
        headers.add("b", None);
        headers.add("a", Some(b""));
        headers
    }

    #[test]
    fn order_and_repeated_names_are_kept() {
        let headers = sample();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(
            all,
            [
                ("a", Some(b"1".as_slice())),
                ("b", None),
                ("a", Some(b"".as_slice()))
            ]
        );
        assert_eq!(headers.last("a"), Some(Some(b"".as_slice())));
        assert_eq!(headers.last("b"), Some(None));
        assert_eq!(headers.last("c"), None);
    }

    #[test]
    fn removing_takes_every_header_of_the_name_and_leaves_the_others_whole() {
        let mut headers = sample();
        headers.remove("a");
        headers.add("c", Some(b"3"));
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("b", None), ("c", Some(b"3".as_slice()))]
        );
    }

    #[test]
    fn what_was_removed_does_not_count_when_comparing_or_copying() {
        let (mut one, mut two) = (sample(), Headers::default());
        one.remove("a");
        two.add("b", None);
        assert_eq!(one, two);
        assert_eq!(one.clone(), two);
        assert_ne!(one, sample());
    }
}
