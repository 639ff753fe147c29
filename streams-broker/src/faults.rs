//! Harm on command: answers with errors, late answers, cut connections; and a record of what was asked.
//!
//! Invariants: what happens depends on the order of requests alone, never on time; a request that a fault lets through
//! is served exactly as without it. Of the traffic the last requests are kept, a bounded number.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

/// Requests that are remembered.
const REMEMBERED: usize = 10_000;

/// Which of the requests that a [`Fault`] is about it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Each,
    /// Counted from 1.
    Nth(u64),
    First(u64),
}

impl Which {
    fn strikes(self, count: u64) -> bool {
        match self {
            Which::Each => true,
            Which::Nth(nth) => count == nth,
            Which::First(first) => count <= first,
        }
    }
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Fail(i16),
    Delay(Duration),
    CutBefore,
    CutAfter,
}

/// Something that goes wrong with requests of one kind; given to [`EmbeddedKafka::inject`].
///
/// ```
/// use std::time::Duration;
/// use streams_broker::{ApiKey, EmbeddedKafka, Fault};
///
/// # fn main() -> Result<(), streams_broker::Error> {
/// let kafka = EmbeddedKafka::start()?;
/// // The second commit takes effect, but its answer is lost with the connection.
/// kafka.inject(Fault::cut_after(ApiKey::EndTxn).nth(2));
/// // The first three heartbeats of this client are told to join again.
/// kafka.inject(Fault::fail(ApiKey::Heartbeat, 27).first(3).client_id("a"));
/// kafka.inject(Fault::delay(ApiKey::Fetch, Duration::from_millis(50)));
/// # Ok(())
/// # }
/// ```
///
/// [`EmbeddedKafka::inject`]: crate::EmbeddedKafka::inject
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    api: ApiKey,
    which: Which,
    client_id: Option<String>,
    harm: Harm,
    seen: u64,
}

impl Fault {
    fn new(api: ApiKey, harm: Harm) -> Self {
        Self {
            api,
            which: Which::Each,
            client_id: None,
            harm,
            seen: 0,
        }
    }

    /// Requests of this kind are answered with a Kafka error code and have no effect.
    ///
    /// Not for those whose answers have no code for it: ApiVersions, DescribeCluster, DescribeGroups, ListGroups,
    /// ListTransactions, OffsetForLeaderEpoch.
    pub fn fail(api: ApiKey, code: i16) -> Self {
        Self::new(api, Harm::Fail(code))
    }

    /// Requests of this kind are served late.
    pub fn delay(api: ApiKey, by: Duration) -> Self {
        Self::new(api, Harm::Delay(by))
    }

    /// The connection is cut before the request takes effect.
    pub fn cut_before(api: ApiKey) -> Self {
        Self::new(api, Harm::CutBefore)
    }

    /// The request takes effect, but the connection is cut instead of an answer.
    pub fn cut_after(api: ApiKey) -> Self {
        Self::new(api, Harm::CutAfter)
    }

    /// Only the nth such request, counted from 1 and from when the fault was injected.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.which = Which::Nth(nth);
        self
    }

    /// Only the first so many.
    #[must_use]
    pub fn first(mut self, count: u64) -> Self {
        self.which = Which::First(count);
        self
    }

    /// Only requests of this `client.id`.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Counts a request, and says whether the fault strikes it.
    fn strikes(&mut self, api: ApiKey, client_id: &str) -> bool {
        let concerns = self.api == api
            && self
                .client_id
                .as_deref()
                .is_none_or(|wanted| wanted == client_id);
        if !concerns {
            return false;
        }
        self.seen += 1;
        self.which.strikes(self.seen)
    }
}

/// A request that the broker has received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Its kind.
    pub api: ApiKey,
    /// The version of its kind.
    pub version: i16,
    /// The client's `client.id`.
    pub client_id: String,
    /// The broker's clock when it arrived, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// What is to happen to one request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) error: Option<ResponseError>,
    pub(crate) cut_before: bool,
    pub(crate) cut_after: bool,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    seen: VecDeque<SeenRequest>,
}

/// The faults in force and the traffic so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().faults.clear();
    }

    /// The last requests, the oldest first.
    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.lock().seen.iter().cloned().collect()
    }

    /// Notes a request and judges it.
    pub(crate) fn judge(&self, request: SeenRequest) -> Verdict {
        let mut state = self.lock();
        let mut verdict = Verdict::default();
        for fault in &mut state.faults {
            if fault.strikes(request.api, &request.client_id) {
                match fault.harm {
                    Harm::Fail(code) => {
                        verdict.error = verdict.error.or(ResponseError::try_from_code(code))
                    }
                    Harm::Delay(by) => verdict.delay += by,
                    Harm::CutBefore => verdict.cut_before = true,
                    Harm::CutAfter => verdict.cut_after = true,
                }
            }
        }
        if state.seen.len() == REMEMBERED {
            state.seen.pop_front();
        }
        state.seen.push_back(request);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(faults: &Faults, api: ApiKey, client_id: &str) -> Verdict {
        faults.judge(SeenRequest {
            api,
            version: 0,
            client_id: client_id.to_owned(),
            at: 0,
        })
    }

    #[test]
    fn only_the_nth_request_of_the_kind_and_client_is_struck() {
        let faults = Faults::default();
        faults.inject(Fault::cut_before(ApiKey::EndTxn).nth(2).client_id("a"));
        let verdicts = [
            ("a", ApiKey::EndTxn),
            ("b", ApiKey::EndTxn),
            ("a", ApiKey::Fetch),
            ("a", ApiKey::EndTxn),
        ]
        .map(|(client, api)| ask(&faults, api, client).cut_before);
        assert_eq!(verdicts, [false, false, false, true]);
        assert!(!ask(&faults, ApiKey::EndTxn, "a").cut_before);
        assert_eq!(faults.seen().len(), 5);
    }

    #[test]
    fn faults_add_up_until_they_are_cleared() {
        let faults = Faults::default();
        faults.inject(Fault::delay(ApiKey::Produce, Duration::from_millis(5)));
        faults.inject(Fault::delay(ApiKey::Produce, Duration::from_millis(7)).first(1));
        faults.inject(Fault::fail(ApiKey::Produce, 51));
        let verdict = ask(&faults, ApiKey::Produce, "");
        assert_eq!(verdict.delay, Duration::from_millis(12));
        assert_eq!(verdict.error, Some(ResponseError::ConcurrentTransactions));
        assert_eq!(
            ask(&faults, ApiKey::Produce, "").delay,
            Duration::from_millis(5)
        );
        faults.clear();
        assert_eq!(ask(&faults, ApiKey::Produce, ""), Verdict::default());
    }

    #[test]
    fn the_record_is_bounded() {
        let faults = Faults::default();
        (0..REMEMBERED + 5).for_each(|_| {
            ask(&faults, ApiKey::Fetch, "");
        });
        assert_eq!(faults.seen().len(), REMEMBERED);
    }
}
