//! The group coordinator without a socket: each test is one rule.
#![expect(clippy::unwrap_used, reason = "tests")]

use tokio::sync::oneshot;

use super::member::{JoinAnswer, Joined, SyncAnswer, Synced};
use super::*;
use crate::groups::offsets::Committed;
use crate::groups::{CommitKind, Groups};
use crate::settings::Settings;
use crate::topics::Topics;

type JoinReceiver = oneshot::Receiver<JoinAnswer>;

struct Fixture {
    groups: Groups,
    settings: Settings,
    now: Millis,
}

impl Fixture {
    fn new() -> Self {
        Self {
            groups: Groups::default(),
            settings: Settings::broker(),
            now: 1_000_000,
        }
    }

    fn asks(&mut self, join: Join) -> JoinReceiver {
        self.groups
            .join("g", join, &Topics::default(), &self.settings, self.now)
    }

    /// Joins as a new dynamic member: asks for an id first.
    fn enters(&mut self, client: &str) -> JoinReceiver {
        let refused = self.asks(join(client)).try_recv().unwrap().unwrap_err();
        assert_eq!(refused.code, ResponseError::MemberIdRequired);
        self.asks(Join {
            member_id: refused.member_id,
            ..join(client)
        })
    }

    fn syncs(
        &mut self,
        joined: &Joined,
        assignments: &[(&str, &'static str)],
    ) -> oneshot::Receiver<SyncAnswer> {
        let bytes = |(id, value): &(&str, &'static str)| {
            ((*id).to_owned(), Bytes::from_static(value.as_bytes()))
        };
        let assignments = assignments.iter().map(bytes).collect();
        self.groups.sync(
            "g",
            claim(joined),
            (None, None),
            assignments,
            &Topics::default(),
            self.now,
        )
    }

    /// A stable group of one.
    fn alone(&mut self) -> Joined {
        let joined = self.enters("a").try_recv().unwrap().unwrap();
        let id = joined.member_id.clone();
        assert_eq!(assignment(self.syncs(&joined, &[(&id, "all")])), "all");
        joined
    }

    fn leaves(&mut self, id: &str) -> Result<(), ResponseError> {
        let topics = Topics::default();
        self.groups
            .leave("g", id, None, &topics, &self.settings, self.now)
    }

    fn heartbeat(&mut self, joined: &Joined) -> Result<(), ResponseError> {
        self.groups.heartbeat("g", claim(joined), self.now)
    }

    fn passes(&mut self, time: Millis) {
        self.now += time;
        self.groups
            .tick(&Topics::default(), &self.settings, self.now);
    }

    fn commit(
        &mut self,
        member_id: &str,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ResponseError> {
        let claim = Claim {
            member_id,
            instance: None,
            generation,
        };
        let kind = if transactional {
            CommitKind::Transactional
        } else {
            CommitKind::Older
        };
        let (group, _) = self
            .groups
            .for_commit("g", claim, kind, &self.settings, self.now)?;
        group.offsets.commit(
            "t",
            0,
            Committed {
                offset: 1,
                leader_epoch: -1,
                metadata: String::new(),
                at: self.now,
                expires: None,
            },
        );
        Ok(())
    }
}

fn join(client: &str) -> Join {
    Join {
        member_id: String::new(),
        instance: None,
        session_timeout: 10_000,
        rebalance_timeout: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"t"))],
        client_id: client.to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        asks_for_id: true,
        may_skip_assignment: true,
    }
}

fn fixed(instance: &str) -> Join {
    Join {
        instance: Some(instance.to_owned()),
        ..join(instance)
    }
}

fn claim(joined: &Joined) -> Claim<'_> {
    Claim {
        member_id: &joined.member_id,
        instance: None,
        generation: joined.generation,
    }
}

fn assignment(mut receiver: oneshot::Receiver<SyncAnswer>) -> Bytes {
    let Synced { assignment, .. } = receiver.try_recv().unwrap().unwrap();
    assignment
}

