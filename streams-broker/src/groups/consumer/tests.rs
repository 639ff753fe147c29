//! Consumer groups without a socket: each test is one rule of KIP-848.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::heartbeat::{Beat, Heartbeat};
use super::*;

struct Fixture {
    group: ConsumerGroup,
    topics: Topics,
    settings: Settings,
    now: Millis,
}

fn joining(id: &str) -> Heartbeat {
    Heartbeat {
        member_id: id.to_owned(),
        rebalance_timeout: 60_000,
        topics: Some(BTreeSet::from(["t".to_owned()])),
        owned: Some(Partitions::new()),
        ..Heartbeat::default()
    }
}

fn static_member(id: &str) -> Heartbeat {
    Heartbeat {
        instance: Some("i".to_owned()),
        ..joining(id)
    }
}

fn with_epoch(heartbeat: Heartbeat, member_epoch: i32) -> Heartbeat {
    Heartbeat {
        member_epoch,
        ..heartbeat
    }
}

fn staying(id: &str, member_epoch: i32, owned: Option<Partitions>) -> Heartbeat {
    Heartbeat {
        member_id: id.to_owned(),
        member_epoch,
        rebalance_timeout: -1,
        owned,
        ..Heartbeat::default()
    }
}

fn count(beat: &Beat) -> usize {
    let assignment = beat.assignment.iter().flat_map(BTreeMap::values);
    assignment.map(BTreeSet::len).sum()
}

impl Fixture {
    fn new() -> Self {
        let mut fixture = Self {
            group: ConsumerGroup::new(),
            topics: Topics::default(),
            settings: Settings::broker(),
            now: 1_000_000,
        };
        fixture.create("t", 4);
        fixture
    }

    fn create(&mut self, name: &str, partitions: i32) {
        self.topics
            .create(name, partitions, Settings::topic(), &self.settings)
            .unwrap();
    }

    fn says(&mut self, heartbeat: &Heartbeat) -> Result<Beat, ResponseError> {
        self.group
            .heartbeat(heartbeat, &self.topics, &self.settings, self.now)
    }

    fn passes(&mut self, time: Millis) {
        self.now += time;
        self.group.tick(self.now);
    }

    /// Two members, of which the first has been told to give up two partitions.
    fn revoking() -> (Self, Beat, Partitions) {
        let mut fixture = Self::new();
        let first = fixture.says(&joining("a")).unwrap();
        fixture.passes(1_000);
        let second = fixture.says(&joining("b")).unwrap();
        assert_eq!((second.member_epoch, count(&second)), (3, 0));
        let owned = first.assignment.clone().unwrap();
        let told = fixture.says(&staying("a", 2, Some(owned.clone()))).unwrap();
        assert_eq!((told.member_epoch, count(&told)), (2, 2));
        assert_eq!(fixture.group.state_name(), "Reconciling");
        (fixture, told, owned)
    }
}

#[test]
fn a_partition_changes_hands_only_when_its_owner_has_given_it_up() {
    let (mut fixture, told, owned) = Fixture::revoking();
    // It still works on them, or doesn't say.
    for owned in [Some(owned), None] {
        let again = fixture.says(&staying("a", 2, owned)).unwrap();
        assert_eq!(again.member_epoch, 2);
        let waiting = fixture.says(&staying("b", 3, None)).unwrap();
        assert_eq!(waiting.assignment, None);
    }
    let done = fixture.says(&staying("a", 2, told.assignment)).unwrap();
    assert_eq!((done.member_epoch, done.assignment), (3, None));
    let given = fixture.says(&staying("b", 3, None)).unwrap();
    assert_eq!((given.member_epoch, count(&given)), (3, 2));
    assert_eq!(fixture.group.state_name(), "Stable");
}

#[test]
fn who_does_not_give_up_in_time_is_thrown_out() {
    let (mut fixture, _, owned) = Fixture::revoking();
    for _ in 0..5 {
        fixture.passes(10_000);
        fixture.says(&staying("a", 2, Some(owned.clone()))).unwrap();
        fixture.says(&staying("b", 3, None)).unwrap();
    }
    fixture.passes(10_000);
    let late = fixture.says(&staying("a", 2, Some(owned)));
    assert_eq!(late, Err(ResponseError::UnknownMemberId));
    assert_eq!(count(&fixture.says(&staying("b", 3, None)).unwrap()), 4);
}

