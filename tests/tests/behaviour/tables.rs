//! The topologies with tables and aggregations.

use crate::functions::{
    Text, add, bucket, comma, dash, group, join, number, subtract, unless_deleted,
};
use crate::parameters::Parameters;
use std::num::NonZero;
use std::time::Duration;
use streams::CogroupedKStream;
use streams::prelude::*;

const ONE: NonZero<u16> = NonZero::<u16>::MIN;

type Table = KTable<String, String>;

/// Drafts the topology of this name, if it is known yet.
pub(crate) fn draft(
    name: &str,
    builder: &TopologyBuilder,
    parameters: &Parameters<'_>,
) -> Option<()> {
    let stream = |topic: &str| builder.stream::<Text, Text>(topic);
    let materialized =
        |table: Table, name: &str, default: bool| match parameters.flag("materialized", default) {
            true => table.named(name).materialized(),
            false => table,
        };
    let source = |store: &str| {
        let table = builder.table::<String, String>("in").named(store);
        maybe_versioned(table, "versioned", parameters)
    };
    match name {
        "table-source" => out(&source("store")),
        "to-table" => out(&stream("in").to_table().named("store")),
        "select-key-to-table" => out(&stream("in").select_key(bucket).to_table().named("store")),
        "table-filter" => {
            let filtered = source("store").filter(|_, v| is_even(v));
            out(&materialized(filtered, "filtered", false));
        }
        "table-filter-not" => {
            let filtered = source("store").filter_not(|_, v| is_even(v));
            out(&materialized(filtered, "filtered", false));
        }
        "table-map-values" => {
            let mapped = source("store").map_values(|v| format!("{v}!"));
            out(&materialized(mapped, "mapped", false));
        }
        "table-filter-map-chain" => {
            let marked = source("store")
                .filter(|_, v| is_even(v))
                .map_values(|v| format!("{v}!"));
            let last = marked.filter(|_, v| !number(v.trim_end_matches('!')).is_multiple_of(3));
            out(&last.named("last").materialized());
        }
        "table-to-stream-key" => source("store")
            .to_stream()
            .select_key(|key, value| bucket(&Some(key.clone()), value))
            .to("out"),
        "stream-count" => text_out(&stream("in").group_by_key().count().named("store")),
        "stream-reduce" => out(&stream("in").group_by_key().reduce(comma).named("store")),
        "stream-aggregate" => out(&stream("in")
            .group_by_key()
            .aggregate(String::new, add)
            .named("store")),
        "stream-reduce-delete" => {
            let reduced = stream("in")
                .group_by_key()
                .reduce(|a, v| unless_deleted(v, comma(a, v)));
            out(&reduced.named("store"));
        }
        "stream-aggregate-delete" => {
            let aggregated = stream("in")
                .group_by_key()
                .aggregate(String::new, |k, v, a| unless_deleted(v, add(k, v, a)));
            out(&aggregated.named("store"));
        }
        "stream-group-by-aggregate" => out(&stream("in")
            .group_by(bucket)
            .aggregate(String::new, add)
            .named("store")),
        "table-group-count" => text_out(&grouped(&source("source")).count().named("store")),
        "table-group-reduce" => {
            out(&grouped(&source("source"))
                .reduce(comma, dash)
                .named("store"));
        }
        "table-group-aggregate" => {
            let grouped = grouped(&source("source"));
            out(&grouped.aggregate(String::new, add, subtract).named("store"));
        }
        "table-filter-group-aggregate" => {
            let filtered = materialized(
                source("source").filter(|_, v| is_even(v)),
                "filtered",
                false,
            );
            let aggregated = grouped(&filtered).aggregate(String::new, add, subtract);
            out(&aggregated.named("store"));
        }
        "repartition" => stream("in").repartition_to(ONE).named("again").to("out"),
        "select-key-repartition" => {
            let rekeyed = stream("in").select_key(bucket);
            rekeyed.repartition_to(ONE).named("again").to("out");
        }
        "cogroup-1" => out(&cogroup(builder, 1).aggregate(String::new).named("store")),
        "cogroup-2" => out(&cogroup(builder, 2).aggregate(String::new).named("store")),
        "cogroup-3" => out(&cogroup(builder, 3).aggregate(String::new).named("store")),
        "cogroup-mixed" => {
            let (one, two) = (stream("one"), stream("two").select_key(bucket));
            let deleting = |k: &String, v: &String, a| unless_deleted(v, add(k, v, a));
            let cogrouped = one.group_by_key().cogroup(subtract);
            let cogrouped = cogrouped.cogroup(&two.group_by_key(), deleting);
            out(&cogrouped.aggregate(String::new).named("store"));
        }
        "cogroup-join-table" => {
            let aggregated = cogroup(builder, 2).aggregate(String::new).named("store");
            let table = builder.table::<String, String>("three").named("table");
            let joined = aggregated.join(&table, |a, b| join(Some(a), Some(b)));
            out(&joined.named("joined").materialized());
        }
        _ => return None,
    }
    Some(())
}

/// The table with versions, where the parameter says so.
pub(crate) fn maybe_versioned(
    table: Table,
    parameter: &'static str,
    parameters: &Parameters<'_>,
) -> Table {
    match parameters.flag(parameter, false) {
        true => versioned(table, parameters),
        false => table,
    }
}

pub(crate) fn versioned(table: Table, parameters: &Parameters<'_>) -> Table {
    table.versioned(history_retention(parameters))
}

pub(crate) fn history_retention(parameters: &Parameters<'_>) -> Duration {
    let millis = parameters.number("history_retention_ms").unwrap_or(300_000);
    Duration::from_millis(millis.unsigned_abs())
}

fn is_even(value: &str) -> bool {
    number(value).is_multiple_of(2)
}

/// The streams `one`, `two`, `three`, each of which adds with its number.
fn cogroup(builder: &TopologyBuilder, streams: usize) -> CogroupedKStream<String, String> {
    let numbered = |number: usize| {
        move |_: &String, value: &String, aggregate: String| format!("{aggregate}|{number}:{value}")
    };
    let grouped = |topic: &str| builder.stream::<Text, Text>(topic).group_by_key();
    let one = grouped("one").cogroup(numbered(1));
    let further = ["two", "three"].into_iter().zip(2..).take(streams - 1);
    further.fold(one, |all, (topic, number)| {
        all.cogroup(&grouped(topic), numbered(number))
    })
}

fn grouped(table: &Table) -> KGroupedTable<String, String> {
    table.group_by(|_, value| (group(value), value.clone()))
}

fn out(table: &Table) {
    table.to_stream().to("out");
}

/// Counts are compared as text.
fn text_out(counts: &KTable<String, i64>) {
    let text = |count: &Option<i64>| count.map(|count| count.to_string());
    counts.to_stream().map_values(text).to("out");
}
