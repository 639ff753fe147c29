//! A [`Fault`] in a line of text, for command lines and files: what goes wrong, then with which requests.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use kafka_protocol::ResponseError as ErrorCode;
use kafka_protocol::messages::ApiKey;

use super::fault::{ErrorLevel, Fault, Harm};
use crate::embedded::Error;

const HARMS: &str =
    "fail=ERROR, delay=MILLISECONDS, delay-answer=MILLISECONDS, cut-before or cut-after";
/// Of these there may be one.
const COUNTS: [&str; 4] = ["nth", "first", "after", "one-in"];
const SELECTORS: &str = "api=KIND, nth=N, first=N, after=N, one-in=N, seed=N, client-id=ID, topic=NAME, group=ID, \
                         transactional-id=ID or level=LEVEL";

/// What goes wrong, and which requests it is about, separated by commas; each but the first is one of a fault's methods.
///
/// ```
/// use std::time::Duration;
/// use streams_broker::{ApiKey, ErrorCode, ErrorLevel, Fault};
///
/// # fn main() -> Result<(), streams_broker::Error> {
/// let lost: Fault = "cut-after,api=EndTxn,nth=2".parse()?;
/// assert_eq!(lost, Fault::cut_after(ApiKey::EndTxn).nth(2));
/// let refused: Fault = "fail=NOT_LEADER_OR_FOLLOWER,api=Produce,topic=orders,one-in=10,seed=7".parse()?;
/// let expected = Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
/// assert_eq!(refused, expected.topic("orders").one_in(10, 7));
/// let forgotten: Fault = "fail=FETCH_SESSION_ID_NOT_FOUND,api=Fetch,level=answer".parse()?;
/// let expected = Fault::fail(ApiKey::Fetch, ErrorCode::FetchSessionIdNotFound);
/// assert_eq!(forgotten, expected.level(ErrorLevel::Answer));
/// let slow: Fault = "delay=250,client-id=slow".parse()?;
/// assert_eq!(slow, Fault::delay(None, Duration::from_millis(250)).client_id("slow"));
/// # Ok(())
/// # }
/// ```
///
/// An error has Apache Kafka's name or number, a kind of request the name of the protocol. What is held cannot be let go
/// from a text, so there are no such faults here.
impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fault, Error> {
        let mut words = text.split(',').map(str::trim);
        let harm = harm(words.next().unwrap_or_default())?;
        let selectors: Vec<_> = words
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .collect();
        let mut counts = selectors.iter().filter(|(name, _)| COUNTS.contains(name));
        if let (Some(_), Some((second, _))) = (counts.next(), counts.next()) {
            let expected = "one of nth, first, after and one-in";
            return Err(unclear(
                "which requests",
                expected,
                format_args!("another: {second}"),
            ));
        }
        let seed = selectors.iter().find(|(name, _)| *name == "seed");
        let seed = seed.map_or(Ok(0), |(name, value)| number(name, value))?;
        let mut fault = Fault::new(None, harm);
        for (name, value) in selectors {
            fault = match name {
                "api" => fault.of_kind(api(value)?),
                "nth" => fault.nth(number(name, value)?),
                "first" => fault.first(number(name, value)?),
                "after" => fault.after(number(name, value)?),
                "one-in" => fault.one_in(number(name, value)?, seed),
                // It has been read, since it may come before.
                "seed" => fault,
                "client-id" => fault.client_id(value),
                "topic" => fault.topic(value),
                "group" => fault.group(value),
                "transactional-id" => fault.transactional_id(value),
                "level" => fault.level(level(value)?),
                other => {
                    let found = format_args!("{other:?}");
                    return Err(unclear("which requests", SELECTORS, found));
                }
            };
        }
        Ok(fault)
    }
}

fn unclear(what: &str, expected: &str, found: impl Display) -> Error {
    Error::Fault(format!("a fault says {what} by {expected}; found {found}"))
}

fn harm(text: &str) -> Result<Harm, Error> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let time = || number(name, value).map(Duration::from_millis);
    match name {
        "fail" => error_code(value).map(Harm::Fail),
        "delay" => time().map(Harm::Delay),
        "delay-answer" => time().map(Harm::DelayAnswer),
        "cut-before" => Ok(Harm::CutBefore),
        "cut-after" => Ok(Harm::CutAfter),
        _ => Err(unclear("what goes wrong", HARMS, format_args!("{text:?}"))),
    }
}

