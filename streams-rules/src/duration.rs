//! How a duration is written: a whole number and a unit, without a space.

use crate::Message;
use core::time::Duration;

/// Reads a duration such as `500ms`, `10s`, `15min` or `1h`.
///
/// # Errors
///
/// If `text` is anything else, or longer than a [`Duration`] can be in milliseconds.
pub const fn parse_duration(text: &str) -> Result<Duration, Message> {
    let (number, unit) = split(text);
    if let (Some(number), Some(millis)) = (number, millis(unit))
        && let Some(total) = number.checked_mul(millis)
    {
        return Ok(Duration::from_millis(total));
    }
    Err(Message::new("").code(text).text(" is not a duration; write a whole number and its unit, such as `500ms`, `10s`, `15min` or `1h`"))
}

const fn millis(unit: &[u8]) -> Option<u64> {
    match unit {
        b"ms" => Some(1),
        b"s" => Some(1_000),
        b"min" => Some(60_000),
        b"h" => Some(3_600_000),
        _ => None,
    }
}

/// The number that a text begins with, if there is one and it fits, and what follows it.
const fn split(text: &str) -> (Option<u64>, &[u8]) {
    let mut rest = text.as_bytes();
    let mut number = None;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        let so_far = match number {
            Some(so_far) => so_far,
            None => 0_u64,
        };
        let Some(tens) = so_far.checked_mul(10) else {
            return (None, rest);
        };
        let Some(sum) = tens.checked_add((*digit - b'0') as u64) else {
            return (None, rest);
        };
        number = Some(sum);
        rest = after;
    }
    (number, rest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
        assert_eq!(parse_duration("100ms").unwrap(), Duration::from_millis(100));
        assert_eq!(parse_duration("10s").unwrap(), Duration::from_secs(10));
        assert_eq!(parse_duration("15min").unwrap(), Duration::from_secs(900));
        assert_eq!(parse_duration("1h").unwrap(), Duration::from_secs(3_600));
    }

    #[test]
    fn anything_else_is_refused_in_words_that_show_how() {
        for text in [
            "",
            "s",
            "10",
            "10 s",
            "-1s",
            "1.5s",
            "10m",
            "10S",
            "1d",
            "99999999999999999999s",
            "18446744073709551615s",
        ] {
            let message = parse_duration(text).unwrap_err();
            assert!(
                message
                    .as_str()
                    .starts_with(&format!("`{text}` is not a duration")),
                "{message}"
            );
        }
    }
}
