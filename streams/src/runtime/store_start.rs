//! Where a store is read on in its changelog, by what it has.

use super::logs::Log;
use crate::kafka::topic_ids::{TopicId, TopicIds};
use crate::processor::TaskId;
use crate::state::{Difference, Kept, Origin, REMOVALS_KEPT_MS, Reached, StoreSpec};
use crate::{Error, Result};
use std::time::{SystemTime, UNIX_EPOCH};

/// What begins everything anew.
const RESET: &str = "reset the application, which makes its state anew: delete its internal topics, the offsets of its group, \
                     and its state directories";

/// Where a store is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It has what is below.
    At(Reached),
    /// What it has, if anything, is of no use: it is emptied, and read from where its changelog begins.
    Anew,
}

/// Where a store is read on that has this.
///
/// # Errors
///
/// If its changelog is not the one that it was written to.
pub(super) fn of(spec: &StoreSpec, kept: Option<Kept>, log: &Log) -> Result<Start> {
    let Some(kept) = kept else {
        return Ok(Start::Anew);
    };
    let needed = Origin::new(spec.kind, log.topic.map(TopicId::to_u128));
    let difference = match kept.origin {
        Some(origin) => needed.difference(origin),
        // It is from before that was kept.
        None => Some(Difference::Form),
    };
    let name = &spec.name;
    match difference {
        None => by_offset(spec, kept, log),
        Some(Difference::Form) => {
            tracing::info!(
                "the state store `{name}` was kept in another form (of its keys, or by an earlier version): it is restored from the \
                 beginning of {}",
                log.changelog
            );
            Ok(Start::Anew)
        }
        Some(Difference::Topic) if spec.source.is_some() => {
            tracing::warn!(
                "the topic of {} is not the one that the state store `{name}` was read from, which was deleted: the store is \
                 read again from the one that is there",
                log.changelog
            );
            Ok(Start::Anew)
        }
        Some(Difference::Topic) => {
            let whose = format!("the state store `{name}` was written to");
            let topic = &log.changelog.topic;
            Err(another_topic(topic, &whose, "delete the state directory"))
        }
        Some(Difference::Kind) => Err(Error::State(format!(
            "the state store `{name}` was kept as one of another kind (key-value, window, session, versioned), and its changelog \
             {} has rows of that kind. Declare it as it was, or give it another name; or {RESET}",
            log.changelog
        ))),
    }
}

/// The same for one that belongs to this changelog.
fn by_offset(spec: &StoreSpec, kept: Kept, log: &Log) -> Result<Start> {
    let reached = match spec.source {
        // Its transaction has left no marker in the changelog, which others write.
        Some(_) => Reached::Read(kept.reached.offset()),
        None => kept.reached,
    };
    let offset = reached.offset();
    if offset > log.end {
        return beyond_the_end(spec, offset, log);
    }
    // It lacks nothing, wherever the log begins now.
    if offset == log.end {
        return Ok(Start::At(reached));
    }
    // At most the marker of the transaction that wrote it is behind it, which may be gone by now: one with records takes two
    // offsets.
    if offset + 1 == log.end && spec.source.is_none() {
        return Ok(Start::At(match offset < log.start {
            true => Reached::Read(log.start),
            false => reached,
        }));
    }
    if kept
        .at
        .is_some_and(|at| lacks_removals(at, SystemTime::now()))
    {
        tracing::info!(
            "the state store `{}` was not written for so long that removals may be gone from its changelog {}: it is \
             restored from the beginning",
            spec.name,
            log.changelog
        );
        return Ok(Start::Anew);
    }
    if offset >= log.start {
        return Ok(Start::At(reached));
    }
    tracing::warn!(
        "the changelog {} begins at offset {}, behind {offset}, which the state store `{}` has reached: the store is restored \
         from the beginning",
        log.changelog,
        log.start,
        spec.name
    );
    Ok(Start::Anew)
}

fn beyond_the_end(spec: &StoreSpec, offset: i64, log: &Log) -> Result<Start> {
    let (name, changelog, end) = (&spec.name, &log.changelog, log.end);
    if spec.source.is_some() {
        tracing::warn!(
            "the state store `{name}` was written to offset {offset} of {changelog}, which is read on at {end} now: its rows are \
             read again up to there"
        );
        return Ok(Start::Anew);
    }
    Err(Error::State(format!(
        "the changelog {changelog} ends at offset {end}, but the state store `{name}` was written to {offset}: the topic was \
         deleted and made again, or it has lost records. To go on with what the changelog has, delete the state directory; to \
         begin anew, {RESET}"
    )))
}

/// The error of a changelog that is another topic than the one "that .." was or is.
pub(super) fn another_topic(topic: &str, whose: &str, directory: &str) -> Error {
    Error::State(format!(
        "the changelog topic `{topic}` is not the one that {whose}: that one was deleted, and this one has its name. To go on with \
         what this one has, {directory}; to begin anew, {RESET}"
    ))
}

/// What is wrong with a changelog, if anything is: it is not there any more, or another topic has its name than `then`. A broker that
/// has just started may not know it yet.
pub(super) fn wrong_topic(topic: &str, told: &TopicIds, then: Option<TopicId>) -> Option<String> {
    if told.gone().any(|gone| gone == topic) {
        return Some(format!(
            "the changelog topic `{topic}` is gone: it was deleted while the job runs, and what was kept in it with it. Bring the \
             topic back; or {RESET}"
        ));
    }
    let (now, then) = (told.of(topic)?, then?);
    (now != then).then(|| {
        format!(
            "the changelog topic `{topic}` was deleted and made again while the job runs: what was kept in it is gone, and no \
             instance that has not all of it on disk can restore it; {RESET}"
        )
    })
}

