//! What tells a topic from another one that had its name before (KIP-516).

use super::describe::{ask, c_strings, elements, pointers, set_request_timeout};
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

/// The id that a topic was given when it was created.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TopicId(u128);

impl TopicId {
    /// `None` for zero, which a broker that knows no ids tells (before Kafka 2.8).
    pub(crate) fn new(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    pub(crate) fn to_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What the cluster tells of topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicIds {
    ids: BTreeMap<String, TopicId>,
    gone: BTreeSet<String>,
}

impl TopicIds {
    #[cfg(test)]
    pub(crate) fn of_topics<const N: usize>(ids: [(&str, u128); N]) -> Self {
        let ids = ids.into_iter();
        let told = ids.filter_map(|(topic, id)| Some((topic.to_owned(), TopicId::new(id)?)));
        Self {
            ids: told.collect(),
            gone: BTreeSet::new(),
        }
    }

    /// `None` where it is not told.
    pub(crate) fn of(&self, topic: &str) -> Option<TopicId> {
        self.ids.get(topic).copied()
    }

    /// Those that are not there.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &str> {
        self.gone.iter().map(String::as_str)
    }
}

/// Asks for the ids of these topics, or says why nothing is told. No topic is created by it.
pub(super) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    timeout: Duration,
) -> Result<TopicIds, String> {
    let mut told = TopicIds::default();
    let names = c_strings(topics);
    if names.is_empty() {
        return Ok(told);
    }
    let mut pointers = pointers(&names);
    let for_api = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let event = ask(client, for_api, timeout, |options, queue| {
        // SAFETY: the pointers are as many C strings, which the collection copies; the request takes of the collection and of
        // the options what it needs before it returns. Client, options and queue are alive.
        unsafe {
            set_request_timeout(options, timeout);
            let topics =
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), names.len());
            sys::rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue);
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
    });
    let event = event.ok_or("no answer came in time")?;
    // SAFETY: the event is alive until the end of this function; the result and what is in it belong to the event, and are
    // only read. The result is looked at if it is one of this kind.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.ptr());
        if result.is_null() {
            return Err("another question was answered".to_owned());
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let topics = elements(topics, count);
        // A broker may have left one out.
        for topic in topics.iter().filter(|topic| !topic.is_null()) {
            let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(*topic));
            let name = name.to_string_lossy().into_owned();
            if is_unknown(sys::rd_kafka_TopicDescription_error(*topic)) {
                told.gone.insert(name);
            } else if let Some(id) = id_of(sys::rd_kafka_TopicDescription_topic_id(*topic)) {
                told.ids.insert(name, id);
            }
        }
        if topics.is_empty() {
            let why = CStr::from_ptr(sys::rd_kafka_event_error_string(event.ptr()));
            return Err(why.to_string_lossy().into_owned());
        }
        Ok(told)
    }
}

/// # Safety
///
/// `error` is null or an error that is alive.
unsafe fn is_unknown(error: *const sys::rd_kafka_error_t) -> bool {
    // By its name: its code may be one that the binding's enumeration does not have.
    // SAFETY: the error is alive, and its name is a C string that is never freed.
    !error.is_null()
        && unsafe { CStr::from_ptr(sys::rd_kafka_error_name(error)) } == c"UNKNOWN_TOPIC_OR_PART"
}

/// # Safety
///
/// `id` is null or an id that is alive.
unsafe fn id_of(id: *const sys::rd_kafka_Uuid_t) -> Option<TopicId> {
    if id.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let (high, low) = unsafe {
        (
            sys::rd_kafka_Uuid_most_significant_bits(id),
            sys::rd_kafka_Uuid_least_significant_bits(id),
        )
    };
    TopicId::new(u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned()))
}
