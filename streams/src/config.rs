//! What a job is configured with: by the attributes of `#[topology]`, or by a deployment that overrides them.
//!
//! What was not said is `None`, so that [`JobConfig::validate`] can tell a setting that would be ignored from a
//! default; the accessors of the same names give the value that holds.

mod optimization;

pub use optimization::TopologyOptimization;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use streams_rules as rules;

/// How often the effect of an input record may be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Guarantee {
    /// Once, whatever dies: outputs and offsets are committed in one transaction. The default.
    #[default]
    ExactlyOnce,
    /// Once or, after a failure, more often: without transactions.
    AtLeastOnce,
}

impl Guarantee {
    fn as_str(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Guarantee {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::ExactlyOnce, Self::AtLeastOnce];
        let known = all.into_iter().find(|guarantee| guarantee.as_str() == text);
        known.ok_or_else(|| {
            format!("`{text}` is not a guarantee; choose `exactly_once` or `at_least_once`")
        })
    }
}

/// Where a partition without a committed offset begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OffsetReset {
    /// At its first record. The default.
    #[default]
    Earliest,
    /// After its last record.
    Latest,
    /// Nowhere: the job ends with an error.
    None,
}

impl OffsetReset {
    fn as_str(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::None => "none",
        }
    }
}

impl fmt::Display for OffsetReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OffsetReset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Earliest, Self::Latest, Self::None];
        let known = all.into_iter().find(|reset| reset.as_str() == text);
        known.ok_or_else(|| {
            format!("`{text}` is not an offset reset; choose `earliest`, `latest` or `none`")
        })
    }
}

/// Where the state of tasks is kept. Either way each change is in a changelog topic too, which restores what is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StateBackend {
    /// On disk, in the state directory: a restart reads only what came after. The default.
    #[default]
    Disk,
    /// In memory: as large as the memory allows, and read anew from the changelog after each start of a process.
    Memory,
}

impl StateBackend {
    fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for StateBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StateBackend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Disk, Self::Memory];
        let known = all.into_iter().find(|backend| backend.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a state backend; choose `disk` or `memory`"))
    }
}

/// What becomes of a record that fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ErrorPolicy {
    /// The job ends with an error that names the record. The default.
    #[default]
    Fail,
    /// The record is left out, and logged.
    Skip,
    /// The record goes to this topic, in the same transaction, with the reason in its headers.
    DeadLetter(String),
}

impl fmt::Display for ErrorPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("fail"),
            Self::Skip => f.write_str("skip"),
            Self::DeadLetter(topic) => write!(f, "dead_letter({topic})"),
        }
    }
}

impl FromStr for ErrorPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let dead_letter = |text: &str| {
            text.strip_prefix("dead_letter(")?
                .strip_suffix(')')
                .map(str::to_owned)
        };
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            _ => match dead_letter(text) {
                Some(topic) => Ok(Self::DeadLetter(topic)),
                None => Err(format!(
                    "`{text}` is not an error policy; choose `fail`, `skip` or `dead_letter(topic)`"
                )),
            },
        }
    }
}

/// What becomes of a record that fails, by the step at which it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnError {
    /// Its key or value cannot be read.
    pub deserialize: ErrorPolicy,
    /// User code fails or panics on it.
    pub process: ErrorPolicy,
    /// An output of it cannot be written.
    pub produce: ErrorPolicy,
}

/// The configuration of a job.
///
/// ```
/// use std::time::Duration;
/// use streams::JobConfig;
///
/// let mut config = JobConfig::new("word-count");
/// assert_eq!(config.checkpoint_interval(), Duration::from_millis(100));
/// config.checkpoint_interval = Some(Duration::from_secs(90));
/// let broken = config.validate().unwrap_err();
/// assert!(broken[0].starts_with("`checkpoint_interval` (90s) must be shorter than `transaction_timeout` (1min)"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobConfig {
    /// The consumer group, and the start of internal names. It identifies the job, so two jobs never share it.
    pub application_id: String,
    /// How often the effect of an input record may be seen; [`Guarantee::ExactlyOnce`] by default.
    pub guarantee: Guarantee,
    /// The time between checkpoints; by default 100 ms under exactly-once and 30 s under at-least-once.
    pub checkpoint_interval: Option<Duration>,
    /// The start of each transactional id; the application id by default. Only under exactly-once.
    pub transactional_id_prefix: Option<String>,
    /// After how long the brokers abort a transaction; 60 s by default. Only under exactly-once.
    pub transaction_timeout: Option<Duration>,
    /// The longest transaction timeout that the brokers accept (`transaction.max.timeout.ms`); 15 min by default,
    /// which is theirs. Only under exactly-once.
    pub broker_transaction_max_timeout: Option<Duration>,
    /// How many stream threads a process runs; 1 by default.
    pub stream_threads: usize,
    /// Where a partition without a committed offset begins; [`OffsetReset::Earliest`] by default.
    pub offset_reset: OffsetReset,
    /// Where state is kept; [`StateBackend::Disk`] by default.
    pub state_backend: StateBackend,
    /// How many bytes a process holds, divided evenly among its stream threads, of updates of tables that wait to be sent on;
    /// 0 by default, which sends each on at once (Kafka Streams' `statestore.cache.max.bytes`, there 10 MiB).
    ///
    /// Of each row of a kept table the newest update waits: until a checkpoint, or until the cache is full and it has waited
    /// the longest. So the operators behind a table, and its topic, get one update where there were many. Look-ups see each
    /// update at once. Updates of versioned tables do not wait.
    pub statestore_cache_max_bytes: usize,
    /// How many bytes of state a stream thread may have written since its last checkpoint before it takes the next one
    /// early, since they are kept in memory until then; 64 MiB by default (KIP-892 calls it
    /// `statestore.uncommitted.max.bytes`).
    pub uncommitted_state_bytes: usize,
    /// How often records that are committed are deleted from repartition topics; 30 s by default
    /// (`repartition.purge.interval.ms`).
    pub repartition_purge_interval: Duration,
    /// What becomes of a record that fails; [`ErrorPolicy::Fail`] by default.
    pub on_error: OnError,
}

