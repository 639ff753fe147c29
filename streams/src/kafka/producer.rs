//! The producer of a stream thread: transactional under exactly-once, idempotent under at-least-once.

use super::TopicPartition;
use super::consumer::GroupMetadata;
use super::error::{ClientError, Remedy};
use super::lists;
use super::offsets::{LogEnd, list_offsets};
use crate::processor::Headers;
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;
use std::ffi::{CStr, CString, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keeps the first delivery error since it was last asked for (successes are not reported at all), and the producer's
/// id and epoch.
#[derive(Default)]
struct DeliveryErrors {
    first: Mutex<Option<ClientError>>,
    identity: Mutex<Option<(i64, i16)>>,
}

impl ClientContext for DeliveryErrors {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "GETPID"
            && let Some(identity) = parse_identity(message)
        {
            *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
        }
        super::log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for DeliveryErrors {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else {
            return;
        };
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        if matches!(
            code,
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight
        ) {
            return;
        }
        let what = format!(
            "a record for topic `{}`, partition {}: {error}",
            message.topic(),
            message.partition()
        );
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| ClientError::new("writing records", code, what));
    }
}

/// The handle of an output topic. Must be dropped before the client that made it.
struct Topic(NonNull<sys::rd_kafka_topic_t>);

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and is destroyed once, here, before its client.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

// SAFETY: a topic handle may be used and destroyed on any thread; librdkafka guards it itself.
unsafe impl Send for Topic {}

/// A record that leaves.
pub(crate) struct Outgoing<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) headers: &'a Headers,
}

/// An output topic, as the producer that registered it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputTopic(usize);

/// A producer with the topics it writes to.
pub(crate) struct Producer {
    // Dropped in this order: topic handles before the client.
    topics: Vec<Topic>,
    client: BaseProducer<DeliveryErrors>,
}

