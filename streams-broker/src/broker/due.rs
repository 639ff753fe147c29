//! What happens by time: late transactions end, records grow old, groups and producers are forgotten, logs are compacted.
//!
//! Invariant: whatever has a deadline is in [`Broker::next_deadline`], or the alarm would sleep past it.

use super::Broker;
use crate::clock::Millis;
use crate::log::Reach;

impl Broker {
    /// From now on everything that is done now and then is due after its interval.
    pub(super) fn schedule(&mut self) {
        let now = self.now();
        self.next_scan = now.saturating_add(self.scan_interval());
        self.next_retention = now.saturating_add(self.retention_interval());
        self.next_clean_up = now.saturating_add(self.clean_up_interval());
        self.next_compaction = now.saturating_add(self.compaction_interval());
        self.next_expiry = now.saturating_add(self.expiry_interval());
    }

    fn scan_interval(&self) -> Millis {
        self.settings
            .number("transaction.abort.timed.out.transaction.cleanup.interval.ms")
            .max(1)
    }

    fn retention_interval(&self) -> Millis {
        self.settings
            .number("log.retention.check.interval.ms")
            .max(1)
    }

    fn clean_up_interval(&self) -> Millis {
        self.settings
            .number("offsets.retention.check.interval.ms")
            .max(1)
    }

    /// Deletes records that no topic's retention keeps, and groups of which nothing is left.
    pub(crate) fn apply_retention(&mut self) {
        self.retain_records();
        self.clean_up_groups();
    }

    /// Deletes records that no topic's retention keeps.
    fn retain_records(&mut self) {
        let now = self.now();
        self.topics.retain(now);
        self.next_retention = now.saturating_add(self.retention_interval());
    }

    /// Deletes offsets that nobody has used for `offsets.retention.minutes`, and groups of which nothing is left.
    fn clean_up_groups(&mut self) {
        let now = self.now();
        let minutes = self.settings.number("offsets.retention.minutes");
        self.groups.clean_up(minutes.saturating_mul(60_000), now);
        self.next_clean_up = now.saturating_add(self.clean_up_interval());
    }

    fn expiry_interval(&self) -> Millis {
        self.settings
            .number("producer.id.expiration.check.interval.ms")
            .max(1)
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub(super) fn expire_producers(&mut self) {
        let now = self.now();
        let silence = self.settings.number("producer.id.expiration.ms");
        self.topics.expire_producers(now.saturating_sub(silence));
        self.next_expiry = now.saturating_add(self.expiry_interval());
    }

    fn compaction_interval(&self) -> Millis {
        self.settings.number("log.cleaner.backoff.ms").max(1)
    }

    /// Compacts what is dirty enough, unless that is off.
    fn compact_in_the_background(&mut self) {
        let now = self.now();
        if self.settings.flag("log.cleaner.enable") {
            self.topics.compact(Reach::Segments, now);
        }
        self.next_compaction = now.saturating_add(self.compaction_interval());
    }

    /// Does everything that is due, and gives the time of what is due next.
    pub(crate) fn tick(&mut self) -> Option<Millis> {
        let now = self.now();
        let decided = std::mem::take(&mut self.decided);
        let (due, later): (Vec<_>, Vec<_>) = decided.into_iter().partition(|(at, _)| *at <= now);
        self.decided = later;
        due.iter().for_each(|(_, ending)| self.carry_out(ending));
        if self.next_scan <= now {
            let missed = (now - self.next_scan) / self.scan_interval() + 1;
            self.next_scan = self
                .next_scan
                .saturating_add(missed.saturating_mul(self.scan_interval()));
            for ending in self.transactions.time_out(now) {
                self.decide(ending);
            }
            let unused_for = self.settings.number("transactional.id.expiration.ms");
            self.transactions.expire(unused_for, now);
        }
        if self.next_retention <= now {
            self.retain_records();
        }
        if self.next_clean_up <= now {
            self.clean_up_groups();
        }
        if self.next_compaction <= now {
            self.compact_in_the_background();
        }
        if self.next_expiry <= now {
            self.expire_producers();
        }
        self.groups.tick(&self.topics, &self.settings, now);
        self.alarm_at = self.next_deadline();
        self.alarm_at
    }

    fn next_deadline(&self) -> Option<Millis> {
        let scan = self.transactions.any_ongoing().then_some(self.next_scan);
        let markers = self.decided.iter().map(|(at, _)| *at).min();
        [
            Some(self.next_retention),
            Some(self.next_clean_up),
            Some(self.next_compaction),
            Some(self.next_expiry),
            scan,
            markers,
            self.groups.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether something is due before the alarm would ring.
    pub(crate) fn is_early(&mut self) -> bool {
        let next = self.next_deadline();
        let early = next.is_some_and(|next| self.alarm_at.is_none_or(|alarm| next < alarm));
        if early {
            self.alarm_at = next;
        }
        early
    }
}
