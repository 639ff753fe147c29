//! Fetch sessions (KIP-227): what a client has asked for in earlier fetches, so that it need not say it again.
//!
//! Invariants: a session's epoch says which fetch comes next, from 1 on, and any other ends it for the client; what is
//! answered in a session is what has changed since the answer before. There are at most
//! `max.incremental.fetch.session.cache.slots` sessions, with a bounded number of partitions together, and one that rests
//! for two minutes makes room for another. The topics of a session have names, or they have ids; an id stands for the name
//! that it had when it was first known.

use std::collections::{HashMap, HashSet};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_request::FetchPartition;
use uuid::Uuid;

use crate::clock::Millis;
use crate::topics::LONGEST_NAME;

/// How long a session rests until another may take its place.
const REST: Millis = 120_000;
/// The epoch of a request that opens a session.
const INITIAL: i32 = 0;
/// The epoch of a request that closes one.
const FINAL: i32 = -1;

/// A topic as clients name it in a fetch: by name, or from version 13 on by id, with the other one empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TopicKey {
    pub(crate) name: TopicName,
    pub(crate) id: Uuid,
}

/// A partition that is fetched.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicKey,
    pub(crate) asked: FetchPartition,
    /// The topic's name, once it was known: an id has none any more when its topic was deleted.
    pub(crate) name: Option<TopicName>,
    /// High watermark and start of the log as they were last told, if the client knows them from this session.
    told: Option<(i64, i64)>,
}

impl Wanted {
    pub(crate) fn new(topic: TopicKey, asked: FetchPartition) -> Self {
        Self {
            topic,
            asked,
            name: None,
            told: None,
        }
    }

    /// Looks for the name, if it isn't known yet.
    fn resolve(&mut self, names: &impl Fn(Uuid) -> Option<TopicName>) {
        if self.name.is_some() {
            return;
        }
        self.name = if self.topic.id.is_nil() {
            Some(self.topic.name.clone())
        } else {
            names(self.topic.id)
        };
    }

    /// For how many partitions it counts: names that no topic can have may be long.
    fn weight(&self) -> usize {
        1 + self.topic.name.len() / (LONGEST_NAME + 1)
    }

    pub(crate) fn key(&self) -> (TopicKey, i32) {
        (self.topic.clone(), self.asked.partition)
    }
}

fn weight(partitions: &[Wanted]) -> usize {
    partitions.iter().map(Wanted::weight).sum()
}

/// How the topics of a request are named, and so those of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Names,
    Ids,
}

/// What a request says of partitions.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) naming: Naming,
    pub(crate) partitions: Vec<Wanted>,
    pub(crate) forgotten: Vec<(TopicKey, i32)>,
}

/// Who asks in which session, as the request says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SessionClaim {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
}

#[derive(Debug)]
struct Session {
    next_epoch: i32,
    used: Millis,
    naming: Naming,
    partitions: Vec<Wanted>,
    /// Of all partitions.
    weight: usize,
}

/// What a fetch is about.
#[derive(Debug)]
pub(crate) struct Plan {
    /// 0: without a session.
    pub(crate) session: i32,
    pub(crate) partitions: Vec<Wanted>,
    /// The epoch that comes after this fetch.
    next_epoch: i32,
    /// Only partitions of which there is news are answered.
    only_news: bool,
}

/// What was found in a partition, as far as it decides whether it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News {
    pub(crate) has_records: bool,
    pub(crate) failed: bool,
    pub(crate) end: i64,
    pub(crate) start: i64,
}

impl Plan {
    /// A full fetch: all that the request itself names; 0 is no session.
    fn full(asked: Asked, session: i32) -> Self {
        Plan {
            session,
            partitions: asked.partitions,
            next_epoch: 1,
            only_news: false,
        }
    }

