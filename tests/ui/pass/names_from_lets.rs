//! Operators are called after the innermost `let` or assignment around them; outside any, after the function.

#![deny(warnings)]

use streams::prelude::*;

#[topology(application_id = "names")]
#[sink(topic = "out")]
fn names(
    #[source(topic = "in")] lines: KStream<Keyless, String>,
    prefix: Option<String>,
) -> KStream<Keyless, String> {
    let Some(prefix) = prefix else {
        return lines;
    };
    let trimmed = lines.map_values(|line| line.trim().to_owned());
    let (short, long) = (
        trimmed.filter(|_, line| line.len() < 80),
        trimmed.filter(|_, line| line.len() >= 80),
    );
    let both = {
        let marked = long.map_values(move |line| format!("{prefix}{line}"));
        short.merge(&marked).peek(|_, _| {})
    };
    let loud;
    loud = both.map_values(|line| line.to_uppercase());
    loud.filter(|_, line| !line.is_empty())
}

fn main() {
    let description = names(Some("> ".into())).describe().to_string();
    for name in [
        "trimmed-map-values",
        "short-filter",
        "long-filter",
        "marked-map-values",
        "both-peek",
        "loud-map-values",
        "names-filter",
    ] {
        assert!(
            description.contains(&format!("Processor: {name} ")),
            "{name} is missing in\n{description}"
        );
    }
}
