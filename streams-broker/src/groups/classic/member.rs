//! A member of a classic group, and what a client asks and is answered when it joins and syncs.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use crate::clock::Millis;

/// What a member says when it joins.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) member_id: String,
    pub(crate) instance: Option<String>,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) protocol_type: String,
    /// Assignors in order of preference, with the member's subscription.
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// The client's version asks for an id first and joins with it then.
    pub(crate) asks_for_id: bool,
    /// The client's version knows of assignments that are not to be computed.
    pub(crate) may_skip_assignment: bool,
}

/// The answer to a join that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    pub(crate) skip_assignment: bool,
    /// For the leader: each member's id, instance and subscription.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// A join that was refused, with the member id that the answer bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRefused {
    pub(crate) code: ResponseError,
    pub(crate) member_id: String,
}

/// The answer to a sync that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(crate) type JoinAnswer = Result<Joined, JoinRefused>;
pub(crate) type SyncAnswer = Result<Synced, ResponseError>;

/// A member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) join: Join,
    pub(crate) assignment: Bytes,
    /// The answer that it awaits, if it has joined the coming generation.
    pub(crate) joining: Option<oneshot::Sender<JoinAnswer>>,
    /// The answer that it awaits, if it asks for its assignment.
    pub(crate) syncing: Option<oneshot::Sender<SyncAnswer>>,
    /// When it is taken for dead.
    pub(crate) expires: Millis,
}

impl Member {
    pub(crate) fn new(join: Join, now: Millis) -> Self {
        let expires = now.saturating_add(join.session_timeout);
        Self {
            join,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            expires,
        }
    }

    /// It was heard of.
    pub(crate) fn alive(&mut self, now: Millis) {
        self.expires = now.saturating_add(self.join.session_timeout);
    }

    /// A member that awaits an answer cannot send heartbeats.
    pub(crate) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self
            .join
            .protocols
            .iter()
            .find(|(name, _)| name == protocol);
        found
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// Answers whatever it waits for with an error.
    pub(crate) fn refuse(&mut self, code: ResponseError) {
        if let Some(answer) = self.joining.take() {
            let _ = answer.send(Err(JoinRefused {
                code,
                member_id: self.join.member_id.clone(),
            }));
        }
        self.answer_sync(Err(code));
    }

    /// Answers a sync, if it waits for one. The client may be gone; that is its session's concern.
    pub(crate) fn answer_sync(&mut self, answer: SyncAnswer) {
        if let Some(sender) = self.syncing.take() {
            let _ = sender.send(answer);
        }
    }
}
