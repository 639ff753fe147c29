//! Whether the job may read, write and join, as far as the cluster tells it without a record.
//!
//! A cluster without an authorizer allows everything. One that does not tell, as one of an old version, refuses nothing here:
//! whether the job may is found when it runs.

use super::startup::{ANSWER_TIMEOUT, ClusterReport, blocking};
use crate::kafka::admin::Admin;
use crate::kafka::authorized::{Allowed, Operation};
use crate::kafka::properties::Properties;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What a job has to be allowed, and what it is.
#[derive(Debug)]
struct Permissions {
    group: String,
    /// The operations that it needs on each topic.
    needed: BTreeMap<String, BTreeSet<Operation>>,
    topics: BTreeMap<String, Allowed>,
    of_group: Option<Allowed>,
}

/// The job's own topics.
pub(super) struct OwnTopics {
    /// Those that are there.
    pub(super) there: Vec<String>,
    /// Those from which it deletes what is processed.
    pub(super) purged: BTreeSet<String>,
}

/// Checks the permissions on the job's group, its topics, and the topics of its own that are there.
pub(super) async fn check(
    group: &str,
    properties: &Properties,
    report: &ClusterReport,
    own: &OwnTopics,
) -> Result<()> {
    let admin = Admin::new(properties)?;
    let (group, needed) = (group.to_owned(), needed(report, own));
    let permissions = blocking(move || {
        let names: Vec<&str> = needed.keys().map(String::as_str).collect();
        let topics = admin.allowed_with_topics(&names, ANSWER_TIMEOUT);
        let of_group = admin.allowed_with_group(&group, ANSWER_TIMEOUT);
        Ok(Permissions {
            group,
            needed,
            topics,
            of_group,
        })
    })
    .await?;
    match permissions.missing(properties.bootstrap_servers()) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Error::Cluster(format!(
            "the cluster's ACLs do not let this user run the job:\n{}",
            missing.join("\n")
        ))),
    }
}

fn needed(report: &ClusterReport, own: &OwnTopics) -> BTreeMap<String, BTreeSet<Operation>> {
    let read = report.sources.keys().chain(report.global_tables.keys());
    let written = report.sinks.keys().chain(report.dead_letters.keys());
    let read = read.chain(&own.there).cloned();
    let written = written.chain(&own.there).cloned();
    let purged = own.there.iter().filter(|topic| own.purged.contains(*topic));
    let mut needed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for topic in read {
        needed.entry(topic).or_default().insert(Operation::Read);
    }
    for topic in written {
        needed.entry(topic).or_default().insert(Operation::Write);
    }
    for topic in purged {
        let operations = needed.entry(topic.clone()).or_default();
        operations.insert(Operation::Delete);
    }
    needed
}

impl Permissions {
    /// A line for each operation that is known to be forbidden.
    fn missing(&self, servers: &str) -> Vec<String> {
        let topics = self.needed.iter().flat_map(|(topic, operations)| {
            let operations = operations.iter();
            operations.map(move |operation| ("topic", topic, self.topics.get(topic), *operation))
        });
        let group = (
            "group",
            &self.group,
            self.of_group.as_ref(),
            Operation::Read,
        );
        topics
            .chain([group])
            .filter(|(_, _, allowed, operation)| allowed.is_some_and(|a| !a.has(*operation)))
            .map(|(kind, name, _, operation)| {
                let operation = operation.name();
                format!(
                    "the operation {operation} on the {kind} `{name}` is not allowed; this allows it: `kafka-acls \
                     --bootstrap-server {servers} --add --allow-principal User:<name> --operation {operation} --{kind} {name}`"
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(topics: &[(&str, &[Operation])], of_group: Option<Allowed>) -> Permissions {
        let both = BTreeSet::from([Operation::Read, Operation::Write]);
        let told =
            |(topic, allowed): &(&str, &[Operation])| ((*topic).to_owned(), Allowed::of(allowed));
        Permissions {
            group: "job".to_owned(),
            needed: BTreeMap::from([("counts".to_owned(), both)]),
            topics: topics.iter().map(told).collect(),
            of_group,
        }
    }

    #[test]
    fn only_what_is_purged_has_to_be_deleted_from() {
        let report = ClusterReport {
            brokers: 1,
            sources: BTreeMap::from([("in".to_owned(), 1)]),
            global_tables: BTreeMap::new(),
            sinks: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            own_topics: Vec::new(),
            tasks: 1,
            message_limits: BTreeMap::new(),
            transaction_max_timeout: None,
            topics: BTreeMap::new(),
            cluster_id: None,
        };
        let names = ["job-a-repartition", "job-b-changelog"].map(str::to_owned);
        let own = OwnTopics {
            there: names.to_vec(),
            purged: ["job-a-repartition", "job-new-repartition"]
                .map(str::to_owned)
                .into(),
        };
        let needed = needed(&report, &own);
        let deleted = needed
            .iter()
            .filter(|(_, o)| o.contains(&Operation::Delete));
        let deleted: Vec<&str> = deleted.map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(deleted, ["job-a-repartition"]);
        assert_eq!(needed.len(), 3);
    }

    #[test]
    fn what_is_not_told_is_not_missing() {
        assert!(permissions(&[], None).missing("a:1").is_empty());
    }

    #[test]
    fn each_operation_that_is_missing_is_named_with_its_remedy() {
        let read = permissions(&[("counts", &[Operation::Read])], Some(Allowed::default()));
        let missing = read.missing("a:1").join("\n");
        for word in [
            "Write on the topic `counts`",
            "--bootstrap-server a:1",
            "--operation Write --topic counts",
            "Read on the group `job`",
            "--operation Read --group job",
        ] {
            assert!(missing.contains(word), "{word}: {missing}");
        }
        assert!(!missing.contains("--operation Read --topic"), "{missing}");
    }
}
