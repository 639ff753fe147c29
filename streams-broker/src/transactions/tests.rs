//! The transaction coordinator without a socket: each test is one rule.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;

fn ready(transactions: &mut Transactions, expected: ProducerIdentity) -> ProducerIdentity {
    match transactions.initialise("t", 1000, expected, 0).unwrap() {
        Initialised::Ready(producer) => producer,
        Initialised::AbortFirst(ending) => panic!("open: {ending:?}"),
    }
}

fn end(
    transactions: &mut Transactions,
    producer: ProducerIdentity,
    outcome: Outcome,
) -> Result<Option<Ending>, ResponseError> {
    transactions
        .end("t", producer, outcome, ClientVersion::V1, 0)
        .map(|ended| ended.ending)
}

fn topic() -> Partitions {
    Partitions::from([("a".to_owned(), BTreeSet::from([0, 1]))])
}

fn begun(transactions: &mut Transactions) -> ProducerIdentity {
    let producer = ready(transactions, NO_PRODUCER);
    transactions
        .add_partitions("t", producer, &topic(), 10)
        .unwrap();
    producer
}

#[test]
fn commit_covers_every_registered_partition() {
    let mut transactions = Transactions::default();
    let producer = begun(&mut transactions);
    let ending = end(&mut transactions, producer, Outcome::Commit)
        .unwrap()
        .unwrap();
    assert_eq!((&ending.partitions, ending.producer), (&topic(), producer));
    let concurrent = Err(ResponseError::ConcurrentTransactions);
    assert_eq!(
        transactions.add_partitions("t", producer, &topic(), 10),
        concurrent
    );
    assert_eq!(
        end(&mut transactions, producer, Outcome::Commit),
        Err(ResponseError::ConcurrentTransactions)
    );
    assert_eq!(
        end(&mut transactions, producer, Outcome::Abort),
        Err(ResponseError::InvalidTxnState)
    );
    transactions.completed(&ending);
    assert_eq!(end(&mut transactions, producer, Outcome::Commit), Ok(None));
    assert_eq!(
        end(&mut transactions, producer, Outcome::Abort),
        Err(ResponseError::InvalidTxnState)
    );
}

#[test]
fn a_new_producer_fences_and_aborts_the_old_one() {
    let mut transactions = Transactions::default();
    let old = begun(&mut transactions);
    let Ok(Initialised::AbortFirst(ending)) = transactions.initialise("t", 1000, NO_PRODUCER, 0)
    else {
        panic!("the open transaction was ignored")
    };
    assert_eq!(
        (ending.outcome, ending.producer.epoch),
        (Outcome::Abort, old.epoch + 1)
    );
    let again = transactions.initialise("t", 1000, NO_PRODUCER, 0);
    assert_eq!(again, Err(ResponseError::ConcurrentTransactions));
    transactions.completed(&ending);
    let new = ready(&mut transactions, NO_PRODUCER);
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 2));
    assert_eq!(
        end(&mut transactions, old, Outcome::Commit),
        Err(ResponseError::ProducerFenced)
    );
    assert_eq!(
        transactions.initialise("t", 1000, old, 0),
        Err(ResponseError::ProducerFenced)
    );
}

#[test]
fn a_repeated_bump_gives_the_same_epoch() {
    let mut transactions = Transactions::default();
    let first = ready(&mut transactions, NO_PRODUCER);
    let second = ready(&mut transactions, first);
    assert_eq!(second.epoch, first.epoch + 1);
    assert_eq!(ready(&mut transactions, first), second);
    assert_eq!(ready(&mut transactions, second).epoch, second.epoch + 1);
    assert_eq!(
        transactions.initialise("t", 1000, first, 0),
        Err(ResponseError::ProducerFenced)
    );
}

#[test]
fn exhausted_epochs_give_a_new_producer_id() {
    let mut transactions = Transactions::default();
    let mut producer = ready(&mut transactions, NO_PRODUCER);
    while producer.epoch < i16::MAX - 1 {
        producer = ready(&mut transactions, NO_PRODUCER);
    }
    let next = ready(&mut transactions, NO_PRODUCER);
    assert_eq!((next.epoch, next.id != producer.id), (0, true));
}

#[test]
fn late_transactions_are_aborted_and_fenced() {
    let mut transactions = Transactions::default();
    let producer = begun(&mut transactions);
    assert!(transactions.time_out(1009).is_empty());
    let endings = transactions.time_out(1010);
    assert_eq!(endings.len(), 1);
    assert_eq!(
        end(&mut transactions, producer, Outcome::Commit),
        Err(ResponseError::ProducerFenced)
    );
    assert!(transactions.time_out(5000).is_empty());
}

