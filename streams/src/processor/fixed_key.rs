//! The Processor API for processors that leave the key alone.

use super::lifecycle::{Instance, Lifecycle, Scheduling};
use super::{
    Child, Context, FixedKeyInitContext, FixedKeyPunctuator, Headers, Next, Outcome, Process,
    PunctuationType, PunctuatorId, Record, RecordMetadata, Schedule,
};
use std::marker::PhantomData;
use std::time::Duration;

/// An operator of one's own that cannot change the key, so what follows it need not repartition.
///
/// ```
/// use streams::prelude::*;
///
/// /// Leaves out what is the same as the value before.
/// #[derive(Default)]
/// struct Changes(Option<u32>);
///
/// impl FixedKeyProcessor<String, u32> for Changes {
///     type ValueOut = u32;
///     fn process(&mut self, record: FixedKeyRecord<'_, String, u32>, cx: &mut FixedKeyContext<'_, String, u32>) -> Outcome {
///         match self.0.replace(*record.value()) == Some(*record.value()) {
///             true => Ok(()),
///             false => cx.forward(record),
///         }
///     }
/// }
///
/// let builder = TopologyBuilder::new("changes");
/// builder.stream::<String, u32>("levels").process_values(Changes::default).to("changes");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for level in [3_u32, 3, 4] {
///     driver.pipe("levels", "tank", &level)?;
/// }
/// assert_eq!(driver.read_values::<u32>("changes")?, [3, 4]);
/// # Ok::<(), streams::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor of records with `{K}` keys, which it leaves alone, and `{V}` values",
    label = "does not implement `FixedKeyProcessor<{K}, {V}>`",
    note = "write `impl FixedKeyProcessor<{K}, {V}> for {Self}`, with the type `ValueOut` of what it forwards, and `fn process(&mut self, record: FixedKeyRecord<'_, {K}, {V}>, cx: &mut FixedKeyContext<'_, {K}, Self::ValueOut>) -> Outcome`",
    note = "a `Processor`, which may change the key, is given to `process`"
)]
pub trait FixedKeyProcessor<K: ?Sized, V: ?Sized>: Send + Sized + 'static {
    /// The value type of what it forwards.
    type ValueOut: ?Sized + 'static;

    /// Gets ready for the first record: schedules punctuators, reads stores. An error ends the job.
    fn init(&mut self, _: &mut FixedKeyInitContext<'_, Self, K, Self::ValueOut>) -> Outcome {
        Ok(())
    }

    /// Processes one record, and forwards what comes of it: nothing, one record or many.
    ///
    /// An error goes where the job's `on_error(process = ..)` says, and nothing that was forwarded for this record leaves.
    fn process(
        &mut self,
        record: FixedKeyRecord<'_, K, V>,
        cx: &mut FixedKeyContext<'_, K, Self::ValueOut>,
    ) -> Outcome;
}

/// A record whose key cannot be changed.
#[derive(Debug)]
pub struct FixedKeyRecord<'r, K: ?Sized, V: ?Sized>(Record<'r, K, V>);

impl<K: ?Sized, V: ?Sized> Clone for FixedKeyRecord<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, V: ?Sized> Copy for FixedKeyRecord<'_, K, V> {}

impl<'r, K: ?Sized, V: ?Sized> FixedKeyRecord<'r, K, V> {
    /// Its key.
    pub fn key(&self) -> &'r K {
        self.0.key
    }

    /// Its value.
    pub fn value(&self) -> &'r V {
        self.0.value
    }

    /// Its timestamp, in milliseconds since the epoch.
    pub fn timestamp(&self) -> i64 {
        self.0.timestamp
    }

    /// Its headers.
    pub fn headers(&self) -> &'r Headers {
        self.0.headers
    }

    /// The same record with another value.
    #[must_use]
    pub fn with_value<'s, V2: ?Sized>(self, value: &'s V2) -> FixedKeyRecord<'s, K, V2>
    where
        'r: 's,
    {
        FixedKeyRecord(self.0.with_value(value))
    }

    /// The same record at another time, in milliseconds since the epoch.
    #[must_use]
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Self(self.0.with_timestamp(timestamp))
    }

    /// The same record with other headers.
    #[must_use]
    pub fn with_headers<'s>(self, headers: &'s Headers) -> FixedKeyRecord<'s, K, V>
    where
        'r: 's,
    {
        FixedKeyRecord(self.0.with_headers(headers))
    }
}

