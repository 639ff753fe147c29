//! Topics of tables that are their stores' changelogs: whether they keep what a restore needs, and whether one was the changelog
//! of a table that has its own now.

use crate::kafka::admin::Admin;
use crate::state::{Backends, Owner, StoreSpec};
use crate::topology::{Graph, Kind, TopicRef, Topology};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Refuses topics that forget rows. Of a topic whose settings the cluster does not tell, the author knows better.
pub(super) async fn check(topology: &Topology, admin: &Admin) -> Result<()> {
    let mut errors = Vec::new();
    for store in &topology.graph().stores {
        if let Some(source) = &store.source
            && let Some(settings) = admin.topic_settings(&source.topic).await
        {
            errors.extend(forgets(store, &source.topic, &settings));
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Error::Cluster(errors.join("\n"))),
    }
}

/// A table that this instance has kept with its topic for a changelog, and that is to have its own from now on: what is in
/// that one is less than the table had.
pub(super) fn turned_off(topology: &Topology, stores: &Backends) -> Option<Error> {
    let graph = topology.graph();
    let own = graph.stores.iter().filter(|store| store.source.is_none());
    own.into_iter().find_map(|store| {
        let topic = table_topic(graph, store)?;
        stores.knows(&StoreSpec::name_on_disk_of(topic)).then(|| {
            Error::Cluster(format!(
                "the state store `{}` was restored from its table's topic `{topic}` until now (`topology_optimization`), and a \
                 changelog of its own does not have its rows. Choose `reuse_ktable_source_topics` again; or reset the \
                 application, which makes its state anew: delete its internal topics, the offsets of its group, and its state \
                 directories",
                store.name
            ))
        })
    })
}

/// The topic of the source table that keeps this store.
fn table_topic<'g>(graph: &'g Graph, store: &StoreSpec) -> Option<&'g str> {
    let Owner::Node(owner) = store.owner else {
        return None;
    };
    match &graph.nodes.get(owner.0)?.kind {
        Kind::Source(TopicRef::External(topic)) => Some(topic),
        _ => None,
    }
}

fn forgets(store: &StoreSpec, topic: &str, settings: &BTreeMap<String, String>) -> Option<String> {
    let setting = |name: &str| settings.get(name).map(String::as_str);
    let policy = setting("cleanup.policy").unwrap_or_default();
    let deletes = policy.split(',').any(|part| part.trim() == "delete");
    let is_unlimited = |name| setting(name) == Some("-1");
    if !deletes || is_unlimited("retention.ms") && is_unlimited("retention.bytes") {
        return None;
    }
    Some(format!(
        "the state store `{}` is restored from its table's topic `{topic}` (`topology_optimization`), which does not keep all \
         rows: its `cleanup.policy` is `{policy}`. Set it to `compact`, or choose an optimization without \
         `reuse_ktable_source_topics`, so that the store has a changelog of its own",
        store.name
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    #[test]
    fn a_topic_that_forgets_rows_by_time_or_size_is_refused() {
        let builder = TopologyBuilder::new("app");
        let _ = builder.table::<String, String>("in").named("rows");
        let topology = builder.build();
        let store = topology.graph().stores.first().unwrap();
        let told = |settings: &[(&str, &str)]| {
            let owned = settings.iter().map(|(n, v)| ((*n).into(), (*v).into()));
            forgets(store, "in", &owned.collect())
        };
        let retention = [("retention.ms", "-1"), ("retention.bytes", "-1")];
        for (policy, is_kept) in [
            ("compact", true),
            ("delete", false),
            ("compact, delete", false),
        ] {
            let policy = ("cleanup.policy", policy);
            assert_eq!(
                told(&[policy, retention[1]]).is_none(),
                is_kept,
                "{policy:?}"
            );
            assert!(told(&[policy, retention[0], retention[1]]).is_none());
        }
        let error = told(&[("cleanup.policy", "delete")]).unwrap();
        assert!(
            error.contains("`rows`") && error.contains("`in`"),
            "{error}"
        );
    }
}
