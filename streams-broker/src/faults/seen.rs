//! What the broker was asked, of which the last requests are remembered.

use std::collections::VecDeque;
use std::sync::Arc;

use kafka_protocol::messages::ApiKey;

/// Requests that are remembered, if they are not too large together.
pub(super) const REMEMBERED: usize = 10_000;

/// A request that the broker has received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Its kind.
    pub api: ApiKey,
    /// The version of its kind.
    pub version: i16,
    /// The client's `client.id`; empty if it has none.
    pub client_id: String,
    /// The broker's clock when it arrived, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The topics that it names, each once, by name also where the request has their ids. A fetch that goes on with a
    /// session is about the session's topics, too, which it need not name again. A request for all topics names none.
    pub topics: Vec<String>,
    /// The groups that it names. FindCoordinator's keys are here and in `transactional_ids`, whichever they are.
    pub groups: Vec<String>,
    /// The transactional ids that it names.
    pub transactional_ids: Vec<String>,
}

impl SeenRequest {
    /// The memory that it takes, about.
    fn footprint(&self) -> usize {
        let names = [&self.topics, &self.groups, &self.transactional_ids];
        let names = names.into_iter().flatten();
        let names: usize = names.map(|name| size_of::<String>() + name.len()).sum();
        size_of::<Self>() + self.client_id.len() + names
    }
}

/// The last requests, the oldest first: so many, and no more than so many bytes of them, but at least the last one.
#[derive(Debug)]
pub(super) struct Traffic {
    seen: VecDeque<Arc<SeenRequest>>,
    bytes: usize,
    most_bytes: usize,
}

impl Traffic {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            seen: VecDeque::new(),
            bytes: 0,
            most_bytes,
        }
    }

    pub(super) fn push(&mut self, request: Arc<SeenRequest>) {
        self.bytes += request.footprint();
        self.seen.push_back(request);
        while self.seen.len() > REMEMBERED || (self.bytes > self.most_bytes && self.seen.len() > 1)
        {
            let oldest = self.seen.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.footprint());
        }
    }

    /// Copies of all.
    pub(super) fn list(&self) -> Vec<SeenRequest> {
        self.seen.iter().map(|seen| seen.as_ref().clone()).collect()
    }
}
