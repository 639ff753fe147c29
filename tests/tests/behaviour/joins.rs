//! The topologies with joins of tables, and of a stream and a table.

use crate::functions::{Text, add, group, join, subtract};
use crate::parameters::Parameters;
use crate::tables::{maybe_versioned, versioned};
use std::time::Duration;
use streams::prelude::*;

type Table = KTable<String, String>;

/// Drafts the topology of this name, if it is known yet.
pub(crate) fn draft(
    name: &str,
    builder: &TopologyBuilder,
    parameters: &Parameters<'_>,
) -> Option<()> {
    let stream = |topic: &str| builder.stream::<Text, Text>(topic);
    let table = |topic: &str, store: &str| builder.table::<String, String>(topic).named(store);
    if let Some(kinds) = name.strip_prefix("table-table-multi-join-") {
        let (left, right) = (table("left", "left-store"), table("right", "right-store"));
        let (first, second) = kinds.split_once('-')?;
        let joined = table_join(first, &left, &right)?;
        let joined = table_join(second, &joined, &right)?;
        out(&joined.named("store").materialized());
        return Some(());
    }
    if let Some(kind) = name.strip_prefix("table-table-") {
        let (left, right) = (table("left", "left-store"), table("right", "right-store"));
        let left = maybe_versioned(left, "left_versioned", parameters);
        let right = maybe_versioned(right, "right_versioned", parameters);
        let joined = table_join(kind.strip_suffix("-join")?, &left, &right)?;
        match parameters.flag("materialized", true) {
            true => out(&joined.named("store").materialized()),
            false => out(&joined),
        }
        return Some(());
    }
    match name {
        "table-join-group-aggregate" => {
            let (left, right) = (table("left", "left-store"), table("right", "right-store"));
            let joined = table_join("outer", &left, &right)?;
            let grouped = joined.group_by(|_, value| (group(value), value.clone()));
            out(&grouped.aggregate(String::new, add, subtract).named("store"));
        }
        "count-to-table-join" => {
            let counts = stream("left").group_by_key().count().named("counts");
            let joined = counts.join(&table("right", "table"), |n, value| format!("{n}+{value}"));
            out(&joined.named("store").materialized());
        }
        "stream-global-inner-join" => stream("left")
            .join_global(&global(builder), |_, value| group(value), inner)
            .to("out"),
        "stream-global-left-join" => stream("left")
            .left_join_global(&global(builder), |_, value| group(value), left)
            .to("out"),
        "stream-table-inner-join" => {
            let right = maybe_versioned(table("right", "store"), "versioned", parameters);
            stream("left").join(&right, inner).to("out");
        }
        "stream-table-left-join" => {
            let right = maybe_versioned(table("right", "store"), "versioned", parameters);
            stream("left").left_join(&right, left).to("out");
        }
        "stream-table-inner-join-grace" => {
            let right = versioned(table("right", "store"), parameters);
            let joined = stream("left").join_with_grace(&right, grace(parameters), inner);
            joined.to("out");
        }
        "stream-table-left-join-grace" => {
            let right = versioned(table("right", "store"), parameters);
            let joined = stream("left").left_join_with_grace(&right, grace(parameters), left);
            joined.to("out");
        }
        "stream-table-inner-join-repartitioned" => {
            let right = stream("right").select_key(same).to_table().named("store");
            let joined = stream("left").select_key(same).join(&right, inner);
            joined.named("join").to("out");
        }
        "stream-table-left-join-repartitioned" => {
            let right = stream("right").select_key(same).to_table().named("store");
            let joined = stream("left").select_key(same).left_join(&right, left);
            joined.named("join").to("out");
        }
        _ => return None,
    }
    Some(())
}

fn global(builder: &TopologyBuilder) -> GlobalKTable<String, String> {
    builder.global_table("right").named("store")
}

fn grace(parameters: &Parameters<'_>) -> Duration {
    let millis = parameters.number("grace_ms").unwrap_or_default();
    Duration::from_millis(millis.unsigned_abs())
}

fn same(key: &Text, _: &Text) -> Text {
    key.clone()
}

fn inner(value: &String, row: &String) -> String {
    join(Some(value), Some(row))
}

fn left(value: &String, row: Option<&String>) -> String {
    join(Some(value), row)
}

fn table_join(kind: &str, left: &Table, right: &Table) -> Option<Table> {
    Some(match kind {
        "inner" => left.join(right, |left, right| join(Some(left), Some(right))),
        "left" => left.left_join(right, |left, right| join(Some(left), right)),
        "outer" => left.outer_join(right, join),
        _ => return None,
    })
}

fn out(table: &Table) {
    table.to_stream().to("out");
}
