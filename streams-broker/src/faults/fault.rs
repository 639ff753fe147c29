//! [`Fault`]: what goes wrong, with which requests.

use std::time::Duration;

use kafka_protocol::ResponseError as ErrorCode;
use kafka_protocol::messages::ApiKey;

use super::seen::SeenRequest;

/// Which of the requests that a [`Fault`] is about it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Each,
    /// Counted from 1.
    Nth(u64),
    First(u64),
    After(u64),
    OneIn {
        requests: u64,
        seed: u64,
    },
}

impl Which {
    /// Whether the request with this number, from 1 on, is struck.
    pub(super) fn strikes(self, number: u64) -> bool {
        match self {
            Which::Each => true,
            Which::Nth(nth) => number == nth,
            Which::First(first) => number <= first,
            Which::After(after) => number > after,
            Which::OneIn { requests, seed } => mixed(seed, number).is_multiple_of(requests.max(1)),
        }
    }
}

/// A number that looks random, from two (SplitMix64).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    Observe,
    Fail(ErrorCode),
    Delay(Duration),
    DelayAnswer(Duration),
    Hold,
    HoldAnswer,
    CutBefore,
    CutAfter,
}

/// Where in an answer an injected error is, if there are two places for one; see [`Fault::level`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorLevel {
    /// The answer as a whole, or a group in it.
    Answer,
    /// Each topic, partition or member in it.
    Parts,
}

/// Something that goes wrong with requests of one kind, or of any; given to [`EmbeddedKafka::inject`].
///
/// A fault says what happens, then to which requests. Without more it strikes each request of the kind; an [`ApiKey`] says
/// the kind, and `None` means any. Several faults add up: of two errors the one that was injected first is answered.
///
/// ```
/// use std::time::Duration;
/// use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
///
/// # fn main() -> Result<(), streams_broker::Error> {
/// let kafka = EmbeddedKafka::start()?;
/// // The second commit takes effect, but its answer is lost with the connection.
/// kafka.inject(Fault::cut_after(ApiKey::EndTxn).nth(2));
/// // The first three heartbeats of this client are told to join again.
/// kafka.inject(Fault::fail(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress).first(3).client_id("a"));
/// // What is written to this topic is answered late.
/// kafka.inject(Fault::delay_answer(ApiKey::Produce, Duration::from_millis(50)).topic("slow"));
/// // One request in a hundred loses its connection, always the same ones.
/// kafka.inject(Fault::cut_before(None).one_in(100, 7));
/// # Ok(())
/// # }
/// ```
///
/// A fault may be had from a text as well: see its [`FromStr`](#impl-FromStr-for-Fault).
///
/// [`EmbeddedKafka::inject`]: crate::EmbeddedKafka::inject
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    pub(super) harm: Harm,
    pub(super) which: Which,
    pub(super) level: Option<ErrorLevel>,
    api: Option<ApiKey>,
    client_id: Option<String>,
    topic: Option<String>,
    group: Option<String>,
    transactional_id: Option<String>,
}

impl Fault {
    pub(super) fn new(api: impl Into<Option<ApiKey>>, harm: Harm) -> Self {
        Self {
            harm,
            which: Which::Each,
            level: None,
            api: api.into(),
            client_id: None,
            topic: None,
            group: None,
            transactional_id: None,
        }
    }

