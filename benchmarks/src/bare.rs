//! The baseline: the fastest copy that keeps timestamps, straight on librdkafka's calls.
//!
//! One private queue read in batches, `rd_kafka_produceva`, delivery reports for errors only, `rd_kafka_flush` and
//! `rd_kafka_commit_transaction` called directly. It has no rebalances, no recovery and no error policy: it is what a copy
//! costs, not a program to run.
#![expect(unsafe_code, reason = "the baseline is librdkafka's own calls")]

use crate::Failure;
use crate::contestant::Run;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::ptr;
use std::slice;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 4;
const BATCH: usize = 2_000;
const WAIT: Duration = Duration::from_secs(60);
/// How many bytes go to one output partition before the next is chosen.
const RUN_BYTES: usize = 32 * 1024;

/// What is done with a record.
pub(crate) enum Work {
    /// Key, value and timestamp are written as they are.
    Copy,
    /// And its headers are looked for, as a job of this library does, which keeps them. The inputs here have none.
    CopyWithHeaders,
    /// It is counted by its key, and the count is written.
    Count(HashMap<Vec<u8>, i64>),
}

impl Work {
    /// The count of a key, with this record.
    fn count(&mut self, key: &[u8]) -> Option<[u8; 8]> {
        let Work::Count(counts) = self else {
            return None;
        };
        let count = match counts.get_mut(key) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                counts.insert(key.to_vec(), 1);
                1
            }
        };
        Some(count.to_be_bytes())
    }
}

pub(crate) fn run(run: &Run, mut work: Work) -> Result<f64, Failure> {
    let consumer: BaseConsumer = consumer(run)?;
    let producer: BaseProducer = producer(run)?;
    producer.init_transactions(WAIT)?;
    let rk = consumer.client().native_ptr();
    let input = CString::new(run.input.as_str())?;
    let output = CString::new(run.output.as_str())?;
    // SAFETY: both clients live to the end of this function; queue and topic are released before them.
    let (queue, topic) = unsafe {
        let queue = sys::rd_kafka_queue_new(rk);
        for partition in 0..PARTITIONS {
            let source = sys::rd_kafka_queue_get_partition(rk, input.as_ptr(), partition);
            sys::rd_kafka_queue_forward(source, queue);
            sys::rd_kafka_queue_destroy(source);
        }
        (
            queue,
            sys::rd_kafka_topic_new(
                producer.client().native_ptr(),
                output.as_ptr(),
                ptr::null_mut(),
            ),
        )
    };
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&run.input, partition, Offset::Beginning)?;
    }
    let started = Instant::now();
    consumer.assign(&assignment)?;
    let result = copy_records(run, &mut work, &consumer, &producer, queue, topic);
    let seconds = started.elapsed().as_secs_f64();
    // SAFETY: made above, not used after.
    unsafe {
        sys::rd_kafka_topic_destroy(topic);
        sys::rd_kafka_queue_destroy(queue);
    }
    drop(assignment);
    result.map(|()| seconds)
}

fn copy_records(
    run: &Run,
    work: &mut Work,
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    queue: *mut sys::rd_kafka_queue_t,
    topic: *mut sys::rd_kafka_topic_t,
) -> Result<(), Failure> {
    let interval = Duration::from_millis(run.interval_ms);
    let mut buffer: Vec<*mut sys::rd_kafka_message_t> = vec![ptr::null_mut(); BATCH];
    let (mut copied, mut open, mut last_commit) = (0, false, Instant::now());
    let mut output = (0, 0);
    loop {
        let _ = consumer.poll(Duration::ZERO);
        let count = read(queue, &mut buffer);
        if count > 0 && !open {
            producer.begin_transaction()?;
            open = true;
        }
        for message in buffer.iter().take(count) {
            // SAFETY: librdkafka has just given these messages, and each is released once.
            unsafe {
                forward(producer, work, topic, *message, &mut output)?;
                sys::rd_kafka_message_destroy(*message);
            }
        }
        copied += u64::try_from(count)?;
        producer.poll(Duration::ZERO);
        let done = run.records > 0 && copied >= run.records;
        if open && (done || last_commit.elapsed() >= interval) {
            commit(consumer, producer)?;
            (open, last_commit) = (false, Instant::now());
        }
        if done {
            return Ok(());
        }
    }
}