#[test]
fn wrong_owners_and_unregistered_targets_are_refused() {
    let mut transactions = Transactions::default();
    let producer = ready(&mut transactions, NO_PRODUCER);
    assert_eq!(
        end(&mut transactions, producer, Outcome::Commit),
        Err(ResponseError::InvalidTxnState)
    );
    let foreign = ProducerIdentity {
        id: producer.id + 1,
        ..producer
    };
    let mapping = Err(ResponseError::InvalidProducerIdMapping);
    assert_eq!(transactions.add_group("t", foreign, "g", 0), mapping);
    assert_eq!(transactions.add_group("unknown", producer, "g", 0), mapping);
    let later = ProducerIdentity {
        epoch: producer.epoch + 1,
        ..producer
    };
    assert_eq!(
        transactions.check_produce("t", later, "a", 0),
        Err(ResponseError::InvalidProducerEpoch)
    );
    assert_eq!(
        transactions.check_produce("t", producer, "a", 0),
        Err(ResponseError::InvalidTxnState)
    );
    assert_eq!(
        transactions.check_offsets("t", producer, "g"),
        Err(ResponseError::InvalidTxnState)
    );
    assert_eq!(transactions.add_group("t", producer, "g", 0), Ok(()));
    assert_eq!(transactions.check_offsets("t", producer, "g"), Ok(()));
}

/// An end of a client of version 2: what is left to do is done at once.
fn end_and_bump(
    transactions: &mut Transactions,
    producer: ProducerIdentity,
    outcome: Outcome,
) -> Result<ProducerIdentity, ResponseError> {
    let ended = transactions.end("t", producer, outcome, ClientVersion::V2, 0)?;
    if let Some(ending) = &ended.ending {
        transactions.completed(ending);
    }
    Ok(ended.producer)
}

#[test]
fn every_end_of_version_2_raises_the_epoch_and_may_be_repeated() {
    let mut transactions = Transactions::default();
    let first = ready(&mut transactions, NO_PRODUCER);
    transactions
        .register_partition("t", first, "a", 0, 0)
        .unwrap();
    let ended = transactions
        .end("t", first, Outcome::Commit, ClientVersion::V2, 0)
        .unwrap();
    let ending = ended.ending.unwrap();
    let second = ended.producer;
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    assert_eq!(ending.producer, second, "markers bear the raised epoch");
    let again = end_and_bump(&mut transactions, first, Outcome::Commit);
    assert_eq!(again, Err(ResponseError::ConcurrentTransactions));
    transactions.completed(&ending);
    let again = end_and_bump(&mut transactions, first, Outcome::Commit);
    assert_eq!(again, Ok(second));
    let other = end_and_bump(&mut transactions, first, Outcome::Abort);
    assert_eq!(other, Err(ResponseError::InvalidTxnState));
    let old = transactions.register_partition("t", first, "a", 0, 0);
    assert_eq!(old, Err(ResponseError::InvalidProducerEpoch));
    // Without a transaction there is nothing to commit, but an abort gives the next epoch.
    let empty = end_and_bump(&mut transactions, second, Outcome::Commit);
    assert_eq!(empty, Err(ResponseError::InvalidTxnState));
    let third = end_and_bump(&mut transactions, second, Outcome::Abort).unwrap();
    assert_eq!(third.epoch, second.epoch + 1);
    let fenced = end_and_bump(&mut transactions, first, Outcome::Abort);
    assert_eq!(fenced, Err(ResponseError::ProducerFenced));
}

#[test]
fn an_end_with_the_last_epoch_gives_a_new_producer_id() {
    let mut transactions = Transactions::default();
    let mut producer = ready(&mut transactions, NO_PRODUCER);
    while producer.epoch < i16::MAX - 1 {
        producer = end_and_bump(&mut transactions, producer, Outcome::Abort).unwrap();
    }
    transactions.register_group("t", producer, "g", 0).unwrap();
    let next = end_and_bump(&mut transactions, producer, Outcome::Commit).unwrap();
    assert_eq!((next.epoch, next.id != producer.id), (0, true));
    let again = end_and_bump(&mut transactions, producer, Outcome::Commit);
    assert_eq!(again, Ok(next));
    assert_eq!(ready(&mut transactions, producer), next);
}

#[test]
fn ids_that_nobody_uses_are_forgotten_unless_something_is_open() {
    let mut transactions = Transactions::default();
    let producer = begun(&mut transactions);
    transactions.expire(1_000, 5_000);
    assert!(transactions.get("t").is_some());
    let ending = end(&mut transactions, producer, Outcome::Commit);
    transactions.completed(&ending.unwrap().unwrap());
    transactions.expire(1_000, 999);
    assert!(transactions.get("t").is_some());
    transactions.expire(1_000, 1_000);
    assert!(transactions.get("t").is_none());
}
