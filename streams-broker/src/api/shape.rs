//! The shape of every request, to refuse absurd lengths and counts before the decoder allocates for them.
//!
//! The decoder reserves memory for as many elements as an array claims to have. Here a request is walked first: a count
//! may not exceed the bytes that follow it, and every length must lie inside the frame. So what decoding a
//! frame allocates is bounded by the frame's own size.
//!
//! A shape is written as text. A number is a field of that many bytes, `s` a string, `b` bytes, `[…]` an array of
//! structures, `{…}` an array of plain values, `(…)` a structure that may be null; `@3-` after a field means from version 3, `@-7` up to 7, `@8-10` from 8 to
//! 10. From its flexible version on, lengths are varints and every structure ends with tagged fields.
//!
//! Strings that say what a request is about have letters of their own, for faults that strike by it: `t` a topic, `i` a
//! topic's id of 16 bytes, `g` a group, `x` a transactional id, `k` a key of one of these two, `y` a resource's type of one
//! byte and `r` its name, `f` a fetch session's id and `e` its epoch, of 4 bytes. Where `kafka-protocol` knows no field
//! there are letters, too: `v` is a transaction's version, of one byte, and `c` where an answer lacks a truth.

use std::ops::Range;

use kafka_protocol::messages::ApiKey;

use crate::sessions::SessionClaim;

/// Elements of all arrays of a request together. One takes a byte in the frame, and a hundred and more when decoded, and as many
/// in the answer.
const MOST_ELEMENTS: usize = 100_000;

/// First flexible version, and the fields.
pub(super) fn shape(api: ApiKey) -> Option<(i16, &'static str)> {
    Some(match api {
        ApiKey::Produce => (9, "x 2 4 [t@-12 i@13- [4 b]]"),
        ApiKey::Fetch => (
            12,
            "4@-14 4 4 4 1 f@7- e@7- [t@-12 i@13- [4 4@9- 8 4@12- 8@5- 4]] [s@-12 16@13- {4}]@7- s@11-",
        ),
        ApiKey::ListOffsets => (6, "4 1@2- [t [4 4@4- 8]] 4@10-"),
        ApiKey::Metadata => (9, "[i@10- t] 1@4- 1@8-10 1@8-"),
        ApiKey::OffsetCommit => (8, "g 4 s s@7- 8@-4 [t@-9 i@10- [4 8 4@6- s]]"),
        ApiKey::OffsetFetch => (6, "g@-7 [t {4}]@-7 [g s@9- 4@9- [t@-9 i@10- {4}]]@8- 1@7-"),
        ApiKey::FindCoordinator => (3, "k@-3 1@1- {k}@4-"),
        ApiKey::JoinGroup => (6, "g 4 4@1- s s@5- s [s b] s@8-"),
        ApiKey::SyncGroup => (4, "g 4 s s@3- s@5- s@5- [s b]"),
        ApiKey::Heartbeat => (4, "g 4 s s@3-"),
        ApiKey::LeaveGroup => (4, "g s@-2 [s s s@5-]@3-"),
        ApiKey::DescribeGroups => (5, "{g} 1@3-"),
        ApiKey::ListGroups => (3, "{s}@4- {s}@5-"),
        ApiKey::ApiVersions => (3, "s@3- s@3-"),
        ApiKey::CreateTopics => (5, "[t 4 2 [4 {4}] [s s]] 4 1"),
        ApiKey::DeleteTopics => (4, "[t i]@6- {t}@-5 4"),
        ApiKey::DeleteRecords => (2, "[t [4 8]] 4"),
        ApiKey::InitProducerId => (2, "x 4 8@3- 2@3-"),
        ApiKey::OffsetForLeaderEpoch => (4, "4@3- [t [4 4 4]]"),
        ApiKey::AddPartitionsToTxn => (3, "x 8 2 [t {4}]"),
        ApiKey::AddOffsetsToTxn => (3, "x 8 2 g"),
        ApiKey::EndTxn => (3, "x 8 2 1"),
        ApiKey::TxnOffsetCommit => (3, "x g 8 2 4@3- s@3- s@3- [t [4 8 4@2- s]]"),
        ApiKey::DescribeConfigs => (4, "[y r {s}] 1 1@3-"),
        ApiKey::CreatePartitions => (2, "[t 4 [{4}]] 4 1"),
        ApiKey::DeleteGroups => (2, "{g}"),
        // Never flexible.
        ApiKey::OffsetDelete => (i16::MAX, "g [t [4]]"),
        ApiKey::ConsumerGroupHeartbeat => (0, "g s 4 s s 4 {t} s@1- s [i {4}]"),
        ApiKey::ConsumerGroupDescribe => (0, "{g} 1"),
        ApiKey::AlterConfigs => (2, "[y r [s s]] 1"),
        ApiKey::DescribeLogDirs => (2, "[t {4}]"),
        ApiKey::ElectLeaders => (2, "1@1- [t {4}] 4"),
        ApiKey::ListConfigResources => (0, "{1}@1-"),
        ApiKey::IncrementalAlterConfigs => (1, "[y r [s 1 s]] 1"),
        ApiKey::DescribeCluster => (0, "1 1@1- 1@2-"),
        ApiKey::DescribeTopicPartitions => (0, "[t] 4 (s 4)"),
        ApiKey::DescribeProducers => (0, "[t {4}]"),
        ApiKey::WriteTxnMarkers => (1, "[8 2 1 [t {4}] 4 v@2-]"),
        ApiKey::DescribeTransactions => (0, "{x}"),
        ApiKey::ListTransactions => (0, "{s} {8} 8@1- s@2-"),
        _ => return None,
    })
}

