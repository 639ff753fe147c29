//! The shape of every request, to refuse absurd lengths and counts before the decoder allocates for them.
//!
//! The decoder reserves memory for as many elements as an array claims to have. Here a request is walked first: a count
//! may not exceed the bytes that follow it, and every length must lie inside the frame. So what a frame makes the broker
//! allocate is bounded by the frame's own size.
//!
//! A shape is written as text. A number is a field of that many bytes, `s` a string, `b` bytes, `[…]` an array of
//! structures, `{…}` an array of plain values; `@3-` after a field means from version 3, `@-7` up to 7, `@8-10` from 8 to
//! 10. From its flexible version on, lengths are varints and every structure ends with tagged fields.

use kafka_protocol::messages::ApiKey;

/// First flexible version, and the fields.
fn shape(api: ApiKey) -> Option<(i16, &'static str)> {
    Some(match api {
        ApiKey::Produce => (9, "s 2 4 [s [4 b]]"),
        ApiKey::Fetch => (
            12,
            "4@-14 4 4 4 1 4@7- 4@7- [s@-12 16@13- [4 4@9- 8 4@12- 8@5- 4]] [s@-12 16@13- {4}]@7- s@11-",
        ),
        ApiKey::ListOffsets => (6, "4 1@2- [s [4 4@4- 8]] 4@10-"),
        ApiKey::Metadata => (9, "[16@10- s] 1@4- 1@8-10 1@8-"),
        ApiKey::OffsetCommit => (8, "s 4 s s@7- 8@-4 [s [4 8 4@6- s]]"),
        ApiKey::OffsetFetch => (6, "s@-7 [s {4}]@-7 [s s@9- 4@9- [s {4}]]@8- 1@7-"),
        ApiKey::FindCoordinator => (3, "s@-3 1@1- {s}@4-"),
        ApiKey::JoinGroup => (6, "s 4 4@1- s s@5- s [s b] s@8-"),
        ApiKey::SyncGroup => (4, "s 4 s s@3- s@5- s@5- [s b]"),
        ApiKey::Heartbeat => (4, "s 4 s s@3-"),
        ApiKey::LeaveGroup => (4, "s s@-2 [s s s@5-]@3-"),
        ApiKey::DescribeGroups => (5, "{s} 1@3-"),
        ApiKey::ListGroups => (3, "{s}@4- {s}@5-"),
        ApiKey::ApiVersions => (3, "s@3- s@3-"),
        ApiKey::CreateTopics => (5, "[s 4 2 [4 {4}] [s s]] 4 1"),
        ApiKey::DeleteTopics => (4, "[s 16]@6- {s}@-5 4"),
        ApiKey::DeleteRecords => (2, "[s [4 8]] 4"),
        ApiKey::InitProducerId => (2, "s 4 8@3- 2@3-"),
        ApiKey::OffsetForLeaderEpoch => (4, "4@3- [s [4 4 4]]"),
        ApiKey::AddPartitionsToTxn => (3, "s 8 2 [s {4}]"),
        ApiKey::AddOffsetsToTxn => (3, "s 8 2 s"),
        ApiKey::EndTxn => (3, "s 8 2 1"),
        ApiKey::TxnOffsetCommit => (3, "s s 8 2 4@3- s@3- s@3- [s [4 8 4@2- s]]"),
        ApiKey::DescribeConfigs => (4, "[1 s {s}] 1 1@3-"),
        ApiKey::CreatePartitions => (2, "[s 4 [{4}]] 4 1"),
        ApiKey::DeleteGroups => (2, "{s}"),
        ApiKey::IncrementalAlterConfigs => (1, "[1 s [s 1 s]] 1"),
        ApiKey::DescribeCluster => (0, "1 1@1- 1@2-"),
        ApiKey::ListTransactions => (0, "{s} {8} 8@1-"),
        _ => return None,
    })
}

/// Whether a request's lengths and counts fit into its bytes.
pub(super) fn fits(api: ApiKey, version: i16, body: &[u8]) -> bool {
    left_over(api, version, body).is_some()
}

/// The bytes after the request; `None` if it doesn't fit.
fn left_over(api: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    let (flexible_from, fields) = shape(api)?;
    let mut walk = Walk {
        rest: body,
        version,
        flexible: version >= flexible_from,
    };
    walk.fields(fields, true)?;
    Some(walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

/// One field of a shape.
struct Field<'s> {
    /// A number, `s`, `b`, or the opening bracket.
    kind: &'s str,
    /// What is in the brackets.
    inner: &'s str,
    /// After the `@`.
    versions: &'s str,
}

impl Field<'_> {
    fn applies(&self, version: i16) -> bool {
        let Some((from, to)) = self.versions.split_once('-') else {
            return true;
        };
        let within = |bound: &str, otherwise| bound.parse::<i16>().unwrap_or(otherwise);
        (within(from, i16::MIN)..=within(to, i16::MAX)).contains(&version)
    }
}

