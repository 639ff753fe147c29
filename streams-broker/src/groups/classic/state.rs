//! The states of a classic consumer group, and which may follow which.
//!
//! ```text
//! from \ to             Empty  PreparingRebalance  CompletingRebalance  Stable
//! Empty                                x
//! PreparingRebalance      x                                 x
//! CompletingRebalance                  x                                   x
//! Stable                               x
//! ```
//!
//! A group without members and offsets doesn't exist; Apache Kafka calls that Dead.

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No members; offsets may be there.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
}

impl State {
    /// Whether the table above has a cross there.
    pub(crate) fn may_become(self, next: State) -> bool {
        use State::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        match self {
            Empty | Stable => next == PreparingRebalance,
            PreparingRebalance => matches!(next, Empty | CompletingRebalance),
            CompletingRebalance => matches!(next, PreparingRebalance | Stable),
        }
    }

    /// Apache Kafka's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        use State::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let states = [Empty, PreparingRebalance, CompletingRebalance, Stable];
        let table = [".x..", "x.x.", ".x.x", ".x.."];
        for (from, row) in states.iter().zip(table) {
            for (to, cell) in states.iter().zip(row.chars()) {
                assert_eq!(from.may_become(*to), cell == 'x', "{from:?} to {to:?}");
            }
        }
    }
}
