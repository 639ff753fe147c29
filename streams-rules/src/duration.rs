//! How a duration is written: a whole number and a unit, without a space.

use crate::Message;
use core::time::Duration;

/// Reads a duration such as `500ms`, `10s`, `15min` or `1h`.
///
/// # Errors
///
/// If `text` is anything else, or longer than `u64::MAX` milliseconds.
pub const fn parse_duration(text: &str) -> Result<Duration, Message> {
    let (number, unit) = split(text);
    let (Some(number), Some(millis)) = (number, millis(unit)) else {
        return Err(Message::new("").code(text).text(" is not a duration; write a whole number and its unit, such as `500ms`, `10s`, `15min` or `1h`"));
    };
    let longest = (u64::MAX / millis) as u128;
    if number > longest {
        let (_, unit) = text.split_at(text.len() - unit.len());
        return Err(Message::new("")
            .code(text)
            .text(" is too long; the longest duration is `")
            .number(longest)
            .text(unit)
            .text("`"));
    }
    Ok(Duration::from_millis(number as u64 * millis))
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

/// The number that a text begins with, if there is one, and what follows it. The greatest number stands for each that
/// is greater.
const fn split(text: &str) -> (Option<u128>, &[u8]) {
    let mut rest = text.as_bytes();
    let mut number = None;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        let so_far = match number {
            Some(so_far) => so_far,
            None => 0_u128,
        };
        let digit = (*digit - b'0') as u128;
        number = Some(so_far.saturating_mul(10).saturating_add(digit));
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
        for text in ["", "s", "10", "10 s", "-1s", "1.5s", "10m", "10S", "1d"] {
            let message = parse_duration(text).unwrap_err();
            assert!(
                message
                    .as_str()
                    .starts_with(&format!("`{text}` is not a duration")),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_told_the_longest() {
        for (longest, longer) in [
            ("18446744073709551615ms", "18446744073709551616ms"),
            ("18446744073709551s", "18446744073709552s"),
            ("5124095576030h", "9999999999999h"),
            ("5124095576030h", &format!("{}h", "9".repeat(60))),
        ] {
            parse_duration(longest).unwrap();
            assert_eq!(
                parse_duration(longer).unwrap_err().to_string(),
                format!("`{longer}` is too long; the longest duration is `{longest}`")
            );
        }
    }
}