/// The first field and the text after it.
fn next_field(shape: &str) -> Option<(Field<'_>, &str)> {
    let shape = shape.trim_start();
    let opening = shape.get(..1)?;
    let end = if matches!(opening, "[" | "{") {
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
        "[" | "{" => Field {
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
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

impl Walk<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
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
        match field.kind {
            "s" => {
                let length = self.count(Self::short)?;
                self.skip(length)
            }
            "b" => {
                let length = self.count(Self::int)?;
                self.skip(length)
            }
            "[" | "{" => {
                let count = self.count(Self::int)?;
                (0..count).try_for_each(|_| self.fields(field.inner, field.kind == "["))
            }
            number => self.skip(number.parse().ok()?),
        }
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::{MetadataRequest, RequestKind, TopicName, metadata_request};
    use kafka_protocol::protocol::{Encodable, StrBytes};

    use super::super::SUPPORTED;
    use super::*;

    /// A request that has elements in its arrays, found by decoding what a shape allows: every count is 1, every number
    /// and character 0 or a letter.
    fn sample(api: ApiKey, version: i16) -> Vec<u8> {
        let (flexible_from, fields) = shape(api).unwrap();
        let mut bytes = Vec::new();
        write(fields, version, version >= flexible_from, true, &mut bytes);
        bytes
    }

    fn write(shape: &str, version: i16, flexible: bool, is_structure: bool, bytes: &mut Vec<u8>) {
        let mut shape = shape;
        while let Some((field, after)) = next_field(shape) {
            shape = after;
            if !field.applies(version) {
                continue;
            }
            match field.kind {
                "s" if flexible => bytes.extend([2, b'x']),
                "s" => bytes.extend([0, 1, b'x']),
                "b" if flexible => bytes.extend([2, 7]),
                "b" => bytes.extend([0, 0, 0, 1, 7]),
                "[" | "{" => {
                    bytes.extend(if flexible { &[2][..] } else { &[0, 0, 0, 1] });
                    write(field.inner, version, flexible, field.kind == "[", bytes);
                }
                number => bytes.extend(vec![0; number.parse().unwrap()]),
            }
        }
        if is_structure && flexible {
            bytes.push(0);
        }
    }

    /// Decodes with the real decoder: what it left, and the request encoded again.
    fn real(api: ApiKey, bytes: &[u8], version: i16) -> Option<(usize, Vec<u8>)> {
        let mut buffer = Bytes::copy_from_slice(bytes);
        let request = RequestKind::decode(api, &mut buffer, version).ok()?;
        let mut again = BytesMut::new();
        request.encode(&mut again, version).ok()?;
        Some((buffer.len(), again.to_vec()))
    }

    #[test]
    fn every_shape_is_the_decoders() {
        for (api, min, max) in SUPPORTED {
            for version in *min..=*max {
                let bytes = sample(*api, version);
                assert_eq!(
                    left_over(*api, version, &bytes),
                    Some(0),
                    "{api:?} {version}"
                );
                let (left, again) = real(*api, &bytes, version).unwrap();
                assert_eq!((left, &again), (0, &bytes), "{api:?} {version}");
            }
        }
    }

    #[test]
    fn truncated_requests_do_not_fit() {
        for (api, min, max) in SUPPORTED {
            for version in *min..=*max {
                let bytes = sample(*api, version);
                for length in 0..bytes.len() {
                    assert!(
                        !fits(*api, version, &bytes[..length]),
                        "{api:?} {version} {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn absurd_counts_do_not_fit() {
        assert!(!fits(
            ApiKey::DeleteGroups,
            0,
            &[0x7f, 0xff, 0xff, 0xff, 0, 1, b'x']
        ));
        assert!(!fits(
            ApiKey::DeleteGroups,
            2,
            &[0xff, 0xff, 0xff, 0xff, 0x0f, 2, b'x', 0]
        ));
        // A null array is no array.
        assert!(fits(ApiKey::Metadata, 1, &[0xff; 4]));
    }

    /// What fits never makes the decoder panic, whatever the bytes are.
    #[test]
    fn changed_bytes_never_panic() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 33).unwrap()
        };
        for (api, min, max) in SUPPORTED {
            for version in *min..=*max {
                for _ in 0..200 {
                    let mut bytes = sample(*api, version);
                    for _ in 0..=next() % 4 {
                        let at = next() % bytes.len().max(1);
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = u8::try_from(next() % 256).unwrap();
                        }
                    }
                    if fits(*api, version, &bytes) {
                        real(*api, &bytes, version);
                    }
                }
            }
        }
    }

    #[test]
    fn a_request_of_a_client_fits() {
        let request = MetadataRequest::default().with_topics(Some(vec![
            metadata_request::MetadataRequestTopic::default()
                .with_name(Some(TopicName(StrBytes::from_static_str("t")))),
        ]));
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes, 12).unwrap();
        assert_eq!(left_over(ApiKey::Metadata, 12, &bytes), Some(0));
    }
}
