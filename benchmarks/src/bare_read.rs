//! The baseline of a restore: the changelog read in batches, straight on librdkafka's calls, and nothing done with it.
#![expect(unsafe_code, reason = "the baseline is librdkafka's own calls")]

use crate::contestant::Run;
use crate::{Failure, bare};
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::ffi::CString;
use std::ptr;
use std::time::Instant;

const BATCH: usize = 2_000;

/// What was read so far.
#[derive(Default)]
struct Count {
    records: u64,
    /// Of keys and values.
    bytes: usize,
    is_at_end: bool,
}

/// Reads partition 0 of the input to its end, and prints what a restore prints.
pub(crate) fn run(run: &Run) -> Result<(), Failure> {
    let started = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap_servers)
        .set("group.id", "bare-read")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        // As a restore has them.
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "200000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.wait.max.ms", "100")
        .set("max.partition.fetch.bytes", "4194304")
        .create()?;
    let topic = CString::new(run.input.as_str())?;
    // SAFETY: the consumer lives to the end of this function; the queue is released before it.
    let queue = unsafe {
        let source =
            sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), 0);
        let queue = sys::rd_kafka_queue_new(consumer.client().native_ptr());
        sys::rd_kafka_queue_forward(source, queue);
        sys::rd_kafka_queue_destroy(source);
        queue
    };
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&run.input, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut buffer = vec![ptr::null_mut(); BATCH];
    let mut count = Count::default();
    while !count.is_at_end {
        let arrived = bare::read(queue, &mut buffer);
        for message in buffer.iter().take(arrived) {
            // SAFETY: librdkafka has just given these messages, and each is released once.
            unsafe {
                count.add(&**message)?;
                sys::rd_kafka_message_destroy(*message);
            }
        }
    }
    println!(
        "{}-0 {} {} {}",
        run.input,
        count.records,
        count.bytes,
        started.elapsed().as_secs_f64()
    );
    // SAFETY: made above, not used after.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    Ok(())
}

impl Count {
    fn add(&mut self, message: &sys::rd_kafka_message_t) -> Result<(), Failure> {
        match message.err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                self.records += 1;
                self.bytes += message.key_len + message.len;
            }
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => self.is_at_end = true,
            error => return Err(format!("reading the changelog: {error:?}").into()),
        }
        Ok(())
    }
}
