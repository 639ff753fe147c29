//! Transactions of clients of `transaction.version` 2 (KIP-890): what is written registers itself, each end raises the epoch.

use std::time::Duration;

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeProducersRequest, DescribeTransactionsRequest, EndTxnRequest,
    ListTransactionsRequest, ProducerId, TopicName, TransactionalId, WriteTxnMarkersRequest,
};

use crate::wire::{Wire, batch, patiently, text};

/// The code while the markers of the transaction before are being written.
const CONCURRENT: i16 = 51;

impl Wire {
    /// Writes one record in a transaction, as a client of version 2 does; comes again while markers are under way.
    fn write(&mut self, id: &str, producer: (i64, i16), sequence: i32, topic: &str) -> (i16, i64) {
        let records = batch(producer, sequence, 1, true);
        patiently(&[CONCURRENT], || {
            let (code, offset) = self.produce_as(12, -1, Some(id), topic, 0, &records);
            (code, offset)
        })
    }

    /// Code and the identity for the next transaction.
    fn end_and_bump(&mut self, id: &str, producer: (i64, i16), commit: bool) -> (i16, (i64, i16)) {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_committed(commit);
        patiently(&[CONCURRENT], || {
            let response = self.ask(5, request.clone());
            let next = (response.producer_id.0, response.producer_epoch);
            (response.error_code, next)
        })
    }

    /// Code, state, and the producer's epoch.
    fn transaction(&mut self, id: &str) -> (i16, String, i16) {
        let request = DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![TransactionalId(text(id))]);
        let response = self.ask(0, request);
        let state = &response.transaction_states[0];
        let name = state.transaction_state.to_string();
        (state.error_code, name, state.producer_epoch)
    }

    /// Epoch and first offset of the open transaction of a topic's only producer.
    fn active(&mut self, topic: &str, producer: i64) -> (i32, i64) {
        let topic = TopicRequest::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let response = self.ask(
            0,
            DescribeProducersRequest::default().with_topics(vec![topic]),
        );
        let producers = &response.topics[0].partitions[0].active_producers;
        let found = producers.iter().find(|one| one.producer_id.0 == producer);
        let found = found.unwrap();
        (found.producer_epoch, found.current_txn_start_offset)
    }
}

/// `ApiVersionsResponse`: a new cluster has `transaction.version` 2 and `group.version` 1.
#[test]
fn a_new_cluster_has_transactions_of_version_2() {
    let mut wire = Wire::new();
    for version in [3, 4] {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("wire"))
            .with_client_software_version(text("1"));
        let response = wire.ask(version, request);
        assert!(response.finalized_features_epoch >= 0);
        for (name, level) in [("transaction.version", 2), ("group.version", 1)] {
            let features = &response.finalized_features;
            let found = features.iter().find(|feature| &*feature.name == name);
            assert_eq!(found.unwrap().max_version_level, level);
        }
    }
}

/// KIP-890, `ReplicaManager.handleProduceAppend`, `TransactionMetadata.prepareAbortOrCommit`.
#[test]
fn a_batch_registers_its_partition_and_the_end_raises_the_epoch() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, first) = wire.producer();
    let (code, offset) = wire.write(&id, first, 0, &topic);
    assert_eq!(code, 0);
    assert_eq!(wire.transaction(&id), (0, "Ongoing".to_owned(), first.1));
    assert_eq!(wire.active(&topic, first.0), (i32::from(first.1), offset));
    let (code, second) = wire.end_and_bump(&id, first, true);
    assert_eq!((code, second), (0, (first.0, first.1 + 1)));
    wire.until_stable(&topic, 0, offset + 2);
    // The marker has the raised epoch, so nothing of the old one comes after it.
    assert_eq!(wire.active(&topic, first.0), (i32::from(second.1), -1));
    assert_eq!(wire.write(&id, first, 1, &topic).0, 47);
    assert_eq!(wire.write(&id, second, 0, &topic).0, 0);
    let (code, third) = wire.end_and_bump(&id, second, false);
    assert_eq!((code, third), (0, (first.0, first.1 + 2)));
    wire.until_stable(&topic, 0, offset + 4);
    let (_, ended) = patiently(&[-1], || {
        let (code, state, epoch) = wire.transaction(&id);
        let is_ending = state == "PrepareAbort";
        (if is_ending { -1 } else { code }, (state, epoch))
    });
    assert_eq!(ended, ("CompleteAbort".to_owned(), third.1));
}

