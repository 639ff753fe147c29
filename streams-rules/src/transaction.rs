//! How checkpoints and transactions fit into each other and into what the brokers accept.

use crate::{Message, Verdict};
use core::time::Duration;

/// The time between checkpoints under `exactly_once`, unless said otherwise.
pub const DEFAULT_CHECKPOINT_INTERVAL_EXACTLY_ONCE: Duration = Duration::from_millis(100);
/// The time between checkpoints under `at_least_once`, unless said otherwise.
pub const DEFAULT_CHECKPOINT_INTERVAL_AT_LEAST_ONCE: Duration = Duration::from_secs(30);
/// After how long the brokers abort a transaction, unless said otherwise.
pub const DEFAULT_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest transaction that the brokers accept, unless said otherwise: their own default.
pub const DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The shortest transaction timeout that the Kafka client accepts.
const SHORTEST_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(1);
/// What the runtime tells times apart by.
const SHORTEST_CHECKPOINT_INTERVAL: Duration = Duration::from_millis(1);
/// The longest timeout that Kafka's protocol can carry.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// Checkpoints are apart.
///
/// # Errors
///
/// If the interval is shorter than a millisecond.
pub const fn checkpoint_interval(interval: Duration) -> Verdict {
    if interval.is_zero() {
        return Err(Message::new(
            "`checkpoint_interval` is 0; make it longer, or remove it for the default",
        ));
    }
    if interval.as_nanos() < SHORTEST_CHECKPOINT_INTERVAL.as_nanos() {
        return Err(Message::new("`checkpoint_interval` (")
            .duration(interval)
            .text(") is shorter than ")
            .duration(SHORTEST_CHECKPOINT_INTERVAL)
            .text("; make it longer, or remove it for the default"));
    }
    Ok(())
}

/// A checkpoint ends before its transaction times out.
///
/// # Errors
///
/// If the interval is not shorter than the timeout: a broker aborts a transaction that outlives its timeout.
pub const fn checkpoint_within_transaction(interval: Duration, timeout: Duration) -> Verdict {
    if interval.as_nanos() >= timeout.as_nanos() {
        return Err(Message::new("`checkpoint_interval` (")
            .duration(interval)
            .text(") must be shorter than `transaction_timeout` (")
            .duration(timeout)
            .text("), because a broker aborts a transaction that outlives its timeout; shorten the one or lengthen the other"));
    }
    Ok(())
}

/// The brokers and the client accept the timeout.
///
/// # Errors
///
/// If it is longer than the brokers accept, or shorter than the Kafka client does.
pub const fn transaction_timeout(timeout: Duration, broker_max: Duration) -> Verdict {
    if timeout.as_nanos() < SHORTEST_TRANSACTION_TIMEOUT.as_nanos() {
        return Err(Message::new("`transaction_timeout` (")
            .duration(timeout)
            .text(") is shorter than the Kafka client accepts; make it ")
            .duration(SHORTEST_TRANSACTION_TIMEOUT)
            .text(" or longer"));
    }
    if timeout.as_nanos() > broker_max.as_nanos() {
        return Err(Message::new("`transaction_timeout` (")
            .duration(timeout)
            .text(") is longer than the brokers accept (")
            .duration(broker_max)
            .text("); shorten it, or set `broker_transaction_max_timeout` to the brokers' `transaction.max.timeout.ms` if that is longer"));
    }
    Ok(())
}

/// The brokers can be configured so.
///
/// # Errors
///
/// If it is 0, or longer than Kafka's protocol can say.
pub const fn broker_transaction_max_timeout(max: Duration) -> Verdict {
    if max.is_zero() || max.as_nanos() > LONGEST_TIMEOUT.as_nanos() {
        return Err(Message::new("`broker_transaction_max_timeout` (")
            .duration(max)
            .text(") is not a value of the brokers' `transaction.max.timeout.ms`, which is between 1ms and ")
            .duration(LONGEST_TIMEOUT)
            .text("; set it to what the brokers are configured for, or remove it for their default of ")
            .duration(DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT));
    }
    Ok(())
}

/// A transactional setting has an effect.
///
/// # Errors
///
/// If the guarantee is not `exactly_once`: `option` would be ignored.
pub const fn only_exactly_once(option: &str, exactly_once: bool) -> Verdict {
    if exactly_once {
        return Ok(());
    }
    Err(Message::new("").code(option).text(" has no effect under `at_least_once`, which uses no transactions; remove it, or set `guarantee` to `exactly_once`"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_defaults_agree() {
        for interval in [
            DEFAULT_CHECKPOINT_INTERVAL_EXACTLY_ONCE,
            DEFAULT_CHECKPOINT_INTERVAL_AT_LEAST_ONCE,
        ] {
            checkpoint_interval(interval).unwrap();
            checkpoint_within_transaction(interval, DEFAULT_TRANSACTION_TIMEOUT).unwrap();
        }
        transaction_timeout(
            DEFAULT_TRANSACTION_TIMEOUT,
            DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT,
        )
        .unwrap();
        broker_transaction_max_timeout(DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT).unwrap();
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        checkpoint_interval(SHORTEST_CHECKPOINT_INTERVAL).unwrap();
        let short = checkpoint_interval(Duration::from_micros(500)).unwrap_err();
        assert!(
            short
                .to_string()
                .starts_with("`checkpoint_interval` (500us) is shorter than 1ms"),
            "{short}"
        );
        assert!(
            checkpoint_interval(Duration::ZERO)
                .unwrap_err()
                .to_string()
                .starts_with("`checkpoint_interval` is 0")
        );
    }

    #[test]
    fn an_interval_as_long_as_the_timeout_is_refused() {
        checkpoint_within_transaction(SECOND - Duration::from_nanos(1), SECOND).unwrap();
        let message = checkpoint_within_transaction(SECOND, SECOND)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with(
                "`checkpoint_interval` (1s) must be shorter than `transaction_timeout` (1s)"
            ),
            "{message}"
        );
    }

    #[test]
    fn a_timeout_is_between_what_the_client_and_the_brokers_accept() {
        let max = Duration::from_secs(900);
        transaction_timeout(max, max).unwrap();
        transaction_timeout(SECOND, max).unwrap();
        let long = transaction_timeout(max + SECOND, max)
            .unwrap_err()
            .to_string();
        assert!(
            long.starts_with(
                "`transaction_timeout` (901s) is longer than the brokers accept (15min)"
            ),
            "{long}"
        );
        let short = transaction_timeout(Duration::from_millis(999), max)
            .unwrap_err()
            .to_string();
        assert!(
            short
                .contains("(999ms) is shorter than the Kafka client accepts; make it 1s or longer"),
            "{short}"
        );
    }

    #[test]
    fn the_brokers_maximum_fits_the_protocol() {
        broker_transaction_max_timeout(LONGEST_TIMEOUT).unwrap();
        for max in [Duration::ZERO, LONGEST_TIMEOUT + Duration::from_millis(1)] {
            let message = broker_transaction_max_timeout(max).unwrap_err().to_string();
            assert!(
                message.contains("between 1ms and 2147483647ms"),
                "{message}"
            );
        }
    }

    #[test]
    fn transactional_settings_need_transactions() {
        only_exactly_once("transaction_timeout", true).unwrap();
        let message = only_exactly_once("transaction_timeout", false)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("`transaction_timeout` has no effect under `at_least_once`"),
            "{message}"
        );
    }
}
