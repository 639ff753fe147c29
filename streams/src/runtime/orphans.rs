//! Topics that look like internal ones of the application and belong to nothing in its topology: what is left of stores
//! that were renamed or given up, or another application's, whose id begins with this one's and a hyphen.
//!
//! An application on the cluster is known by its consumer group. A cluster tells a client only the groups that it may
//! describe, and forgets those that have been away for long, so whatever is said of an orphan leaves that open.

use super::internal_topics::InternalTopic;
use super::patience::Patience;
use super::startup::blocking;
use super::stop::Stop;
use crate::kafka::admin::Admin;
use crate::kafka::error::ClientError;
use crate::kafka::properties::Properties;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the cluster may take to tell its groups.
const GROUPS_TIMEOUT: Duration = Duration::from_secs(15);

/// The orphans of an application.
pub(super) struct Orphans<'a> {
    application_id: &'a str,
    /// Those that no other application is known to own.
    topics: Vec<String>,
    /// Why the other applications are not known.
    untold: Option<ClientError>,
}

impl<'a> Orphans<'a> {
    /// The orphans among the topics that exist. The cluster is asked for its groups only where a topic looks like one.
    pub(super) async fn find(
        application_id: &'a str,
        properties: &Properties,
        plan: &[InternalTopic],
        existing: &BTreeMap<String, i32>,
    ) -> Result<Self> {
        let suspects = suspects(application_id, plan, existing);
        if suspects.is_empty() {
            return Ok(Self::among(application_id, suspects, Ok(Vec::new())));
        }
        let admin = Admin::new(properties)?;
        let asking = move || {
            let nobody_asks_it_to_end = Stop::new(Duration::ZERO);
            let patience = Patience::new(GROUPS_TIMEOUT, &nobody_asks_it_to_end);
            Ok(patience.repeat(|wait| admin.groups(wait)))
        };
        let groups = blocking(asking).await?;
        Ok(Self::among(application_id, suspects, groups))
    }

