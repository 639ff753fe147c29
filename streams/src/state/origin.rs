//! What the rows of a store are of.

use super::StoreKind;

/// The topic that a store is restored from, and the form of the store's keys. What is kept with another origin is of no use: its
/// offset is one of another log, or its rows are not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The topic's id, which another topic of the same name does not have; zero where the cluster does not tell it.
    topic: u128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    kind: u8,
    /// The length of the segments that keys have the numbers of.
    interval: i64,
}

/// What another origin means for rows that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The topic was deleted and made again.
    Topic,
    /// Their changelog has them in a form that this store can read.
    Form,
    /// It has not.
    Kind,
}

impl Form {
    fn of(kind: StoreKind) -> Self {
        let (kind, interval) = match kind {
            StoreKind::TimestampedKeyValue => (1, 0),
            StoreKind::KeyValue => (2, 0),
            StoreKind::Window(segments) => (3, segments.interval()),
            StoreKind::Session(segments) => (4, segments.interval()),
            StoreKind::Versioned(segments) => (5, segments.interval()),
        };
        Self { kind, interval }
    }

    /// Kinds whose changelogs look alike have the same.
    fn in_changelogs(self) -> u8 {
        self.kind.max(2)
    }
}

impl Origin {
    /// How many bytes it takes as it is stored.
    pub(crate) const BYTES: usize = 25;

    pub(crate) fn new(kind: StoreKind, topic: Option<u128>) -> Self {
        Self {
            topic: topic.unwrap_or_default(),
            form: Form::of(kind),
        }
    }

    /// The same, of the topic of what was kept where none is told.
    pub(crate) fn or_topic_of(self, kept: Option<Self>) -> Self {
        match (self.topic, kept) {
            (0, Some(kept)) => Self {
                topic: kept.topic,
                ..self
            },
            _ => self,
        }
    }

    /// How what was kept with another origin differs from what this one needs.
    pub(crate) fn difference(self, kept: Self) -> Option<Difference> {
        let are_told = self.topic != 0 && kept.topic != 0;
        if self.form.in_changelogs() != kept.form.in_changelogs() {
            Some(Difference::Kind)
        } else if are_told && self.topic != kept.topic {
            Some(Difference::Topic)
        } else if self.form != kept.form {
            Some(Difference::Form)
        } else {
            None
        }
    }

    pub(crate) fn encode(self, stored: &mut Vec<u8>) {
        stored.push(self.form.kind);
        stored.extend_from_slice(&self.form.interval.to_be_bytes());
        stored.extend_from_slice(&self.topic.to_be_bytes());
    }

    pub(crate) fn decode(stored: [u8; Self::BYTES]) -> Self {
        let [kind, rest @ ..] = stored;
        let (mut interval, mut topic) = ([0; 8], [0; 16]);
        interval
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = from);
        topic
            .iter_mut()
            .zip(rest.into_iter().skip(interval.len()))
            .for_each(|(to, from)| *to = from);
        Self {
            topic: u128::from_be_bytes(topic),
            form: Form {
                kind,
                interval: i64::from_be_bytes(interval),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Segments;

    const SHORT: StoreKind = StoreKind::Window(Segments::new(20, 10));
    const LONG: StoreKind = StoreKind::Window(Segments::new(40, 20));

    fn of(kind: StoreKind, topic: u128) -> Origin {
        Origin::new(kind, (topic != 0).then_some(topic))
    }

    #[test]
    fn what_is_stored_is_read() {
        let origin = of(LONG, u128::MAX - 7);
        let mut stored = Vec::new();
        origin.encode(&mut stored);
        let stored = stored.try_into().unwrap_or([0; Origin::BYTES]);
        assert_eq!(Origin::decode(stored), origin);
    }

    #[test]
    fn a_topic_that_is_not_told_may_be_any() {
        let origin = of(SHORT, 7);
        assert_eq!(origin.difference(origin), None);
        assert_eq!(origin.difference(of(SHORT, 0)), None);
        assert_eq!(of(SHORT, 0).difference(origin), None);
        assert_eq!(of(SHORT, 0).or_topic_of(Some(origin)), origin);
        assert_eq!(of(SHORT, 8).or_topic_of(Some(origin)), of(SHORT, 8));
        assert_eq!(origin.difference(of(SHORT, 8)), Some(Difference::Topic));
    }

    #[test]
    fn a_changelog_has_the_rows_of_windows_however_long_segments_are() {
        assert_eq!(of(SHORT, 7).difference(of(LONG, 7)), Some(Difference::Form));
        let (plain, timestamped) = (StoreKind::KeyValue, StoreKind::TimestampedKeyValue);
        let between = of(plain, 7).difference(of(timestamped, 7));
        assert_eq!(between, Some(Difference::Form));
        for other in [SHORT, StoreKind::Versioned(Segments::new(20, 10))] {
            assert_eq!(
                of(plain, 7).difference(of(other, 7)),
                Some(Difference::Kind)
            );
            assert_eq!(
                of(other, 7).difference(of(plain, 7)),
                Some(Difference::Kind)
            );
        }
    }
}
