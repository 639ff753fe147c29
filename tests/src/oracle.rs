//! The judge of an exactly-once copy: a recount of the outputs from the inputs.
//!
//! It knows nothing of how the job works. It asks that each input's value is in the output exactly once, and
//! that within an output partition the records of one input partition stand in the order of their offsets.

use std::collections::HashMap;

use crate::ReadRecord;

/// The verdict on the outputs of a job that copies its inputs.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Values of the input that are not in the output.
    pub missing: Vec<String>,
    /// Values that are in the output more often than once, with their number.
    pub repeated: Vec<(String, usize)>,
    /// Values of the output that are not in the input.
    pub foreign: Vec<String>,
    /// Pairs of values of one input partition that stand in one output partition the wrong way round.
    pub out_of_order: Vec<(String, String)>,
}

impl Oracle {
    /// Recounts `outputs` from `inputs`, whose values must differ from each other.
    ///
    /// # Panics
    ///
    /// When two inputs have the same value, since then nothing can be judged.
    pub fn recount(inputs: &[ReadRecord], outputs: &[ReadRecord]) -> Oracle {
        let mut places = HashMap::with_capacity(inputs.len());
        for input in inputs {
            let before = places.insert(input.text(), (input.partition, input.offset));
            assert!(before.is_none(), "the input holds {:?} twice", input.text());
        }
        let mut verdict = Oracle::default();
        let mut counts: HashMap<&str, usize> = HashMap::with_capacity(inputs.len());
        let mut last: HashMap<(i32, i32), &ReadRecord> = HashMap::new();
        for output in outputs {
            let Some(&(partition, offset)) = places.get(output.text()) else {
                verdict.foreign.push(output.text().to_owned());
                continue;
            };
            *counts.entry(output.text()).or_default() += 1;
            if let Some(before) = last.insert((output.partition, partition), output)
                && places
                    .get(before.text())
                    .is_some_and(|&(_, earlier)| earlier >= offset)
            {
                verdict
                    .out_of_order
                    .push((before.text().to_owned(), output.text().to_owned()));
            }
        }
        for input in inputs {
            match counts.get(input.text()) {
                None => verdict.missing.push(input.text().to_owned()),
                Some(1) => {}
                Some(&count) => verdict.repeated.push((input.text().to_owned(), count)),
            }
        }
        verdict
    }

    /// Whether each input is in the output exactly once and in order.
    pub fn is_satisfied(&self) -> bool {
        self.missing.is_empty()
            && self.repeated.is_empty()
            && self.foreign.is_empty()
            && self.out_of_order.is_empty()
    }

    /// Recounts and fails the test unless each input is in the output exactly once and in order.
    ///
    /// # Panics
    ///
    /// When the outputs aren't an exactly-once copy; the message has the first few faults of each kind.
    #[track_caller]
    pub fn exactly_once(inputs: &[ReadRecord], outputs: &[ReadRecord]) {
        let verdict = Oracle::recount(inputs, outputs);
        assert!(
            verdict.is_satisfied(),
            "{} inputs, {} outputs: not exactly once\n{verdict}",
            inputs.len(),
            outputs.len()
        );
    }
}

impl std::fmt::Display for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        fn some<T: std::fmt::Debug>(faults: &[T]) -> Vec<&T> {
            faults.iter().take(5).collect()
        }
        writeln!(
            f,
            "missing: {}, such as {:?}",
            self.missing.len(),
            some(&self.missing)
        )?;
        writeln!(
            f,
            "repeated: {}, such as {:?}",
            self.repeated.len(),
            some(&self.repeated)
        )?;
        writeln!(
            f,
            "foreign: {}, such as {:?}",
            self.foreign.len(),
            some(&self.foreign)
        )?;
        write!(
            f,
            "out of order: {}, such as {:?}",
            self.out_of_order.len(),
            some(&self.out_of_order)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64, value: &str) -> ReadRecord {
        ReadRecord {
            partition,
            offset,
            key: None,
            value: Some(value.as_bytes().to_vec()),
            timestamp: 0,
            headers: Vec::new(),
        }
    }

    fn inputs() -> Vec<ReadRecord> {
        vec![record(0, 0, "a"), record(0, 1, "b"), record(1, 0, "c")]
    }

    #[test]
    fn a_copy_in_order_is_exactly_once() {
        Oracle::exactly_once(
            &inputs(),
            &[record(3, 0, "c"), record(3, 1, "a"), record(3, 5, "b")],
        );
    }

    #[test]
    fn each_fault_is_told_apart() {
        let outputs = [
            record(3, 0, "b"),
            record(3, 1, "a"),
            record(4, 0, "a"),
            record(4, 1, "x"),
        ];
        let verdict = Oracle::recount(&inputs(), &outputs);
        assert_eq!(verdict.missing, ["c"]);
        assert_eq!(verdict.repeated, [("a".to_owned(), 2)]);
        assert_eq!(verdict.foreign, ["x"]);
        assert_eq!(verdict.out_of_order, [("b".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn order_is_not_asked_across_output_partitions() {
        let outputs = [record(4, 0, "b"), record(3, 0, "a"), record(3, 1, "c")];
        assert!(Oracle::recount(&inputs(), &outputs).is_satisfied());
    }
}
