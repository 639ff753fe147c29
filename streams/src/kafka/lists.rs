//! Lists of partitions and offsets, as librdkafka takes and gives them.

use super::TopicPartition;
use super::error::{ClientError, code_of};
use super::offset_metadata;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::ptr::addr_of;

/// Partitions, without offsets.
pub(super) fn of_partitions(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    list
}

/// Partitions, each with an offset.
pub(super) fn of_offsets(
    offsets: &[(TopicPartition, i64)],
) -> Result<TopicPartitionList, ClientError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        let offset = Offset::Offset(*offset);
        list.add_partition_offset(&partition.topic, partition.partition, offset)
            .map_err(|e| ClientError::from_kafka("naming offsets", &e))?;
    }
    Ok(list)
}

/// Partitions, each with an offset to be committed, and the stream time that goes with it where there is one.
pub(super) fn of_commits(
    offsets: &[(TopicPartition, i64)],
    times: &[(TopicPartition, i64)],
) -> Result<TopicPartitionList, ClientError> {
    let list = of_offsets(offsets)?;
    for mut element in list.elements() {
        let is_of = |(p, _): &&(TopicPartition, i64)| {
            p.partition == element.partition() && *p.topic == *element.topic()
        };
        if let Some((_, time)) = times.iter().find(is_of) {
            element.set_metadata(offset_metadata::encode(*time));
        }
    }
    Ok(list)
}

/// The stream times that were committed with the offsets of a list.
///
/// Read past rdkafka's own accessor: another client may have committed what is no text.
pub(super) fn times_of(list: &TopicPartitionList) -> Vec<(TopicPartition, i64)> {
    let native = list.ptr();
    let time = |at: usize| {
        // SAFETY: the list is alive and borrowed, and `at` is below its count; its metadata, where it has some, are so many
        // bytes, which belong to the element.
        let metadata = unsafe {
            let element: *const sys::rd_kafka_topic_partition_t = (*native).elems.add(at);
            let (metadata, size) = ((*element).metadata, (*element).metadata_size);
            match metadata.is_null() {
                true => &[],
                false => std::slice::from_raw_parts(metadata.cast::<u8>().cast_const(), size),
            }
        };
        offset_metadata::decode(metadata)
    };
    let partitions = partitions_of(list).into_iter().enumerate();
    partitions
        .filter_map(|(at, partition)| Some((partition, time(at)?)))
        .collect()
}

/// The partitions of a list.
pub(super) fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|e| TopicPartition::new(e.topic(), e.partition()))
        .collect()
}

/// The partitions of a list that have an offset, with it.
pub(super) fn offsets_of(list: &TopicPartitionList) -> Vec<(TopicPartition, i64)> {
    list.elements()
        .iter()
        .filter_map(|e| match e.offset() {
            Offset::Offset(offset) => Some((TopicPartition::new(e.topic(), e.partition()), offset)),
            _ => None,
        })
        .collect()
}

/// The partitions of an answer that have an error.
///
/// Read past rdkafka's own accessor: a broker may send a code that the binding's enumeration does not have, and such a value
/// of it must not come into being.
pub(super) fn errors_of(list: &TopicPartitionList) -> Vec<(TopicPartition, RDKafkaErrorCode)> {
    let native = list.ptr();
    let count = list.count();
    let mut errors = Vec::new();
    for at in 0..count {
        // SAFETY: the list is alive and borrowed, and `at` is below its count; the code is read as the number that it is.
        let (code, partition) = unsafe {
            let element: *const sys::rd_kafka_topic_partition_t = (*native).elems.add(at);
            (
                addr_of!((*element).err).cast::<i32>().read(),
                (*element).partition,
            )
        };
        if code != 0 {
            // SAFETY: as above; the topic is a C string that belongs to the element.
            let topic = unsafe { std::ffi::CStr::from_ptr((*(*native).elems.add(at)).topic) };
            let partition = TopicPartition::new(topic.to_string_lossy(), partition);
            errors.push((partition, code_of(code)));
        }
    }
    errors
}

/// The first error of an answer, if it has one.
pub(super) fn check(doing: &'static str, list: &TopicPartitionList) -> Result<(), ClientError> {
    match errors_of(list).into_iter().next() {
        None => Ok(()),
        Some((partition, code)) => Err(failed(doing, &partition, code)),
    }
}

pub(super) fn failed(
    doing: &'static str,
    partition: &TopicPartition,
    code: RDKafkaErrorCode,
) -> ClientError {
    ClientError::new(doing, code, format!("{partition}: {code}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with_code(code: i32) -> TopicPartitionList {
        let offsets = [("a", 0, 7), ("b", 1, 8)];
        let offsets = offsets.map(|(topic, p, at)| (TopicPartition::new(topic, p), at));
        let list = of_offsets(&offsets).unwrap();
        // SAFETY: the list has two elements, and an error code is four bytes.
        unsafe {
            let element = (*list.ptr()).elems.add(1);
            std::ptr::addr_of_mut!((*element).err)
                .cast::<i32>()
                .write(code);
        }
        list
    }

    #[test]
    fn what_goes_in_comes_out() {
        let list = with_code(0);
        assert_eq!(partitions_of(&list).len(), 2);
        assert_eq!(
            offsets_of(&list).last(),
            Some(&(TopicPartition::new("b", 1), 8))
        );
        check("testing", &list).unwrap();
    }

    #[test]
    fn stream_times_go_along_and_other_metadata_are_left_alone() {
        let offsets = ["a", "b", "c"].map(|topic| (TopicPartition::new(topic, 0), 7));
        let times = [(TopicPartition::new("b", 0), 1_000)];
        let list = of_commits(&offsets, &times).unwrap();
        if let Some(other) = list.elements().last_mut() {
            other.set_metadata("of another client");
        }
        assert_eq!(offsets_of(&list), offsets);
        assert_eq!(times_of(&list), times);
    }

    #[test]
    fn an_error_of_one_partition_is_found_and_named() {
        let error = check("testing", &with_code(29)).unwrap_err();
        assert_eq!(error.code(), RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(error.to_string().contains("b-1"), "{error}");
    }

    #[test]
    fn a_code_that_the_binding_does_not_know_is_an_unknown_one() {
        let list = with_code(9_999);
        assert_eq!(
            check("testing", &list).unwrap_err().code(),
            RDKafkaErrorCode::Unknown
        );
        // What drops the list must not meet the code either.
        // SAFETY: as above.
        unsafe {
            let element = (*list.ptr()).elems.add(1);
            std::ptr::addr_of_mut!((*element).err)
                .cast::<i32>()
                .write(0);
        }
    }
}