/// What a [`FixedKeyProcessor`] can do, and know, while it processes a record or punctuates.
pub struct FixedKeyContext<'c, K: ?Sized, V: ?Sized> {
    task: &'c mut Context,
    next: &'c dyn Process<K, V>,
}

impl<K: ?Sized, V: ?Sized> FixedKeyContext<'_, K, V> {
    pub(crate) fn as_task(&self) -> &Context {
        self.task
    }

    pub(crate) fn as_task_mut(&mut self) -> &mut Context {
        self.task
    }

    /// Passes a record on to what follows the processor.
    #[inline]
    pub fn forward(&mut self, record: FixedKeyRecord<'_, K, V>) -> Outcome {
        self.next.process(self.task, record.0.with_valid_time()?)
    }

    /// Passes a record on to what follows a further output of the processor. See
    /// [`TopologyBuilder::child`](crate::TopologyBuilder::child).
    #[inline]
    pub fn forward_to<VC: ?Sized>(
        &mut self,
        child: &Child<K, VC>,
        record: FixedKeyRecord<'_, K, VC>,
    ) -> Outcome {
        child.process(self.task, record.0.with_valid_time()?)
    }

    /// Where the record that is being processed was read; `None` in a punctuator, and for a record that has waited in a
    /// [`join_with_grace`](crate::KStream::join_with_grace).
    pub fn record_metadata(&self) -> Option<RecordMetadata<'_>> {
        self.task.metadata()
    }

    /// The largest timestamp of the records that the task has read, also before a restart or a rebalance, in milliseconds since
    /// the epoch. It never goes back, and is 0 before the first record that there ever was.
    pub fn stream_time(&self) -> i64 {
        self.task.stream_time().unwrap_or_default()
    }

    /// As [`ProcessorContext::schedule`](super::ProcessorContext::schedule), with what
    /// [`FixedKeyInitContext::punctuator`] has made.
    pub fn schedule(
        &mut self,
        interval: Duration,
        clock: PunctuationType,
        punctuator: PunctuatorId,
    ) -> Schedule {
        self.task.schedule(interval, clock, punctuator)
    }

    /// Has a punctuator not called any more. Nothing happens if it was cancelled before.
    pub fn cancel(&mut self, schedule: Schedule) {
        self.task.schedules.cancel(schedule);
    }
}

/// The node of such a processor: its instances are in the tasks, in the slot of this number.
pub(crate) struct FixedKeyNode<P, V: ?Sized, K: ?Sized, V2: ?Sized> {
    pub(crate) slot: usize,
    pub(crate) next: Next<K, V2>,
    pub(crate) of: PhantomData<fn(&V) -> P>,
}

impl<K: ?Sized, V: ?Sized, P: FixedKeyProcessor<K, V>> FixedKeyNode<P, V, K, P::ValueOut> {
    #[inline]
    fn with_instance(
        &self,
        cx: &mut Context,
        run: impl FnOnce(
            &mut Instance<P, FixedKeyPunctuator<P, K, P::ValueOut>>,
            &mut Context,
        ) -> Outcome,
    ) -> Outcome
    where
        K: 'static,
    {
        cx.with_slot(self.slot, run)
    }
}

impl<K: ?Sized + 'static, V: ?Sized, P: FixedKeyProcessor<K, V>> Process<K, V>
    for FixedKeyNode<P, V, K, P::ValueOut>
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let next = &*self.next;
            let cx = &mut FixedKeyContext { task, next };
            instance.processor.process(FixedKeyRecord(record), cx)
        })
    }
}

impl<K: ?Sized + 'static, V: ?Sized, P: FixedKeyProcessor<K, V>> Lifecycle
    for FixedKeyNode<P, V, K, P::ValueOut>
{
    fn init(&self, cx: &mut Context) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let Instance {
                processor,
                callbacks,
            } = instance;
            processor.init(&mut FixedKeyInitContext(Scheduling {
                task,
                slot: self.slot,
                callbacks,
            }))
        })
    }

    fn punctuate(&self, cx: &mut Context, callback: usize, time: i64) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let next = &*self.next;
            let cx = &mut FixedKeyContext { task, next };
            match instance.callbacks.get(callback) {
                Some(punctuator) => punctuator(&mut instance.processor, time, cx),
                None => Ok(()),
            }
        })
    }
}