/// What has arrived, after waiting shortly for a first message.
pub(crate) fn read(
    queue: *mut sys::rd_kafka_queue_t,
    buffer: &mut [*mut sys::rd_kafka_message_t],
) -> usize {
    // SAFETY: the buffer has room for as many messages as are asked for.
    let count = unsafe {
        match sys::rd_kafka_consume_batch_queue(queue, 0, buffer.as_mut_ptr(), buffer.len()) {
            0 => sys::rd_kafka_consume_batch_queue(queue, 10, buffer.as_mut_ptr(), 1),
            count => count,
        }
    };
    usize::try_from(count).unwrap_or(0)
}

/// # Safety
///
/// `message` is a living message, `topic` a topic of `producer`.
unsafe fn forward(
    producer: &BaseProducer,
    work: &mut Work,
    topic: *mut sys::rd_kafka_topic_t,
    message: *mut sys::rd_kafka_message_t,
    (partition, bytes): &mut (i32, usize),
) -> Result<(), Failure> {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the caller's promise; key and value are copied by the call.
    unsafe {
        let timestamp = sys::rd_kafka_message_timestamp(message, &mut kind);
        if matches!(work, Work::CopyWithHeaders) {
            let mut headers = ptr::null_mut();
            let found = sys::rd_kafka_message_headers(message, &mut headers);
            if found == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err("a record with headers: the bare loop does not copy them".into());
            }
        }
        let message = &*message;
        if *bytes >= RUN_BYTES {
            (*partition, *bytes) = ((*partition + 1) % PARTITIONS, 0);
        }
        *bytes += message.len;
        let key = match message.key.is_null() {
            true => &[],
            false => slice::from_raw_parts(message.key.cast::<u8>(), message.key_len),
        };
        let mut count = work.count(key);
        let (partition, value) = match &mut count {
            // A key's partition is the same in both topics.
            Some(count) => (
                message.partition,
                memory(count.as_mut_ptr().cast(), count.len()),
            ),
            None => (*partition, memory(message.payload, message.len)),
        };
        let arguments = [
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT, |u| u.rkt = topic),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, |u| {
                u.i32_ = partition
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, |u| {
                u.i = sys::RD_KAFKA_MSG_F_COPY
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, |u| {
                u.mem = value
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, |u| {
                u.mem = memory(message.key, message.key_len)
            }),
            argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, |u| {
                u.i64_ = timestamp
            }),
        ];
        loop {
            let error = sys::rd_kafka_produceva(
                producer.client().native_ptr(),
                arguments.as_ptr(),
                arguments.len(),
            );
            if error.is_null() {
                return Ok(());
            }
            let code = sys::rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL {
                return Err(format!("produceva: {code:?}").into());
            }
            producer.poll(Duration::from_millis(5));
        }
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

fn memory(pointer: *mut c_void, size: usize) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer, size }
}

fn commit(consumer: &BaseConsumer, producer: &BaseProducer) -> Result<(), Failure> {
    let rk = producer.client().native_ptr();
    let group = consumer.group_metadata().ok_or("no group metadata")?;
    // SAFETY: the producer is alive.
    unsafe { sys::rd_kafka_flush(rk, 60_000) };
    producer.send_offsets_to_transaction(&consumer.position()?, &group, WAIT)?;
    // SAFETY: the producer is alive; an error object is released by us.
    unsafe {
        let error = sys::rd_kafka_commit_transaction(rk, 60_000);
        if !error.is_null() {
            let code = sys::rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            return Err(format!("commit: {code:?}").into());
        }
    }
    Ok(())
}

fn consumer(run: &Run) -> Result<BaseConsumer, Failure> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap_servers)
        .set("group.id", format!("bare-{}", run.output))
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "200000")
        .set("fetch.wait.max.ms", "100")
        .create()?)
}

fn producer(run: &Run) -> Result<BaseProducer, Failure> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap_servers)
        .set("transactional.id", format!("bare-{}", run.output))
        .set("transaction.timeout.ms", "60000")
        .set("delivery.report.only.error", "true")
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.messages", "1000000")
        .create()?)
}