    /// Whether the partition at this place in the plan is answered.
    pub(crate) fn answers(&self, wanted: &Wanted, news: News) -> bool {
        !self.only_news
            || news.has_records
            || news.failed
            || wanted.told != Some((news.end, news.start))
    }
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    by_id: HashMap<i32, Session>,
    last_id: i32,
    /// How many partitions all of them may have.
    most_partitions: usize,
}

impl Sessions {
    pub(crate) fn new(most_partitions: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            last_id: 0,
            most_partitions,
        }
    }

    /// Forgets all; their numbers are not used again.
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }

    /// Whether all sessions together may have these partitions as well.
    fn has_room_for(&self, asked: &[Wanted]) -> bool {
        let sessions = self.by_id.values();
        let present: usize = sessions.map(|session| session.weight).sum();
        present.saturating_add(weight(asked)) <= self.most_partitions
    }

    /// The topics that are fetched in a session that goes on, without being named again.
    pub(crate) fn topics(&self, claim: SessionClaim) -> impl Iterator<Item = &TopicKey> {
        let goes_on = claim.epoch != INITIAL && claim.epoch != FINAL;
        let session = goes_on.then(|| self.by_id.get(&claim.id)).flatten();
        let partitions = session.into_iter().flat_map(|session| &session.partitions);
        partitions.map(|wanted| &wanted.topic)
    }

    /// Says what a request fetches, and opens, continues or closes its session. `names` has the names of topics' ids.
    pub(crate) fn plan(
        &mut self,
        claim: SessionClaim,
        mut asked: Asked,
        names: impl Fn(Uuid) -> Option<TopicName>,
        slots: usize,
        now: Millis,
    ) -> Result<Plan, ResponseError> {
        let new = asked.partitions.iter_mut();
        new.for_each(|wanted| wanted.resolve(&names));
        if claim.epoch == INITIAL || claim.epoch == FINAL {
            self.by_id.remove(&claim.id);
            let session = if claim.epoch == INITIAL {
                self.open(&asked, slots, now)
            } else {
                0
            };
            return Ok(Plan::full(asked, session));
        }
        let unknown = ResponseError::FetchSessionIdNotFound;
        let session = self.by_id.get(&claim.id).ok_or(unknown)?;
        if session.next_epoch != claim.epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        if session.naming != asked.naming {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        if !asked.partitions.is_empty() && !self.has_room_for(&asked.partitions) {
            // There is no room for it: the client begins anew, without one.
            self.by_id.remove(&claim.id);
        }
        let session = self.by_id.get_mut(&claim.id).ok_or(unknown)?;
        session.next_epoch = claim.epoch.checked_add(1).unwrap_or(1);
        session.used = now;
        session.change(std::mem::take(&mut asked.partitions), &asked.forgotten);
        let known = session.partitions.iter_mut();
        known.for_each(|wanted| wanted.resolve(&names));
        if session.partitions.is_empty() {
            self.by_id.remove(&claim.id);
            return Ok(Plan::full(asked, 0));
        }
        Ok(Plan {
            session: claim.id,
            partitions: session.partitions.clone(),
            next_epoch: session.next_epoch,
            only_news: true,
        })
    }

    /// 0 if there is no room.
    fn open(&mut self, asked: &Asked, slots: usize, now: Millis) -> i32 {
        let is_full = |sessions: &Self| {
            sessions.by_id.len() >= slots || !sessions.has_room_for(&asked.partitions)
        };
        if is_full(self) {
            let rested = |session: &Session| now.saturating_sub(session.used) <= REST;
            self.by_id.retain(|_, session| rested(session));
        }
        if is_full(self) {
            return 0;
        }
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let session = Session {
            next_epoch: 1,
            used: now,
            naming: asked.naming,
            partitions: asked.partitions.clone(),
            weight: weight(&asked.partitions),
        };
        self.by_id.insert(self.last_id, session);
        self.last_id
    }

    /// Remembers what is answered. Partitions with records go to the end, so that each has its turn.
    pub(crate) fn answered(&mut self, plan: &Plan, found: &[News]) {
        let Some(session) = self.by_id.get_mut(&plan.session) else {
            return;
        };
        // A client that lost its connection may have gone on meanwhile.
        if session.next_epoch != plan.next_epoch {
            return;
        }
        for (wanted, news) in session.partitions.iter_mut().zip(found) {
            // After an error the client is told again.
            wanted.told = (!news.failed).then_some((news.end, news.start));
        }
        let mut turns: Vec<_> = std::mem::take(&mut session.partitions)
            .into_iter()
            .zip(found.iter().map(|news| news.has_records))
            .collect();
        turns.sort_by_key(|(_, has_records)| *has_records);
        session.partitions = turns.into_iter().map(|(wanted, _)| wanted).collect();
    }
}