/// The error of a store that has rows, though the group has no committed offsets of the task.
pub(super) fn without_offsets(store: &str, log: &Log, group: &str, task: TaskId) -> Error {
    Error::State(format!(
        "the state store `{store}` has rows (restored from {}), but the group `{group}` has no committed offsets for the inputs of \
         task {task}: they have expired (`offsets.retention.minutes`), or were deleted, with the group or with the topics, and what \
         is counted in the store would be counted once more; or the task reads other topics than it did. Commit the offsets that the job goes on at \
         (`kafka-consumer-groups.sh --group {group} --reset-offsets --execute` with `--topic` and `--to-offset` or \
         `--to-earliest`); or {RESET}",
        log.changelog
    ))
}

/// The error of a record that is none of the store's kind.
pub(super) fn unreadable(store: &str, log: &Log, offset: i64) -> Error {
    Error::State(format!(
        "the record at offset {offset} of the changelog {} is none of the state store `{store}` as it is declared: it was written \
         when the store was one of another kind, or a versioned one with another history. Declare it as it was, or give it \
         another name; or {RESET}",
        log.changelog
    ))
}

/// Whether compaction may have taken removals that a store has not got which was last written at this time. An hour less
/// than they are kept: clocks differ.
pub(super) fn lacks_removals(written_at: i64, now: SystemTime) -> bool {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    let age = i64::try_from(now).unwrap_or(i64::MAX) - written_at;
    let hour = 60 * 60 * 1_000;
    // A time that is still to come was told by a clock that was wrong, or is told so now: how long ago it was is not known.
    age > REMOVALS_KEPT_MS - hour || age < -hour
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::kafka::TopicPartition;
    use crate::prelude::*;
    use std::time::Duration;

    fn spec() -> StoreSpec {
        let builder = TopologyBuilder::new("app");
        let counts = builder.stream::<str, str>("in").group_by_key().count();
        let _ = counts.named("counts");
        let topology = builder.build();
        topology.graph().stores.first().unwrap().clone()
    }

    /// The changelog, of a topic of this id, from 10 to 20.
    fn log(topic: u128) -> Log {
        Log {
            changelog: TopicPartition::new("app-counts-changelog", 0),
            topic: TopicId::new(topic),
            start: 10,
            stable: 20,
            end: 20,
        }
    }

    /// What a store has that was written now to this offset of a topic of this id.
    fn kept(spec: &StoreSpec, topic: u128, offset: i64) -> Kept {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Kept {
            reached: Reached::Read(offset),
            at: i64::try_from(now.as_millis()).ok(),
            origin: Some(Origin::new(spec.kind, Some(topic))),
        }
    }

    #[test]
    fn a_store_is_read_on_where_the_changelog_has_all_that_came_since() {
        let spec = spec();
        let start = |offset| of(&spec, Some(kept(&spec, 7, offset)), &log(7)).ok();
        assert_eq!(start(20), Some(Start::At(Reached::Read(20))));
        assert_eq!(start(10), Some(Start::At(Reached::Read(10))));
        assert_eq!(start(9), Some(Start::Anew));
        assert_eq!(start(21), None);
        assert_eq!(of(&spec, None, &log(7)).ok(), Some(Start::Anew));
        let written_long_ago = Kept {
            at: Some(0),
            ..kept(&spec, 7, 12)
        };
        assert_eq!(
            of(&spec, Some(written_long_ago), &log(7)).ok(),
            Some(Start::Anew)
        );
    }

    #[test]
    fn a_marker_that_is_gone_is_not_missing() {
        let spec = spec();
        let log = Log {
            start: 20,
            ..log(7)
        };
        let start = of(&spec, Some(kept(&spec, 7, 19)), &log).ok();
        assert_eq!(start, Some(Start::At(Reached::Read(20))));
    }

    #[test]
    fn what_was_kept_by_an_earlier_version_is_restored() {
        let spec = spec();
        let kept = Kept {
            origin: None,
            ..kept(&spec, 7, 20)
        };
        assert_eq!(of(&spec, Some(kept), &log(7)).ok(), Some(Start::Anew));
    }

    #[test]
    fn a_topic_of_the_same_name_is_not_the_same() {
        let spec = spec();
        let error = of(&spec, Some(kept(&spec, 8, 20)), &log(7)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`app-counts-changelog`"), "{error}");
        for untold in [kept(&spec, 0, 20), kept(&spec, 7, 20)] {
            of(&spec, Some(untold), &log(0)).unwrap();
            of(&spec, Some(untold), &log(7)).unwrap();
        }
        let wrong = |told| wrong_topic("t", &TopicIds::of_topics([("t", told)]), TopicId::new(7));
        assert_eq!(wrong(7), None);
        assert_eq!(wrong(0), None, "it is not told");
        assert!(wrong(8).unwrap().contains("`t`"));
    }

    #[test]
    fn a_store_that_was_left_for_a_day_may_lack_removals() {
        let day = Duration::from_secs(24 * 60 * 60);
        let at = |time: Duration| UNIX_EPOCH + time;
        assert!(lacks_removals(0, at(day)));
        assert!(!lacks_removals(0, at(day / 2)));
    }

    #[test]
    fn a_store_that_was_written_in_the_future_may_lack_removals() {
        let now = UNIX_EPOCH + Duration::from_secs(7_200);
        let hour = 60 * 60 * 1_000;
        assert!(!lacks_removals(3 * hour, now));
        assert!(lacks_removals(3 * hour + 1, now));
    }
}
