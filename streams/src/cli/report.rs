//! What `check` prints.

use crate::runtime::{ClusterReport, OwnTopic};
use std::collections::BTreeMap;

pub(super) fn text(report: &ClusterReport) -> String {
    let brokers = counted(report.brokers, "broker");
    let mut lines = vec![format!("the job can run on this cluster of {brokers}")];
    for (what, topics) in [
        ("source topics", &report.sources),
        ("global tables", &report.global_tables),
        ("output topics", &report.sinks),
        ("dead-letter topics", &report.dead_letters),
    ] {
        if !topics.is_empty() {
            lines.push(format!("  {what}: {}", list(topics)));
        }
    }
    if !report.own_topics.is_empty() {
        lines.push("  internal topics:".to_owned());
        lines.extend(report.own_topics.iter().map(own));
    }
    lines.push(format!("  tasks: {}", report.tasks));
    lines.push(match report.transaction_max_timeout {
        Some(max) => format!("  longest transaction: {} s", max.as_secs()),
        None => "  longest transaction: not told by the brokers".to_owned(),
    });
    lines.join("\n") + "\n"
}

fn list(topics: &BTreeMap<String, i32>) -> String {
    let topic = |(topic, count): (&String, &i32)| format!("{topic} ({})", partitions(*count));
    topics.iter().map(topic).collect::<Vec<_>>().join(", ")
}

fn own(topic: &OwnTopic) -> String {
    let state = match topic.exists {
        true => "is there",
        false => "will be created",
    };
    let partitions = partitions(topic.partitions);
    format!("    {} ({partitions}) {state}", topic.name)
}

fn partitions(count: i32) -> String {
    counted(usize::try_from(count).unwrap_or_default(), "partition")
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn topics(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        topics.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect()
    }

    #[test]
    fn what_a_job_does_not_have_is_not_told() {
        let mut report = ClusterReport {
            brokers: 3,
            sources: topics(&[("flights", 1), ("weather", 4)]),
            global_tables: topics(&[("airlines", 2)]),
            sinks: topics(&[]),
            dead_letters: topics(&[]),
            own_topics: Vec::new(),
            tasks: 4,
            message_limits: BTreeMap::new(),
            transaction_max_timeout: Some(Duration::from_secs(900)),
            topics: topics(&[]),
            cluster_id: None,
        };
        let expected = "\
the job can run on this cluster of 3 brokers
  source topics: flights (1 partition), weather (4 partitions)
  global tables: airlines (2 partitions)
  tasks: 4
  longest transaction: 900 s
";
        assert_eq!(text(&report), expected);
        report.global_tables.clear();
        assert!(!text(&report).contains("global"));
    }
}
