//! A restore that cannot begin yet.

use super::restorer::Request;
use super::store_restore::WRONG_AFTER;
use crate::kafka::error::{ClientError, Code, Remedy};
use std::time::{Duration, Instant};

/// How long a task's restore may fail without an answer between before the job ends.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

/// A request whose changelogs' ends are not known yet.
pub(super) struct Waiting {
    pub(super) request: Request,
    since: Instant,
    /// Since when a changelog is said not to be there.
    wrong_since: Option<Instant>,
}

impl Waiting {
    pub(super) fn new(request: Request) -> Self {
        Self {
            request,
            since: Instant::now(),
            wrong_since: None,
        }
    }

    /// Notes what has failed, and says whether it will not go well any more.
    pub(super) fn fails_for_good(&mut self, error: &ClientError) -> bool {
        let is_wrong = error.code() == Code::UnknownTopicOrPartition;
        self.wrong_since = is_wrong.then(|| self.wrong_since.unwrap_or_else(Instant::now));
        let wrong_for = self
            .wrong_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        error.remedy() == Remedy::Fail
            || wrong_for > WRONG_AFTER
            || self.since.elapsed() > GIVE_UP_AFTER
    }
}
