//! Records, read many at a time.

use super::consumer::GroupConsumer;
use crate::processor::Headers;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;
use std::ffi::CStr;
use std::ptr::NonNull;
use std::slice;

/// A queue of librdkafka, released on drop.
pub(super) struct Queue(NonNull<sys::rd_kafka_queue_t>);

impl Queue {
    /// Takes ownership of a queue handle; `None` for null.
    ///
    /// # Safety
    ///
    /// `ptr` is null or a queue handle that nothing else destroys, and the client it came from outlives the result.
    pub(super) unsafe fn from_ptr(ptr: *mut sys::rd_kafka_queue_t) -> Option<Self> {
        NonNull::new(ptr).map(Self)
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.0.as_ptr()
    }

    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: the handle is alive; asking takes the queue's own lock.
        unsafe { sys::rd_kafka_queue_length(self.0.as_ptr()) == 0 }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the handle is ours (`from_ptr`) and is destroyed once, here.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// The records of one read. While they live, the consumer that they came from can be asked, but can neither take
/// partitions on nor give any up.
pub(crate) struct Batch<'c> {
    /// `None` where a message was released.
    messages: Vec<Option<OwnedMessage>>,
    consumer: &'c GroupConsumer,
}

impl<'c> Batch<'c> {
    pub(super) fn new(messages: Vec<OwnedMessage>, consumer: &'c GroupConsumer) -> Self {
        Self {
            messages: messages.into_iter().map(Some).collect(),
            consumer,
        }
    }

    pub(crate) fn consumer(&self) -> &'c GroupConsumer {
        self.consumer
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&OwnedMessage> {
        self.messages.get(index)?.as_ref()
    }

    /// Gives a message back that is done with. Its memory is the allocator's while it is still in the processor's cache,
    /// and serves for the next record that is written.
    #[inline]
    pub(crate) fn release(&mut self, index: usize) {
        if let Some(message) = self.messages.get_mut(index) {
            *message = None;
        }
    }

    /// Those that were not released.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OwnedMessage> {
        self.messages.iter().flatten()
    }
}

/// Reads up to `max` records that are in the queue; waits up to `timeout_ms` if there is none.
pub(super) fn read(
    queue: &Queue,
    buffer: &mut Vec<*mut sys::rd_kafka_message_t>,
    max: usize,
    timeout_ms: i32,
) -> Vec<OwnedMessage> {
    // librdkafka waits until a batch is full, so only a first record is waited for.
    let mut messages = fill(queue, buffer, max, 0);
    if messages.is_empty() && timeout_ms > 0 {
        messages = fill(queue, buffer, 1, timeout_ms);
        if !messages.is_empty() {
            messages.append(&mut fill(queue, buffer, max.saturating_sub(1), 0));
        }
    }
    messages
}

fn fill(
    queue: &Queue,
    buffer: &mut Vec<*mut sys::rd_kafka_message_t>,
    max: usize,
    timeout_ms: i32,
) -> Vec<OwnedMessage> {
    buffer.clear();
    buffer.reserve(max);
    // SAFETY: the buffer has room for `max` pointers; librdkafka writes at most that many and says how many it wrote.
    let count = unsafe {
        sys::rd_kafka_consume_batch_queue(queue.ptr(), timeout_ms, buffer.as_mut_ptr(), max)
    };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the first `count` pointers have just been written.
    unsafe { buffer.set_len(count) };
    buffer
        .iter()
        .filter_map(|message| NonNull::new(*message).map(OwnedMessage))
        .collect()
}

/// A message of librdkafka: a record or an error, released on drop.
pub(crate) struct OwnedMessage(NonNull<sys::rd_kafka_message_t>);

/// Names the topic of a message for as long as the consumer keeps the topic: cheap to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TopicHandle(usize);

impl OwnedMessage {
    /// The error that came instead of a record.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: the message is alive. The code is read as the number that it is: a broker may send one that the binding's
        // enumeration does not have, and such a value of it must not come into being.
        let code = unsafe {
            std::ptr::addr_of!((*self.0.as_ptr()).err)
                .cast::<i32>()
                .read()
        };
        (code != 0).then(|| super::error::code_of(code))
    }

    /// What librdkafka says of the error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: the message is alive; the returned text belongs to it and is copied at once.
        let text = unsafe { sys::rd_kafka_message_errstr(self.0.as_ptr()) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: not null, and a C string by librdkafka's contract.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) fn topic_handle(&self) -> TopicHandle {
        // SAFETY: the message is alive.
        TopicHandle(unsafe { (*self.0.as_ptr()).rkt } as usize)
    }

    pub(crate) fn topic(&self) -> &str {
        // SAFETY: the message is alive.
        let topic = unsafe { (*self.0.as_ptr()).rkt };
        if topic.is_null() {
            return "";
        }
        // SAFETY: a message holds a reference to its topic; the name lives as long as the topic.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }
            .to_str()
            .unwrap_or("")
    }

    pub(crate) fn partition(&self) -> i32 {
        // SAFETY: the message is alive.
        unsafe { (*self.0.as_ptr()).partition }
    }

    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: the message is alive.
        unsafe { (*self.0.as_ptr()).offset }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive.
        let (key, length) = unsafe { ((*self.0.as_ptr()).key, (*self.0.as_ptr()).key_len) };
        // SAFETY: librdkafka gives the pointer and the length of the key, which live as long as the message.
        (!key.is_null()).then(|| unsafe { slice::from_raw_parts(key.cast::<u8>(), length) })
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive.
        let (value, length) = unsafe { ((*self.0.as_ptr()).payload, (*self.0.as_ptr()).len) };
        // SAFETY: librdkafka gives the pointer and the length of the payload, which live as long as the message.
        (!value.is_null()).then(|| unsafe { slice::from_raw_parts(value.cast::<u8>(), length) })
    }

    /// Milliseconds since the epoch; −1 if the record has none.
    pub(crate) fn timestamp(&self) -> i64 {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, `kind` is a valid place for the answer.
        unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) }
    }

    /// Reads the headers into `headers`, which is empty before. Most records have none.
    pub(crate) fn read_headers(&self, headers: &mut Headers) {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message is alive; the list, if any, belongs to it.
        let code = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &mut list) };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the list belongs to the living message, and the places for the answer are valid.
            let code = unsafe {
                sys::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut size)
            };
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            // SAFETY: no error, so the name is a C string that lives as long as the message.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
            // SAFETY: as for the name; `size` is the length of the value.
            let value = (!value.is_null())
                .then(|| unsafe { slice::from_raw_parts(value.cast::<u8>(), size) });
            headers.add(&name, value);
        }
    }
}

impl Drop for OwnedMessage {
    fn drop(&mut self) {
        // SAFETY: the message is ours and is destroyed once, here.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}