impl Producer {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let client = BaseProducer::from_config_and_context(config, DeliveryErrors::default())
            .map_err(|e| {
                ClientError::from_kafka("creating the producer", &e).with_remedy(Remedy::Fail)
            })?;
        Ok(Self {
            topics: Vec::new(),
            client,
        })
    }

    /// Registers an output topic; later calls name it by what this returns.
    pub(crate) fn topic(&mut self, name: &str) -> Result<OutputTopic, ClientError> {
        let doing = "opening an output topic";
        let name = CString::new(name).map_err(|_| {
            ClientError::new(
                doing,
                RDKafkaErrorCode::InvalidArgument,
                "a topic name holds a NUL byte",
            )
        })?;
        // SAFETY: the client is alive, the name is a C string, and a null configuration means the client's own.
        let topic = unsafe {
            sys::rd_kafka_topic_new(
                self.client.client().native_ptr(),
                name.as_ptr(),
                std::ptr::null_mut(),
            )
        };
        let topic = NonNull::new(topic).ok_or_else(|| {
            ClientError::new(
                doing,
                RDKafkaErrorCode::InvalidTopic,
                format!("`{}`", name.to_string_lossy()),
            )
        })?;
        self.topics.push(Topic(topic));
        Ok(OutputTopic(self.topics.len() - 1))
    }

    /// How many partitions a topic has.
    pub(crate) fn partition_count(
        &self,
        topic: &str,
        timeout: Duration,
    ) -> Result<i32, ClientError> {
        super::admin::partition_count(self.client.client(), topic, timeout)
    }

    /// The offsets behind the last records of these partitions, committed or not.
    pub(crate) fn log_ends(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<i64>, ClientError> {
        list_offsets(self.client.client(), partitions, LogEnd::Last, timeout)
    }

    /// Hands a record over to the client, which copies it. [`RDKafkaErrorCode::QueueFull`]: serve the client and try again.
    pub(crate) fn produce(
        &self,
        topic: OutputTopic,
        record: &Outgoing<'_>,
    ) -> Result<(), ClientError> {
        let doing = "writing a record";
        let topic = self.topics.get(topic.0).ok_or_else(|| {
            ClientError::new(
                doing,
                RDKafkaErrorCode::UnknownTopic,
                "a topic of another producer",
            )
        })?;
        let headers = (!record.headers.is_empty()).then(|| native_headers(record.headers));
        let mut arguments = [
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT, |u| {
                u.rkt = topic.0.as_ptr()
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, |u| {
                u.i32_ = record.partition
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, |u| {
                u.i = sys::RD_KAFKA_MSG_F_COPY
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, |u| {
                u.mem = bytes(record.key)
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, |u| {
                u.mem = bytes(record.value)
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, |u| {
                // 0 means "now" to librdkafka: a record of the epoch's first millisecond is written at its second one.
                u.i64_ = record.timestamp.max(1)
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END, |u| u.i = 0),
        ];
        let mut count = arguments.len() - 1;
        if let (Some(list), Some(last)) = (headers, arguments.last_mut()) {
            *last = argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS, |u| {
                u.headers = list
            });
            count += 1;
        }
        // SAFETY: `count` arguments are initialised and live through the call; key and value are copied (F_COPY).
        let error = unsafe {
            sys::rd_kafka_produceva(self.client.client().native_ptr(), arguments.as_ptr(), count)
        };
        if error.is_null() {
            return Ok(());
        }
        if let Some(list) = headers {
            // SAFETY: librdkafka takes the headers over only when it takes the record.
            unsafe { sys::rd_kafka_headers_destroy(list) }
        }
        Err(take(doing, error))
    }

    /// Serves the client's events; waits for one up to `timeout`.
    pub(crate) fn serve(&self, timeout: Duration) {
        self.client.poll(timeout);
    }

    /// The first record that could not be delivered since this was last asked.
    pub(crate) fn delivery_error(&self) -> Option<ClientError> {
        self.client
            .context()
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The producer id and epoch, once the broker has given them.
    pub(crate) fn identity(&self) -> Option<(i64, i16)> {
        *self
            .client
            .context()
            .identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the client's debug log until the producer's id and epoch have been told in it, which is soon after
    /// [`init_transactions`](Self::init_transactions).
    pub(crate) fn wait_for_identity(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while self.identity().is_none() && Instant::now() < deadline {
            self.client.poll(Duration::from_millis(1));
        }
    }

    /// Turns the client's debug log down: each line of it is an event to serve.
    pub(crate) fn quieten(&self) {
        // SAFETY: the client is alive.
        unsafe {
            sys::rd_kafka_set_log_level(
                self.client.client().native_ptr(),
                RDKafkaLogLevel::Notice as i32,
            )
        }
        self.client.poll(Duration::from_millis(1));
    }

    /// Waits until every record is acknowledged or has failed.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            // Returns as soon as nothing is in flight. Failed records stay in flight until their report is served, so
            // short waits alternate with serving.
            // SAFETY: the client is alive.
            let code = unsafe { sys::rd_kafka_flush(self.client.client().native_ptr(), 50) };
            self.client.poll(Duration::ZERO);
            if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(ClientError::new(
                    "flushing",
                    code.into(),
                    "records are still not acknowledged",
                )
                .with_remedy(Remedy::Retry));
            }
        }
    }

    pub(crate) fn init_transactions(&self, timeout: Duration) -> Result<(), ClientError> {
        self.client
            .init_transactions(timeout)
            .map_err(|e| ClientError::from_kafka("starting the transactional producer", &e))
    }

    pub(crate) fn begin_transaction(&self) -> Result<(), ClientError> {
        self.client
            .begin_transaction()
            .map_err(|e| ClientError::from_kafka("beginning a transaction", &e))
    }

    pub(crate) fn send_offsets(
        &self,
        offsets: &[(TopicPartition, i64)],
        times: &[(TopicPartition, i64)],
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        self.client
            .send_offsets_to_transaction(&lists::of_commits(offsets, times)?, group, timeout)
            .map_err(|e| ClientError::from_kafka("sending offsets to the transaction", &e))
    }

    /// Commits. The caller has flushed: what librdkafka flushes here is nothing.
    pub(crate) fn commit_transaction(&self, timeout: Duration) -> Result<(), ClientError> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client is alive.
        let error =
            unsafe { sys::rd_kafka_commit_transaction(self.client.client().native_ptr(), timeout) };
        self.client.poll(Duration::ZERO);
        if error.is_null() {
            Ok(())
        } else {
            Err(take("committing the transaction", error))
        }
    }

    /// Drops the records that are not acknowledged yet.
    pub(crate) fn purge(&self) {
        self.client.purge(PurgeConfig::default().queue().inflight());
    }

    /// Aborts; the producer can go on with a new transaction after it. The caller has flushed or purged.
    ///
    /// librdkafka's abort waits for delivery reports without serving them, so another thread serves meanwhile.
    pub(crate) fn abort_transaction(&self, timeout: Duration) -> Result<(), ClientError> {
        let (client, done) = (&self.client, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    client.poll(Duration::from_millis(5));
                }
            });
            let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            // SAFETY: the client is alive and may be used from several threads.
            let error =
                unsafe { sys::rd_kafka_abort_transaction(client.client().native_ptr(), timeout) };
            done.store(true, Ordering::Relaxed);
            if error.is_null() {
                Ok(())
            } else {
                Err(take("aborting the transaction", error))
            }
        })
    }
}

