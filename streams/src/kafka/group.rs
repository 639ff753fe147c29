//! What the members of a group have, as its coordinator tells it (DescribeGroups).
//!
//! Asked by librdkafka's older call, which asks each broker for its groups. The newer one (`rd_kafka_DescribeConsumerGroups`)
//! ends the process where the coordinator is found later than the request may take: an assertion about what was freed already
//! (librdkafka 2.12, `rd_kafka_enq_once_del_source_return`).

use super::TopicPartition;
use super::admin::partition_count;
use super::error::ClientError;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ptr::{NonNull, null};
use std::time::Duration;

/// The state of a group that has dealt its partitions out.
const STABLE: &CStr = c"Stable";

/// A partition of these topics that no member of the group has, although the group has dealt them out.
pub(super) fn left_over<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    topics: &[&str],
    timeout: Duration,
) -> Result<Option<TopicPartition>, ClientError> {
    let dealt_out = dealt_out(client, group, timeout).ok_or_else(|| {
        let what =
            "the group deals its partitions out just now, or its coordinator does not answer";
        ClientError::new("asking what members have", RDKafkaErrorCode::Fail, what)
    })?;
    for topic in topics {
        let there = 0..partition_count(client, topic, timeout)?;
        let mut partitions = there.map(|partition| TopicPartition::new(*topic, partition));
        if let Some(left_over) = partitions.find(|p| !dealt_out.contains(p)) {
            return Ok(Some(left_over));
        }
    }
    Ok(None)
}

/// The partitions that the members of a group have; `None` if it is about to deal them out, or nothing is told.
fn dealt_out<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Option<BTreeSet<TopicPartition>> {
    let described = Described::ask(client, group, timeout)?;
    // SAFETY: the list is alive until the end of this function, and what is in it belongs to it. It has as many groups as it
    // says, and each as many members, whose assignment are so many bytes; strings are C strings.
    unsafe {
        let list = described.0.as_ref();
        let group = elements(list.groups, list.group_cnt).first()?;
        let is_told = std::ptr::addr_of!(group.err).cast::<i32>().read() == 0;
        if !is_told || group.state.is_null() || CStr::from_ptr(group.state) != STABLE {
            return None;
        }
        let mut dealt_out = BTreeSet::new();
        for member in elements(group.members, group.member_cnt) {
            let assignment = member.member_assignment.cast::<u8>();
            let assignment = elements(assignment, member.member_assignment_size);
            dealt_out.extend(partitions_of(assignment)?);
        }
        Some(dealt_out)
    }
}

/// The elements of an array of librdkafka's, which is null if it has none.
///
/// # Safety
///
/// `array` is null, or points to `count` elements that live for `'a`.
unsafe fn elements<'a, T>(array: *mut T, count: i32) -> &'a [T] {
    match array.is_null() {
        true => &[],
        // SAFETY: as the caller says.
        false => unsafe { std::slice::from_raw_parts(array, usize::try_from(count).unwrap_or(0)) },
    }
}

/// A list of groups, released on drop.
struct Described(NonNull<sys::rd_kafka_group_list>);

impl Drop for Described {
    fn drop(&mut self) {
        // SAFETY: the list came from librdkafka, is ours, and is destroyed once, here.
        unsafe { sys::rd_kafka_group_list_destroy(self.0.as_ptr()) }
    }
}

impl Described {
    /// Asks all brokers for the group, of which its coordinator has something to tell. That others do not answer does no harm.
    fn ask<C: ClientContext>(client: &Client<C>, group: &str, timeout: Duration) -> Option<Self> {
        let name = CString::new(group).ok()?;
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let mut list: *const sys::rd_kafka_group_list = null();
        // SAFETY: C's enumerations are integers (`repr(i32)` in the binding): as a function that returns one, it cannot make a
        // value that the binding's enumeration does not have, which a code that only a newer broker knows would be.
        let list_groups = unsafe {
            std::mem::transmute::<ListGroups<sys::rd_kafka_resp_err_t>, ListGroups<i32>>(
                sys::rd_kafka_list_groups,
            )
        };
        // SAFETY: client and name are alive through the call, which writes a list that is ours, or none.
        let code = unsafe { list_groups(client.native_ptr(), name.as_ptr(), &mut list, millis) };
        if code != 0 {
            tracing::debug!(code, "the group is not told");
        }
        NonNull::new(list.cast_mut()).map(Self)
    }
}

type ListGroups<E> = unsafe extern "C" fn(
    *mut sys::rd_kafka_t,
    *const std::ffi::c_char,
    *mut *const sys::rd_kafka_group_list,
    i32,
) -> E;

/// What one member has (Kafka's `ConsumerProtocolAssignment`); `None` if that cannot be read. A member that was given nothing
/// may have no bytes at all.
fn partitions_of(assignment: &[u8]) -> Option<Vec<TopicPartition>> {
    let mut partitions = Vec::new();
    if assignment.is_empty() {
        return Some(partitions);
    }
    let mut bytes = Bytes(assignment);
    let _version = bytes.i16()?;
    for _ in 0..bytes.i32()? {
        let length = usize::try_from(bytes.i16()?).ok()?;
        let topic = std::str::from_utf8(bytes.take(length)?).ok()?;
        for _ in 0..bytes.i32()? {
            partitions.push(TopicPartition::new(topic, bytes.i32()?));
        }
    }
    Some(partitions)
}

/// What is left to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> Option<i32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(i32::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Version 1, with two partitions of `a` and one of `bc`, and user data.
    const ASSIGNMENT: &[u8] = &[
        0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2, b'b', b'c', 0, 0,
        0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 7,
    ];

    #[test]
    fn an_assignment_is_read_as_the_consumer_protocol_writes_it() {
        let expected = [("a", 0), ("a", 3), ("bc", 256)];
        let expected = expected.map(|(topic, partition)| TopicPartition::new(topic, partition));
        assert_eq!(partitions_of(ASSIGNMENT).unwrap(), expected);
    }

    #[test]
    fn a_member_that_was_given_nothing_has_nothing() {
        assert_eq!(partitions_of(&[]).unwrap(), []);
        assert_eq!(partitions_of(&[0, 0, 0, 0, 0, 0]).unwrap(), []);
    }

    #[test]
    fn an_assignment_that_is_cut_short_is_not_read() {
        // Its user data are not looked at.
        let (partitions, _user_data) = ASSIGNMENT.split_last_chunk::<5>().unwrap();
        for length in 1..partitions.len() {
            let (cut, _) = partitions.split_at(length);
            assert_eq!(partitions_of(cut), None, "{length}");
        }
        assert!(partitions_of(partitions).is_some());
    }

    #[test]
    fn numbers_that_cannot_be_do_no_harm() {
        assert_eq!(partitions_of(&[0, 1, 0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(partitions_of(&[0, 1, 0, 0, 0, 1, 0xff, 0xff]), None);
    }
}
