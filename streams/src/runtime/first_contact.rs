//! Waiting for the cluster: a broker may come up a little later than its job.

use super::startup::blocking;
use crate::kafka::properties::Properties;
use crate::kafka::reach::{FirstContact, Unreached};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After how long it is told that nobody answers.
const SILENCE: Duration = Duration::from_secs(2);

/// Asks for the cluster's brokers until one answers, for `patience` at the most. That it waits is told once.
///
/// # Errors
///
/// Why there is no connection, and what to check.
pub(super) async fn brokers(properties: &Properties, patience: Duration) -> Result<Vec<i32>> {
    let servers = properties.bootstrap_servers();
    let contact = Arc::new(FirstContact::new(properties)?);
    let (started, mut told) = (Instant::now(), false);
    loop {
        let left = patience.saturating_sub(started.elapsed());
        let (asked, wait) = (Arc::clone(&contact), left.min(SILENCE));
        // Short questions: who has given up this start is not held up by the last one.
        let why = match blocking(move || Ok(asked.brokers(wait))).await? {
            Ok(brokers) => {
                if told {
                    tracing::info!("a Kafka broker answered at `{servers}`");
                }
                return Ok(brokers);
            }
            Err(why) => why,
        };
        if matches!(why, Unreached::Refused(_)) || started.elapsed() >= patience {
            return Err(unreached(servers, &why, patience));
        }
        if !told {
            told = true;
            let reason = reason(&why);
            tracing::warn!(
                "no Kafka broker has answered at `{servers}` yet ({reason}); trying again, for {} s in all",
                patience.as_secs()
            );
        }
    }
}

fn reason(why: &Unreached) -> String {
    match why {
        Unreached::Refused(error) | Unreached::HungUp(error) | Unreached::NoAnswer(error) => {
            error.to_string()
        }
    }
}

fn unreached(servers: &str, why: &Unreached, patience: Duration) -> Error {
    let (reason, seconds) = (reason(why), patience.as_secs());
    Error::Cluster(match why {
        Unreached::Refused(_) => {
            format!("a broker answered at `{servers}`, but no connection came of it ({reason})")
        }
        Unreached::HungUp(_) => format!(
            "somebody listens at `{servers}`, but ended each connection for {seconds} s ({reason}); does that listener want TLS or a \
             password? Set `security.protocol` (`SSL`, `SASL_SSL` or `SASL_PLAINTEXT`) and, for SASL, `sasl.mechanism`, \
             `sasl.username` and `sasl.password`; if not, check that it is Kafka"
        ),
        Unreached::NoAnswer(_) => format!(
            "no Kafka broker answered at `{servers}` within {seconds} s ({reason}); check that it runs there, and the address"
        ),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn who_hangs_up_is_told_of_tls_and_passwords() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let properties = Properties::new(&address);
        let error = brokers(&properties, Duration::from_secs(3))
            .await
            .unwrap_err();
        let error = error.to_string();
        for word in [
            &*address,
            "for 3 s",
            "`security.protocol`",
            "`sasl.mechanism`",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }
}
