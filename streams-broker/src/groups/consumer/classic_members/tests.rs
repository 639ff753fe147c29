#![expect(clippy::unwrap_used, reason = "tests")]
use bytes::Bytes;

use super::*;
use crate::groups::consumer::heartbeat::{Beat, Heartbeat};
use crate::groups::consumer::member::Partitions;

const SESSION: Millis = 10_000;
const REBALANCE: Millis = 60_000;

/// A group whose first member speaks the consumer protocol.
struct Fixture {
    group: ConsumerGroup,
    topics: Topics,
    settings: Settings,
    now: Millis,
}

impl Fixture {
    fn new() -> Self {
        let mut topics = Topics::default();
        let settings = Settings::broker();
        topics.create("t", 4, Settings::topic(), &settings).unwrap();
        let mut fixture = Self {
            group: ConsumerGroup::new(),
            topics,
            settings,
            now: 1_000_000,
        };
        fixture.says(0, Some(Partitions::new()));
        fixture.passes(1_000);
        fixture
    }

    /// The first member's heartbeat.
    fn says(&mut self, epoch: i32, owned: Option<Partitions>) -> Beat {
        let heartbeat = Heartbeat {
            member_id: "a".to_owned(),
            member_epoch: epoch,
            rebalance_timeout: if epoch == 0 { REBALANCE } else { -1 },
            topics: (epoch == 0).then(|| ["t".to_owned()].into()),
            owned,
            ..Heartbeat::default()
        };
        self.group
            .heartbeat(&heartbeat, &self.topics, &self.settings, self.now)
            .unwrap()
    }

    fn passes(&mut self, time: Millis) {
        self.now += time;
        self.group.tick(self.now);
    }

    /// The classic member `c` joins, owning nothing.
    fn joins(&mut self) -> Joined {
        let subscription = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        let join = Join {
            member_id: "c".to_owned(),
            instance: None,
            session_timeout: SESSION,
            rebalance_timeout: REBALANCE,
            protocol_type: CONSUMER_PROTOCOL.to_owned(),
            protocols: vec![("range".to_owned(), subscription)],
            client_id: String::new(),
            client_host: String::new(),
            asks_for_id: true,
            may_skip_assignment: true,
        };
        let (topics, settings) = (&self.topics, &self.settings);
        self.group
            .join(join, String::new(), topics, settings, self.now)
            .unwrap()
    }

    fn syncs(&mut self, generation: i32) -> Result<Synced, ResponseError> {
        let said = (None, None);
        self.group
            .sync(claim(generation), said, &self.topics, self.now)
    }

    fn beats(&mut self, generation: i32) -> Result<(), ResponseError> {
        self.group.classic_heartbeat(claim(generation), self.now)
    }

    fn is_there(&self) -> bool {
        self.group.members.contains_key("c")
    }
}

fn claim(generation: i32) -> Claim<'static> {
    Claim {
        member_id: "c",
        instance: None,
        generation,
    }
}

#[test]
fn a_classic_member_is_told_when_it_comes_further_by_joining_again() {
    let mut fixture = Fixture::new();
    let generation = fixture.joins().generation;
    assert_eq!(generation, fixture.group.epoch);
    let nothing = fixture.syncs(generation).unwrap().assignment;
    // The other one still has all of it: joining again would be of no use.
    assert_eq!(fixture.beats(generation), Ok(()));
    let kept = fixture.says(2, None).assignment.unwrap();
    fixture.says(2, Some(kept));
    assert_eq!(
        fixture.beats(generation),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(fixture.joins().generation, generation);
    assert!(fixture.syncs(generation).unwrap().assignment.len() > nothing.len());
    assert_eq!(fixture.beats(generation), Ok(()));
}

#[test]
fn a_classic_member_has_its_own_session() {
    let mut fixture = Fixture::new();
    let generation = fixture.joins().generation;
    assert!(fixture.syncs(generation).is_ok());
    fixture.passes(SESSION - 1);
    assert_eq!(fixture.beats(generation), Ok(()));
    fixture.passes(SESSION - 1);
    assert!(fixture.is_there());
    fixture.passes(1);
    assert!(!fixture.is_there());
    assert!(!fixture.group.members.is_empty());
}

#[test]
fn a_classic_member_asks_for_its_assignment_in_time_or_is_thrown_out() {
    let mut fixture = Fixture::new();
    let generation = fixture.joins().generation;
    for _ in 0..REBALANCE / 5_000 - 1 {
        fixture.passes(5_000);
        assert_eq!(fixture.beats(generation), Ok(()));
        fixture.says(2, None);
    }
    fixture.passes(5_000);
    assert!(!fixture.is_there());
}

#[test]
fn a_classic_member_joins_again_in_time_or_is_thrown_out() {
    let mut fixture = Fixture::new();
    let generation = fixture.joins().generation;
    assert!(fixture.syncs(generation).is_ok());
    // The group goes on without it.
    fixture.group.epoch += 1;
    for _ in 0..REBALANCE / 5_000 {
        let told = fixture.beats(generation);
        assert_eq!(told, Err(ResponseError::RebalanceInProgress));
        fixture.passes(5_000);
    }
    assert!(!fixture.is_there());
}
