//! Where logs begin and end, for many partitions at once.

use super::TopicPartition;
use super::error::{ClientError, Remedy, code_of};
use super::lists;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// `rd_kafka_offsets_for_times`.
type OffsetsForTimes<R> = unsafe extern "C" fn(
    *mut sys::rd_kafka_t,
    *mut sys::rd_kafka_topic_partition_list_t,
    std::ffi::c_int,
) -> R;

/// An end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogEnd {
    /// The first offset that is still there.
    First,
    /// The offset behind the last record: the high watermark where the client reads uncommitted records, else the last
    /// stable offset.
    Last,
}

impl LogEnd {
    /// As the protocol asks for it, in place of a timestamp (`org.apache.kafka.common.requests.ListOffsetsRequest`).
    fn as_offset(self) -> Offset {
        match self {
            Self::First => Offset::Beginning,
            Self::Last => Offset::End,
        }
    }
}

/// Asks the leaders of these partitions, one request a leader. The answers are in the order of the questions.
pub(super) fn list_offsets<C: ClientContext>(
    client: &Client<C>,
    partitions: &[TopicPartition],
    at: LogEnd,
    timeout: Duration,
) -> Result<Vec<i64>, ClientError> {
    let doing = "asking for the ends of partitions";
    let retriable = |error: ClientError| match error.code() {
        // A leader that has just come does not know it yet, and a client whose broker is away may know no leader. That a topic
        // is gone is told otherwise.
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition => {
            error.with_remedy(Remedy::Retry)
        }
        _ => error,
    };
    let failed = |e: &KafkaError| retriable(ClientError::from_kafka(doing, e));
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.partition, at.as_offset())
            .map_err(|e| failed(&e))?;
    }
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: C's enumerations are integers (`repr(i32)` in the binding): as a function that returns one, it cannot make a
    // value that the binding's enumeration does not have, which a code that only a newer broker knows would be.
    let offsets_for_times = unsafe {
        std::mem::transmute::<OffsetsForTimes<sys::rd_kafka_resp_err_t>, OffsetsForTimes<i32>>(
            sys::rd_kafka_offsets_for_times,
        )
    };
    // SAFETY: client and list are alive through the call, which reads and writes the list only.
    let code = unsafe { offsets_for_times(client.native_ptr(), list.ptr(), millis) };
    if code != 0 {
        let code = code_of(code);
        return Err(retriable(ClientError::new(doing, code, code.to_string())));
    }
    let offset_of = |partition: &TopicPartition| {
        let unknown = || {
            let code = RDKafkaErrorCode::UnknownPartition;
            ClientError::new(doing, code, format!("{partition} was not answered"))
        };
        let found = list.find_partition(&partition.topic, partition.partition);
        let found = found.ok_or_else(unknown)?;
        match found.offset() {
            Offset::Offset(offset) => Ok(offset),
            _ => Err(unknown()),
        }
    };
    if let Err(error) = lists::check(doing, &list) {
        if error.code() == RDKafkaErrorCode::UnknownPartition {
            learn_of_partitions(client, timeout);
        }
        return Err(retriable(error));
    }
    partitions.iter().map(offset_of).collect()
}

/// A partition that was added may be given to a member whose client would look for it only in minutes.
fn learn_of_partitions<C: ClientContext>(client: &Client<C>, timeout: Duration) {
    if let Err(error) = client.fetch_metadata(None, timeout) {
        tracing::debug!(%error, "asking which partitions there are");
    }
}

/// What may be behind committed offsets that do not come. The client asks for offsets that no open transaction is about to
/// change (KIP-447), and asks again without a word for as long as there is one.
const HELD: &str = "either the group's coordinator does not answer, or an open transaction holds them. One that stays open long \
                    after its timeout was left behind by a broker: `kafka-transactions.sh find-hanging --broker-id <id> \
                    --max-transaction-timeout <minutes>` finds it, and `abort` ends it";

/// What a group has committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommittedOffsets {
    pub(crate) offsets: Vec<(TopicPartition, i64)>,
    /// The stream times of the tasks that have committed them.
    pub(crate) times: Vec<(TopicPartition, i64)>,
}

/// How long the first question for committed offsets waits; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The group's committed offsets; waits for transactions that are being completed.
///
/// It asks again before the time is over: a client that is about to know its coordinator may not notice that it does, and wait
/// until something else happens (librdkafka 2.12: `rd_kafka_committed` waits for a broker's state to change, and the group's
/// changes after it).
pub(super) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    timeout: Duration,
) -> Result<CommittedOffsets, ClientError> {
    let deadline = Instant::now() + timeout;
    let mut wait = FIRST_WAIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match ask_committed(client, partitions, wait.min(left)) {
            Err(error) if error.code() == RDKafkaErrorCode::OperationTimedOut && wait < left => {
                wait *= 2;
            }
            answer => return answer,
        }
    }
}

fn ask_committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    timeout: Duration,
) -> Result<CommittedOffsets, ClientError> {
    let doing = "asking for committed offsets";
    let committed = client
        .committed_offsets(lists::of_partitions(partitions), timeout)
        .map_err(|e| match ClientError::from_kafka(doing, &e) {
            error if error.code() == RDKafkaErrorCode::OperationTimedOut => {
                ClientError::new(doing, error.code(), format!("{e}; {HELD}"))
            }
            error => error,
        })?;
    // An error of one partition must not be taken for "nothing committed": its records would be processed again.
    lists::check(doing, &committed)?;
    Ok(CommittedOffsets {
        offsets: lists::offsets_of(&committed),
        times: lists::times_of(&committed),
    })
}