impl Session {
    fn change(&mut self, asked: Vec<Wanted>, forgotten: &[(TopicKey, i32)]) {
        if !forgotten.is_empty() {
            let forgotten: HashSet<_> = forgotten.iter().collect();
            self.partitions
                .retain(|wanted| !forgotten.contains(&wanted.key()));
            self.weight = weight(&self.partitions);
        }
        if asked.is_empty() {
            return;
        }
        let with_key = |wanted: Wanted| (wanted.key(), wanted);
        let mut by_key: HashMap<_, _> = asked.into_iter().map(with_key).collect();
        for wanted in &mut self.partitions {
            if let Some(changed) = by_key.remove(&wanted.key()) {
                wanted.asked = changed.asked;
            }
        }
        let mut added: Vec<_> = by_key.into_values().collect();
        added.sort_by(|a, b| {
            let place = |wanted: &Wanted| (wanted.topic.name.clone(), wanted.topic.id);
            (place(a), a.asked.partition).cmp(&(place(b), b.asked.partition))
        });
        self.partitions.extend(added);
        self.weight = weight(&self.partitions);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    const SLOTS: usize = 2;

    fn topic() -> TopicKey {
        TopicKey {
            name: TopicName::default(),
            id: Uuid::nil(),
        }
    }

    fn wanted(partitions: &[i32]) -> Vec<Wanted> {
        let one = |partition: &i32| {
            Wanted::new(
                topic(),
                FetchPartition::default().with_partition(*partition),
            )
        };
        partitions.iter().map(one).collect()
    }

    fn ask(
        sessions: &mut Sessions,
        (id, epoch): (i32, i32),
        partitions: &[i32],
        forgotten: &[i32],
    ) -> Result<Plan, ResponseError> {
        let asked = Asked {
            naming: Naming::Names,
            partitions: wanted(partitions),
            forgotten: forgotten.iter().map(|one| (topic(), *one)).collect(),
        };
        plan(sessions, (id, epoch), asked, 0)
    }

    fn plan(
        sessions: &mut Sessions,
        (id, epoch): (i32, i32),
        asked: Asked,
        now: Millis,
    ) -> Result<Plan, ResponseError> {
        let claim = SessionClaim { id, epoch };
        sessions.plan(claim, asked, |_| None, SLOTS, now)
    }

    fn partitions(plan: &Plan) -> Vec<i32> {
        plan.partitions
            .iter()
            .map(|one| one.asked.partition)
            .collect()
    }

    fn news(has_records: bool, end: i64) -> News {
        News {
            has_records,
            failed: false,
            end,
            start: 0,
        }
    }

    #[test]
    fn a_session_remembers_what_it_is_about() {
        let mut sessions = Sessions::new(20);
        let plan = ask(&mut sessions, (0, 0), &[0, 1], &[]).unwrap();
        let id = plan.session;
        assert_ne!(id, 0);
        assert_eq!(partitions(&plan), [0, 1]);
        let plan = ask(&mut sessions, (id, 1), &[2], &[0]).unwrap();
        assert_eq!(partitions(&plan), [1, 2]);
    }

    #[test]
    fn only_the_next_epoch_of_a_known_session_is_served() {
        let mut sessions = Sessions::new(20);
        let id = ask(&mut sessions, (0, 0), &[0], &[]).unwrap().session;
        let wrong = ask(&mut sessions, (id, 2), &[], &[]).map(|_| ());
        assert_eq!(wrong, Err(ResponseError::InvalidFetchSessionEpoch));
        let unknown = ask(&mut sessions, (id + 1, 1), &[], &[]).map(|_| ());
        assert_eq!(unknown, Err(ResponseError::FetchSessionIdNotFound));
        assert!(ask(&mut sessions, (id, 1), &[], &[]).is_ok());
        // Closed.
        assert_eq!(ask(&mut sessions, (id, -1), &[0], &[]).unwrap().session, 0);
        let closed = ask(&mut sessions, (id, 2), &[], &[]).map(|_| ());
        assert_eq!(closed, Err(ResponseError::FetchSessionIdNotFound));
    }

    #[test]
    fn only_news_is_answered_and_each_partition_has_its_turn() {
        let mut sessions = Sessions::new(20);
        let plan = ask(&mut sessions, (0, 0), &[0, 1, 2], &[]).unwrap();
        let found = [news(true, 5), news(false, 0), news(false, 0)];
        assert!(
            plan.partitions
                .iter()
                .zip(found)
                .all(|(one, news)| plan.answers(one, news))
        );
        sessions.answered(&plan, &found);
        let plan = ask(&mut sessions, (plan.session, 1), &[], &[]).unwrap();
        assert_eq!(partitions(&plan), [1, 2, 0]);
        let found = [news(false, 0), news(false, 1), news(false, 5)];
        let answered: Vec<_> = plan.partitions.iter().zip(found).collect();
        let answered = answered.iter().map(|(one, news)| plan.answers(one, *news));
        assert_eq!(answered.collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn sessions_have_no_more_partitions_than_is_allowed() {
        let mut sessions = Sessions::new(5);
        let three = ask(&mut sessions, (0, 0), &[0, 1, 2], &[]).unwrap().session;
        assert_eq!(
            ask(&mut sessions, (0, 0), &[0, 1, 2], &[]).unwrap().session,
            0
        );
        let two = ask(&mut sessions, (0, 0), &[0, 1], &[]).unwrap().session;
        assert!(three != 0 && two != 0);
        let grown = ask(&mut sessions, (two, 1), &[2], &[]).map(|_| ());
        assert_eq!(grown, Err(ResponseError::FetchSessionIdNotFound));
        assert!(ask(&mut sessions, (three, 1), &[3], &[]).is_ok());
    }

    #[test]
    fn a_session_that_rests_makes_room() {
        let mut sessions = Sessions::new(20);
        let mut open = |now| {
            let asked = Asked {
                naming: Naming::Names,
                partitions: wanted(&[0]),
                forgotten: Vec::new(),
            };
            plan(&mut sessions, (0, 0), asked, now).unwrap().session
        };
        assert_eq!([open(0), open(0), open(REST)], [1, 2, 0]);
        assert_eq!(open(REST + 1), 3);
    }

    #[test]
    fn a_name_that_no_topic_can_have_counts_by_its_length() {
        let long = |partitions: &[i32], length| {
            let mut wanted = wanted(partitions);
            let name = StrBytes::from_string("x".repeat(length));
            let named = wanted.iter_mut();
            named.for_each(|one| one.topic.name = TopicName(name.clone()));
            Asked {
                naming: Naming::Names,
                partitions: wanted,
                forgotten: Vec::new(),
            }
        };
        let mut sessions = Sessions::new(20);
        let mut open = |asked| -> i32 { plan(&mut sessions, (0, 0), asked, 0).unwrap().session };
        assert_eq!(open(long(&[0], 30_000)), 0);
        assert_ne!(open(long(&[0, 1], LONGEST_NAME)), 0);
        assert_ne!(open(long(&[0, 1, 2], 5 * (LONGEST_NAME + 1))), 0);
    }
}
