//! Every error that the Kafka client can give, and what the runtime does about it.

use rdkafka::bindings as sys;
use rdkafka::error::{KafkaError, RDKafkaError};
/// The code of an error, Kafka's or the client's own.
pub(crate) use rdkafka::types::RDKafkaErrorCode as Code;
use std::fmt;

/// An error of the client, with what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct ClientError {
    code: Code,
    /// What was being done, in a few words: "committing the transaction".
    doing: &'static str,
    message: String,
    remedy: Remedy,
}

/// What to do about a client error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The same call may succeed a little later.
    Retry,
    /// Abort the transaction, go back to the committed offsets, and process the records again.
    Abort,
    /// As [`Remedy::Abort`], but an input's position is not in its log: look where the log begins and ends.
    Reposition,
    /// This producer is of no use any more (fenced, or its state is unknown): as [`Remedy::Abort`], with a new
    /// producer of the same transactional id.
    Replace,
    /// This consumer is of no use any more (fenced, or a fatal error): as [`Remedy::Abort`], with a new consumer of the same instance id.
    Rejoin,
    /// No repetition can help: the job ends with this error.
    Fail,
}

/// What librdkafka says of a transactional error beside its code.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) fatal: bool,
    pub(super) requires_abort: bool,
    pub(super) retriable: bool,
}