fn argument(
    kind: sys::rd_kafka_vtype_t,
    set: impl FnOnce(&mut sys::rd_kafka_vu_s__bindgen_ty_1),
) -> sys::rd_kafka_vu_t {
    let mut value = sys::rd_kafka_vu_s__bindgen_ty_1 { i64_: 0 };
    set(&mut value);
    sys::rd_kafka_vu_t {
        vtype: kind,
        u: value,
    }
}

fn bytes(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (ptr, size) = bytes.map_or((std::ptr::null(), 0), |b| (b.as_ptr(), b.len()));
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
        ptr: ptr as *mut c_void,
        size,
    }
}

fn native_headers(headers: &Headers) -> *mut sys::rd_kafka_headers_t {
    // SAFETY: makes a new list; the caller hands it to the record or destroys it.
    let list = unsafe { sys::rd_kafka_headers_new(8) };
    for (name, value) in headers.iter() {
        let (value, size) = value.map_or((std::ptr::null(), 0), |v| {
            (v.as_ptr().cast::<c_void>(), v.len())
        });
        // SAFETY: librdkafka copies name and value, whose lengths are given with them.
        unsafe {
            sys::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                value,
                size as isize,
            );
        }
    }
    list
}

/// Reads `PID{Id:7,Epoch:0}` in a line of librdkafka's log.
fn parse_identity(message: &str) -> Option<(i64, i16)> {
    let (_, rest) = message.split_once("PID{Id:")?;
    let (id, rest) = rest.split_once(",Epoch:")?;
    let (epoch, _) = rest.split_once('}')?;
    Some((id.parse().ok()?, epoch.parse().ok()?))
}

/// Reads and releases an error object.
fn take(doing: &'static str, error: *mut sys::rd_kafka_error_t) -> ClientError {
    // SAFETY: C's enumerations are integers (`repr(i32)` in the binding): as a function that returns one, it cannot make a value that the binding's
    // enumeration does not have, which a code that only a newer broker knows would be.
    let code_number = unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(*const sys::rd_kafka_error_t) -> sys::rd_kafka_resp_err_t,
            unsafe extern "C" fn(*const sys::rd_kafka_error_t) -> i32,
        >(sys::rd_kafka_error_code)
    };
    // SAFETY: `error` is a living error object, released at the end and not used after.
    unsafe {
        let code = super::error::code_of(code_number(error));
        let text = CStr::from_ptr(sys::rd_kafka_error_string(error))
            .to_string_lossy()
            .into_owned();
        let flags = super::error::Flags {
            fatal: sys::rd_kafka_error_is_fatal(error) != 0,
            requires_abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            retriable: sys::rd_kafka_error_is_retriable(error) != 0,
        };
        sys::rd_kafka_error_destroy(error);
        ClientError::flagged(doing, code, text, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_producers_identity_is_read_from_the_log() {
        let line = "[thrd:main]: Acquired transactional producer PID{Id:4017,Epoch:3} (previously PID{Invalid})";
        assert_eq!(parse_identity(line), Some((4017, 3)));
        assert_eq!(
            parse_identity("[thrd:main]: Unable to acquire a producer id"),
            None
        );
    }
}