/// The types of resources that a request may be about, among those that have configurations.
const TOPIC: u8 = 2;
const GROUP: u8 = 32;

/// The lowest tagged fields, so many, are refused: the decoder knows them, and reads them by their types instead of the
/// lengths that they state. They are for replicas, of which there are none; clients leave them out.
fn refused_tags(api: ApiKey) -> usize {
    match api {
        // The cluster's id and the replica's state; a partition's directory and high watermark.
        ApiKey::Fetch => 2,
        _ => 0,
    }
}

/// What a request is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subject<'a> {
    pub(super) topics: Vec<&'a str>,
    pub(super) topic_ids: Vec<[u8; 16]>,
    pub(super) groups: Vec<&'a str>,
    pub(super) transactional_ids: Vec<&'a str>,
    /// The fetch session that it is of; zeroes if it is of none.
    pub(super) session: SessionClaim,
}

/// Where in a flexible message the fields of these letters are (`t` with its length). `None` if its lengths and counts don't
/// fit into its bytes.
pub(super) fn places(
    letters: &str,
    fields: &str,
    version: i16,
    body: &[u8],
) -> Option<Vec<Range<usize>>> {
    let mut walk = Walk::new(body, version, true);
    walk.wanted = letters;
    walk.fields(fields, true)?;
    Some(walk.places)
}

/// What a request is about; `None` if its lengths and counts don't fit into its bytes.
pub(super) fn subject(api: ApiKey, version: i16, body: &[u8]) -> Option<Subject<'_>> {
    walked(api, version, body).map(|walk| walk.subject)
}

fn walked(api: ApiKey, version: i16, body: &[u8]) -> Option<Walk<'_>> {
    let (flexible_from, fields) = shape(api)?;
    let mut walk = Walk::new(body, version, version >= flexible_from);
    walk.refused_tags = refused_tags(api);
    walk.fields(fields, true)?;
    Some(walk)
}

struct Walk<'a> {
    length: usize,
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    subject: Subject<'a>,
    /// The letters of fields of which the places are wanted, and these.
    wanted: &'a str,
    places: Vec<Range<usize>>,
    refused_tags: usize,
    /// How many more elements of arrays there may be.
    elements: usize,
    /// The type of the resource of which the name comes next.
    resource: u8,
}

/// One field of a shape.
pub(super) struct Field<'s> {
    /// A number, a letter, or the opening bracket.
    pub(super) kind: &'s str,
    /// What is in the brackets.
    pub(super) inner: &'s str,
    /// After the `@`.
    versions: &'s str,
}

impl Field<'_> {
    pub(super) fn applies(&self, version: i16) -> bool {
        let Some((from, to)) = self.versions.split_once('-') else {
            return true;
        };
        let within = |bound: &str, otherwise| bound.parse::<i16>().unwrap_or(otherwise);
        (within(from, i16::MIN)..=within(to, i16::MAX)).contains(&version)
    }
}

/// The first field and the text after it.
pub(super) fn next_field(shape: &str) -> Option<(Field<'_>, &str)> {
    let shape = shape.trim_start();
    let opening = shape.get(..1)?;
    let end = if matches!(opening, "[" | "{" | "(") {
        closing(shape)?
    } else {
        shape.find([' ', '@']).unwrap_or(shape.len())
    };
    let (field, after) = shape.split_at_checked(end)?;
    let (versions, after) = match after.strip_prefix('@') {
        Some(marked) => marked.split_at_checked(marked.find(' ').unwrap_or(marked.len()))?,
        None => ("", after),
    };
    let bracketed = field
        .get(1..field.len().saturating_sub(1))
        .unwrap_or_default();
    let field = match opening {
        "[" | "{" | "(" => Field {
            kind: opening,
            inner: bracketed,
            versions,
        },
        _ => Field {
            kind: field,
            inner: "",
            versions,
        },
    };
    Some((field, after))
}

