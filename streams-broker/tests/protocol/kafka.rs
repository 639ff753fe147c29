//! The broker that the cases run on: the embedded one, or the one that `KAFKA_BOOTSTRAP_SERVERS` names.

use std::sync::OnceLock;

use streams_broker::EmbeddedKafka;

/// Where it is reached.
pub(crate) fn address() -> &'static str {
    static KAFKA: OnceLock<(Option<EmbeddedKafka>, String)> = OnceLock::new();
    let (_, address) = KAFKA.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
        Ok(address) => (None, address),
        Err(_) => {
            let kafka = EmbeddedKafka::builder()
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

/// Starts one, unless the cases run on a broker that was there before.
pub(crate) fn own() -> Option<Own> {
    let is_other = std::env::var_os("KAFKA_BOOTSTRAP_SERVERS").is_some();
    (!is_other).then(|| Own(EmbeddedKafka::start().unwrap()))
}

impl Own {
    pub(crate) fn address(&self) -> &str {
        self.0.bootstrap_servers()
    }

    /// Restarts it with its data.
    pub(crate) fn restart(&self) {
        self.0.restart();
    }
}
