//! The settings of topics that stores are restored from: whether they keep all rows, and whether another kind of store was kept
//! there.

use super::first_contact;
use super::startup::ANSWER_TIMEOUT;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::properties::Properties;
use crate::state::{ADDITIONAL_RETENTION_MS, StoreKind, StoreSpec};
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The pause before settings are asked for again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How long settings that are not told are asked for again, of all topics together: who may not see them is not told that.
const UNTOLD: Duration = Duration::from_secs(3);

/// How long it is that a record of a topic is not compacted.
const LAG: &str = "min.compaction.lag.ms";

/// The broker's setting for topics that do not say it.
const DEFAULT_LAG: &str = "log.cleaner.min.compaction.lag.ms";

type Settings = BTreeMap<String, String>;

/// Refuses the topics, among those that exist, whose settings are wrong for the stores that are restored from them. Where they
/// are not told, the author knows better.
pub(super) async fn check(
    topology: &Topology,
    properties: &Properties,
    existing: &BTreeMap<String, i32>,
) -> Result<()> {
    let stores = topology.graph().stores.iter();
    let stores = stores.map(|store| (store, store.changelog_topic(topology.application_id())));
    let stores: Vec<_> = stores
        .filter(|(_, topic)| existing.contains_key(topic))
        .collect();
    if stores.is_empty() {
        return Ok(());
    }
    let admin = Admin::new(properties)?;
    let asked = Instant::now();
    let (mut errors, mut untold) = (Vec::new(), Vec::new());
    for (store, topic) in stores {
        let Some(settings) = settings(&admin, &topic, asked).await? else {
            untold.push(format!("`{topic}`"));
            continue;
        };
        errors.extend(forgets(store, &topic, &settings));
        if store.source.is_none()
            && let Some(error) = was_another_kind(store, &topic, &settings)
            && (is_versioned(store) || !is_the_default(&admin, properties, &settings).await)
        {
            errors.push(error);
        }
    }
    if !untold.is_empty() {
        tracing::warn!(
            "the topics that stores are restored from must be compacted and nothing else. The cluster does not tell whether they \
             are; does this user lack DESCRIBE_CONFIGS? {}",
            untold.join(", ")
        );
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Error::Cluster(errors.join("\n"))),
    }
}

/// The settings of a topic, asked for again where that may help.
async fn settings(
    admin: &Admin,
    topic: &str,
    asked: Instant,
) -> Result<Option<Settings>, ClientError> {
    loop {
        match admin.topic_settings(topic).await {
            Ok(None) if asked.elapsed() < UNTOLD => {}
            Err(error) if error.remedy() == Remedy::Fail => {
                tracing::debug!(%error, "the settings of `{topic}` are not told");
                return Ok(None);
            }
            Err(error) if asked.elapsed() < ANSWER_TIMEOUT => {
                tracing::debug!(%error, "trying again");
            }
            answer => return answer,
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn forgets(store: &StoreSpec, topic: &str, settings: &Settings) -> Option<String> {
    let setting = |name: &str| settings.get(name).map(String::as_str);
    let policy = setting("cleanup.policy").unwrap_or_default();
    let deletes = policy.split(',').any(|part| part.trim() == "delete");
    let is_unlimited = |name| setting(name) == Some("-1");
    if !deletes || is_unlimited("retention.ms") && is_unlimited("retention.bytes") {
        return None;
    }
    let (which, or) = match store.source {
        Some(_) => (
            "its table's topic",
            "or choose an optimization without `reuse_ktable_source_topics`, so that the store has a changelog of its own",
        ),
        None => (
            "its changelog",
            "and if rows may be gone already, reset the application, which makes its state anew: delete its internal topics, the \
             offsets of its group, and its state directories",
        ),
    };
    Some(format!(
        "the state store `{}` is restored from {which} `{topic}`, which does not keep all rows: its `cleanup.policy` is \
         `{policy}`. Set it to `compact`, {or}",
        store.name
    ))
}

fn is_versioned(store: &StoreSpec) -> bool {
    matches!(store.kind, StoreKind::Versioned(_))
}

/// Only the changelogs of versioned stores are made with a lag: their rows have another form than those of others.
fn was_another_kind(store: &StoreSpec, topic: &str, settings: &Settings) -> Option<String> {
    let lag: i64 = settings.get(LAG)?.parse().ok()?;
    let was_versioned = lag >= ADDITIONAL_RETENTION_MS;
    let (is, was, back, by_hand) = match (was_versioned, is_versioned(store)) {
        (false, true) => (
            "is versioned",
            "was made for a table without versions",
            "take `.versioned` back",
            "set it to the history and a day",
        ),
        (true, false) => (
            "is not versioned",
            "was made for a versioned table",
            "write `.versioned` again",
            "take it back",
        ),
        _ => return None,
    };
    Some(format!(
        "the state store `{}` {is}, but its changelog `{topic}` {was}, whose rows have another form: its `{LAG}` is {lag}. To keep \
         the rows, {back}; to have them made anew, reset the application: delete its internal topics, the offsets of its group, \
         and its state directories. If somebody has changed that setting by hand, {by_hand}",
        store.name
    ))
}

/// Whether a topic's lag is that of all topics which say none.
async fn is_the_default(admin: &Admin, properties: &Properties, settings: &Settings) -> bool {
    let Ok(brokers) = first_contact::brokers(properties, ANSWER_TIMEOUT).await else {
        return false;
    };
    let Some(broker) = brokers.first() else {
        return false;
    };
    match admin.broker_settings(*broker).await {
        Ok(default) => default.get(DEFAULT_LAG) == settings.get(LAG),
        Err(error) => {
            tracing::debug!(%error, "the broker does not tell {DEFAULT_LAG}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn store(history: Option<Duration>) -> StoreSpec {
        let builder = TopologyBuilder::new("app");
        let rows = builder.table::<String, String>("in").named("rows");
        if let Some(history) = history {
            let _ = rows.versioned(history);
        }
        let topology = builder.build();
        topology.graph().stores.first().unwrap().clone()
    }

    fn of(settings: &[(&str, &str)]) -> Settings {
        let owned = settings.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        owned.collect()
    }

    #[test]
    fn a_topic_that_forgets_rows_by_time_or_size_is_refused() {
        let store = store(None);
        let told = |settings: &[(&str, &str)]| forgets(&store, "in", &of(settings));
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

    #[test]
    fn the_lag_of_a_changelog_tells_whether_it_was_made_for_versions() {
        let (plain, versioned) = (store(None), store(Some(Duration::from_secs(1))));
        let told = |store, lag| was_another_kind(store, "changelog", &of(&[(LAG, lag)]));
        for (lag, is_plain) in [("0", true), ("86399999", true), ("86401000", false)] {
            assert_eq!(told(&plain, lag).is_none(), is_plain, "{lag}");
            assert_eq!(told(&versioned, lag).is_some(), is_plain, "{lag}");
        }
        assert_eq!(was_another_kind(&versioned, "changelog", &of(&[])), None);
    }
}
