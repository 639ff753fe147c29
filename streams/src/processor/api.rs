//! The Processor API: a user's own operator, with one instance a task.

use super::lifecycle::{Instance, Lifecycle, Scheduling};
use super::{
    Child, Context, InitContext, Next, Outcome, Process, PunctuationType, Punctuator, PunctuatorId,
    Record, RecordMetadata, Schedule,
};
use std::marker::PhantomData;
use std::time::Duration;

/// An operator of one's own. Each task has its own instance, so it may keep in its fields what it can lose: an instance is
/// made anew after a rebalance, a restart or an aborted transaction. What must last is kept in a store
/// ([`KStream::process_with`](crate::KStream::process_with)).
///
/// An instance is dropped when its task ends; what it has to close, it closes in its `Drop`.
///
/// ```
/// use streams::prelude::*;
///
/// /// Numbers the records of each partition.
/// #[derive(Default)]
/// struct Number(u64);
///
/// impl Processor<Keyless, str> for Number {
///     type KeyOut = u64;
///     type ValueOut = str;
///     fn process(&mut self, record: Record<'_, Keyless, str>, cx: &mut ProcessorContext<'_, u64, str>) -> Outcome {
///         self.0 += 1;
///         cx.forward(record.with_key(&self.0))
///     }
/// }
///
/// let builder = TopologyBuilder::new("number");
/// builder.stream::<Keyless, str>("lines").process(Number::default).to("numbered");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// driver.pipe("lines", &Keyless, "a")?;
/// driver.pipe("lines", &Keyless, "b")?;
/// assert_eq!(driver.read_key_values::<u64, String>("numbered")?, [(1, "a".to_owned()), (2, "b".to_owned())]);
/// # Ok::<(), streams::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor of records with `{K}` keys and `{V}` values",
    label = "does not implement `Processor<{K}, {V}>`",
    note = "write `impl Processor<{K}, {V}> for {Self}`, with the types `KeyOut` and `ValueOut` of what it forwards, and `fn process(&mut self, record: Record<'_, {K}, {V}>, cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>) -> Outcome`",
    note = "what is given to `process` makes one for each task: `.process(MyProcessor::default)` or `.process(|| MyProcessor::new(..))`"
)]
pub trait Processor<K: ?Sized, V: ?Sized>: Send + Sized + 'static {
    /// The key type of what it forwards.
    type KeyOut: ?Sized + 'static;
    /// The value type of what it forwards.
    type ValueOut: ?Sized + 'static;

    /// Gets ready for the first record: schedules punctuators, reads stores. An error ends the job.
    fn init(&mut self, _: &mut InitContext<'_, Self, Self::KeyOut, Self::ValueOut>) -> Outcome {
        Ok(())
    }

    /// Processes one record, and forwards what comes of it: nothing, one record or many.
    ///
    /// An error goes where the job's `on_error(process = ..)` says, and nothing that was forwarded for this record leaves.
    fn process(
        &mut self,
        record: Record<'_, K, V>,
        cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Outcome;
}

/// What a [`Processor`] can do, and know, while it processes a record or punctuates.
pub struct ProcessorContext<'c, K: ?Sized, V: ?Sized> {
    task: &'c mut Context,
    next: &'c dyn Process<K, V>,
}

