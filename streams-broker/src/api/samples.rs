//! Requests to begin with, for tests and for fuzzing.
#![expect(clippy::unwrap_used, reason = "every shape is written here")]

use kafka_protocol::messages::ApiKey;

use super::shape::{next_field, shape};

/// A request that has elements in its arrays, found by decoding what a shape allows: every count is 1, every number
/// and character 0 or a letter, every resource a topic.
pub(super) fn sample(api: ApiKey, version: i16) -> Vec<u8> {
    tagged_sample(api, version, &[0])
}

/// The same with these bytes where tagged fields are.
pub(super) fn tagged_sample(api: ApiKey, version: i16, tags: &[u8]) -> Vec<u8> {
    let (flexible_from, fields) = shape(api).unwrap();
    let mut bytes = Vec::new();
    let tags = (version >= flexible_from).then_some(tags);
    write(fields, version, tags, true, &mut bytes);
    bytes
}

/// `tags` are there in flexible versions.
fn write(shape: &str, version: i16, tags: Option<&[u8]>, is_structure: bool, bytes: &mut Vec<u8>) {
    let flexible = tags.is_some();
    let mut shape = shape;
    while let Some((field, after)) = next_field(shape) {
        shape = after;
        if !field.applies(version) {
            continue;
        }
        match field.kind {
            "s" | "t" | "g" | "x" | "k" | "r" if flexible => bytes.extend([2, b'x']),
            "s" | "t" | "g" | "x" | "k" | "r" => bytes.extend([0, 1, b'x']),
            "b" if flexible => bytes.extend([2, 7]),
            "b" => bytes.extend([0, 0, 0, 1, 7]),
            "[" | "{" => {
                bytes.extend(if flexible { &[2][..] } else { &[0, 0, 0, 1] });
                write(field.inner, version, tags, field.kind == "[", bytes);
            }
            "(" => {
                bytes.push(1);
                write(field.inner, version, tags, true, bytes);
            }
            "v" => bytes.push(0),
            "f" | "e" => bytes.extend([0; 4]),
            // A topic.
            "y" => bytes.push(2),
            "i" => bytes.extend([0; 16]),
            number => bytes.extend(vec![0; number.parse().unwrap()]),
        }
    }
    if is_structure {
        bytes.extend(tags.into_iter().flatten());
    }
}
