//! What this client may do with topics and groups, as far as the cluster tells it (KIP-430).

use super::describe::{ask, c_strings, elements, pointers, set_request_timeout};
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::Duration;

/// An operation on a topic or a group, as ACLs have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Read,
    Write,
    Delete,
}

impl Operation {
    /// As `kafka-acls` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Delete => "Delete",
        }
    }

    fn native(self) -> i32 {
        let native = match self {
            Self::Read => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ,
            Self::Write => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE,
            Self::Delete => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DELETE,
        };
        native as i32
    }
}

/// The operations that are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed(Vec<Operation>);

impl Allowed {
    #[cfg(test)]
    pub(crate) fn of(operations: &[Operation]) -> Self {
        Self(operations.to_vec())
    }

    pub(crate) fn has(&self, operation: Operation) -> bool {
        self.0.contains(&operation)
    }

    /// What is told beside an answer without an error. Who may see a topic or a group may at least describe it: that nothing
    /// is allowed is no answer.
    fn told(operations: &[i32]) -> Option<Self> {
        let all = [Operation::Read, Operation::Write, Operation::Delete];
        let allowed = all.into_iter().filter(|o| operations.contains(&o.native()));
        (!operations.is_empty()).then(|| Self(allowed.collect()))
    }
}

/// What may be done with each of these topics. Those of which the cluster does not tell it are left out.
pub(super) fn with_topics<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    timeout: Duration,
) -> BTreeMap<String, Allowed> {
    let names = c_strings(topics);
    if names.is_empty() {
        return BTreeMap::new();
    }
    let mut pointers = pointers(&names);
    let for_api = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let answer = ask(client, for_api, timeout, |options, queue| {
        // SAFETY: the pointers are as many C strings, which the collection copies; the request takes of the collection and of
        // the options what it needs before it returns. Client, options and queue are alive.
        unsafe {
            include_operations(options);
            let topics =
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), names.len());
            sys::rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue);
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
    });
    let Some(event) = answer else {
        return BTreeMap::new();
    };
    let mut told = BTreeMap::new();
    // SAFETY: the event is alive until the end of this function; the result and what is in it belong to the event, and are
    // only read. The result is looked at if it is one of this kind.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.ptr());
        if result.is_null() {
            return told;
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        // A broker may have left one out.
        for topic in elements(topics, count).iter().filter(|t| !t.is_null()) {
            let mut count = 0;
            let operations =
                sys::rd_kafka_TopicDescription_authorized_operations(*topic, &mut count);
            let error = sys::rd_kafka_TopicDescription_error(*topic);
            if let Some(allowed) = allowed(error, operations, count) {
                let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(*topic));
                told.insert(name.to_string_lossy().into_owned(), allowed);
            }
        }
    }
    told
}

/// What may be done with a group, if the cluster tells it.
pub(super) fn with_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Option<Allowed> {
    let names = c_strings(&[group]);
    let mut pointers = pointers(&names);
    let for_api = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let event = ask(client, for_api, timeout, |options, queue| {
        // SAFETY: the pointers are as many C strings, which the request copies before it returns, as it does the options.
        // Client, options and queue are alive.
        unsafe {
            include_operations(options);
            sys::rd_kafka_DescribeConsumerGroups(
                client.native_ptr(),
                pointers.as_mut_ptr(),
                names.len(),
                options,
                queue,
            );
        }
    })?;
    // SAFETY: the event is alive until the end of this function; the result and what is in it belong to the event, and are
    // only read. The result is looked at if it is one of this kind.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.ptr());
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        let group = *elements(groups, count).first()?;
        let mut count = 0;
        let operations =
            sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &mut count);
        let error = sys::rd_kafka_ConsumerGroupDescription_error(group);
        allowed(error, operations, count)
    }
}

/// The longest timeout of a request. Its end is not waited for: where the coordinator of a group is found after it, librdkafka (2.12)
/// ends the process.
const NEVER: Duration = Duration::from_secs(3_600);

/// Asks for the operations too, for as long as it takes.
///
/// # Safety
///
/// The options are alive.
unsafe fn include_operations(options: *mut sys::rd_kafka_AdminOptions_t) {
    // SAFETY: the options are alive. What may be wrong with the setting (null if nothing is) is ours to destroy, for which null is
    // fine.
    unsafe {
        let refused = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        sys::rd_kafka_error_destroy(refused);
        set_request_timeout(options, NEVER);
    }
}

/// What one description tells.
///
/// # Safety
///
/// `error` is null or an error that is alive; `operations` is null or points to `count` operations that are alive.
unsafe fn allowed(
    error: *const sys::rd_kafka_error_t,
    operations: *const sys::rd_kafka_AclOperation_t,
    count: usize,
) -> Option<Allowed> {
    if !error.is_null() {
        // By its name: its code may be one that the binding's enumeration does not have.
        // SAFETY: the error is alive, and its name is a C string that is never freed.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_error_name(error)) };
        tracing::debug!(error = %name.to_string_lossy(), "what may be done is not told");
        let refused = name.to_bytes().ends_with(b"_AUTHORIZATION_FAILED");
        return refused.then(Allowed::default);
    }
    // As the numbers that they are: a newer broker may tell operations that the binding's enumeration does not have.
    // SAFETY: as the caller says; C's enumerations are integers.
    let operations = unsafe { elements(operations.cast_mut().cast::<i32>(), count) };
    Allowed::told(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_the_binding_does_not_know_do_no_harm() {
        let read = Operation::Read.native();
        assert_eq!(
            Allowed::told(&[99, read]),
            Some(Allowed::of(&[Operation::Read]))
        );
        assert_eq!(Allowed::told(&[99]), Some(Allowed::default()));
    }

    #[test]
    fn nothing_is_no_answer() {
        assert_eq!(Allowed::told(&[]), None);
    }
}
