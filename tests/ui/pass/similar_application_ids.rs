//! Application ids that differ only in their separators are different ones.

#![deny(warnings)]

use streams::prelude::*;

#[topology(application_id = "a-b")]
fn dash(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("out");
}

#[topology(application_id = "a_b")]
fn underscore(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("out");
}

#[topology(application_id = "a.b")]
fn dot(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("out");
}

#[topology(application_id = "a_b__u")]
fn longer(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("out");
}

#[topology(application_id = "ab")]
fn none(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("out");
}

fn main() {
    let ids: Vec<String> = [dash(), underscore(), dot(), longer(), none()]
        .iter()
        .map(|t| t.application_id().to_owned())
        .collect();
    assert_eq!(ids, ["a-b", "a_b", "a.b", "a_b__u", "ab"]);
}