impl<K: ?Sized, V: ?Sized> ProcessorContext<'_, K, V> {
    pub(crate) fn as_task(&self) -> &Context {
        self.task
    }

    pub(crate) fn as_task_mut(&mut self) -> &mut Context {
        self.task
    }

    /// Passes a record on to what follows the processor.
    #[inline]
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Outcome {
        self.next.process(self.task, record.with_valid_time()?)
    }

    /// Passes a record on to what follows a further output of the processor. See
    /// [`TopologyBuilder::child`](crate::TopologyBuilder::child).
    #[inline]
    pub fn forward_to<KC: ?Sized, VC: ?Sized>(
        &mut self,
        child: &Child<KC, VC>,
        record: Record<'_, KC, VC>,
    ) -> Outcome {
        child.process(self.task, record.with_valid_time()?)
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

    /// Calls a punctuator that [`init`](Processor::init) has made ([`InitContext::punctuator`]) every `interval` of a clock, from
    /// now on: by stream time first behind this record, otherwise as [`InitContext::schedule`]. As the processor's own fields, a
    /// schedule stays if the record fails later on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use streams::prelude::*;
    ///
    /// /// Tells once how many records came in the ten seconds after the first.
    /// #[derive(Default)]
    /// struct Burst {
    ///     tell: Option<PunctuatorId>,
    ///     running: Option<Schedule>,
    ///     count: u64,
    /// }
    ///
    /// impl Burst {
    ///     fn tell(&mut self, time: i64, cx: &mut ProcessorContext<'_, String, u64>) -> Outcome {
    ///         if let Some(running) = self.running.take() {
    ///             cx.cancel(running);
    ///         }
    ///         cx.forward(Record::new(&"burst".to_owned(), &std::mem::take(&mut self.count), time))
    ///     }
    /// }
    ///
    /// impl Processor<Keyless, str> for Burst {
    ///     type KeyOut = String;
    ///     type ValueOut = u64;
    ///
    ///     fn init(&mut self, cx: &mut InitContext<'_, Self, String, u64>) -> Outcome {
    ///         self.tell = Some(cx.punctuator(Self::tell));
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: Record<'_, Keyless, str>, cx: &mut ProcessorContext<'_, String, u64>) -> Outcome {
    ///         self.count += 1;
    ///         if let (None, Some(tell)) = (self.running, self.tell) {
    ///             self.running = Some(cx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime, tell));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("bursts");
    /// builder.stream::<Keyless, str>("lines").process(Burst::default).to("bursts");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.advance_wall_clock(Duration::from_secs(60))?;
    /// driver.pipe("lines", &Keyless, "a")?;
    /// driver.pipe("lines", &Keyless, "b")?;
    /// driver.advance_wall_clock(Duration::from_secs(10))?;
    /// driver.advance_wall_clock(Duration::from_secs(10))?;
    /// assert_eq!(driver.read_values::<u64>("bursts")?, [2]);
    /// # Ok::<(), streams::Error>(())
    /// ```
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

/// The node of a processor: its instances are in the tasks, in the slot of this number.
pub(crate) struct ProcessorNode<P, KIn: ?Sized, VIn: ?Sized, K: ?Sized, V: ?Sized> {
    pub(crate) slot: usize,
    pub(crate) next: Next<K, V>,
    pub(crate) of: PhantomData<fn(&KIn, &VIn) -> P>,
}

impl<P: Processor<KIn, VIn>, KIn: ?Sized, VIn: ?Sized>
    ProcessorNode<P, KIn, VIn, P::KeyOut, P::ValueOut>
{
    #[inline]
    fn with_instance(
        &self,
        cx: &mut Context,
        run: impl FnOnce(
            &mut Instance<P, Punctuator<P, P::KeyOut, P::ValueOut>>,
            &mut Context,
        ) -> Outcome,
    ) -> Outcome {
        cx.with_slot(self.slot, run)
    }
}

impl<KIn: ?Sized, VIn: ?Sized, P: Processor<KIn, VIn>> Process<KIn, VIn>
    for ProcessorNode<P, KIn, VIn, P::KeyOut, P::ValueOut>
{
    fn process(&self, cx: &mut Context, record: Record<'_, KIn, VIn>) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let next = &*self.next;
            let cx = &mut ProcessorContext { task, next };
            instance.processor.process(record, cx)
        })
    }
}

impl<KIn: ?Sized, VIn: ?Sized, P: Processor<KIn, VIn>> Lifecycle
    for ProcessorNode<P, KIn, VIn, P::KeyOut, P::ValueOut>
{
    fn init(&self, cx: &mut Context) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let Instance {
                processor,
                callbacks,
            } = instance;
            processor.init(&mut InitContext(Scheduling {
                task,
                slot: self.slot,
                callbacks,
            }))
        })
    }

    fn punctuate(&self, cx: &mut Context, callback: usize, time: i64) -> Outcome {
        self.with_instance(cx, |instance, task| {
            let next = &*self.next;
            let cx = &mut ProcessorContext { task, next };
            match instance.callbacks.get(callback) {
                Some(punctuator) => punctuator(&mut instance.processor, time, cx),
                None => Ok(()),
            }
        })
    }
}
