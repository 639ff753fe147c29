//! When a driver sends on what the record cache holds.

use super::TopologyTestDriver;
use crate::Result;
use crate::processor::{Forwarding, TaskId};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Checkpoints {
    #[default]
    BehindEachRecord,
    ByHand,
}

impl TopologyTestDriver {
    /// Has a checkpoint come only when the test asks for it ([`checkpoint`](Self::checkpoint)), so that the record cache of
    /// the topology holds updates of tables until then, or until it is full.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.statestore_cache_max_bytes(10 << 20);
    /// let visits = builder.stream::<String, String>("visits");
    /// visits.group_by_key().count().named("counts").to_stream().to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?.checkpoints_by_hand();
    /// for page in ["home", "cart", "home"] {
    ///     driver.pipe("visits", "ann", page)?;
    /// }
    /// assert!(driver.read_values::<i64>("out")?.is_empty());
    /// driver.checkpoint()?;
    /// assert_eq!(driver.read_values::<i64>("out")?, [3]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[must_use]
    pub fn checkpoints_by_hand(mut self) -> Self {
        self.checkpoints = Checkpoints::ByHand;
        self
    }

    /// Sends on all updates that the record cache holds.
    ///
    /// # Errors
    ///
    /// If what they lead to fails and the policy of its error class is `fail`.
    pub fn checkpoint(&mut self) -> Result<()> {
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            while self.forward(id, Forwarding::All)? {}
        }
        self.process_repartitioned()
    }

    /// Behind a record: sends on what a checkpoint would, or what is too much for the cache.
    pub(super) fn send_on(&mut self, id: TaskId) -> Result<()> {
        match self.checkpoints {
            Checkpoints::BehindEachRecord => while self.forward(id, Forwarding::All)? {},
            Checkpoints::ByHand => {
                while self.is_cache_full() && self.forward(id, Forwarding::Oldest)? {}
            }
        }
        Ok(())
    }

    /// All tasks have one record cache, as those of a stream thread have.
    fn is_cache_full(&self) -> bool {
        let held: usize = self.tasks.values().map(|task| task.held_bytes()).sum();
        held > self.topology().config().cache_bytes_per_thread()
    }

    fn forward(&mut self, id: TaskId, which: Forwarding) -> Result<bool> {
        let has_left = self.task(id)?.forward_held(which);
        if !has_left.map_err(|failed| failed.into_error(id))? {
            return Ok(false);
        }
        self.punctuate(id)?;
        Ok(true)
    }
}