    /// Only requests of this kind.
    pub(super) fn of_kind(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Nothing goes wrong: [`Injected`](crate::Injected) only sees the requests.
    pub fn observe(api: impl Into<Option<ApiKey>>) -> Self {
        Self::new(api, Harm::Observe)
    }

    /// Requests of this kind are answered with a Kafka error and have no effect.
    ///
    /// Where an answer has a code a topic, a partition or a group, each gets it; some may have it as a whole, too: see
    /// [`level`](Self::level). One without a place for a code is served, and does not count as struck: see
    /// [`Injected::struck`](crate::Injected::struck).
    ///
    /// An error is told by its name. By its number it is [`ErrorCode::try_from_code`](crate::ErrorCode::try_from_code),
    /// which has none for 0, and [`ErrorCode::Unknown`](crate::ErrorCode::Unknown) for one that Kafka hasn't: to see what a
    /// client makes of the errors of a later Kafka.
    ///
    /// ```
    /// use streams_broker::{ApiKey, ErrorCode, Fault};
    ///
    /// let refused = Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
    /// assert_eq!(ErrorCode::try_from_code(6), Some(ErrorCode::NotLeaderOrFollower));
    /// assert_eq!(ErrorCode::try_from_code(0), None);
    /// ```
    pub fn fail(api: impl Into<Option<ApiKey>>, error: ErrorCode) -> Self {
        Self::new(api, Harm::Fail(error))
    }

    /// Where in the answer an error of [`fail`](Self::fail) is, with kinds of requests that have two places for one:
    ///
    /// | | [`Answer`](ErrorLevel::Answer) | [`Parts`](ErrorLevel::Parts) | else |
    /// |---|---|---|---|
    /// | Fetch, from version 7 on | the answer | its partitions | partitions |
    /// | Metadata, from version 13 on | the answer | its topics | topics, if there are any |
    /// | LeaveGroup, from version 3 on | the answer | its members | members |
    /// | OffsetFetch, from version 2 on | the answer, from version 8 on its groups | partitions | the answer, its groups |
    /// | OffsetDelete | the answer | its partitions | the answer |
    ///
    /// Where there is one place, the error is there whatever is said.
    ///
    /// ```
    /// use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, ErrorLevel, Fault};
    ///
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::start()?;
    /// // The broker has forgotten the consumer's fetch session, which is opened again.
    /// let forgotten = Fault::fail(ApiKey::Fetch, ErrorCode::FetchSessionIdNotFound);
    /// kafka.inject(forgotten.level(ErrorLevel::Answer).nth(3));
    /// // An offset of a transaction that is still open.
    /// let unstable = Fault::fail(ApiKey::OffsetFetch, ErrorCode::UnstableOffsetCommit);
    /// kafka.inject(unstable.level(ErrorLevel::Parts).first(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn level(mut self, level: ErrorLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Requests of this kind wait so long before they take effect.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streams_broker::{ApiKey, EmbeddedKafka, Fault};
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// # let kafka = EmbeddedKafka::start()?;
    /// // A broker that is slow for one group.
    /// kafka.inject(Fault::delay(None, Duration::from_millis(20)).group("readers"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn delay(api: impl Into<Option<ApiKey>>, by: Duration) -> Self {
        Self::new(api, Harm::Delay(by))
    }

    /// Requests of this kind take effect, and are answered so much later.
    pub fn delay_answer(api: impl Into<Option<ApiKey>>, by: Duration) -> Self {
        Self::new(api, Harm::DelayAnswer(by))
    }

    /// Requests of this kind wait before they take effect until [`Injected::release`](crate::Injected::release).
    ///
    /// They take effect then even if their client has given up and closed its connection, as a request does that was
    /// under way. [`restart`](crate::EmbeddedKafka::restart) and
    /// [`cut_connections`](crate::EmbeddedKafka::cut_connections) drop them.
    pub fn hold(api: impl Into<Option<ApiKey>>) -> Self {
        Self::new(api, Harm::Hold)
    }

    /// Requests of this kind take effect, and their answers wait until [`Injected::release`](crate::Injected::release).
    pub fn hold_answer(api: impl Into<Option<ApiKey>>) -> Self {
        Self::new(api, Harm::HoldAnswer)
    }

    /// The connection is cut before the request takes effect.
    pub fn cut_before(api: impl Into<Option<ApiKey>>) -> Self {
        Self::new(api, Harm::CutBefore)
    }

    /// The request takes effect, but the connection is cut instead of an answer.
    pub fn cut_after(api: impl Into<Option<ApiKey>>) -> Self {
        Self::new(api, Harm::CutAfter)
    }

    /// Only the nth such request, counted from 1 and from when the fault was injected.
    pub fn nth(mut self, nth: u64) -> Self {
        self.which = Which::Nth(nth);
        self
    }

    /// Only the first so many.
    pub fn first(mut self, count: u64) -> Self {
        self.which = Which::First(count);
        self
    }

    /// Not the first so many, but all that follow.
    pub fn after(mut self, count: u64) -> Self {
        self.which = Which::After(count);
        self
    }

    /// Each with a chance of one in so many. The seed decides which, so that a run can be repeated.
    pub fn one_in(mut self, requests: u64, seed: u64) -> Self {
        self.which = Which::OneIn { requests, seed };
        self
    }

    /// Only requests of this `client.id`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Only requests that name this topic, or are fetches of a session that has it.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only requests that name this group.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Only requests that name this transactional id.
    pub fn transactional_id(mut self, id: impl Into<String>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// Whether the request is one of those that the fault is about.
    pub(super) fn concerns(&self, request: &SeenRequest) -> bool {
        let among = |wanted: &Option<String>, named: &[String]| {
            wanted.as_ref().is_none_or(|wanted| named.contains(wanted))
        };
        self.api.is_none_or(|api| api == request.api)
            && self
                .client_id
                .as_ref()
                .is_none_or(|id| *id == request.client_id)
            && among(&self.topic, &request.topics)
            && among(&self.group, &request.groups)
            && among(&self.transactional_id, &request.transactional_ids)
    }
}
