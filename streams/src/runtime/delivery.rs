//! How records leave: in transactions, or as they come.

use super::patience::Patience;
use super::stop::Stop;
use crate::config::{Guarantee, JobConfig};
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::producer::Producer;
use crate::kafka::properties::Properties;
use std::time::Duration;

/// How long a producer may take to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How the records of a stream thread leave.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// In transactions of this id.
    ExactlyOnce {
        transactional_id: String,
        timeout: Duration,
    },
    /// As they come; offsets are committed when all have arrived.
    AtLeastOnce,
}

impl Delivery {
    /// By the job's configuration.
    pub(super) fn of_thread(config: &JobConfig, instance: &str, thread: usize) -> Self {
        match config.guarantee {
            Guarantee::AtLeastOnce => Self::AtLeastOnce,
            Guarantee::ExactlyOnce => Self::ExactlyOnce {
                transactional_id: format!(
                    "{}-{instance}-{thread}",
                    config.transactional_id_prefix()
                ),
                timeout: config.transaction_timeout(),
            },
        }
    }

    /// How long a call of the producer may be repeated before the checkpoint counts as failed.
    pub(super) fn limit(&self) -> Duration {
        match self {
            Self::ExactlyOnce { timeout, .. } => *timeout,
            Self::AtLeastOnce => Duration::from_secs(60),
        }
    }

    /// A producer of a thread that can begin. One of transactions fences its predecessor, and has the brokers end what that
    /// one has left open.
    pub(super) fn start_producer(
        &self,
        properties: &Properties,
        thread: usize,
        stop: &Stop,
    ) -> Result<Producer, ClientError> {
        let Self::ExactlyOnce {
            transactional_id,
            timeout,
        } = self
        else {
            return Producer::new(&properties.idempotent_producer(thread));
        };
        let config = properties.transactional_producer(thread, transactional_id, *timeout);
        // The outer one: a producer that is refused as fenced is of no use, but another one may start.
        Patience::new(START_LIMIT, stop).repeat(|_| {
            let producer = Producer::new(&config)?;
            let patience = Patience::new(START_LIMIT, stop);
            match patience.repeat(|wait| producer.init_transactions(wait)) {
                Ok(()) => {
                    producer.wait_for_identity(Duration::from_millis(500));
                    if !properties.shows_debug_lines() {
                        producer.quieten();
                    }
                    Ok(producer)
                }
                Err(error) if error.remedy() == Remedy::Replace => {
                    Err(error.with_remedy(Remedy::Retry))
                }
                Err(error) => Err(error),
            }
        })
    }
}