#[test]
fn a_newcomer_waits_until_the_others_have_joined_again() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    assert_eq!(fixture.heartbeat(&first), Ok(()));
    let mut newcomer = fixture.enters("b");
    assert!(newcomer.try_recv().is_err());
    assert_eq!(
        fixture.heartbeat(&first),
        Err(ResponseError::RebalanceInProgress)
    );
    let again = fixture
        .asks(Join {
            member_id: first.member_id.clone(),
            ..join("a")
        })
        .try_recv()
        .unwrap()
        .unwrap();
    let second = newcomer.try_recv().unwrap().unwrap();
    assert_eq!((again.generation, second.generation), (2, 2));
    assert_eq!(
        (
            again.leader == first.member_id,
            again.members.len(),
            second.members.len()
        ),
        (true, 2, 0)
    );
    // The follower's sync waits for the leader's.
    let mut waiting = fixture.syncs(&second, &[]);
    assert!(waiting.try_recv().is_err());
    let assignments = [
        (again.member_id.as_str(), "one"),
        (second.member_id.as_str(), "two"),
    ];
    assert_eq!(assignment(fixture.syncs(&again, &assignments)), "one");
    assert_eq!(assignment(waiting), "two");
}

#[test]
fn an_older_generation_is_refused() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    let older = Joined {
        generation: 0,
        ..first.clone()
    };
    assert_eq!(
        fixture.heartbeat(&older),
        Err(ResponseError::IllegalGeneration)
    );
    let stranger = Joined {
        member_id: "x".to_owned(),
        ..first
    };
    assert_eq!(
        fixture.heartbeat(&stranger),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        fixture.syncs(&older, &[]).try_recv().unwrap(),
        Err(ResponseError::IllegalGeneration)
    );
}

