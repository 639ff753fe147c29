//! Limits that have to leave room for something.

use crate::{Message, Verdict};
use std::time::Duration;

/// Stores may change before they are committed.
///
/// # Errors
///
/// If they may not.
pub const fn uncommitted_state_bytes(bytes: usize) -> Verdict {
    if bytes == 0 {
        return Err(Message::new(
            "`uncommitted_state_bytes` is 0, so that each record would be a checkpoint of its own; leave it out (64 MiB), or set \
             what memory allows",
        ));
    }
    Ok(())
}

/// A record cache holds something, if there is one.
///
/// # Errors
///
/// If it would be full with a few updates.
pub const fn statestore_cache_max_bytes(bytes: usize) -> Verdict {
    const LEAST: usize = 1024;
    if bytes == 0 || bytes >= LEAST {
        return Ok(());
    }
    Err(Message::new("`statestore_cache_max_bytes` (")
        .number(bytes as u128)
        .text(") holds no more than a few updates; set at least ")
        .number(LEAST as u128)
        .text(", or 0 to have no record cache"))
}

/// There is time between two purges of repartition topics.
///
/// # Errors
///
/// If there is none.
pub const fn repartition_purge_interval(interval: Duration) -> Verdict {
    if interval.is_zero() {
        return Err(Message::new(
            "`repartition_purge_interval` is 0, so that records would be deleted without a pause; leave it out (30 s), or set \
             some seconds",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_record_cache_is_off_or_holds_something() {
        for bytes in [0, 1_024, 10 << 20] {
            statestore_cache_max_bytes(bytes).unwrap();
        }
        for bytes in [1, 10, 1_023] {
            let error = statestore_cache_max_bytes(bytes).unwrap_err().to_string();
            let expected = format!("`statestore_cache_max_bytes` ({bytes}) holds no more");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn nothing_is_too_little() {
        uncommitted_state_bytes(1).unwrap();
        repartition_purge_interval(Duration::from_millis(1)).unwrap();
        let error = uncommitted_state_bytes(0).unwrap_err().to_string();
        assert!(
            error.starts_with("`uncommitted_state_bytes` is 0"),
            "{error}"
        );
        let error = repartition_purge_interval(Duration::ZERO)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("`repartition_purge_interval` is 0"),
            "{error}"
        );
    }
}
