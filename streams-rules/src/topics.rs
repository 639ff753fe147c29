//! A topology does not feed itself.

use crate::{Message, Verdict};

/// What a topology writes is not what it reads.
///
/// # Errors
///
/// If both are the same topic: each record would come back as input, without end.
pub const fn not_source_and_sink(source: &str, sink: &str) -> Verdict {
    if same(source, sink) {
        return Err(Message::new("topic ")
            .code(sink)
            .text(" is both a source and a sink of this topology, which would read its own output without end; write to another topic"));
    }
    Ok(())
}

/// A table's topic is read by the table alone: two readers would own one state, or bring its updates in twice.
///
/// # Errors
///
/// If both are the same topic.
pub const fn table_read_once(table: &str, other: &str) -> Verdict {
    if same(table, other) {
        return Err(Message::new("topic ")
            .code(table)
            .text(" is read twice, at least once as a table; read it once, and make the other of it: `.to_stream()` of the table, or `.to_table()` of the stream"));
    }
    Ok(())
}

/// Rejected records do not come back as input.
///
/// # Errors
///
/// If both are the same topic: each rejected record would be rejected again, without end.
pub const fn not_source_and_dead_letter(source: &str, dead_letter: &str) -> Verdict {
    if same(source, dead_letter) {
        return Err(Message::new("dead-letter topic ")
            .code(dead_letter)
            .text(" is also a source of this topology, which would reject the same records without end; choose another topic"));
    }
    Ok(())
}

/// Rejected records do not mix with good output.
///
/// # Errors
///
/// If both are the same topic: who reads the output would get records that nobody could read or process.
pub const fn not_sink_and_dead_letter(sink: &str, dead_letter: &str) -> Verdict {
    if same(sink, dead_letter) {
        return Err(Message::new("dead-letter topic ")
            .code(dead_letter)
            .text(" is also a sink of this topology, whose readers would get rejected records among its output; choose another topic"));
    }
    Ok(())
}

const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty() && b.is_empty()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn different_topics_are_fine() {
        for (a, b) in [("in", "out"), ("in", "in2"), ("in2", "in")] {
            not_source_and_sink(a, b).unwrap();
            not_source_and_dead_letter(a, b).unwrap();
            not_sink_and_dead_letter(a, b).unwrap();
            table_read_once(a, b).unwrap();
        }
    }

    #[test]
    fn a_topic_with_two_roles_is_named_with_both() {
        let sink = not_source_and_sink("orders", "orders")
            .unwrap_err()
            .to_string();
        assert!(
            sink.starts_with("topic `orders` is both a source and a sink"),
            "{sink}"
        );
        let dead_letter = not_source_and_dead_letter("orders", "orders")
            .unwrap_err()
            .to_string();
        assert!(
            dead_letter.starts_with("dead-letter topic `orders` is also a source"),
            "{dead_letter}"
        );
        let dead_letter = not_sink_and_dead_letter("orders", "orders")
            .unwrap_err()
            .to_string();
        assert!(
            dead_letter.starts_with("dead-letter topic `orders` is also a sink"),
            "{dead_letter}"
        );
    }
}
