//! Whether the group has dealt out all partitions: if not, this member makes it do so again.
//!
//! The member that deals them out looks the topics up for that. Told by a broker that knows less than the others (a topic is
//! new, or has grown) that a topic is not there, or has fewer partitions, librdkafka deals out what is left, and does not look
//! again: its later metadata are those that it had before (2.12; the Java consumer compares them with what was dealt out). The
//! partitions would be nobody's until a member comes or goes, and the job would stand still. So each member asks, a little
//! after each deal, and if it stays so, leaves the group and joins again.

use super::thread::StreamThread;
use super::work::Interrupt;
use crate::kafka::TopicPartition;
use std::time::{Duration, Instant};

/// From a deal to the first question, and between two: longer than brokers need to know of a new topic.
const PAUSE: Duration = Duration::from_secs(2);

/// What the pause grows to while nobody answers, or it does not help to deal anew: a question keeps the thread from its
/// records, and a deal the whole group.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// For each question.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How often in a row a partition must be found to be nobody's: one that was just added is dealt out soon.
const SURE_AFTER: u32 = 2;

/// When the group is asked what its members have.
#[derive(Debug)]
pub(super) struct Dealing {
    /// `None` if all is dealt out, or this member has no part in what is.
    next: Option<Instant>,
    pause: Duration,
    /// How often in a row a partition was found to be nobody's.
    found: u32,
}

impl Default for Dealing {
    fn default() -> Self {
        Self {
            next: None,
            pause: PAUSE,
            found: 0,
        }
    }
}

impl Dealing {
    /// This member has its part of what was dealt out.
    pub(super) fn has_dealt(&mut self) {
        self.found = 0;
        self.ask_later();
    }

    /// What was dealt out is not so any more.
    pub(super) fn is_over(&mut self) {
        self.next = None;
    }

    fn is_due(&self) -> bool {
        self.next.is_some_and(|next| Instant::now() >= next)
    }

    fn ask_later(&mut self) {
        self.next = Some(Instant::now() + self.pause);
    }

    fn be_patient(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn all_is_dealt_out(&mut self) {
        *self = Self::default();
    }

    /// A partition is nobody's. Whether that is sure enough to do something about it.
    fn is_to_deal_anew(&mut self) -> bool {
        self.found += 1;
        let is_sure = self.found >= SURE_AFTER;
        match is_sure {
            true => {
                self.is_over();
                self.be_patient();
            }
            false => self.ask_later(),
        }
        is_sure
    }

    fn is_not_told(&mut self) {
        self.found = 0;
        self.be_patient();
        self.ask_later();
    }
}

impl StreamThread {
    /// Asks whether each partition is somebody's, if it is time, and has them dealt out anew if one is not.
    pub(super) fn see_that_all_is_dealt_out(&mut self) -> Result<(), Interrupt> {
        if !self.dealing.is_due() {
            return Ok(());
        }
        let topology = &self.work.shared.topology;
        let topics: Vec<_> = topology.consumed_topics().collect();
        let group = topology.application_id();
        match self.consumer.left_over(group, &topics, ANSWER_TIMEOUT) {
            Ok(None) => self.dealing.all_is_dealt_out(),
            Ok(Some(partition)) => {
                tracing::debug!("the group has left {partition} to nobody");
                if self.dealing.is_to_deal_anew() {
                    return self.deal_anew(&partition);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "whether all partitions are dealt out is not told");
                self.dealing.is_not_told();
            }
        }
        Ok(())
    }

    fn deal_anew(&mut self, left_over: &TopicPartition) -> Result<(), Interrupt> {
        tracing::warn!(
            "the group has left {left_over} to nobody: the member that deals partitions out was told that it is not there. This \
             member leaves and joins again, so that all are dealt out anew"
        );
        // Where nothing is committed yet, the offset reset has chosen a start: `latest` must not choose another one.
        if self.carried.is_empty() {
            self.carried = self.work.tasks.starts();
        }
        let topology = &self.work.shared.topology;
        let topics: Vec<_> = topology.consumed_topics().collect();
        self.consumer.leave_and_join(&topics)?;
        // At once: a member that is about to leave sends no heartbeats.
        self.answer_rebalances()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_is_not_enough_to_deal_anew() {
        let mut dealing = Dealing::default();
        dealing.has_dealt();
        assert!(!dealing.is_to_deal_anew());
        // Nothing is told: what was found may have been mended.
        dealing.is_not_told();
        assert!(!dealing.is_to_deal_anew());
        assert!(dealing.is_to_deal_anew());
        assert_eq!(dealing.next, None);
    }

    #[test]
    fn what_does_not_help_is_done_less_and_less() {
        let mut dealing = Dealing::default();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            dealing.has_dealt();
            pauses.push(dealing.pause.as_secs());
            assert!(!dealing.is_to_deal_anew());
            assert!(dealing.is_to_deal_anew());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60]);
        dealing.all_is_dealt_out();
        assert_eq!(dealing.pause, PAUSE);
    }
}