    fn among(
        application_id: &'a str,
        suspects: Vec<String>,
        groups: std::result::Result<Vec<String>, ClientError>,
    ) -> Self {
        let (groups, untold) = match groups {
            Ok(groups) => (groups, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let is_nobodys = |topic: &String| owner(application_id, topic, &groups).is_none();
        Self {
            application_id,
            topics: suspects.into_iter().filter(is_nobodys).collect(),
            untold,
        }
    }

    /// Tells of them where nothing depends on them.
    pub(super) fn warn(&self) {
        for orphan in &self.topics {
            tracing::warn!(
                "`{orphan}` looks like an internal topic of this job, which does not use it; {}. If no other application whose id \
                 begins with `{}-` owns it, and what it keeps is not needed, it may be deleted",
                self.known(),
                self.application_id
            );
        }
    }

    /// What it means that there is one while a topic that the job needs is not there: what is kept may have been renamed,
    /// and would be lost. Where that cannot be told, nothing is lost by asking.
    pub(super) fn renamed(&self, missing: &str) -> Option<Error> {
        let orphan = self.topics.first()?;
        let id = self.application_id;
        let (old, new) = (own_name(id, orphan), own_name(id, missing));
        Some(Error::Cluster(format!(
            "the internal topic `{orphan}` belongs to nothing in this topology, and `{missing}` is new: was `let {old}` renamed to \
             `let {new}`? Call it `{old}` again, or give it that name with `.named(\"{old}\")`, so that it finds what it has \
             kept. Or is the topic another application's, whose id begins with `{id}-`? {}; let this client DESCRIBE that \
             application's group, and run that application, so that its group is there. Only if no other application whose id \
             begins with `{id}-` owns it, and what it keeps is not needed any more, delete the topic `{orphan}`",
            capitalized(&self.known())
        )))
    }

    /// What is known of other applications.
    fn known(&self) -> String {
        match &self.untold {
            None => "the cluster tells of no consumer group that it would belong to".to_owned(),
            Some(error) => {
                format!("the cluster does not tell whether it is another application's ({error})")
            }
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

/// Topics that look like internal ones of this application and are not in the plan.
fn suspects(
    application_id: &str,
    plan: &[InternalTopic],
    existing: &BTreeMap<String, i32>,
) -> Vec<String> {
    let prefix = format!("{application_id}-");
    let is_internal = |name: &&String| {
        name.starts_with(&prefix)
            && (name.ends_with("-changelog") || name.ends_with("-repartition"))
            && plan.iter().all(|topic| topic.name != **name)
    };
    existing.keys().filter(is_internal).cloned().collect()
}

/// The group of another application that such a topic belongs to: its id begins with this one's and a hyphen, and the
/// topic's name with its id and a hyphen.
fn owner<'g>(application_id: &str, topic: &str, groups: &'g [String]) -> Option<&'g str> {
    let is_owner = |group: &&str| {
        let longer = group.strip_prefix(application_id);
        longer.is_some_and(|rest| rest.starts_with('-'))
            && topic
                .strip_prefix(*group)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    groups.iter().map(String::as_str).find(is_owner)
}

/// What the topology calls that which an internal topic is for.
fn own_name<'t>(application_id: &str, topic: &'t str) -> &'t str {
    let own = topic.strip_prefix(application_id).unwrap_or(topic);
    let own = own.trim_start_matches('-');
    let kept = own.strip_suffix("-changelog");
    kept.or_else(|| own.strip_suffix("-repartition"))
        .unwrap_or(own)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::kafka::error::Code;

    const ORPHAN: &str = "orders-eu-counts-changelog";

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn orphans(groups: &[&str]) -> Orphans<'static> {
        let suspects = topics(&["orders-by-key-repartition", ORPHAN]);
        Orphans::among("orders", suspects, Ok(topics(groups)))
    }

    #[test]
    fn what_only_looks_like_an_internal_topic_is_not_suspected() {
        let existing = [
            "orders-lengths-changelog",
            "orders-x",
            "ordersx-y-changelog",
        ];
        let existing = existing.map(|name| (name.to_owned(), 1)).into();
        assert_eq!(
            suspects("orders", &[], &existing),
            ["orders-lengths-changelog"]
        );
    }

    #[test]
    fn a_topic_of_an_application_whose_id_is_longer_is_no_orphan() {
        assert_eq!(
            orphans(&["orders", "orders-eu"]).topics,
            ["orders-by-key-repartition"]
        );
    }

    #[test]
    fn groups_that_a_topic_cannot_belong_to_do_not_own_it() {
        // One's own, a shorter one, one that is no application of such a topic, and those that begin alike by chance.
        let others = ["orders", "ord", "orders-us", "orders-e", "orders-", "order"];
        assert_eq!(
            orphans(&others).topics,
            ["orders-by-key-repartition", ORPHAN]
        );
    }

    #[test]
    fn a_renamed_store_is_told_with_what_else_it_may_be() {
        let orphans = Orphans::among("orders", topics(&[ORPHAN]), Ok(Vec::new()));
        let error = orphans.renamed("orders-totals-changelog").unwrap();
        let error = error.to_string();
        for part in [
            "was `let eu-counts` renamed to `let totals`?",
            "The cluster tells of no consumer group",
            "Only if no other application whose id begins with `orders-` owns it",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn where_groups_are_not_told_a_suspect_stays_one_and_the_reason_is_given() {
        let refused = ClientError::new("asking for groups", Code::ClusterAuthorizationFailed, "no");
        let orphans = Orphans::among("orders", topics(&[ORPHAN]), Err(refused));
        let error = orphans.renamed("orders-totals-changelog").unwrap();
        let error = error.to_string();
        assert!(
            error.contains("does not tell whether it is another application's (asking for groups"),
            "{error}"
        );
    }

    #[test]
    fn without_an_orphan_nothing_was_renamed() {
        let orphans = Orphans::among("orders", topics(&[ORPHAN]), Ok(topics(&["orders-eu"])));
        assert!(orphans.renamed("orders-totals-changelog").is_none());
    }
}
