//! The assignors of the coordinator: who is to work on which partitions.
//!
//! `range` gives each topic's partitions in runs, by the order of the members, so that topics with as many partitions
//! are co-partitioned. `uniform` gives every member as many partitions as any other, and lets it keep what it has.
//! Both are those of Apache Kafka, but where the members' subscriptions differ: there `uniform` balances as well, but may
//! choose other partitions.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::member::Partitions;

/// An assignor by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignor {
    Uniform,
    Range,
}

impl Assignor {
    /// The one that holds where no member asks for one: the first of `group.consumer.assignors`.
    pub(crate) const DEFAULT: Assignor = Assignor::Uniform;

    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Assignor::Uniform),
            "range" => Some(Assignor::Range),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The target of every subscriber.
    pub(super) fn assign(
        self,
        subscribers: &[Subscriber],
        topics: &BTreeMap<Uuid, i32>,
    ) -> BTreeMap<String, Partitions> {
        match self {
            Assignor::Range => range(subscribers, topics),
            Assignor::Uniform => uniform(subscribers, topics),
        }
    }
}

/// A member as an assignor sees it.
#[derive(Debug, Clone)]
pub(super) struct Subscriber {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) topics: BTreeSet<Uuid>,
    /// Its target so far.
    pub(super) target: Partitions,
}