/// Where the bracket that opens the text is closed.
fn closing(shape: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in shape.bytes().enumerate() {
        match byte {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

impl<'a> Walk<'a> {
    fn new(body: &'a [u8], version: i16, flexible: bool) -> Self {
        Walk {
            length: body.len(),
            rest: body,
            version,
            flexible,
            subject: Subject::default(),
            wanted: "",
            places: Vec::new(),
            refused_tags: 0,
            elements: MOST_ELEMENTS,
            resource: 0,
        }
    }

    /// How far the walk has come.
    fn place(&self) -> usize {
        self.length - self.rest.len()
    }

    fn skip(&mut self, count: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(skipped)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    fn int(&mut self) -> Option<i32> {
        let bytes = self.rest.get(..4)?.try_into().ok()?;
        self.skip(4)?;
        Some(i32::from_be_bytes(bytes))
    }

    fn short(&mut self) -> Option<i32> {
        let bytes = self.rest.get(..2)?.try_into().ok()?;
        self.skip(2)?;
        Some(i32::from(i16::from_be_bytes(bytes)))
    }

    /// A length or a count; null is 0. Never more than the bytes that follow.
    fn count(&mut self, plain: impl FnOnce(&mut Self) -> Option<i32>) -> Option<usize> {
        let count = if self.flexible {
            self.varint()?.saturating_sub(1)
        } else {
            usize::try_from(plain(self)?.max(0)).ok()?
        };
        (count <= self.rest.len()).then_some(count)
    }

    fn fields(&mut self, shape: &str, is_structure: bool) -> Option<()> {
        let mut shape = shape;
        while let Some((field, after)) = next_field(shape) {
            shape = after;
            if field.applies(self.version) {
                self.field(&field)?;
            }
        }
        if is_structure && self.flexible {
            self.tags()
        } else {
            Some(())
        }
    }

    fn field(&mut self, field: &Field<'_>) -> Option<()> {
        let from = self.place();
        self.skip_field(field)?;
        // Brackets are no letters that anybody wants.
        if self.wanted.contains(field.kind) {
            self.places.push(from..self.place());
        }
        Some(())
    }

    fn skip_field(&mut self, field: &Field<'_>) -> Option<()> {
        match field.kind {
            "s" | "t" | "g" | "x" | "k" | "r" => {
                let length = self.count(Self::short)?;
                let bytes = self.skip(length)?;
                self.note(field.kind, bytes);
                Some(())
            }
            // A negative byte stands for null.
            "(" if self.byte()? >= 0x80 => Some(()),
            "(" => self.fields(field.inner, true),
            "i" => {
                let id = self.skip(16)?.try_into().ok()?;
                self.subject.topic_ids.push(id);
                Some(())
            }
            "b" => {
                let length = self.count(Self::int)?;
                self.skip(length).map(|_| ())
            }
            "[" | "{" => {
                let count = self.count(Self::int)?;
                self.elements = self.elements.checked_sub(count)?;
                (0..count).try_for_each(|_| self.fields(field.inner, field.kind == "["))
            }
            "f" => self.int().map(|id| self.subject.session.id = id),
            "e" => self.int().map(|epoch| self.subject.session.epoch = epoch),
            "y" => self.byte().map(|kind| self.resource = kind),
            "v" => self.byte().map(|_| ()),
            "c" => Some(()),
            number => self.skip(number.parse().ok()?).map(|_| ()),
        }
    }

    /// Keeps a string that says what the request is about. The decoder refuses one that isn't UTF-8.
    fn note(&mut self, kind: &str, bytes: &'a [u8]) {
        let Some(name) = std::str::from_utf8(bytes)
            .ok()
            .filter(|name| !name.is_empty())
        else {
            return;
        };
        let resource = (kind == "r").then_some(self.resource);
        if kind == "t" || resource == Some(TOPIC) {
            self.subject.topics.push(name);
        }
        if matches!(kind, "g" | "k") || resource == Some(GROUP) {
            self.subject.groups.push(name);
        }
        if matches!(kind, "x" | "k") {
            self.subject.transactional_ids.push(name);
        }
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            if self.varint()? < self.refused_tags {
                return None;
            }
            let length = self.varint()?;
            self.skip(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
