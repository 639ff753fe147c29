//! The topologies of the tables, built as their names say.

use crate::table::Emitted;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use streams::prelude::*;

/// What the topologies' functions note as side effects.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Emitted>>>);

impl Notes {
    pub(crate) fn take(&self) -> Vec<Emitted> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics while noting"))
    }

    fn noting(&self, topic: &'static str) -> impl Fn(&Text, &Text) + Send + Sync + 'static {
        let notes = self.clone();
        move |key, value| {
            let note = Emitted::note(topic, key.as_deref(), value.as_deref());
            notes
                .0
                .lock()
                .expect("nobody panics while noting")
                .push(note);
        }
    }
}

type Text = Option<String>;
type Stream = KStream<Text, Text>;

/// The topology of this name, if it is known yet.
pub(crate) fn build(name: &str, notes: &Notes) -> Option<Topology> {
    let builder = TopologyBuilder::new("behaviour");
    let input = |topic: &str| -> Stream { builder.stream(topic) };
    match name {
        "filter" => input("in").filter(even).to("out"),
        "filter-not" => input("in").filter_not(even).to("out"),
        "map" => input("in")
            .map(|k, v| (bucket(k, v), Some(format!("{}:{}", or_null(k), or_null(v)))))
            .to("out"),
        "map-values" => input("in")
            .map_values(|v| v.as_ref().map(|v| format!("{v}!")))
            .to("out"),
        "map-values-with-key" => {
            input("in")
                .map_values_with_key(|k, v| Some(format!("{}/{}", or_null(k), or_null(v))))
                .to("out");
        }
        "flat-map" => input("in").flat_map(several).to("out"),
        "flat-map-values" => {
            input("in")
                .flat_map_values(|v| {
                    several(&None, v)
                        .into_iter()
                        .map(|(_, v)| v)
                        .collect::<Vec<_>>()
                })
                .to("out");
        }
        "select-key" => input("in").select_key(bucket).to("out"),
        "values-chain" => values_chain(&input("in")).to("out"),
        "split" => {
            let split = input("in").split();
            split.branch(even).to("even");
            split.branch(third).to("third");
            split.default_branch().to("rest");
        }
        "split-no-default" => {
            let split = input("in").split();
            split.branch(even).to("even");
            split.branch(third).to("third");
        }
        "merge" => input("one")
            .merge(&input("two"))
            .merge(&input("three"))
            .to("out"),
        "to-dynamic" => input("in").to_dynamic(|k, v| match v {
            None => "none",
            Some(_) if even(k, v) => "even",
            Some(_) => "odd",
        }),
        "peek" => input("in")
            .peek(notes.noting("@peek"))
            .filter(even)
            .peek(notes.noting("@even"))
            .to("out"),
        "foreach" => input("in").for_each(notes.noting("@foreach")),
        "processor-headers" => input("in").process(SeenHeaders::default).to("out"),
        "processor-timestamps" => input("in").process(|| Timestamps).to("out"),
        "processor-metadata" => input("in")
            .merge(&input("other"))
            .process(|| Metadata)
            .to("out"),
        "process-values" => input("in").process_values(CountPerKey::default).to("out"),
        _ => return None,
    }
    Some(builder.build())
}

fn values_chain(input: &Stream) -> Stream {
    let append = |v: &Text| v.as_ref().map(|v| format!("{v}a"));
    let marked = input
        .filter(|_, v| v.is_some())
        .map_values(append)
        .filter_not(third);
    marked
        .select_key(bucket)
        .map_values_with_key(|k, v| Some(format!("{}{}", or_null(k), or_null(v))))
}

/// The decimal digits at the end as a number; 0 if there are none.
fn number(value: &str) -> u64 {
    let digits = value.len() - value.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    value
        .get(value.len() - digits..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

fn even(_: &Text, value: &Text) -> bool {
    value.as_ref().is_some_and(|v| number(v).is_multiple_of(2))
}

fn third(_: &Text, value: &Text) -> bool {
    value.as_ref().is_some_and(|v| number(v).is_multiple_of(3))
}

fn bucket(_: &Text, value: &Text) -> Text {
    value.as_ref().map(|v| format!("k{}", number(v) % 3))
}

fn or_null(text: &Text) -> &str {
    text.as_deref().unwrap_or("null")
}

fn several(key: &Text, value: &Text) -> Vec<(Text, Text)> {
    match value {
        Some(v) => (0..number(v) % 3)
            .map(|i| {
                (
                    Some(format!("{}{i}", or_null(key))),
                    Some(format!("{v}.{i}")),
                )
            })
            .collect(),
        None => vec![(key.clone(), None)],
    }
}

#[derive(Default)]
struct SeenHeaders(u64);

impl Processor<Text, Text> for SeenHeaders {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(
        &mut self,
        record: Record<'_, Text, Text>,
        cx: &mut ProcessorContext<'_, Text, Text>,
    ) -> Outcome {
        self.0 += 1;
        let mut headers = record.headers.clone();
        headers.add("seen", Some(self.0.to_string().as_bytes()));
        headers.remove("drop");
        cx.forward(record.with_headers(&headers))?;
        if self.0.is_multiple_of(3) {
            let mut own = Headers::default();
            own.add("own", Some(format!("h{}", self.0).as_bytes()));
            cx.forward(
                record
                    .with_value(&Some("third".to_owned()))
                    .with_headers(&own),
            )?;
        }
        Ok(())
    }
}

/// Counts in the processor itself: what is emitted is the same as with a store, whose contents are not compared.
#[derive(Default)]
struct CountPerKey(HashMap<String, u64>);

impl FixedKeyProcessor<Text, Text> for CountPerKey {
    type ValueOut = Text;

    fn process(
        &mut self,
        record: FixedKeyRecord<'_, Text, Text>,
        cx: &mut FixedKeyContext<'_, Text, Text>,
    ) -> Outcome {
        let Some(key) = record.key() else {
            return Ok(());
        };
        let count = self.0.entry(key.clone()).or_default();
        *count += 1;
        let text = format!("{count}:{}", or_null(record.value()));
        let again = count.is_multiple_of(2);
        cx.forward(record.with_value(&Some(text)))?;
        if again {
            let later = record.with_timestamp(record.timestamp() + 1);
            cx.forward(later.with_value(&Some("again".to_owned())))?;
        }
        Ok(())
    }
}

struct Timestamps;

impl Processor<Text, Text> for Timestamps {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(
        &mut self,
        record: Record<'_, Text, Text>,
        cx: &mut ProcessorContext<'_, Text, Text>,
    ) -> Outcome {
        cx.forward(record.with_timestamp(record.timestamp + 100))?;
        cx.forward(record.with_timestamp((record.timestamp - 5).max(0)))?;
        let stream_time = format!("stream-time={}", cx.stream_time());
        cx.forward(record.with_value(&Some(stream_time)))
    }
}

struct Metadata;

impl Processor<Text, Text> for Metadata {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(
        &mut self,
        record: Record<'_, Text, Text>,
        cx: &mut ProcessorContext<'_, Text, Text>,
    ) -> Outcome {
        let at = cx.record_metadata();
        let text = format!(
            "{}/{}/{} stream-time={}",
            at.topic,
            at.partition,
            at.offset,
            cx.stream_time()
        );
        cx.forward(record.with_value(&Some(text)))
    }
}
