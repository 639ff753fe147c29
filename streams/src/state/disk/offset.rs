//! How far a store reaches in its changelog, and what it is of, as it is stored.

use super::super::{Kept, Origin, Reached};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Stands behind offset and time where the marker of a transaction is to come.
const WRITTEN: u8 = b'w';

/// As it is stored: the offset, the time of its writing, and what it is of.
pub(super) fn encode(reached: Reached, origin: Option<Origin>) -> Vec<u8> {
    let mut stored = [reached.offset().to_be_bytes(), now().to_be_bytes()].concat();
    if let Reached::Written(_) = reached {
        stored.push(WRITTEN);
    }
    if let Some(origin) = origin {
        origin.encode(&mut stored);
    }
    stored
}

/// What is stored so.
pub(super) fn decode(stored: &[u8]) -> Option<Kept> {
    let (offset, rest) = stored.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let offset = i64::from_be_bytes(*offset);
    // What is of nothing is from before that was said. An origin does not begin as the mark does.
    let (reached, origin) = match rest {
        [WRITTEN, origin @ ..] => (Reached::Written(offset), origin),
        origin => (Reached::Read(offset), origin),
    };
    let origin = match origin {
        [] => None,
        origin => Some(Origin::decode(origin.try_into().ok()?)),
    };
    Some(Kept {
        reached,
        at: Some(i64::from_be_bytes(*at)),
        origin,
    })
}
