//! Topics of tables that are their stores' changelogs: whether one was the changelog of a table that has its own now.

use super::internal_topics::InternalTopic;
use crate::Error;
use crate::state::{Backends, Owner, StoreKind, StoreSpec};
use crate::topology::{Graph, Kind, TopicRef, Topology};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table that was kept with its topic for a changelog, and that is to have its own from now on: what is in that one is less
/// than the table had. This instance has such a table on disk.
pub(super) fn turned_off(topology: &Topology, stores: &Backends) -> Option<Error> {
    tables_of_their_own(topology).find_map(|(store, topic)| {
        let is_known = stores.knows(&StoreSpec::name_on_disk_of(topic));
        is_known.then(|| {
            let what = format!("was restored from its table's topic `{topic}` until now");
            lacks_rows(store, &what, "Choose `reuse_ktable_source_topics` again")
        })
    })
}

/// The same where nothing is on disk: the group has processed the table's topic, and the changelog is not there.
pub(super) fn without_changelog(
    topology: &Topology,
    missing: &[&InternalTopic],
    processed: &BTreeSet<Arc<str>>,
) -> Option<Error> {
    tables_of_their_own(topology).find_map(|(store, topic)| {
        let changelog = store.changelog_topic(topology.application_id());
        let is_missing = missing.iter().any(|topic| topic.name == changelog);
        (is_missing && processed.contains(topic)).then(|| {
            let what = format!(
                "needs its changelog `{changelog}`, which is not there, though the group has committed offsets for its table's \
                 topic `{topic}`: the table was restored from that topic until now, or was none"
            );
            let choose = "Choose `reuse_ktable_source_topics` again if it was chosen before";
            lacks_rows(store, &what, choose)
        })
    })
}

fn lacks_rows(store: &StoreSpec, what: &str, choose: &str) -> Error {
    let to_do = match store.kind {
        StoreKind::Versioned(_) => {
            "A versioned table always has a changelog of its own: take `.versioned` back"
        }
        _ => choose,
    };
    Error::Cluster(format!(
        "the state store `{}` {what} (`topology_optimization`); a changelog of its own does not have the rows of before. {to_do}; \
         or reset the application, which makes its state anew: delete its internal topics, the offsets of its group, and its \
         state directories",
        store.name
    ))
}

/// The stores of source tables that have changelogs of their own, with the tables' topics.
fn tables_of_their_own(topology: &Topology) -> impl Iterator<Item = (&StoreSpec, &str)> {
    let graph = topology.graph();
    let own = graph.stores.iter().filter(|store| store.source.is_none());
    own.filter_map(|store| Some((store, table_topic(graph, store)?)))
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