#[test]
fn a_silent_member_is_thrown_out_after_its_session() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    fixture.passes(9_999);
    assert_eq!(fixture.heartbeat(&first), Ok(()));
    fixture.passes(9_999);
    assert_eq!(fixture.heartbeat(&first), Ok(()));
    fixture.passes(10_000);
    assert_eq!(
        fixture.heartbeat(&first),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn who_does_not_join_again_in_time_is_left_behind() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    let mut newcomer = fixture.enters("b");
    // It goes on sending heartbeats, but doesn't join.
    for _ in 0..59 {
        fixture.passes(1_000);
        assert_eq!(
            fixture.heartbeat(&first),
            Err(ResponseError::RebalanceInProgress)
        );
    }
    assert!(newcomer.try_recv().is_err());
    fixture.passes(1_000);
    let joined = newcomer.try_recv().unwrap().unwrap();
    assert_eq!((joined.leader, joined.members.len()), (joined.member_id, 1));
    assert_eq!(
        fixture.heartbeat(&first),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_leader_that_never_assigns_is_removed() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    let mut newcomer = fixture.enters("b");
    fixture.asks(Join {
        member_id: first.member_id.clone(),
        ..join("a")
    });
    let second = newcomer.try_recv().unwrap().unwrap();
    let mut waiting = fixture.syncs(&second, &[]);
    fixture.passes(10_000);
    assert_eq!(
        waiting.try_recv().unwrap(),
        Err(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn leaving_starts_a_rebalance_for_the_others() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    assert_eq!(fixture.leaves("x"), Err(ResponseError::UnknownMemberId));
    let mut newcomer = fixture.enters("b");
    assert_eq!(fixture.leaves(&first.member_id), Ok(()));
    assert_eq!(newcomer.try_recv().unwrap().unwrap().members.len(), 1);
}

#[test]
fn protocols_must_have_one_in_common() {
    let mut fixture = Fixture::new();
    fixture.alone();
    let other = Join {
        protocols: vec![("sticky".to_owned(), Bytes::new())],
        ..join("b")
    };
    let refused = fixture.asks(other).try_recv().unwrap().unwrap_err();
    assert_eq!(refused.code, ResponseError::InconsistentGroupProtocol);
    let other = Join {
        protocol_type: "connect".to_owned(),
        ..join("b")
    };
    let refused = fixture.asks(other).try_recv().unwrap().unwrap_err();
    assert_eq!(refused.code, ResponseError::InconsistentGroupProtocol);
}

#[test]
fn a_session_must_lie_within_the_brokers_limits() {
    let mut fixture = Fixture::new();
    for session_timeout in [5_999, 1_800_001] {
        let refused = fixture
            .asks(Join {
                session_timeout,
                ..join("a")
            })
            .try_recv()
            .unwrap()
            .unwrap_err();
        assert_eq!(refused.code, ResponseError::InvalidSessionTimeout);
    }
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut fixture = Fixture::new();
    let first = fixture.asks(fixed("i")).try_recv().unwrap().unwrap();
    let id = first.member_id.clone();
    assert_eq!(assignment(fixture.syncs(&first, &[(&id, "all")])), "all");
    let again = fixture.asks(fixed("i")).try_recv().unwrap().unwrap();
    assert_eq!(
        (
            again.generation,
            again.member_id == id,
            again.skip_assignment
        ),
        (1, false, true)
    );
    assert_eq!(assignment(fixture.syncs(&again, &[])), "all");
    // The former client is fenced.
    let former = Claim {
        member_id: &id,
        instance: Some("i"),
        generation: 1,
    };
    assert_eq!(
        fixture.groups.heartbeat("g", former, fixture.now),
        Err(ResponseError::FencedInstanceId)
    );
    let rejoin = Join {
        member_id: id,
        ..fixed("i")
    };
    assert_eq!(
        fixture.asks(rejoin).try_recv().unwrap().unwrap_err().code,
        ResponseError::FencedInstanceId
    );
}

#[test]
fn the_first_members_wait_for_others_when_that_is_set() {
    let mut fixture = Fixture::new();
    assert_eq!(
        fixture
            .settings
            .set("group.initial.rebalance.delay.ms", "3000"),
        Ok(())
    );
    let mut first = fixture.enters("a");
    fixture.passes(2_000);
    let mut second = fixture.enters("b");
    fixture.passes(1_000);
    assert!(first.try_recv().is_err());
    fixture.passes(3_000);
    assert_eq!(first.try_recv().unwrap().unwrap().members.len(), 2);
    assert_eq!(second.try_recv().unwrap().unwrap().generation, 1);
}

#[test]
fn offsets_of_a_live_group_are_its_members_business() {
    let mut fixture = Fixture::new();
    assert_eq!(
        fixture.commit("", 3, false),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(fixture.commit("", -1, false), Ok(()));
    let first = fixture.alone();
    assert_eq!(
        fixture.commit("", -1, false),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(fixture.commit("", -1, true), Ok(()));
    assert_eq!(
        fixture.commit("x", 1, false),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        fixture.commit(&first.member_id, 0, true),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(fixture.commit(&first.member_id, 1, false), Ok(()));
    let _newcomer = fixture.enters("b");
    assert_eq!(fixture.commit(&first.member_id, 1, false), Ok(()));
    fixture.asks(Join {
        member_id: first.member_id.clone(),
        ..join("a")
    });
    assert_eq!(
        fixture.commit(&first.member_id, 2, false),
        Err(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn a_restart_brings_back_the_last_complete_generation() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    let mut newcomer = fixture.enters("b");
    fixture.groups.restarted(&fixture.settings, fixture.now);
    assert!(newcomer.try_recv().is_err());
    assert_eq!(fixture.heartbeat(&first), Ok(()));
    assert_eq!(assignment(fixture.syncs(&first, &[])), "all");
}

#[test]
fn only_empty_groups_are_deleted() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    assert_eq!(
        fixture.groups.delete("g"),
        Err(ResponseError::NonEmptyGroup)
    );
    assert_eq!(
        fixture.groups.delete("x"),
        Err(ResponseError::GroupIdNotFound)
    );
    assert_eq!(fixture.commit(&first.member_id, 1, false), Ok(()));
    assert_eq!(fixture.leaves(&first.member_id), Ok(()));
    assert_eq!(fixture.groups.delete("g"), Ok(()));
}

#[test]
fn the_last_member_to_be_thrown_out_is_told_so() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    fixture.passes(10_000);
    assert_eq!(
        fixture.commit(&first.member_id, 1, true),
        Err(ResponseError::UnknownMemberId)
    );
    // Generations go on counting.
    assert_eq!(
        fixture.enters("b").try_recv().unwrap().unwrap().generation,
        3
    );
    fixture.passes(10_000);
    fixture.groups.clean_up(1_000_000, fixture.now);
    assert!(fixture.groups.get("g").is_none());
}

/// `OffsetExpirationCondition`: of an empty group offsets grow old since it became empty, of a live one those of topics
/// that nobody reads since their commit.
#[test]
fn offsets_grow_old_when_nobody_uses_them() {
    let mut fixture = Fixture::new();
    let first = fixture.alone();
    assert_eq!(fixture.commit(&first.member_id, 1, false), Ok(()));
    fixture.now += 5_000;
    // The subscription cannot be read, so anything may be in use.
    fixture.groups.clean_up(1_000, fixture.now);
    assert!(!fixture.groups.get("g").unwrap().offsets.is_empty());
    assert_eq!(fixture.leaves(&first.member_id), Ok(()));
    fixture.groups.clean_up(1_000, fixture.now + 999);
    assert!(!fixture.groups.get("g").unwrap().offsets.is_empty());
    fixture.groups.clean_up(1_000, fixture.now + 1_000);
    assert!(fixture.groups.get("g").is_none());
}