impl JobConfig {
    /// The defaults, for this application id.
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            guarantee: Guarantee::default(),
            checkpoint_interval: None,
            transactional_id_prefix: None,
            transaction_timeout: None,
            broker_transaction_max_timeout: None,
            stream_threads: rules::DEFAULT_STREAM_THREADS,
            offset_reset: OffsetReset::default(),
            state_backend: StateBackend::default(),
            statestore_cache_max_bytes: 0,
            uncommitted_state_bytes: 64 << 20,
            repartition_purge_interval: Duration::from_secs(30),
            on_error: OnError::default(),
        }
    }

    /// The time between checkpoints.
    pub fn checkpoint_interval(&self) -> Duration {
        self.checkpoint_interval.unwrap_or(match self.guarantee {
            Guarantee::ExactlyOnce => rules::DEFAULT_CHECKPOINT_INTERVAL_EXACTLY_ONCE,
            Guarantee::AtLeastOnce => rules::DEFAULT_CHECKPOINT_INTERVAL_AT_LEAST_ONCE,
        })
    }

    /// A stream thread's part of [`statestore_cache_max_bytes`](Self::statestore_cache_max_bytes).
    pub(crate) fn cache_bytes_per_thread(&self) -> usize {
        self.statestore_cache_max_bytes / self.stream_threads.max(1)
    }

    /// The start of each transactional id.
    pub fn transactional_id_prefix(&self) -> &str {
        self.transactional_id_prefix
            .as_deref()
            .unwrap_or(&self.application_id)
    }

    /// After how long the brokers abort a transaction.
    pub fn transaction_timeout(&self) -> Duration {
        self.transaction_timeout
            .unwrap_or(rules::DEFAULT_TRANSACTION_TIMEOUT)
    }

    /// The longest transaction timeout that the brokers accept.
    pub fn broker_transaction_max_timeout(&self) -> Duration {
        self.broker_transaction_max_timeout
            .unwrap_or(rules::DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT)
    }

    /// Whether every rule holds that needs no cluster: the same that `#[topology]` checks while it compiles.
    ///
    /// # Errors
    ///
    /// Every broken rule, each with what mends it.
    pub fn validate(&self) -> Result<(), Vec<String>> {
        let mut verdicts = vec![
            rules::application_id(&self.application_id),
            rules::stream_threads(self.stream_threads),
            rules::checkpoint_interval(self.checkpoint_interval()),
            rules::statestore_cache_max_bytes(self.statestore_cache_max_bytes),
            rules::uncommitted_state_bytes(self.uncommitted_state_bytes),
            rules::repartition_purge_interval(self.repartition_purge_interval),
        ];
        match self.guarantee {
            Guarantee::ExactlyOnce => verdicts.extend(self.transaction_rules()),
            Guarantee::AtLeastOnce => {
                verdicts.extend(self.transactional_settings_without_transactions())
            }
        }
        verdicts.extend(self.dead_letter_topics().map(rules::dead_letter_topic));
        let broken: Vec<String> = verdicts
            .into_iter()
            .filter_map(Result::err)
            .map(|message| message.to_string())
            .collect();
        if broken.is_empty() {
            Ok(())
        } else {
            Err(broken)
        }
    }

    /// The topics that rejected records go to.
    pub fn dead_letter_topics(&self) -> impl Iterator<Item = &str> {
        let policies = [
            &self.on_error.deserialize,
            &self.on_error.process,
            &self.on_error.produce,
        ];
        policies.into_iter().filter_map(|policy| match policy {
            ErrorPolicy::DeadLetter(topic) => Some(topic.as_str()),
            ErrorPolicy::Fail | ErrorPolicy::Skip => None,
        })
    }

    fn transaction_rules(&self) -> [rules::Verdict; 4] {
        let (timeout, broker_max) = (
            self.transaction_timeout(),
            self.broker_transaction_max_timeout(),
        );
        [
            // Without a prefix it is the application id, whose verdict stands already.
            self.transactional_id_prefix
                .as_deref()
                .map_or(Ok(()), rules::transactional_id_prefix),
            rules::broker_transaction_max_timeout(broker_max),
            rules::transaction_timeout(timeout, broker_max),
            rules::checkpoint_within_transaction(self.checkpoint_interval(), timeout),
        ]
    }

    fn transactional_settings_without_transactions(&self) -> Vec<rules::Verdict> {
        let settings = [
            (
                "transactional_id_prefix",
                self.transactional_id_prefix.is_some(),
            ),
            ("transaction_timeout", self.transaction_timeout.is_some()),
            (
                "broker_transaction_max_timeout",
                self.broker_transaction_max_timeout.is_some(),
            ),
        ];
        settings
            .into_iter()
            .filter_map(|(name, said)| said.then_some(rules::only_exactly_once(name, false)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn broken(change: impl FnOnce(&mut JobConfig)) -> Vec<String> {
        let mut config = JobConfig::new("job");
        change(&mut config);
        config.validate().err().unwrap_or_default()
    }

    #[test]
    fn the_defaults_are_valid_under_both_guarantees() {
        assert!(broken(|_| {}).is_empty());
        assert!(broken(|c| c.guarantee = Guarantee::AtLeastOnce).is_empty());
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let mut config = JobConfig::new("job");
        assert_eq!(config.checkpoint_interval(), Duration::from_millis(100));
        assert_eq!(config.transactional_id_prefix(), "job");
        assert_eq!(config.transaction_timeout(), Duration::from_secs(60));
        assert_eq!(
            config.broker_transaction_max_timeout(),
            Duration::from_secs(900)
        );
        config.guarantee = Guarantee::AtLeastOnce;
        assert_eq!(config.checkpoint_interval(), Duration::from_secs(30));
    }

    #[test]
    fn every_broken_rule_is_told_at_once() {
        let broken = broken(|c| {
            c.application_id = "a b".into();
            c.stream_threads = 0;
            c.checkpoint_interval = Some(Duration::from_secs(1_800));
            c.transaction_timeout = Some(Duration::from_secs(1_200));
            c.transactional_id_prefix = Some("..".into());
            c.on_error.process = ErrorPolicy::DeadLetter(String::new());
        });
        assert_eq!(broken.len(), 6, "{broken:#?}");
        assert!(
            broken[0].starts_with("`application_id` `a b` contains"),
            "{broken:#?}"
        );
    }

    #[test]
    fn transactional_settings_are_refused_without_transactions() {
        let broken = broken(|c| {
            c.guarantee = Guarantee::AtLeastOnce;
            c.transactional_id_prefix = Some("p".into());
            c.transaction_timeout = Some(Duration::from_secs(60));
            c.broker_transaction_max_timeout = Some(Duration::from_secs(900));
        });
        assert_eq!(broken.len(), 3, "{broken:#?}");
    }

    #[test]
    fn an_interval_may_be_longer_than_the_timeout_without_transactions() {
        assert!(
            broken(|c| {
                c.guarantee = Guarantee::AtLeastOnce;
                c.checkpoint_interval = Some(Duration::from_secs(3_600));
            })
            .is_empty()
        );
    }

    #[test]
    fn what_is_displayed_is_read_back() {
        for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
            assert_eq!(
                guarantee.to_string().parse::<Guarantee>().unwrap(),
                guarantee
            );
        }
        for reset in [
            OffsetReset::Earliest,
            OffsetReset::Latest,
            OffsetReset::None,
        ] {
            assert_eq!(reset.to_string().parse::<OffsetReset>().unwrap(), reset);
        }
        for policy in [
            ErrorPolicy::Fail,
            ErrorPolicy::Skip,
            ErrorPolicy::DeadLetter("rejected".into()),
        ] {
            assert_eq!(policy.to_string().parse::<ErrorPolicy>().unwrap(), policy);
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        assert!(
            "once"
                .parse::<Guarantee>()
                .unwrap_err()
                .to_string()
                .contains("choose `exactly_once` or `at_least_once`")
        );
        assert!(
            "first"
                .parse::<OffsetReset>()
                .unwrap_err()
                .to_string()
                .contains("choose `earliest`, `latest` or `none`")
        );
        assert!(
            "dead_letter"
                .parse::<ErrorPolicy>()
                .unwrap_err()
                .to_string()
                .contains("`dead_letter(topic)`")
        );
    }
}
