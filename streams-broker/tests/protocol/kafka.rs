//! The broker that the cases run on: the embedded one, or the one that `KAFKA_BOOTSTRAP_SERVERS` names.

use std::sync::OnceLock;

use std::time::Duration;

use streams_broker::{Builder, EmbeddedKafka};

/// How long an ended transaction waits for its markers, as in Apache Kafka, where it takes 1 to 25 ms.
const MARKER_DELAY: Duration = Duration::from_millis(5);

fn builder() -> Builder {
    EmbeddedKafka::builder().marker_delay(MARKER_DELAY)
}

/// Where it is reached.
pub(crate) fn address() -> &'static str {
    static KAFKA: OnceLock<(Option<EmbeddedKafka>, String)> = OnceLock::new();
    let (_, address) = KAFKA.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
        Ok(address) => (None, address),
        Err(_) => {
            let kafka = builder()
                .setting("log.retention.check.interval.ms", "500")
                .start()
                .unwrap();
            let address = kafka.bootstrap_servers().to_owned();
            (Some(kafka), address)
        }
    });
    address
}

/// A broker of a case's own, which it may restart.
#[derive(Debug)]
pub(crate) struct Own(EmbeddedKafka);

/// Starts one with these settings, unless the cases run on a broker that was there before.
pub(crate) fn own(settings: &[(&str, &str)]) -> Option<Own> {
    let is_other = std::env::var_os("KAFKA_BOOTSTRAP_SERVERS").is_some();
    let settings = settings.iter();
    let builder = settings.fold(builder(), |builder, (name, value)| {
        builder.setting(*name, *value)
    });
    (!is_other).then(|| Own(builder.start().unwrap()))
}

impl Own {
    pub(crate) fn address(&self) -> &str {
        self.0.bootstrap_servers()
    }

    /// Lets this time pass: its clock is moved.
    pub(crate) fn let_pass(&self, time: Duration) {
        self.0.advance_clock(time);
    }

    /// Restarts it with its data.
    pub(crate) fn restart(&self) {
        self.0.restart();
    }
}
