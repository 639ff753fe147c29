//! A text that can be put together while rustc evaluates constants.
//!
//! Invariant: the first `len` bytes are whole characters, so [`Message::as_str`] never loses any; what does not fit
//! is left out.

use core::fmt;
use core::time::Duration;

/// Enough for a sentence and two names of the greatest length that Kafka allows.
const CAPACITY: usize = 768;

/// Why a rule is broken, and what mends it.
#[derive(Clone, Copy)]
pub struct Message {
    bytes: [u8; CAPACITY],
    len: usize,
}

/// What a rule says.
pub type Verdict = Result<(), Message>;

impl Message {
    /// A message that begins with `text`.
    pub const fn new(text: &str) -> Self {
        Self {
            bytes: [0; CAPACITY],
            len: 0,
        }
        .text(text)
    }

    /// The message, followed by `text`.
    #[must_use]
    pub const fn text(mut self, text: &str) -> Self {
        let text = beginning(text, CAPACITY - self.len).as_bytes();
        if let Some((_, free)) = self.bytes.split_at_mut_checked(self.len)
            && let Some((target, _)) = free.split_at_mut_checked(text.len())
        {
            target.copy_from_slice(text);
            self.len += text.len();
        }
        self
    }

    /// The message, followed by `code` in backticks.
    #[must_use]
    pub const fn code(self, code: &str) -> Self {
        self.text("`").text(code).text("`")
    }

    /// The message, followed by a number in decimal digits.
    #[must_use]
    pub const fn number(self, number: u128) -> Self {
        let front = if number >= 10 {
            self.number(number / 10)
        } else {
            self
        };
        match core::str::from_utf8(&[b'0' + (number % 10) as u8]) {
            Ok(digit) => front.text(digit),
            Err(_) => front,
        }
    }

    /// The message, followed by a duration as it is written in an attribute.
    #[must_use]
    pub const fn duration(self, duration: Duration) -> Self {
        const UNITS: [(u128, &str); 5] = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "min"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ];
        let nanos = duration.as_nanos();
        if nanos == 0 {
            return self.text("0s");
        }
        let mut units: &[(u128, &str)] = &UNITS;
        while let Some(((size, unit), smaller)) = units.split_first() {
            if nanos.is_multiple_of(*size) {
                return self.number(nanos / *size).text(unit);
            }
            units = smaller;
        }
        self.number(nanos).text("ns")
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        match self.bytes.split_at_checked(self.len) {
            Some((text, _)) => match core::str::from_utf8(text) {
                Ok(text) => text,
                Err(_) => "",
            },
            None => "",
        }
    }
}

/// The longest beginning of `text` that is whole characters and at most `most` bytes.
const fn beginning(text: &str, most: usize) -> &str {
    let mut end = if text.len() < most { text.len() } else { most };
    loop {
        match text.split_at_checked(end) {
            Some((beginning, _)) => return beginning,
            None => end -= 1,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl core::error::Error for Message {}

/// Panics with the message of a broken rule: in a `const _`, that is an error of rustc in the rule's own words.
///
/// # Panics
///
/// If the rule is broken.
#[track_caller]
#[expect(clippy::panic, reason = "a panic is how a constant fails to compile")]
pub const fn enforce(verdict: Verdict) {
    if let Err(message) = verdict {
        panic!("{}", message.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT_BY_RUSTC: Message = Message::new("a ")
        .code("b")
        .text(" ")
        .number(1_204)
        .text(" ")
        .duration(Duration::from_secs(90));

    #[test]
    fn a_constant_holds_every_part() {
        assert_eq!(BUILT_BY_RUSTC.as_str(), "a `b` 1204 90s");
    }

    #[test]
    fn a_duration_reads_as_it_is_written() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(7), "7ns"),
            (Duration::from_micros(1_001), "1001us"),
            (Duration::from_millis(1_500), "1500ms"),
            (Duration::from_secs(60), "1min"),
            (Duration::from_secs(900), "15min"),
            (Duration::from_secs(7_200), "2h"),
        ];
        for (duration, text) in cases {
            assert_eq!(Message::new("").duration(duration).as_str(), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let long = "ß".repeat(CAPACITY);
        assert_eq!(
            Message::new("a").text(&long).as_str(),
            format!("a{}", "ß".repeat((CAPACITY - 1) / 2))
        );
        assert_eq!(
            Message::new(&long).text("more").as_str(),
            "ß".repeat(CAPACITY / 2)
        );
    }

    #[test]
    #[should_panic(expected = "`x` is wrong")]
    fn enforcing_a_broken_rule_panics_with_its_words() {
        enforce(Ok(()));
        enforce(Err(Message::new("").code("x").text(" is wrong")));
    }
}
