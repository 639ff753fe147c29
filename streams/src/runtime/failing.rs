//! Records that fail: by an error, or by a panic of user code; and what `on_error` does with them.

use super::event::Event;
use super::punctuate::wall_clock;
use super::schedule::Scheduled;
use super::work::{Interrupt, Work};
use crate::Error;
use crate::kafka::batch::{Batch, OwnedMessage};
use crate::kafka::error::ClientError;
use crate::processor::{Decision, Failure, Headers, Location, StagedRecord, decide};
use std::any::Any;
use std::sync::Arc;

impl Work {
    /// A panic of user code: the record fails, and its task goes on.
    pub(super) fn fail_by_panic(
        &mut self,
        batch: &Batch<'_>,
        scheduled: Option<&Scheduled>,
        panic: &(dyn Any + Send),
    ) -> Result<(), Interrupt> {
        let located = scheduled.and_then(|s| Some((s.input, batch.get(s.message)?)));
        let Some((input, message)) = located else {
            return Err(Error::Panic(panic_text(panic)).into());
        };
        if let Some((_, active)) = self.tasks.input_mut(input)
            && let Some(task) = active.running()
        {
            task.recover_from_panic();
        }
        self.fail(message, &Failure::panicked(panic_text(panic)))?;
        self.done(input, message.offset())
    }

    /// Does with a failed record what `on_error` says.
    #[cold]
    pub(super) fn fail(
        &mut self,
        message: &OwnedMessage,
        failure: &Failure,
    ) -> Result<(), Interrupt> {
        let at = Location {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        };
        let shared = Arc::clone(&self.shared);
        let what = match decide(&shared.topology.config().on_error, failure, &at) {
            Decision::Fail => return Err(ended_by(failure, &at, failure.to_string()).into()),
            Decision::Skip => format!("{failure}; skipped"),
            Decision::DeadLetter { topic, headers } => {
                if let Some(refusal) = self.write_dead_letter(message, topic, &headers)? {
                    let reason = format!("{failure}; {refusal}");
                    return Err(ended_by(failure, &at, reason).into());
                }
                format!("{failure}; written to `{topic}`")
            }
        };
        self.tell(&Event::RecordFailed {
            thread: self.index,
            partition: format!("{}-{}", at.topic, at.partition),
            offset: at.offset,
            what,
        });
        Ok(())
    }

    /// The record as it was read, with the reason behind its own headers, in the same transaction as everything else; or why
    /// that is refused.
    fn write_dead_letter(
        &mut self,
        message: &OwnedMessage,
        topic: &str,
        reason: &Headers,
    ) -> Result<Option<String>, ClientError> {
        let mut headers = Headers::default();
        message.read_headers(&mut headers);
        for (name, value) in reason.iter() {
            headers.add(name, value);
        }
        let (key, value) = (message.key(), message.value());
        // One that has none was written before there were any: by retention, it must not be deleted at once.
        let timestamp = match message.timestamp() {
            ..0 => wall_clock(),
            timestamp => timestamp,
        };
        self.output.write_letter(
            topic,
            &StagedRecord {
                topic: 0,
                key,
                value,
                timestamp,
                headers: &headers,
            },
        )
    }
}

/// The error of a record that the job does not get over.
pub(super) fn ended_by(failure: &Failure, at: &Location<'_>, reason: String) -> Error {
    Error::Record {
        class: failure.class().to_string(),
        topic: at.topic.to_owned(),
        partition: at.partition,
        offset: at.offset,
        reason,
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
