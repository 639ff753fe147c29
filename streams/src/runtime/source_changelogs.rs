//! Topics of tables that are their stores' changelogs: whether they keep what a restore needs, and whether one was the changelog
//! of a table that has its own now.

use super::internal_topics::InternalTopic;
use super::startup::ANSWER_TIMEOUT;
use crate::kafka::admin::Admin;
use crate::kafka::error::Remedy;
use crate::state::{Backends, Owner, StoreKind, StoreSpec};
use crate::topology::{Graph, Kind, TopicRef, Topology};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause before settings are asked for again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How long settings that are not told are asked for again: who may not see them is not told that.
const UNTOLD: Duration = Duration::from_secs(3);

/// Refuses topics that forget rows. Of a topic whose settings are not told, the author knows better.
pub(super) async fn check(topology: &Topology, admin: &Admin) -> Result<()> {
    let mut errors = Vec::new();
    for store in &topology.graph().stores {
        if let Some(source) = &store.source {
            match settings(admin, &source.topic).await? {
                Some(settings) => errors.extend(forgets(store, &source.topic, &settings)),
                None => tracing::warn!(
                    "the state store `{}` is restored from its table's topic `{}` (`topology_optimization`), which must be \
                     compacted: the cluster does not tell whether it is; does this user lack DESCRIBE_CONFIGS?",
                    store.name,
                    source.topic
                ),
            }
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Error::Cluster(errors.join("\n"))),
    }
}

/// The settings of a topic, asked for again where that may help.
async fn settings(admin: &Admin, topic: &str) -> Result<Option<BTreeMap<String, String>>> {
    let asked = Instant::now();
    loop {
        match admin.topic_settings(topic).await {
            Ok(None) if asked.elapsed() < UNTOLD => {}
            Err(error) if error.remedy() != Remedy::Fail && asked.elapsed() < ANSWER_TIMEOUT => {
                tracing::debug!(%error, "trying again");
            }
            answer => return Ok(answer?),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

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
