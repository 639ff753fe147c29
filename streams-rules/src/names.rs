//! Which names Kafka accepts, and how much of them internal names need.

use crate::{Message, Verdict};

/// The longest name of a topic.
pub const LONGEST_TOPIC: usize = 249;

/// What follows an application id in `<application_id>-<store>-repartition`, or a prefix in
/// `<prefix>-<instance>-<thread>`.
const SUFFIX: usize = 60;

/// A topic has a name that Kafka accepts.
///
/// # Errors
///
/// If the name is empty, `.`, `..`, longer than 249, or holds a character that Kafka does not allow.
pub const fn topic(name: &str) -> Verdict {
    legal("topic", name, LONGEST_TOPIC)
}

/// A dead-letter topic has a name that Kafka accepts.
///
/// # Errors
///
/// As for a [`topic`].
pub const fn dead_letter_topic(name: &str) -> Verdict {
    legal("dead-letter topic", name, LONGEST_TOPIC)
}

/// An application id can begin the names of internal topics.
///
/// # Errors
///
/// As for a [`topic`], and if it leaves no room for the rest of such a name.
pub const fn application_id(name: &str) -> Verdict {
    legal("`application_id`", name, LONGEST_TOPIC - SUFFIX)
}

/// A transactional id prefix can begin transactional ids.
///
/// # Errors
///
/// As for an [`application_id`].
pub const fn transactional_id_prefix(name: &str) -> Verdict {
    legal("`transactional_id_prefix`", name, LONGEST_TOPIC - SUFFIX)
}

const fn legal(what: &str, name: &str, longest: usize) -> Verdict {
    if name.is_empty() {
        return Err(Message::new(what).text(" is empty; give it a name"));
    }
    if let Some(character) = illegal_character(name) {
        return Err(Message::new(what)
            .text(" ")
            .code(name)
            .text(" contains ")
            .code(character)
            .text("; use only the letters a-z and A-Z, digits, `.`, `_` and `-`"));
    }
    if matches!(name.as_bytes(), b"." | b"..") {
        return Err(Message::new(what)
            .text(" cannot be ")
            .code(name)
            .text(", which Kafka reserves; choose another name"));
    }
    if name.len() > longest {
        return Err(Message::new(what)
            .text(" has ")
            .number(name.len() as u128)
            .text(" characters; shorten it to at most ")
            .number(longest as u128));
    }
    Ok(())
}

/// The first character of `name` that Kafka does not allow.
const fn illegal_character(name: &str) -> Option<&str> {
    let mut rest = name;
    while let Some((byte, _)) = rest.as_bytes().split_first() {
        let (character, after) = first_character(rest);
        if !matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-') {
            return Some(character);
        }
        rest = after;
    }
    None
}

const fn first_character(text: &str) -> (&str, &str) {
    let mut len = 1;
    while len < text.len() {
        if let Some(split) = text.split_at_checked(len) {
            return split;
        }
        len += 1;
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn kafkas_characters_are_legal_up_to_the_greatest_length() {
        topic("a").unwrap();
        topic("Orders.2024_eu-west-1").unwrap();
        topic("...").unwrap();
        topic(&"x".repeat(249)).unwrap();
        application_id(&"x".repeat(189)).unwrap();
        transactional_id_prefix(&"x".repeat(189)).unwrap();
    }

    #[test]
    fn another_character_is_named() {
        let text = |name| topic(name).unwrap_err().to_string();
        assert!(
            text("two words").starts_with("topic `two words` contains ` `; use only"),
            "{}",
            text("two words")
        );
        assert!(text("straße").contains("contains `ß`"));
        assert!(text("a/😀").contains("contains `/`"));
        assert!(text("a😀").contains("contains `😀`"));
    }

    #[test]
    fn an_empty_name_a_dot_and_two_dots_are_refused() {
        assert_eq!(
            application_id("").unwrap_err().to_string(),
            "`application_id` is empty; give it a name"
        );
        for dots in [".", ".."] {
            let message = topic(dots).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("topic cannot be `{dots}`, which Kafka reserves; choose another name")
            );
        }
    }

    #[test]
    fn a_name_that_is_too_long_says_what_fits() {
        assert!(
            topic(&"x".repeat(250))
                .unwrap_err()
                .to_string()
                .ends_with("has 250 characters; shorten it to at most 249")
        );
        assert!(
            dead_letter_topic(&"x".repeat(250))
                .unwrap_err()
                .to_string()
                .starts_with("dead-letter topic has 250")
        );
        assert!(
            application_id(&"x".repeat(190))
                .unwrap_err()
                .to_string()
                .ends_with("shorten it to at most 189")
        );
        assert!(
            transactional_id_prefix(&"x".repeat(190))
                .unwrap_err()
                .to_string()
                .ends_with("at most 189")
        );
    }
}
