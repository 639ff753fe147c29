//! The topologies of the tables, built as their names say.

use crate::functions::{Text, bucket, even, number, or_null, third};
use crate::joins;
use crate::parameters::Parameters;
use crate::processors;
use crate::table::Emitted;
use crate::tables;
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

type Stream = KStream<Text, Text>;

/// The topology of this name, if it is known yet.
pub(crate) fn build(name: &str, parameters: &Parameters<'_>, notes: &Notes) -> Option<Topology> {
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
        _ => tables::draft(name, &builder, parameters)
            .or_else(|| joins::draft(name, &builder, parameters))
            .or_else(|| processors::draft(name, &builder, parameters))?,
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
