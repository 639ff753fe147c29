//! The first contact with a cluster, and why there is none.

use super::error::ClientError;
use super::properties::Properties;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long events that are already there may take to come.
const SOON: Duration = Duration::from_millis(100);

/// Keeps the reason for a connection that failed. That a request was not answered says nothing about a wrong password or
/// a certificate; librdkafka tells those in events, which come by polling a consumer and not to an admin client.
#[derive(Default)]
struct Complaints {
    last: Mutex<Option<Complaint>>,
}

type Complaint = (RDKafkaErrorCode, String);

impl ClientContext for Complaints {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::properties::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        // Follows every reason, and has none of its own.
        if code != RDKafkaErrorCode::AllBrokersDown {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Complaints {}

/// Why the cluster was not reached.
#[derive(Debug)]
pub(crate) enum Unreached {
    /// The properties do not fit together, so there is no client.
    NoClient(ClientError),
    /// A broker is there, and does not let the client in.
    Refused(ClientError),
    /// Nobody answered in time.
    NoAnswer(ClientError),
}

/// Asks the cluster for the ids of its brokers.
pub(crate) fn brokers(properties: &Properties, timeout: Duration) -> Result<Vec<i32>, Unreached> {
    let consumer: BaseConsumer<Complaints> = properties
        .admin()
        .create_with_context(Complaints::default())
        .map_err(|e| Unreached::NoClient(ClientError::from_kafka("making a client", &e)))?;
    match consumer.fetch_metadata(None, timeout) {
        Ok(metadata) => Ok(metadata.brokers().iter().map(|b| b.id()).collect()),
        Err(error) => {
            let asked = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            Err(match complaint(&consumer) {
                Some((code, reason)) => unreached(code, &reason),
                None => unreached(asked, &error.to_string()),
            })
        }
    }
}

fn unreached(code: RDKafkaErrorCode, reason: &str) -> Unreached {
    let error = ClientError::new("reaching the cluster", code, reason);
    match code {
        RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::SSL => Unreached::Refused(error),
        _ => Unreached::NoAnswer(error),
    }
}

/// The reason that is waiting among the consumer's events, if there is one.
fn complaint(consumer: &BaseConsumer<Complaints>) -> Option<Complaint> {
    while consumer.poll(SOON).is_some() {}
    let context = consumer.context();
    let mut last = context.last.lock().unwrap_or_else(PoisonError::into_inner);
    last.take()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn properties_that_do_not_fit_together_are_no_silence_of_the_cluster() {
        let mut properties = Properties::new("localhost:1");
        properties.set("message.max.bytes", "100000").unwrap();
        properties.set("fetch.max.bytes", "1000").unwrap();
        let unreached = brokers(&properties, Duration::ZERO).unwrap_err();
        assert!(
            matches!(&unreached, Unreached::NoClient(error) if error.to_string().contains("message.max.bytes")),
            "{unreached:?}"
        );
    }

    #[test]
    fn nobody_is_there() {
        let unreached = brokers(&Properties::new("localhost:1"), SOON).unwrap_err();
        assert!(matches!(unreached, Unreached::NoAnswer(_)), "{unreached:?}");
    }

    /// What librdkafka tells of a wrong password, and of a certificate.
    #[test]
    fn who_is_not_let_in_is_told_what_to_check() {
        for (code, check) in [
            (RDKafkaErrorCode::Authentication, "`sasl.password`"),
            (RDKafkaErrorCode::SSL, "`ssl.ca.location`"),
        ] {
            match unreached(code, "failed") {
                Unreached::Refused(error) => {
                    assert!(error.to_string().contains(check), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