#[test]
fn who_is_silent_for_a_session_is_thrown_out() {
    let mut fixture = Fixture::new();
    fixture.says(&joining("a")).unwrap();
    fixture.passes(44_999);
    fixture.says(&staying("a", 2, None)).unwrap();
    fixture.passes(44_999);
    assert_eq!(fixture.group.next_deadline(), Some(fixture.now + 1));
    fixture.passes(1);
    assert_eq!(fixture.group.state_name(), "Empty");
    let late = fixture.says(&staying("a", 2, None));
    assert_eq!(late, Err(ResponseError::UnknownMemberId));
}

#[test]
fn an_epoch_that_was_not_given_out_is_fenced() {
    let (mut fixture, told, owned) = Fixture::revoking();
    let fenced = Err(ResponseError::FencedMemberEpoch);
    assert_eq!(fixture.says(&staying("a", 3, None)), fenced);
    fixture
        .says(&staying("a", 2, told.assignment.clone()))
        .unwrap();
    // The answer with epoch 3 may have got lost; but then it owns no more than is assigned to it.
    assert_eq!(fixture.says(&staying("a", 2, None)), fenced);
    assert_eq!(fixture.says(&staying("a", 2, Some(owned))), fenced);
    let again = fixture.says(&staying("a", 2, told.assignment)).unwrap();
    assert_eq!(again.member_epoch, 3);
}

#[test]
fn targets_are_made_at_most_once_an_interval() {
    let mut fixture = Fixture::new();
    fixture.says(&joining("a")).unwrap();
    let early = fixture.says(&joining("b")).unwrap();
    assert_eq!((early.member_epoch, count(&early)), (2, 0));
    assert_eq!(fixture.group.state_name(), "Assigning");
    fixture.passes(1_000);
    assert_eq!(
        fixture.says(&staying("b", 2, None)).unwrap().member_epoch,
        3
    );
}

#[test]
fn new_partitions_and_topics_are_handed_out() {
    let mut fixture = Fixture::new();
    let both = BTreeSet::from(["t".to_owned(), "later".to_owned()]);
    let first = Heartbeat {
        topics: Some(both),
        ..joining("a")
    };
    assert_eq!(count(&fixture.says(&first).unwrap()), 4);
    fixture.passes(1_000);
    fixture.topics.grow("t", 6, false).unwrap();
    let grown = fixture.says(&staying("a", 2, None)).unwrap();
    assert_eq!((grown.member_epoch, count(&grown)), (3, 6));
    fixture.passes(1_000);
    fixture.create("later", 1);
    assert_eq!(count(&fixture.says(&staying("a", 3, None)).unwrap()), 7);
}

#[test]
fn a_regular_expression_gets_what_it_matches_with_the_next_heartbeat() {
    let mut fixture = Fixture::new();
    fixture.create("other", 1);
    let by_regex = |regex: &str| Heartbeat {
        topics: None,
        regex: Some(regex.to_owned()),
        ..joining("a")
    };
    let wrong = fixture.says(&by_regex("t["));
    assert_eq!(wrong, Err(ResponseError::InvalidRegularExpression));
    let first = fixture.says(&by_regex("t.*")).unwrap();
    assert_eq!((first.member_epoch, count(&first)), (1, 0));
    fixture.passes(1_000);
    let next = fixture
        .says(&staying("a", first.member_epoch, None))
        .unwrap();
    assert_eq!((next.member_epoch, count(&next)), (2, 4));
    // New topics are looked for every ten seconds.
    fixture.create("t2", 2);
    fixture.passes(10_001);
    fixture.says(&staying("a", 2, None)).unwrap();
    let found = fixture.says(&staying("a", 2, None)).unwrap();
    assert_eq!(count(&found), 6);
}

#[test]
fn a_static_member_is_replaced_only_while_it_is_away() {
    let mut fixture = Fixture::new();
    let first = fixture.says(&static_member("a")).unwrap();
    let second = fixture.says(&static_member("b"));
    assert_eq!(second, Err(ResponseError::UnreleasedInstanceId));
    let away = fixture.says(&with_epoch(static_member("a"), -2)).unwrap();
    assert_eq!(away.member_epoch, -2);
    let back = fixture.says(&static_member("b")).unwrap();
    assert_eq!(
        (back.member_epoch, &back.assignment),
        (2, &first.assignment)
    );
    let former = Heartbeat {
        instance: Some("i".to_owned()),
        ..staying("a", 2, None)
    };
    assert_eq!(fixture.says(&former), Err(ResponseError::FencedInstanceId));
    fixture.says(&with_epoch(static_member("b"), -2)).unwrap();
    fixture.passes(45_000);
    assert!(fixture.group.is_empty());
}

