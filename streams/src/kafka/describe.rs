//! Questions of librdkafka's admin API that describe things, asked and waited for.

use super::batch::Queue;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use std::ffi::{CString, c_char};
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

/// Names that C can take; no topic or group has another one.
pub(super) fn c_strings(names: &[&str]) -> Vec<CString> {
    names.iter().flat_map(|name| CString::new(*name)).collect()
}

pub(super) fn pointers(names: &[CString]) -> Vec<*const c_char> {
    names.iter().map(|name| name.as_ptr()).collect()
}

/// The elements of an array of librdkafka's, which is null if it has none.
///
/// # Safety
///
/// `array` is null, or points to `count` elements that live for `'a`.
pub(super) unsafe fn elements<'a, T>(array: *mut T, count: usize) -> &'a [T] {
    match array.is_null() {
        true => &[],
        // SAFETY: as the caller says.
        false => unsafe { std::slice::from_raw_parts(array, count) },
    }
}

/// An answer of librdkafka, released on drop.
pub(super) struct Event(NonNull<sys::rd_kafka_event_t>);

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event came from a queue, is ours, and is destroyed once, here.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// For how long librdkafka has the request sent again.
///
/// # Safety
///
/// The options are alive.
pub(super) unsafe fn set_request_timeout(
    options: *mut sys::rd_kafka_AdminOptions_t,
    timeout: Duration,
) {
    // SAFETY: the options are alive. There is no room for words about what may be wrong with the setting.
    unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(options, millis(timeout), null_mut(), 0);
    }
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// Sends a request, and waits for its answer; `None` if none comes in time.
pub(super) fn ask<C: ClientContext>(
    client: &Client<C>,
    for_api: sys::rd_kafka_admin_op_t,
    timeout: Duration,
    send: impl FnOnce(*mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Option<Event> {
    // SAFETY: the client is alive; the new queue is ours, and is dropped at the end of this function, before the client.
    let queue = unsafe { Queue::from_ptr(sys::rd_kafka_queue_new(client.native_ptr())) }?;
    // SAFETY: the client is alive. The options are ours, and are destroyed once, when the request has taken what it needs of
    // them.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(client.native_ptr(), for_api);
        send(options, queue.ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
    }
    // SAFETY: the queue is alive. An answer that comes after it is gone is dropped by librdkafka.
    NonNull::new(unsafe { sys::rd_kafka_queue_poll(queue.ptr(), millis(timeout)) }).map(Event)
}