/// `TransactionCoordinator.endTransaction`: with the epoch before, it is a request whose answer was lost.
#[test]
fn an_end_of_version_2_may_be_repeated_with_the_epoch_before() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, first) = wire.producer();
    assert_eq!(
        wire.end_and_bump(&id, first, true).0,
        48,
        "nothing to commit"
    );
    assert_eq!(wire.write(&id, first, 0, &topic).0, 0);
    let (_, second) = wire.end_and_bump(&id, first, true);
    assert_eq!(wire.end_and_bump(&id, first, true), (0, second));
    assert_eq!(wire.end_and_bump(&id, first, false).0, 48);
    assert_eq!(
        wire.end_and_bump(&id, second, true).0,
        48,
        "nothing to commit"
    );
    // An abort without a transaction gives an epoch all the same.
    let (code, third) = wire.end_and_bump(&id, second, false);
    assert_eq!((code, third), (0, (first.0, second.1 + 1)));
    assert_eq!(wire.end_and_bump(&id, first, false).0, 90);
    assert_eq!(
        wire.end_and_bump(&id, (first.0 + 1_000_000, 0), false).0,
        49
    );
    assert_eq!(wire.end_and_bump(&format!("{id}-none"), first, false).0, 49);
}

/// Whichever version ended it: the epoch before is all that is looked at.
#[test]
fn an_end_of_version_2_with_the_epoch_before_repeats_one_of_version_1() {
    const INVALID_STATE: i16 = 48;
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, _) = wire.producer();
    let (code, producer) = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, (-1, -1)));
    assert_eq!(code, 0);
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    let ended = patiently(&[CONCURRENT], || (wire.end(&id, producer, true), ()));
    assert_eq!(ended.0, 0);
    let before = (producer.0, producer.1 - 1);
    assert_eq!(wire.end_and_bump(&id, before, true), (0, producer));
    assert_eq!(wire.end_and_bump(&id, before, false).0, INVALID_STATE);
}

/// KIP-890, `GroupCoordinatorService.commitTransactionalOffsets`: offsets register their group.
#[test]
fn offsets_of_version_2_register_their_group() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = crate::wire::unique("g");
    wire.find_coordinator(&group, 0);
    let (id, first) = wire.producer();
    let commit = |wire: &mut Wire, producer, version| {
        patiently(&[14, 15, 16, CONCURRENT], || {
            (
                wire.commit_offset_as(version, &id, producer, &group, &topic, 7),
                (),
            )
        })
        .0
    };
    assert_eq!(commit(&mut wire, first, 3), 48);
    assert_eq!(commit(&mut wire, first, 4), 120);
    assert_eq!(commit(&mut wire, first, 5), 0);
    assert_eq!(wire.committed(&group, &topic, true), (88, -1));
    let (code, second) = wire.end_and_bump(&id, first, true);
    assert_eq!(code, 0);
    let committed = patiently(&[88], || wire.committed(&group, &topic, true));
    assert_eq!(committed, (0, 7));
    assert_eq!(commit(&mut wire, first, 5), 47);
    assert_eq!(commit(&mut wire, second, 5), 0);
    assert_eq!(wire.end_and_bump(&id, second, false).0, 0);
    let committed = patiently(&[88], || wire.committed(&group, &topic, true));
    assert_eq!(committed, (0, 7));
}

/// KIP-890 part 1: clients that know the code are told to abort when they write to what is not registered.
#[test]
fn a_client_that_knows_it_is_told_to_abort() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let records = batch(producer, 0, 1, true);
    let code = |wire: &mut Wire, version| {
        wire.produce_as(version, -1, Some(&id), &topic, 0, &records)
            .0
    };
    assert_eq!(code(&mut wire, 10), 48);
    assert_eq!(code(&mut wire, 11), 120);
}

/// `TransactionCoordinator.initProducerId` and the markers of the abort: as for clients of version 1.
#[test]
fn a_new_producer_aborts_an_open_transaction_of_version_2() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, first) = wire.producer();
    let (_, offset) = wire.write(&id, first, 0, &topic);
    let (code, heir) = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, (-1, -1)));
    assert_eq!((code, heir), (0, (first.0, first.1 + 2)));
    wire.until_stable(&topic, 0, offset + 2);
    assert_eq!(wire.active(&topic, first.0), (i32::from(first.1) + 1, -1));
    assert_eq!(wire.end_and_bump(&id, first, true).0, 90);
    assert_eq!(wire.write(&id, first, 1, &topic).0, 47);
    assert_eq!(wire.write(&id, heir, 0, &topic).0, 0);
}

