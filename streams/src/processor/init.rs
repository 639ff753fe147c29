//! What a processor can do before its first record.

use super::lifecycle::Scheduling;
use super::{
    Context, FixedKeyContext, Outcome, ProcessorContext, PunctuationType, PunctuatorId, Schedule,
};
use std::time::Duration;

/// A punctuator of a [`Processor`](super::Processor): it is given the time of the clock, in milliseconds since the epoch.
pub type Punctuator<P, K, V> =
    for<'p, 'c, 't> fn(&'p mut P, i64, &'c mut ProcessorContext<'t, K, V>) -> Outcome;

/// A punctuator of a [`FixedKeyProcessor`](super::FixedKeyProcessor), as [`Punctuator`] is one of a processor.
pub type FixedKeyPunctuator<P, K, V> =
    for<'p, 'c, 't> fn(&'p mut P, i64, &'c mut FixedKeyContext<'t, K, V>) -> Outcome;

/// What a [`Processor`](super::Processor) can do in its [`init`](super::Processor::init): schedule punctuators, and read and
/// write its stores.
///
/// ```
/// use std::time::Duration;
/// use streams::prelude::*;
///
/// /// Tells once a second of stream time how many records came.
/// #[derive(Default)]
/// struct Pulse(u64);
///
/// impl Pulse {
///     fn tick(&mut self, time: i64, cx: &mut ProcessorContext<'_, String, u64>) -> Outcome {
///         cx.forward(Record::new(&"count".to_owned(), &self.0, time))
///     }
/// }
///
/// impl Processor<Keyless, str> for Pulse {
///     type KeyOut = String;
///     type ValueOut = u64;
///
///     fn init(&mut self, cx: &mut InitContext<'_, Self, String, u64>) -> Outcome {
///         cx.schedule(Duration::from_secs(1), PunctuationType::StreamTime, Self::tick);
///         Ok(())
///     }
///
///     fn process(&mut self, _: Record<'_, Keyless, str>, _: &mut ProcessorContext<'_, String, u64>) -> Outcome {
///         self.0 += 1;
///         Ok(())
///     }
/// }
///
/// let builder = TopologyBuilder::new("pulse");
/// builder.stream::<Keyless, str>("lines").process(Pulse::default).to("pulse");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for at in [0, 400, 1_100] {
///     driver.pipe_record("lines", &streams::testing::TestRecord::new(Keyless, "line".to_owned()).at(at))?;
/// }
/// assert_eq!(driver.read_values::<u64>("pulse")?, [1, 3]);
/// # Ok::<(), streams::Error>(())
/// ```
pub struct InitContext<'c, P, K: ?Sized, V: ?Sized>(pub(super) Scheduling<'c, Punctuator<P, K, V>>);

impl<P, K: ?Sized, V: ?Sized> InitContext<'_, P, K, V> {
    pub(crate) fn as_task(&self) -> &Context {
        self.0.task
    }

    pub(crate) fn as_task_mut(&mut self) -> &mut Context {
        self.0.task
    }

    /// Calls `punctuator` every `interval` of a clock: by stream time first with the first record, or at once where the
    /// task goes on at a time that was committed, then at the multiples of the interval; by the wall clock at the multiples of the interval from now on. A clock that jumps over several of them
    /// calls it once. Less than a millisecond counts as one; a time that is behind the last one there is never comes.
    pub fn schedule(
        &mut self,
        interval: Duration,
        clock: PunctuationType,
        punctuator: Punctuator<P, K, V>,
    ) -> Schedule {
        self.0.schedule(interval, clock, punctuator)
    }

    /// Calls `punctuator` at `start`, in milliseconds since the epoch, and every `interval` after it; never before. A start
    /// that has passed is due at once.
    pub fn schedule_from(
        &mut self,
        start: i64,
        interval: Duration,
        clock: PunctuationType,
        punctuator: Punctuator<P, K, V>,
    ) -> Schedule {
        self.0.schedule_from(start, interval, clock, punctuator)
    }

    /// Makes a punctuator that is scheduled later, by [`ProcessorContext::schedule`].
    pub fn punctuator(&mut self, punctuator: Punctuator<P, K, V>) -> PunctuatorId {
        self.0.punctuator(punctuator)
    }
}

/// What a [`FixedKeyProcessor`](super::FixedKeyProcessor) can do in its [`init`](super::FixedKeyProcessor::init), as
/// [`InitContext`] for a processor.
pub struct FixedKeyInitContext<'c, P, K: ?Sized, V: ?Sized>(
    pub(super) Scheduling<'c, FixedKeyPunctuator<P, K, V>>,
);

impl<P, K: ?Sized, V: ?Sized> FixedKeyInitContext<'_, P, K, V> {
    pub(crate) fn as_task(&self) -> &Context {
        self.0.task
    }

    pub(crate) fn as_task_mut(&mut self) -> &mut Context {
        self.0.task
    }

    /// As [`InitContext::schedule`]. The punctuator has no record whose key it could keep, so it can forward none, as in Kafka
    /// Streams, where only a `FixedKeyRecord` that came in can be forwarded: it is for stores. To forward by the clock, use a
    /// [`Processor`](super::Processor).
    pub fn schedule(
        &mut self,
        interval: Duration,
        clock: PunctuationType,
        punctuator: FixedKeyPunctuator<P, K, V>,
    ) -> Schedule {
        self.0.schedule(interval, clock, punctuator)
    }

    /// As [`InitContext::schedule_from`].
    pub fn schedule_from(
        &mut self,
        start: i64,
        interval: Duration,
        clock: PunctuationType,
        punctuator: FixedKeyPunctuator<P, K, V>,
    ) -> Schedule {
        self.0.schedule_from(start, interval, clock, punctuator)
    }
    /// As [`InitContext::punctuator`].
    pub fn punctuator(&mut self, punctuator: FixedKeyPunctuator<P, K, V>) -> PunctuatorId {
        self.0.punctuator(punctuator)
    }
}
