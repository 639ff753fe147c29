//! The functions that the tables' topologies share.

/// A key or a value of a stream.
pub(crate) type Text = Option<String>;

/// The decimal digits at the end as a number; 0 if there are none.
pub(crate) fn number(value: &str) -> u64 {
    let digits = value.len() - value.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    value
        .get(value.len() - digits..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

pub(crate) fn even(_: &Text, value: &Text) -> bool {
    value.as_ref().is_some_and(|v| number(v).is_multiple_of(2))
}

pub(crate) fn third(_: &Text, value: &Text) -> bool {
    value.as_ref().is_some_and(|v| number(v).is_multiple_of(3))
}

pub(crate) fn bucket(_: &Text, value: &Text) -> Text {
    value.as_ref().map(|v| format!("k{}", number(v) % 3))
}

pub(crate) fn or_null(text: &Text) -> &str {
    text.as_deref().unwrap_or("null")
}

/// What stands before the first `:`.
pub(crate) fn group(value: &str) -> Text {
    value.split_once(':').map(|(group, _)| group.to_owned())
}

pub(crate) fn join(left: Option<&String>, right: Option<&String>) -> String {
    let or_null = |side: Option<&String>| side.map_or("null", String::as_str).to_owned();
    format!("{}+{}", or_null(left), or_null(right))
}

pub(crate) fn add(_: &String, value: &String, aggregate: String) -> String {
    format!("{aggregate}|{value}")
}

pub(crate) fn subtract(_: &String, value: &String, aggregate: String) -> String {
    format!("{aggregate}-{value}")
}

pub(crate) fn comma(aggregate: String, value: &String) -> String {
    format!("{aggregate},{value}")
}

pub(crate) fn dash(aggregate: String, value: &String) -> String {
    format!("{aggregate}-{value}")
}

/// What a function for aggregates returns, or nothing where the value says that the aggregate is to be deleted.
pub(crate) fn unless_deleted(value: &str, aggregate: String) -> Option<String> {
    (value != "del").then_some(aggregate)
}
