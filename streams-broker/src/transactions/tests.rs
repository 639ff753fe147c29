//! The transaction coordinator without a socket: each test is one rule.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;

fn ready(transactions: &mut Transactions, expected: ProducerIdentity) -> ProducerIdentity {
    match transactions.initialise("t", 1000, expected).unwrap() {
        Initialised::Ready(producer) => producer,
        Initialised::AbortFirst(ending) => panic!("open: {ending:?}"),
    }
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
    let ending = transactions
        .end("t", producer, Outcome::Commit)
        .unwrap()
        .unwrap();
    assert_eq!((&ending.partitions, ending.producer), (&topic(), producer));
    let concurrent = Err(ResponseError::ConcurrentTransactions);
    assert_eq!(
        transactions.add_partitions("t", producer, &topic(), 10),
        concurrent
    );
    assert_eq!(
        transactions.end("t", producer, Outcome::Commit),
        Err(ResponseError::ConcurrentTransactions)
    );
    assert_eq!(
        transactions.end("t", producer, Outcome::Abort),
        Err(ResponseError::InvalidTxnState)
    );
    transactions.completed(&ending);
    assert_eq!(transactions.end("t", producer, Outcome::Commit), Ok(None));
    assert_eq!(
        transactions.end("t", producer, Outcome::Abort),
        Err(ResponseError::InvalidTxnState)
    );
}

#[test]
fn a_new_producer_fences_and_aborts_the_old_one() {
    let mut transactions = Transactions::default();
    let old = begun(&mut transactions);
    let Ok(Initialised::AbortFirst(ending)) = transactions.initialise("t", 1000, NO_PRODUCER)
    else {
        panic!("the open transaction was ignored")
    };
    assert_eq!(
        (ending.outcome, ending.producer.epoch),
        (Outcome::Abort, old.epoch + 1)
    );
    let again = transactions.initialise("t", 1000, NO_PRODUCER);
    assert_eq!(again, Err(ResponseError::ConcurrentTransactions));
    transactions.completed(&ending);
    let new = ready(&mut transactions, NO_PRODUCER);
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 2));
    assert_eq!(
        transactions.end("t", old, Outcome::Commit),
        Err(ResponseError::ProducerFenced)
    );
    assert_eq!(
        transactions.initialise("t", 1000, old),
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
        transactions.initialise("t", 1000, first),
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
        transactions.end("t", producer, Outcome::Commit),
        Err(ResponseError::ProducerFenced)
    );
    assert!(transactions.time_out(5000).is_empty());
}

#[test]
fn wrong_owners_and_unregistered_targets_are_refused() {
    let mut transactions = Transactions::default();
    let producer = ready(&mut transactions, NO_PRODUCER);
    assert_eq!(
        transactions.end("t", producer, Outcome::Commit),
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
