use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::seen::REMEMBERED;
use super::*;

fn request(api: ApiKey, client_id: &str) -> SeenRequest {
    SeenRequest {
        api,
        version: 0,
        client_id: client_id.to_owned(),
        at: 0,
        topics: Vec::new(),
        groups: Vec::new(),
        transactional_ids: Vec::new(),
    }
}

fn ask(faults: &Faults, api: ApiKey, client_id: &str) -> Verdict {
    faults.judge(&Arc::new(request(api, client_id)))
}

/// The numbers, from 1 on, of the requests that a fault strikes.
fn struck(fault: Fault, requests: u64) -> Vec<u64> {
    let faults = Faults::new(usize::MAX);
    faults.inject(fault);
    let cut = |_: &u64| ask(&faults, ApiKey::Fetch, "").before.cut;
    (1..=requests).filter(cut).collect()
}

#[test]
fn only_the_nth_request_of_the_kind_and_client_is_struck() {
    let faults = Faults::new(usize::MAX);
    let fault = faults.inject(Fault::cut_before(ApiKey::EndTxn).nth(2).client_id("a"));
    let verdicts = [
        ("a", ApiKey::EndTxn),
        ("b", ApiKey::EndTxn),
        ("a", ApiKey::Fetch),
        ("a", ApiKey::EndTxn),
    ]
    .map(|(client, api)| ask(&faults, api, client).before.cut);
    assert_eq!(verdicts, [false, false, false, true]);
    assert!(!ask(&faults, ApiKey::EndTxn, "a").before.cut);
    assert_eq!(faults.seen().len(), 5);
    assert_eq!((fault.seen().len(), fault.struck().len()), (3, 1));
}

#[test]
fn requests_are_chosen_by_number_or_by_chance() {
    let cut = || Fault::cut_before(None);
    assert_eq!(struck(cut(), 3), [1, 2, 3]);
    assert_eq!(struck(cut().first(2), 4), [1, 2]);
    assert_eq!(struck(cut().after(2), 4), [3, 4]);
    let by_chance = struck(cut().one_in(10, 7), 10_000);
    assert_eq!(by_chance, struck(cut().one_in(10, 7), 10_000));
    assert_ne!(by_chance, struck(cut().one_in(10, 8), 10_000));
    assert!(
        (900..1_100).contains(&by_chance.len()),
        "{}",
        by_chance.len()
    );
}

#[test]
fn requests_are_chosen_by_what_they_name() {
    let faults = Faults::new(usize::MAX);
    let observed = [
        Fault::observe(None).topic("t"),
        Fault::observe(None).group("g"),
        Fault::observe(None).transactional_id("x"),
        Fault::observe(None).topic("t").group("g"),
    ]
    .map(|fault| faults.inject(fault));
    for (topics, groups, ids) in [("t", "", ""), ("u", "g", ""), ("t", "g", ""), ("", "", "x")] {
        let mut named = request(ApiKey::Produce, "");
        named.topics = vec![topics.to_owned()];
        named.groups = vec![groups.to_owned()];
        named.transactional_ids = vec![ids.to_owned()];
        faults.judge(&Arc::new(named));
    }
    assert_eq!(observed.map(|fault| fault.seen().len()), [2, 2, 1, 1]);
}

#[test]
fn faults_add_up_until_they_are_cleared() {
    let faults = Faults::new(usize::MAX);
    faults.inject(Fault::delay(ApiKey::Produce, Duration::from_millis(5)));
    faults.inject(Fault::delay(ApiKey::Produce, Duration::from_millis(7)).first(1));
    faults.inject(Fault::fail(
        ApiKey::Produce,
        ResponseError::ConcurrentTransactions,
    ));
    let verdict = ask(&faults, ApiKey::Produce, "");
    assert_eq!(verdict.before.delay, Duration::from_millis(12));
    assert_eq!(verdict.error, Some(ResponseError::ConcurrentTransactions));
    let second = ask(&faults, ApiKey::Produce, "");
    assert_eq!(second.before.delay, Duration::from_millis(5));
    faults.clear();
    let third = ask(&faults, ApiKey::Produce, "");
    assert_eq!((third.before.delay, third.error), (Duration::ZERO, None));
}

