//! The states of a transaction, and which may follow which.
//!
//! ```text
//! from \ to        Empty  Ongoing  PrepareCommit  PrepareAbort  CompleteCommit  CompleteAbort
//! Empty              x       x                         x
//! Ongoing                    x           x             x
//! PrepareCommit                                                        x
//! PrepareAbort                                                                         x
//! CompleteCommit     x       x                         x
//! CompleteAbort      x       x                         x
//! ```
//!
//! An abort without a transaction is what a client of `transaction.version` 2 does to get a new epoch (KIP-890).

use crate::log::batch::Outcome;

/// Where a transactional id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No transaction since the producer was initialised.
    Empty,
    /// Partitions or offsets are registered.
    Ongoing,
    /// The outcome is decided; markers are not all written.
    PrepareCommit,
    PrepareAbort,
    /// The markers are written.
    CompleteCommit,
    CompleteAbort,
}

impl State {
    /// Whether the table above has a cross there.
    pub(crate) fn may_become(self, next: State) -> bool {
        use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
        match self {
            Empty | CompleteCommit | CompleteAbort => {
                matches!(next, Empty | Ongoing | PrepareAbort)
            }
            Ongoing => matches!(next, Ongoing | PrepareCommit | PrepareAbort),
            PrepareCommit => next == CompleteCommit,
            PrepareAbort => next == CompleteAbort,
        }
    }

    /// The state while the markers of this outcome are written.
    pub(crate) fn preparing(outcome: Outcome) -> State {
        match outcome {
            Outcome::Commit => State::PrepareCommit,
            Outcome::Abort => State::PrepareAbort,
        }
    }

    /// The state once they are.
    pub(crate) fn complete(outcome: Outcome) -> State {
        match outcome {
            Outcome::Commit => State::CompleteCommit,
            Outcome::Abort => State::CompleteAbort,
        }
    }

    /// Whether markers are still to be written.
    pub(crate) fn is_preparing(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }

    /// Whether Apache Kafka calls a state so; two of them nothing is ever in here.
    pub(crate) fn is_name(name: &str) -> bool {
        use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
        let states = [
            Empty,
            Ongoing,
            PrepareCommit,
            PrepareAbort,
            CompleteCommit,
            CompleteAbort,
        ];
        let mut names = states.iter().map(|state| state.name());
        matches!(name, "PrepareEpochFence" | "Dead") || names.any(|one| one == name)
    }

    /// Apache Kafka's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
        let states = [
            Empty,
            Ongoing,
            PrepareCommit,
            PrepareAbort,
            CompleteCommit,
            CompleteAbort,
        ];
        let table = ["xx.x..", ".xxx..", "....x.", ".....x", "xx.x..", "xx.x.."];
        for (from, row) in states.iter().zip(table) {
            for (to, cell) in states.iter().zip(row.chars()) {
                assert_eq!(from.may_become(*to), cell == 'x', "{from:?} to {to:?}");
            }
        }
    }
}