fn number(name: &str, value: &str) -> Result<u64, Error> {
    let found = || unclear(name, "a whole number", format_args!("{value:?}"));
    value.parse().map_err(|_| found())
}

/// Without the difference between the protocol's way of writing a name and Rust's.
fn plain(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

fn api(name: &str) -> Result<ApiKey, Error> {
    let mut all = (0..=i16::from(u8::MAX)).filter_map(|key| ApiKey::try_from(key).ok());
    let found = all.find(|api| plain(&format!("{api:?}")) == plain(name));
    let expected = "the name that the protocol has for it, as Produce or EndTxn";
    found.ok_or_else(|| unclear("the kind of requests", expected, format_args!("{name:?}")))
}

fn level(name: &str) -> Result<ErrorLevel, Error> {
    match name {
        "answer" => Ok(ErrorLevel::Answer),
        "parts" => Ok(ErrorLevel::Parts),
        _ => {
            let found = format_args!("{name:?}");
            Err(unclear("the level of an error", "answer or parts", found))
        }
    }
}

fn error_code(name: &str) -> Result<ErrorCode, Error> {
    let expected = "its name, as NOT_LEADER_OR_FOLLOWER, or its number";
    let unknown = || unclear("the error", expected, format_args!("{name:?}"));
    if let Ok(code) = name.parse() {
        return ErrorCode::try_from_code(code).ok_or_else(unknown);
    }
    let all = (-1..=i16::from(u8::MAX)).filter_map(ErrorCode::try_from_code);
    let mut named = all.filter(|error| !matches!(error, ErrorCode::Unknown(_)));
    let found = named.find(|error| plain(&format!("{error:?}")) == plain(name));
    found.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let refused = text.parse::<Fault>().err();
        refused.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_fault_is_what_its_text_says() -> Result<(), Error> {
        for (text, expected) in [
            ("cut-before", Fault::cut_before(None)),
            (
                "cut-after, api=endtxn, first=3",
                Fault::cut_after(ApiKey::EndTxn).first(3),
            ),
            (
                "delay-answer=5,api=Fetch,after=2,group=g",
                Fault::delay_answer(ApiKey::Fetch, Duration::from_millis(5))
                    .after(2)
                    .group("g"),
            ),
            (
                "fail=51,transactional-id=t=1",
                Fault::fail(None, ErrorCode::ConcurrentTransactions).transactional_id("t=1"),
            ),
            (
                "fail=UNKNOWN_TOPIC_OR_PARTITION,seed=5,one-in=9",
                Fault::fail(None, ErrorCode::UnknownTopicOrPartition).one_in(9, 5),
            ),
            (
                "fail=FETCH_SESSION_ID_NOT_FOUND,level=answer",
                Fault::fail(None, ErrorCode::FetchSessionIdNotFound).level(ErrorLevel::Answer),
            ),
            (
                "fail=UNSTABLE_OFFSET_COMMIT,level=parts",
                Fault::fail(None, ErrorCode::UnstableOffsetCommit).level(ErrorLevel::Parts),
            ),
        ] {
            assert_eq!(text.parse::<Fault>()?, expected, "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_text_that_is_no_fault_is_refused_with_what_there_is() {
        for (text, said) in [
            ("", "found \"\""),
            ("explode", "fail=ERROR"),
            ("hold,api=EndTxn", "found \"hold"),
            ("fail=0", "its number"),
            ("fail=NO_SUCH", "found \"NO_SUCH\""),
            ("delay=soon", "a whole number"),
            ("cut-after,api=Nothing", "found \"Nothing\""),
            ("cut-after,", "found \"\""),
            ("cut-after,when=now", "found \"when\""),
            ("cut-after,nth=-1", "a whole number"),
            ("cut-after,one-in=3,nth=1", "another: nth"),
            ("fail=1,level=top", "answer or parts"),
            ("cut-after,one-in=3,seed=x", "a whole number"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(said), "{text}: {refusal}");
        }
    }
}
