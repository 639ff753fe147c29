//! Partitions that are assigned to brokers by hand, of which there is one.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;

use crate::topics::Refused;

/// Refuses an assignment in these words.
pub(super) fn refused(words: impl Into<String>) -> Refused {
    Refused::new(ResponseError::InvalidReplicaAssignment, words)
}

/// Whether a partition can be on these brokers (`ReplicationControlManager.validateManualPartitionAssignment`).
pub(super) fn check(this: i32, brokers: &[BrokerId]) -> Result<(), Refused> {
    let start = "The manual partition assignment includes";
    match brokers {
        [] => Err(refused(format!("{start} an empty replica list."))),
        [one] if one.0 == this => Ok(()),
        several => Err(refused(match several.iter().find(|one| one.0 != this) {
            Some(other) => format!(
                "{start} broker {}, but no such broker is registered.",
                other.0
            ),
            None => format!("{start} the broker {this} more than once."),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_on_the_only_broker_once() {
        let words = |brokers: &[i32]| {
            let brokers: Vec<_> = brokers.iter().copied().map(BrokerId).collect();
            let refused = check(1, &brokers).err();
            refused.map(|refused| refused.message).unwrap_or_default()
        };
        assert_eq!(words(&[1]), "");
        assert!(words(&[]).contains("an empty replica list"));
        assert!(words(&[1, 1]).contains("more than once"));
        assert!(words(&[1, 9]).contains("broker 9"));
    }
}
