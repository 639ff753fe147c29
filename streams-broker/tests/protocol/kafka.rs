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
