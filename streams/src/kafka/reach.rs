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
        // That a connection was closed is no event. What is one comes later, and replaces it.
        if let Some(reason) = hang_up(facility, message) {
            self.keep(RDKafkaErrorCode::BrokerTransportFailure, reason);
        }
        super::log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        // Follows every reason, and has none of its own.
        if code != RDKafkaErrorCode::AllBrokersDown {
            self.keep(code, reason);
        }
    }
}

impl Complaints {
    fn keep(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((code, reason.to_owned()));
    }
}

/// librdkafka's word for a connection that the other side has closed.
const CLOSED: &str = "Disconnected";

/// What a line of the log says of a connection that the other side has closed.
fn hang_up<'m>(facility: &str, message: &'m str) -> Option<&'m str> {
    // The line begins with the client's thread, in brackets.
    let reason = message
        .split_once("]: ")
        .map_or(message, |(_, reason)| reason);
    (facility == "FAIL" && reason.contains(CLOSED)).then_some(reason)
}

impl ConsumerContext for Complaints {}

/// Why the cluster was not reached.
#[derive(Debug)]
pub(crate) enum Unreached {
    /// A broker is there, and does not let the client in.
    Refused(ClientError),
    /// Somebody is there, and ends each connection before a request is answered.
    HungUp(ClientError),
    /// Nobody answered in time.
    NoAnswer(ClientError),
}

/// A client whose only work is to find out whether the cluster is there.
pub(crate) struct FirstContact {
    consumer: BaseConsumer<Complaints>,
    /// librdkafka tells a reason once while it stays the same.
    last: Mutex<Option<Complaint>>,
}

impl FirstContact {
    /// # Errors
    ///
    /// If the properties do not fit together, so that there is no client.
    pub(crate) fn new(properties: &Properties) -> Result<Self, ClientError> {
        let consumer = properties
            .first_contact()
            .create_with_context(Complaints::default())
            .map_err(|e| ClientError::from_kafka("making a client", &e))?;
        Ok(Self {
            consumer,
            last: Mutex::default(),
        })
    }

    /// Asks the cluster for the ids of its brokers; may be called again.
    pub(crate) fn brokers(&self, timeout: Duration) -> Result<Vec<i32>, Unreached> {
        match self.consumer.fetch_metadata(None, timeout) {
            Ok(metadata) => Ok(metadata.brokers().iter().map(|b| b.id()).collect()),
            Err(error) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = complaint(&self.consumer).or(last.take());
                let asked = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                Err(match &*last {
                    Some((code, reason)) => unreached(*code, reason),
                    None => unreached(asked, &error.to_string()),
                })
            }
        }
    }
}

fn unreached(code: RDKafkaErrorCode, reason: &str) -> Unreached {
    let error = ClientError::new("reaching the cluster", code, reason);
    match code {
        RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::SSL => Unreached::Refused(error),
        _ if reason.contains(CLOSED) => Unreached::HungUp(error),
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

    fn brokers(servers: &str) -> Result<Vec<i32>, Unreached> {
        let contact = FirstContact::new(&Properties::new(servers)).unwrap();
        contact.brokers(Duration::from_secs(2))
    }

    #[test]
    fn properties_that_do_not_fit_together_are_no_silence_of_the_cluster() {
        let mut properties = Properties::new("localhost:1");
        properties.set("message.max.bytes", "100000").unwrap();
        properties.set("fetch.max.bytes", "1000").unwrap();
        let error = FirstContact::new(&properties).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("message.max.bytes"), "{error}");
    }

    #[test]
    fn a_user_may_say_how_often_connections_are_tried() {
        let mut properties = Properties::new("localhost:1");
        properties.set("reconnect.backoff.ms", "5000").unwrap();
        FirstContact::new(&properties).unwrap();
    }

    #[test]
    fn nobody_is_there() {
        let unreached = brokers("localhost:1").unwrap_err();
        assert!(matches!(unreached, Unreached::NoAnswer(_)), "{unreached:?}");
    }

    #[test]
    fn somebody_is_there_and_hangs_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // A listener for TLS closes the connection when it has seen what no TLS client begins with.
                let _ = connection.and_then(|mut c| std::io::Read::read(&mut c, &mut [0; 4]));
            }
        });
        let unreached = brokers(&address).unwrap_err();
        assert!(matches!(unreached, Unreached::HungUp(_)), "{unreached:?}");
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
