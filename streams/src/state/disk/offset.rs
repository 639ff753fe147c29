//! How far a store reaches in its changelog, as it is stored.

use super::super::Reached;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Stands behind offset and time where the marker of a transaction is to come.
const WRITTEN: u8 = b'w';

/// As it is stored: the offset, and the time of its writing.
pub(super) fn encode(reached: Reached) -> Vec<u8> {
    let mut stored = [reached.offset().to_be_bytes(), now().to_be_bytes()].concat();
    if let Reached::Written(_) = reached {
        stored.push(WRITTEN);
    }
    stored
}

/// How far a store reached, and when that was written.
pub(super) fn decode(stored: &[u8]) -> Option<(Reached, i64)> {
    let (offset, rest) = stored.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let offset = i64::from_be_bytes(*offset);
    let reached = match rest {
        [WRITTEN] => Reached::Written(offset),
        [] => Reached::Read(offset),
        _ => return None,
    };
    Some((reached, i64::from_be_bytes(*at)))
}