/// KIP-664: what tools see of transactions, and how they free a partition from one that hangs.
#[test]
fn a_hanging_transaction_is_ended_by_a_marker() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, first) = wire.producer();
    let (_, producer) = wire.end_and_bump(&id, first, false);
    let (_, offset) = wire.write(&id, producer, 0, &topic);
    std::thread::sleep(Duration::from_millis(2));
    let mut list = |pattern: &str| {
        let request = ListTransactionsRequest::default()
            .with_duration_filter(-1)
            .with_transactional_id_pattern(Some(text(pattern)));
        let response = wire.ask(2, request);
        (response.error_code, response.transaction_states.len())
    };
    assert_eq!(list(&id), (0, 1));
    assert_eq!(list(&id[..id.len() - 1]), (0, 0));
    assert_eq!(list("tx["), (128, 0));
    assert_eq!(wire.transaction(&format!("{id}-none")).0, 105);
    let mark = |wire: &mut Wire, epoch: i16, name: &str| {
        let marked = WritableTxnMarkerTopic::default()
            .with_name(TopicName(text(name)))
            .with_partition_indexes(vec![0]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(epoch)
            .with_transaction_result(false)
            .with_coordinator_epoch(0)
            .with_topics(vec![marked]);
        let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
        let response = wire.ask(1, request);
        response.markers[0].topics[0].partitions[0].error_code
    };
    assert_eq!(mark(&mut wire, producer.1, &format!("{topic}-none")), 3);
    assert_eq!(mark(&mut wire, producer.1 - 1, &topic), 47);
    assert_eq!(mark(&mut wire, producer.1, &topic), 0);
    wire.until_stable(&topic, 0, offset + 2);
}

/// `KafkaApis.handleTxnOffsetCommitRequest`: what is for no partition that there is begins no transaction.
#[test]
fn offsets_for_nothing_begin_no_transaction() {
    let mut wire = Wire::new();
    let group = crate::wire::unique("g");
    wire.find_coordinator(&group, 0);
    let (id, producer) = wire.producer();
    let none = crate::wire::unique("none");
    let code = wire.commit_offset_as(5, &id, producer, &group, &none, 7);
    assert_eq!(code, 3);
    assert_eq!(wire.transaction(&id), (0, "Empty".to_owned(), producer.1));
    assert_eq!(wire.end_and_bump(&id, producer, true).0, 48);
}

/// `TransactionMetadata.txnStartTimestamp`: it is told until there is a new producer, and what has none is older than any.
#[test]
fn the_start_of_a_transaction_is_told_after_its_end_too() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    // Is its start told, and is it listed among those that run for longer than that?
    let told = |wire: &mut Wire, longer: i64| {
        let request = DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![TransactionalId(text(&id))]);
        let state = wire.ask(0, request).transaction_states.remove(0);
        let request = ListTransactionsRequest::default().with_duration_filter(longer);
        let listed = wire.ask(1, request).transaction_states;
        let mut ids = listed.iter().map(|one| &*one.transactional_id.0);
        let listed = ids.any(|one| *one == *id);
        (state.transaction_start_time_ms >= 0, listed)
    };
    const HOUR: i64 = 3_600_000;
    // The clock has not moved since: no broker answers that.
    const NOT_YET: i16 = i16::MIN;
    assert_eq!(told(&mut wire, HOUR), (false, true));
    assert_eq!(wire.write(&id, producer, 0, &topic).0, 0);
    assert_eq!(told(&mut wire, HOUR), (true, false));
    let (code, next) = wire.end_and_bump(&id, producer, true);
    assert_eq!(code, 0);
    let (code, _) = patiently(&[CONCURRENT], || wire.end_and_bump(&id, producer, true));
    assert_eq!(code, 0, "its markers are written");
    assert_eq!(told(&mut wire, HOUR), (true, false));
    let (_, older) = patiently(&[NOT_YET], || match told(&mut wire, 0) {
        (_, false) => (NOT_YET, (true, false)),
        told => (0, told),
    });
    assert_eq!(older, (true, true));
    assert_eq!(wire.initialise(&id, 60_000, next).0, 0);
    assert_eq!(told(&mut wire, HOUR), (false, true));
}

/// `UnifiedLog.maybeStartTransactionVerification`: the partition is asked first.
#[test]
fn a_batch_of_an_epoch_that_is_over_in_the_partition_begins_no_transaction() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let raised = batch((producer.0, producer.1 + 1), 0, 1, false);
    assert_eq!(wire.produce(None, &topic, 0, &raised), (0, 0));
    assert_eq!(wire.write(&id, producer, 0, &topic).0, 47);
    assert_eq!(wire.transaction(&id), (0, "Empty".to_owned(), producer.1));
    assert_eq!(wire.end_and_bump(&id, producer, true).0, 48);
    // The coordinator is not asked at all.
    let unknown = crate::wire::unique("none");
    assert_eq!(wire.write(&unknown, producer, 0, &topic).0, 47);
    let records = batch(producer, 0, 1, true);
    let older = wire.produce_as(11, -1, Some(&id), &topic, 0, &records);
    assert_eq!(older.0, 47, "not registered either");
}