impl ClientError {
    pub(crate) fn new(doing: &'static str, code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            doing,
            message: message.into(),
            remedy: classify(code),
        }
    }

    /// An error of a transactional call, which says itself whether it can be retried or asks for an abort.
    pub(super) fn flagged(doing: &'static str, code: Code, message: String, flags: Flags) -> Self {
        let remedy = match classify(code) {
            by_code @ (Remedy::Fail | Remedy::Rejoin) => by_code,
            _ if flags.fatal => Remedy::Replace,
            _ if flags.requires_abort => Remedy::Abort,
            _ if flags.retriable => Remedy::Retry,
            by_code => by_code,
        };
        Self {
            code,
            doing,
            message,
            remedy,
        }
    }

    fn transaction(doing: &'static str, error: &RDKafkaError) -> Self {
        let flags = Flags {
            fatal: error.is_fatal(),
            requires_abort: error.txn_requires_abort(),
            retriable: error.is_retriable(),
        };
        Self::flagged(doing, error.code(), error.string(), flags)
    }

    pub(crate) fn from_kafka(doing: &'static str, error: &KafkaError) -> Self {
        match error {
            KafkaError::Transaction(error) => Self::transaction(doing, error),
            // rdkafka does not tell the code of this one.
            KafkaError::AdminOp(code) => Self::new(doing, *code, error.to_string()),
            // The consumer is of no use any more, whatever the cause.
            KafkaError::MessageConsumptionFatal(code) => {
                let error = Self::new(doing, *code, error.to_string());
                match error.remedy {
                    Remedy::Fail => error,
                    _ => error.with_remedy(Remedy::Rejoin),
                }
            }
            other => Self::new(
                doing,
                other.rdkafka_error_code().unwrap_or(Code::Fail),
                other.to_string(),
            ),
        }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The client's queue holds as much as it may: there is room when records have been acknowledged.
    pub(crate) fn is_queue_full(&self) -> bool {
        self.code == Code::QueueFull
    }

    /// A topic that cannot be written to since there is none of that name.
    pub(crate) fn is_no_topic(&self) -> bool {
        says_no_topic(self.code)
    }

    pub(crate) fn remedy(&self) -> Remedy {
        self.remedy
    }

    /// The same error where the caller knows better what it means.
    pub(crate) fn with_remedy(self, remedy: Remedy) -> Self {
        Self { remedy, ..self }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.message)?;
        match hint(self.code) {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ClientError {}

/// Where no repetition can mend it.
impl From<ClientError> for crate::Error {
    fn from(error: ClientError) -> Self {
        Self::Client(error.to_string())
    }
}

/// The code of that number; one that the client's version does not know is [`Code::Unknown`].
pub(super) fn code_of(number: i32) -> Code {
    sys::rd_kafka_resp_err_t::try_from(number).map_or(Code::Unknown, Code::from)
}

/// Whether it is what a broker says of a topic that is not there.
pub(super) fn says_no_topic(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::InvalidTopic)
}

/// What an error code asks for, where the error itself does not say more.
///
/// What is not listed asks for [`Remedy::Abort`]: records are processed again from the committed offsets, which is right
/// under exactly-once whatever happened, and the runtime ends the job when that does not help for long.
fn classify(code: Code) -> Remedy {
    match code {
        Code::QueueFull
        | Code::OperationTimedOut
        | Code::MessageTimedOut
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::WaitingForCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotController
        | Code::ThrottlingQuotaExceeded
        | Code::ConcurrentTransactions
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::RequestTimedOut
        | Code::NetworkException
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::UnstableOffsetCommit => Remedy::Retry,

        Code::Fenced
        | Code::Fatal
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::InvalidProducerIdMapping
        | Code::UnknownProducerId
        | Code::OutOfOrderSequenceNumber
        | Code::InvalidTransactionalState
        | Code::State => Remedy::Replace,

        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::SSL
        | Code::InvalidTransactionTimeout
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::InvalidArgument
        | Code::InvalidConfig
        | Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::GroupMaxSizeReached
        | Code::InconsistentGroupProtocol
        | Code::MessageSizeTooLarge
        | Code::UnsupportedCompressionType => Remedy::Fail,

        // A zombie fences itself: after its session's end librdkafka rejoins with a new member id, and a request of the
        // old one that comes second gets this, which is fatal for the consumer.
        Code::FencedInstanceId => Remedy::Rejoin,

        Code::AutoOffsetReset | Code::OffsetOutOfRange => Remedy::Reposition,

        _ => Remedy::Abort,
    }
}

/// What a user can do about an error that ends the job.
fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TopicAuthorizationFailed => {
            "the client needs READ on source topics and WRITE on output topics"
        }
        Code::GroupAuthorizationFailed => {
            "the client needs READ on the group, whose name is the application id"
        }
        Code::TransactionalIdAuthorizationFailed => {
            "the client needs WRITE and DESCRIBE on the transactional ids that begin with the transactional id prefix"
        }
        Code::SaslAuthenticationFailed | Code::Authentication => {
            "check `sasl.mechanism`, `sasl.username` and `sasl.password`"
        }
        Code::SSL => {
            "check `ssl.ca.location` and `security.protocol`, and that the broker's certificate is for this address"
        }
        Code::InvalidTransactionTimeout => {
            "lower `transaction_timeout`, or raise the broker's `transaction.max.timeout.ms`"
        }
        Code::MessageSizeTooLarge => {
            "raise the topic's `max.message.bytes` and the job's `message.max.bytes`, or write smaller records"
        }
        Code::FencedInstanceId => {
            "another process uses the same `group.instance.id` (a copied state directory?), or a record took longer than \
             `max.poll.interval.ms`"
        }
        Code::UnreleasedInstanceId => {
            "another process uses the same `group.instance.id`, or was killed: then it is released when its session times out"
        }
        Code::InvalidSessionTimeout => {
            "`session.timeout.ms` has to be between the brokers' `group.min.session.timeout.ms` and `group.max.session.timeout.ms`"
        }
        Code::GroupMaxSizeReached => {
            "run fewer instances or stream threads, or raise the brokers' `group.max.size`"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            "create the topic, or check its name"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fenced_producer_is_replaced_and_a_missing_permission_ends_the_job() {
        assert_eq!(classify(Code::ProducerFenced), Remedy::Replace);
        assert_eq!(classify(Code::TopicAuthorizationFailed), Remedy::Fail);
        assert_eq!(classify(Code::CoordinatorNotAvailable), Remedy::Retry);
    }

    #[test]
    fn a_code_that_the_client_does_not_know_is_no_undefined_value() {
        assert_eq!(code_of(90), Code::ProducerFenced);
        // INCONSISTENT_TOPIC_ID, and one that no Kafka has yet.
        assert_eq!([103, 9_999].map(code_of), [Code::Unknown; 2]);
        assert_eq!(classify(Code::Unknown), Remedy::Abort);
    }

    #[test]
    fn a_stale_member_aborts_and_goes_on() {
        assert_eq!(classify(Code::UnknownMemberId), Remedy::Abort);
        assert_eq!(classify(Code::IllegalGeneration), Remedy::Abort);
    }

    #[test]
    fn the_message_says_what_was_done_and_what_to_do() {
        let error = ClientError::new(
            "starting the producer",
            Code::InvalidTransactionTimeout,
            "timeout too large",
        );
        assert_eq!(
            error.to_string(),
            "starting the producer: timeout too large; lower `transaction_timeout`, or raise the broker's `transaction.max.timeout.ms`"
        );
    }
}