#[test]
fn offsets_are_taken_for_what_was_held_at_the_claimed_epoch() {
    let (mut fixture, told, owned) = Fixture::revoking();
    fixture
        .says(&staying("a", 2, told.assignment.clone()))
        .unwrap();
    let topic = *owned.keys().next().unwrap();
    let claim = |member_id, generation| Claim {
        member_id,
        instance: None,
        generation,
    };
    let commit = |kind, partition| {
        let committer = fixture.group.check_commit(claim("a", 2), kind)?;
        committer.check(topic, partition)
    };
    let all = owned.get(&topic).unwrap();
    let kept = told.assignment.as_ref().unwrap().get(&topic).unwrap();
    for partition in all {
        let (plain, transactional) = if kept.contains(partition) {
            (Ok(()), Ok(()))
        } else {
            (
                Err(ResponseError::StaleMemberEpoch),
                Err(ResponseError::IllegalGeneration),
            )
        };
        assert_eq!(commit(CommitKind::Plain, *partition), plain);
        assert_eq!(commit(CommitKind::Transactional, *partition), transactional);
    }
    let refusal = |claim, kind| fixture.group.check_commit(claim, kind).err();
    let unknown = Some(ResponseError::UnknownMemberId);
    assert_eq!(refusal(claim("x", 1), CommitKind::Plain), unknown);
    assert_eq!(refusal(claim("", -1), CommitKind::Plain), unknown);
    assert_eq!(refusal(claim("", -1), CommitKind::Transactional), None);
    let version = Some(ResponseError::UnsupportedVersion);
    assert_eq!(refusal(claim("a", 3), CommitKind::Older), version);
    let stale = Some(ResponseError::StaleMemberEpoch);
    assert_eq!(refusal(claim("a", 4), CommitKind::Plain), stale);
    let fetch = |id, epoch| fixture.group.check_fetch(id, epoch);
    assert_eq!(fetch(None, -1), Ok(()));
    assert_eq!(fetch(Some("a"), 3), Ok(()));
    assert_eq!(fetch(Some("a"), 2), Err(ResponseError::StaleMemberEpoch));
    assert_eq!(fetch(Some("x"), 1), Err(ResponseError::UnknownMemberId));
}

#[test]
fn requests_must_make_sense() {
    let wrong = [
        Heartbeat {
            member_id: String::new(),
            ..joining("a")
        },
        Heartbeat {
            rebalance_timeout: -1,
            ..joining("a")
        },
        Heartbeat {
            owned: None,
            ..joining("a")
        },
        Heartbeat {
            topics: None,
            ..joining("a")
        },
        Heartbeat {
            instance: Some(String::new()),
            ..joining("a")
        },
        Heartbeat {
            rack: Some(String::new()),
            ..joining("a")
        },
        with_epoch(joining("a"), -2),
        with_epoch(static_member("a"), -3),
    ];
    for heartbeat in wrong {
        assert_eq!(
            heartbeat.check(true),
            Err(ResponseError::InvalidRequest),
            "{heartbeat:?}"
        );
    }
    let unknown = Heartbeat {
        assignor: Some("sticky".to_owned()),
        ..joining("a")
    };
    assert_eq!(unknown.check(true), Err(ResponseError::UnsupportedAssignor));
    let nameless = Heartbeat {
        member_id: String::new(),
        ..joining("a")
    };
    assert_eq!(nameless.check(false), Ok(()));
}

#[test]
fn a_restart_keeps_members_and_begins_their_sessions_anew() {
    let mut fixture = Fixture::new();
    fixture.says(&joining("a")).unwrap();
    fixture.now += 40_000;
    fixture.group.restarted(fixture.now, 45_000);
    fixture.passes(44_999);
    assert_eq!(
        fixture.says(&staying("a", 2, None)).unwrap().member_epoch,
        2
    );
}
