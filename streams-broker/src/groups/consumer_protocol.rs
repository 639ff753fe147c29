//! What classic consumers write into JoinGroup and SyncGroup: `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment`, as far as the coordinator needs to know them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::consumer::member::Partitions;
use crate::topics::Topics;

/// The version from which on a subscription says which partitions the member owns.
const KNOWS_OWNED: i16 = 1;
/// The version from which on it says in which generation it got them.
const KNOWS_GENERATION: i16 = 2;
/// The version from which on it says the member's rack.
const KNOWS_RACK: i16 = 3;

/// Partitions by the topic's name.
type ByName = BTreeMap<String, BTreeSet<i32>>;

/// What a member reads, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    version: i16,
    pub(super) topics: BTreeSet<String>,
    owned: ByName,
    pub(super) rack: Option<String>,
}

impl Subscription {
    /// `None` where the bytes are something else.
    pub(super) fn read(metadata: &Bytes) -> Option<Self> {
        let mut rest = metadata.clone();
        let (version, topics) = head(&mut rest)?;
        let mut subscription = Self {
            version,
            topics: topics.into_iter().collect(),
            owned: ByName::new(),
            rack: None,
        };
        if version >= KNOWS_OWNED {
            skip_bytes(&mut rest)?;
            subscription.owned = partitions(&mut rest)?;
        }
        if version >= KNOWS_GENERATION {
            rest.try_get_i32().ok()?;
        }
        if version >= KNOWS_RACK {
            subscription.rack = nullable_name(&mut rest)?;
        }
        Some(subscription)
    }

    /// The partitions that it owns, of topics that there are.
    pub(super) fn owned(&self, topics: &Topics) -> Partitions {
        by_id(&self.owned, topics)
    }

    /// The assignment that a member with this subscription is told.
    pub(super) fn assignment(&self, partitions: &Partitions, topics: &Topics) -> Bytes {
        let named: Vec<_> = partitions
            .iter()
            .filter_map(|(id, partitions)| Some((topics.name_of(*id)?, partitions)))
            .collect();
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let mut bytes = BytesMut::new();
        bytes.put_i16(self.version);
        bytes.put_i32(count(named.len()));
        for (name, partitions) in named {
            // A topic's name has at most 249 bytes.
            bytes.put_i16(i16::try_from(name.len()).unwrap_or_default());
            bytes.put_slice(name.as_bytes());
            bytes.put_i32(count(partitions.len()));
            partitions.iter().for_each(|one| bytes.put_i32(*one));
        }
        // No user data.
        bytes.put_i32(-1);
        bytes.freeze()
    }
}

/// The topics of a subscription; `None` where the bytes are something else.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    Some(head(&mut metadata.clone())?.1)
}

/// The partitions of an assignment, of topics that there are; without bytes there are none.
pub(super) fn assigned(assignment: &Bytes, topics: &Topics) -> Option<Partitions> {
    if assignment.is_empty() {
        return Some(Partitions::new());
    }
    let mut rest = assignment.clone();
    let version = rest.try_get_i16().ok()?;
    let named = partitions(&mut rest)?;
    (version >= 0).then(|| by_id(&named, topics))
}

/// The version and the topics of a subscription.
fn head(rest: &mut Bytes) -> Option<(i16, Vec<String>)> {
    let version = rest.try_get_i16().ok()?;
    let count = rest.try_get_i32().ok()?;
    if version < 0 || count < 0 {
        return None;
    }
    let topics = (0..count).map(|_| name(rest)).collect::<Option<_>>()?;
    Some((version, topics))
}

fn by_id(named: &ByName, topics: &Topics) -> Partitions {
    let known = |(name, partitions): (&String, &BTreeSet<i32>)| {
        let topic = topics.get(name)?;
        Some((topic.id, partitions.clone()))
    };
    named.iter().filter_map(known).collect()
}

fn partitions(rest: &mut Bytes) -> Option<ByName> {
    let mut found = ByName::new();
    for _ in 0..rest.try_get_i32().ok()? {
        let topic = name(rest)?;
        let count = rest.try_get_i32().ok()?;
        let partitions = (0..count).map(|_| rest.try_get_i32().ok());
        let partitions: BTreeSet<_> = partitions.collect::<Option<_>>()?;
        found.entry(topic).or_default().extend(partitions);
    }
    Some(found)
}

fn name(rest: &mut Bytes) -> Option<String> {
    nullable_name(rest)?
}

/// `Some(None)` is a name that is null.
fn nullable_name(rest: &mut Bytes) -> Option<Option<String>> {
    let length = rest.try_get_i16().ok()?;
    if length == -1 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    if length > rest.remaining() {
        return None;
    }
    String::from_utf8(rest.split_to(length).to_vec())
        .ok()
        .map(Some)
}

/// Bytes that may be null.
fn skip_bytes(rest: &mut Bytes) -> Option<()> {
    let length = usize::try_from(rest.try_get_i32().ok()?.max(0)).ok()?;
    if length > rest.remaining() {
        return None;
    }
    rest.advance(length);
    Some(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn topics_are_read_and_nonsense_is_not() {
        let bytes = Bytes::from_static(b"\0\x03\0\0\0\x02\0\x01a\0\x02bcanything after");
        assert_eq!(topics(&bytes), Some(vec!["a".to_owned(), "bc".to_owned()]));
        for nonsense in [
            &b""[..],
            b"any",
            b"\0\0\x7f\xff\xff\xff\0\x01a",
            b"\0\0\0\0\0\x01\0\x09a",
        ] {
            assert_eq!(topics(&Bytes::from_static(nonsense)), None);
        }
    }

    #[test]
    fn a_subscription_tells_what_the_member_has_and_where_it_is() {
        let bytes = b"\0\x03\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x02\0\0\0\x07\0\x01r";
        let whole = Bytes::from_static(bytes);
        let read = Subscription::read(&whole).unwrap();
        let mut topics = Topics::default();
        let created = topics.create("a", 3, Settings::topic(), &Settings::broker());
        let id = created.unwrap().id;
        assert_eq!(read.owned(&topics), Partitions::from([(id, [2].into())]));
        assert_eq!(read.rack.as_deref(), Some("r"));
        for length in 0..bytes.len() {
            assert_eq!(Subscription::read(&whole.slice(..length)), None, "{length}");
        }
    }

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        let mut topics = Topics::default();
        let created = topics.create("a", 3, Settings::topic(), &Settings::broker());
        let partitions = Partitions::from([(created.unwrap().id, [0, 2].into())]);
        let oldest = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01a\xff\xff\xff\xff");
        let subscription = Subscription::read(&oldest).unwrap();
        let bytes = subscription.assignment(&partitions, &topics);
        assert_eq!(assigned(&bytes, &topics), Some(partitions));
        assert_eq!(assigned(&Bytes::new(), &topics), Some(Partitions::new()));
    }
}