#[test]
fn of_two_errors_the_first_is_answered_and_strikes_alone() {
    let faults = Faults::new(usize::MAX);
    let errors = [
        ResponseError::ConcurrentTransactions,
        ResponseError::InvalidTxnState,
    ];
    let fails = errors.map(|error| faults.inject(Fault::fail(ApiKey::Produce, error)));
    let seen = Arc::new(request(ApiKey::Produce, ""));
    let verdict = faults.judge(&seen);
    assert_eq!(verdict.error, Some(ResponseError::ConcurrentTransactions));
    Faults::answered(&verdict, &seen, Told::Yes);
    assert_eq!(fails.map(|fault| fault.struck().len()), [1, 0]);
}

#[test]
fn an_ended_fault_strikes_no_more() {
    let faults = Faults::new(usize::MAX);
    let fault = faults.inject(Fault::cut_after(ApiKey::Fetch));
    assert!(ask(&faults, ApiKey::Fetch, "").after.cut);
    fault.end();
    assert!(!ask(&faults, ApiKey::Fetch, "").after.cut);
    assert_eq!(fault.seen().len(), 1);
}

#[tokio::test]
async fn what_is_held_waits_for_its_release() {
    let faults = Faults::new(usize::MAX);
    let fault = faults.inject(Fault::hold(ApiKey::EndTxn));
    assert!(!fault.wait_until_struck(1, Duration::ZERO));
    let mut held = ask(&faults, ApiKey::EndTxn, "");
    assert!(fault.wait_until_struck(1, Duration::ZERO));
    let short = Duration::from_millis(1);
    assert!(
        tokio::time::timeout(short, held.before.pass())
            .await
            .is_err()
    );
    fault.release();
    assert!(held.before.pass().await.is_ok());
    // Nor does it hold what comes later.
    assert!(ask(&faults, ApiKey::EndTxn, "").before.pass().await.is_ok());
}

#[test]
fn the_record_is_bounded() {
    let faults = Faults::new(usize::MAX);
    let fault = faults.inject(Fault::observe(None));
    (0..REMEMBERED + 5).for_each(|_| {
        ask(&faults, ApiKey::Fetch, "");
    });
    assert_eq!(faults.seen().len(), REMEMBERED);
    assert_eq!(fault.seen().len(), REMEMBERED);
}

#[test]
fn the_record_is_bounded_in_bytes() {
    let faults = Faults::new(10_000);
    let fault = faults.inject(Fault::observe(None));
    let mut large = request(ApiKey::Fetch, "");
    large.topics = vec!["x".repeat(3_000)];
    let large = Arc::new(large);
    (0..100).for_each(|_| {
        faults.judge(&large);
    });
    assert_eq!((faults.seen().len(), fault.seen().len()), (3, 3));
    let mut huge = request(ApiKey::Metadata, "");
    huge.topics = vec!["x".repeat(1_000_000)];
    faults.judge(&Arc::new(huge));
    let left: Vec<_> = faults.seen().iter().map(|seen| seen.api).collect();
    assert_eq!(left, [ApiKey::Metadata], "the last one is there");
    ask(&faults, ApiKey::Fetch, "");
    let left: Vec<_> = faults.seen().iter().map(|seen| seen.api).collect();
    assert_eq!(left, [ApiKey::Fetch]);
}

#[test]
fn an_error_strikes_when_the_answer_has_it() {
    let faults = Faults::new(usize::MAX);
    let fault = faults.inject(Fault::fail(
        ApiKey::Fetch,
        ResponseError::NotLeaderOrFollower,
    ));
    let seen = Arc::new(request(ApiKey::Fetch, ""));
    for told in [Told::No, Told::Yes] {
        let verdict = faults.judge(&seen);
        assert_eq!(verdict.error, Some(ResponseError::NotLeaderOrFollower));
        Faults::answered(&verdict, &seen, told);
    }
    assert_eq!((fault.seen().len(), fault.struck().len()), (2, 1));
    assert!(fault.wait_until_struck(1, Duration::ZERO));
}
