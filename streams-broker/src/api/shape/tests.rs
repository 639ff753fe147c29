#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{MetadataRequest, RequestKind, TopicName, metadata_request};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::super::SUPPORTED;
use super::super::newer_versions;
use super::super::samples::{sample, tagged_sample};
use super::*;

fn fits(api: ApiKey, version: i16, body: &[u8]) -> bool {
    subject(api, version, body).is_some()
}

/// The bytes after the request; `None` if it doesn't fit.
fn left_over(api: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    walked(api, version, body).map(|walk| walk.rest.len())
}

/// Decodes with the real decoder: what it left, and the request encoded again.
fn real(api: ApiKey, bytes: &[u8], version: i16) -> Option<(usize, Vec<u8>)> {
    let older = newer_versions::older(api, version, Bytes::copy_from_slice(bytes))?;
    let written_as = newer_versions::written_as(api, version);
    if written_as != version {
        let (left, again) = real(api, &older.body, written_as)?;
        let shape = shape(api)?.1;
        if newer_versions::has_topic_ids(api, version) {
            return Some((left, newer_versions::with_ids(shape, written_as, &again)?));
        }
        if newer_versions::has_transaction_versions(api, version) {
            // The tags of marker, markers and request are the bytes after it in the sample.
            assert_eq!(older.beside.len(), 1);
            let (before, tags) = again.split_at(again.len() - 2);
            return Some((left, [before, &older.beside, tags].concat()));
        }
        return Some((left, again));
    }
    let mut buffer = older.body;
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

/// The decoder reads a tagged field that it knows by its type, whatever length is stated.
#[test]
fn tagged_fields_are_as_long_as_they_say_or_do_not_fit() {
    for (api, min, max) in SUPPORTED {
        for version in *min..=*max {
            for tag in 0..4 {
                let bytes = tagged_sample(*api, version, &[1, tag, 3, 0, 0, 0]);
                if fits(*api, version, &bytes) {
                    let left = real(*api, &bytes, version).map(|(left, _)| left);
                    assert_eq!(left, Some(0), "{api:?} {version}, tag {tag}");
                }
            }
        }
    }
}

#[test]
fn a_request_says_what_it_is_about() {
    let about = |api, version| {
        let bytes = sample(api, version);
        let subject = subject(api, version, &bytes).unwrap();
        (
            subject.topics.len(),
            subject.topic_ids.len(),
            subject.groups.len(),
            subject.transactional_ids.len(),
        )
    };
    assert_eq!(about(ApiKey::Produce, 9), (1, 0, 0, 1));
    assert_eq!(about(ApiKey::Fetch, 12), (1, 0, 0, 0));
    assert_eq!(about(ApiKey::Fetch, 13), (0, 1, 0, 0));
    assert_eq!(about(ApiKey::TxnOffsetCommit, 3), (1, 0, 1, 1));
    assert_eq!(about(ApiKey::OffsetFetch, 8), (1, 0, 1, 0));
    assert_eq!(about(ApiKey::FindCoordinator, 4), (0, 0, 1, 1));
    assert_eq!(about(ApiKey::Heartbeat, 0), (0, 0, 1, 0));
    for api in [
        ApiKey::DescribeConfigs,
        ApiKey::AlterConfigs,
        ApiKey::IncrementalAlterConfigs,
    ] {
        assert_eq!(about(api, 1), (1, 0, 0, 0), "{api:?}");
    }
}

#[test]
fn a_resource_is_of_its_kind() {
    let about = |kind| {
        // One resource, called x, with no names of configurations.
        let body = [0, 0, 0, 1, kind, 0, 1, b'x', 0, 0, 0, 0, 0];
        let subject = subject(ApiKey::DescribeConfigs, 1, &body).unwrap();
        (subject.topics.len(), subject.groups.len())
    };
    assert_eq!([2, 32, 4].map(about), [(1, 0), (0, 1), (0, 0)]);
}

#[test]
fn a_fetch_says_its_session() {
    let mut body = vec![0; 17];
    body.extend([0, 0, 0, 7, 0, 0, 0, 9]);
    body.extend([0; 8]);
    let session = subject(ApiKey::Fetch, 7, &body).unwrap().session;
    assert_eq!((session.id, session.epoch), (7, 9));
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
fn small_elements_are_not_too_many() {
    let groups = |count: u32| {
        // A varint of five bytes, one group of no letters each, no tagged fields.
        let mut bytes: Vec<_> = (0..5)
            .map(|at| ((count + 1) >> (7 * at) & 0x7f) as u8 | 0x80)
            .collect();
        bytes[4] &= 0x7f;
        bytes.extend(vec![1; usize::try_from(count).unwrap() + 1]);
        *bytes.last_mut().unwrap() = 0;
        bytes
    };
    assert!(fits(ApiKey::DeleteGroups, 2, &groups(100_000)));
    assert!(!fits(ApiKey::DeleteGroups, 2, &groups(100_001)));
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
