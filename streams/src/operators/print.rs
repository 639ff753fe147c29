//! `print`: show records on the standard output.

use crate::dsl::KStream;
use crate::processor::{Context, Outcome, Process, Record};
use crate::topology::Kind;
use std::fmt::Debug;
use std::io::{Stdout, Write, stdout};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Prints each record to the standard output, as `[label]: key, value`: to see what is going on.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<str, i64>("numbers").print("numbers");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("numbers", "a", &1_i64)?; // prints: [numbers]: "a", 1
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn print(&self, label: &str)
    where
        K: Debug,
        V: Debug,
    {
        self.end(
            Kind::Operator("print"),
            Print {
                label: label.to_owned(),
                open: stdout as fn() -> Stdout,
            },
        );
    }
}

struct Print<F> {
    label: String,
    /// Gives a handle to where the lines go.
    open: F,
}

impl<K: Debug + ?Sized, V: Debug + ?Sized, W: Write, F: Fn() -> W + Send + Sync> Process<K, V>
    for Print<F>
{
    fn process(&self, _: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let line = format!("[{}]: {:?}, {:?}\n", self.label, record.key, record.value);
        // Where nobody listens any more (`job | head`), the job goes on all the same.
        let _ = (self.open)().write_all(line.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_label_key_and_value() {
        let paper = Paper::default();
        let copy = paper.clone();
        let builder = TopologyBuilder::new("app");
        let numbers = builder.stream::<str, Option<i64>>("in");
        numbers.end(
            Kind::Operator("print"),
            Print {
                label: "seen".to_owned(),
                open: move || copy.clone(),
            },
        );
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("in", "a", &Some(1_i64)).unwrap();
        driver.pipe("in", "b", &None::<i64>).unwrap();
        let printed = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(printed, "[seen]: \"a\", Some(1)\n[seen]: \"b\", None\n");
    }
}