/// Static members first, by their instances; then the others, by their ids.
fn range(subscribers: &[Subscriber], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<String, Partitions> {
    let mut ordered: Vec<_> = subscribers.iter().collect();
    ordered.sort_by_key(|one| (one.instance.is_none(), &one.instance, &one.id));
    let mut assigned: BTreeMap<_, _> = empty(subscribers);
    for (topic, count) in topics {
        let readers: Vec<_> = ordered
            .iter()
            .filter(|one| one.topics.contains(topic))
            .collect();
        let Ok(members) = i32::try_from(readers.len()) else {
            continue;
        };
        let mut start = 0;
        for (place, reader) in (0..members).zip(readers) {
            let end = start + count / members + i32::from(place < count % members);
            if let Some(target) = assigned.get_mut(&reader.id).filter(|_| start < end) {
                target.insert(*topic, (start..end).collect());
            }
            start = end;
        }
    }
    assigned
}

fn empty(subscribers: &[Subscriber]) -> BTreeMap<String, Partitions> {
    subscribers
        .iter()
        .map(|one| (one.id.clone(), Partitions::new()))
        .collect()
}

fn uniform(
    subscribers: &[Subscriber],
    topics: &BTreeMap<Uuid, i32>,
) -> BTreeMap<String, Partitions> {
    let mut balance = Balance::new(subscribers, topics);
    let alike = subscribers
        .windows(2)
        .all(|pair| matches!(pair, [one, other] if one.topics == other.topics));
    if alike {
        balance.give_up_above_quota(subscribers, topics);
    }
    balance.hand_out(subscribers);
    if !alike {
        balance.even_out(subscribers);
    }
    balance.assigned
}

/// Partitions on their way to be spread evenly.
struct Balance {
    assigned: BTreeMap<String, Partitions>,
    unassigned: BTreeSet<(Uuid, i32)>,
}

impl Balance {
    /// Everybody has what it had, as far as that exists and is subscribed to; the rest is to be handed out.
    fn new(subscribers: &[Subscriber], topics: &BTreeMap<Uuid, i32>) -> Self {
        let all = topics
            .iter()
            .filter(|(topic, _)| subscribers.iter().any(|one| one.topics.contains(topic)))
            .flat_map(|(topic, count)| (0..*count).map(|partition| (*topic, partition)));
        let mut unassigned: BTreeSet<_> = all.collect();
        let mut assigned = empty(subscribers);
        for one in subscribers {
            let kept = assigned.entry(one.id.clone()).or_default();
            for (topic, partitions) in &one.target {
                for partition in partitions {
                    let readable = one.topics.contains(topic);
                    if readable && unassigned.remove(&(*topic, *partition)) {
                        kept.entry(*topic).or_default().insert(*partition);
                    }
                }
            }
        }
        Self {
            assigned,
            unassigned,
        }
    }

    fn load(&self, id: &str) -> usize {
        self.assigned
            .get(id)
            .map_or(0, |target| target.values().map(BTreeSet::len).sum())
    }

    /// Where all read the same topics, nobody keeps more than its share.
    fn give_up_above_quota(&mut self, subscribers: &[Subscriber], topics: &BTreeMap<Uuid, i32>) {
        let all: usize = topics
            .values()
            .map(|count| usize::try_from(*count).unwrap_or_default())
            .sum();
        let (share, mut extra) = match subscribers.len() {
            0 => return,
            members => (all / members, all % members),
        };
        for one in subscribers {
            // One of the larger shares goes to who has more than the smaller one already.
            let load = self.load(&one.id);
            let quota = share + usize::from(load > share && extra > 0);
            extra -= quota - share;
            for _ in quota..load {
                self.take_one(&one.id);
            }
        }
    }

    /// Takes the last partition of the last topic away.
    fn take_one(&mut self, id: &str) {
        let Some(target) = self.assigned.get_mut(id) else {
            return;
        };
        let last = target
            .iter()
            .next_back()
            .and_then(|(topic, partitions)| Some((*topic, *partitions.last()?)));
        if let Some((topic, partition)) = last {
            remove(target, topic, partition);
            self.unassigned.insert((topic, partition));
        }
    }

    /// Each partition that nobody has goes to the reader with the fewest.
    fn hand_out(&mut self, subscribers: &[Subscriber]) {
        for (topic, partition) in std::mem::take(&mut self.unassigned) {
            let readers = subscribers.iter().filter(|one| one.topics.contains(&topic));
            if let Some(id) = readers.map(|one| &one.id).min_by_key(|id| self.load(id)) {
                let target = self.assigned.entry(id.clone()).or_default();
                target.entry(topic).or_default().insert(partition);
            }
        }
    }

    /// Moves partitions from who has more to who may read them and has at least two fewer.
    fn even_out(&mut self, subscribers: &[Subscriber]) {
        while let Some((from, to, topic, partition)) = self.better_place(subscribers) {
            if let Some(target) = self.assigned.get_mut(&from) {
                remove(target, topic, partition);
            }
            let target = self.assigned.entry(to).or_default();
            target.entry(topic).or_default().insert(partition);
        }
    }

    /// The move that evens out most.
    fn better_place(&self, subscribers: &[Subscriber]) -> Option<(String, String, Uuid, i32)> {
        let mut best = None;
        let mut gain = 1;
        for from in subscribers {
            let load = self.load(&from.id);
            for (topic, partitions) in self.assigned.get(&from.id)? {
                let readers = subscribers.iter().filter(|one| one.topics.contains(topic));
                let to = readers.min_by_key(|one| self.load(&one.id))?;
                let difference = load.saturating_sub(self.load(&to.id));
                if difference > gain {
                    gain = difference;
                    best = Some((from.id.clone(), to.id.clone(), *topic, *partitions.last()?));
                }
            }
        }
        best
    }
}

fn remove(target: &mut Partitions, topic: Uuid, partition: i32) {
    if let Some(partitions) = target.get_mut(&topic) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            target.remove(&topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn one(name: &str, topics: &[u128]) -> Subscriber {
        Subscriber {
            id: name.to_owned(),
            instance: None,
            topics: topics.iter().map(|topic| id(*topic)).collect(),
            target: Partitions::new(),
        }
    }

    fn sizes(assigned: &BTreeMap<String, Partitions>) -> Vec<usize> {
        let size = |target: &Partitions| target.values().map(BTreeSet::len).sum();
        assigned.values().map(size).collect()
    }

    #[test]
    fn range_gives_runs_by_instance_and_id() {
        let topics = BTreeMap::from([(id(1), 5), (id(2), 5)]);
        let mut last = one("a", &[1, 2]);
        let first = Subscriber {
            instance: Some("i".to_owned()),
            ..one("z", &[1, 2])
        };
        last.target = Partitions::from([(id(1), (0..5).collect())]);
        let assigned = Assignor::Range.assign(&[last, first], &topics);
        for topic in [id(1), id(2)] {
            let run = |name: &str| assigned.get(name).and_then(|target| target.get(&topic));
            assert_eq!(run("z"), Some(&BTreeSet::from([0, 1, 2])));
            assert_eq!(run("a"), Some(&BTreeSet::from([3, 4])));
        }
        let few = Assignor::Range.assign(
            &[one("a", &[1]), one("b", &[1])],
            &BTreeMap::from([(id(1), 1)]),
        );
        assert_eq!(sizes(&few), [1, 0]);
    }

    #[test]
    fn uniform_is_even_and_lets_members_keep_what_they_have() {
        let topics = BTreeMap::from([(id(1), 4), (id(2), 3)]);
        let mut members = vec![one("a", &[1, 2]), one("b", &[1, 2])];
        let first = Assignor::Uniform.assign(&members, &topics);
        assert_eq!(sizes(&first), [4, 3]);
        for member in &mut members {
            member.target = first.get(&member.id).cloned().unwrap_or_default();
        }
        members.push(one("c", &[1, 2]));
        let second = Assignor::Uniform.assign(&members, &topics);
        assert_eq!(sizes(&second), [3, 2, 2]);
        for (name, target) in second.iter().filter(|(name, _)| *name != "c") {
            let before = first.get(name).cloned().unwrap_or_default();
            let kept = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
                before
                    .get(topic)
                    .is_some_and(|had| had.is_superset(partitions))
            };
            assert!(target.iter().all(kept), "{name} got something new");
        }
    }

    #[test]
    fn uniform_balances_differing_subscriptions() {
        let topics = BTreeMap::from([(id(1), 4), (id(2), 2)]);
        let mut both = one("a", &[1, 2]);
        both.target = Partitions::from([(id(1), (0..4).collect()), (id(2), (0..2).collect())]);
        let assigned = Assignor::Uniform.assign(&[both, one("b", &[2]), one("c", &[1])], &topics);
        assert_eq!(sizes(&assigned), [2, 2, 2]);
        assert!(Assignor::Uniform.assign(&[], &topics).is_empty());
    }
}
