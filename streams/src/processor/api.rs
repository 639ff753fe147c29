//! The Processor API: a user's own operator, with one instance a task.

use super::{Context, Next, Outcome, Process, Record, RecordMetadata};
use std::marker::PhantomData;

/// An operator of one's own. Each task has its own instance, so it may keep what it likes in its fields.
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
pub trait Processor<K: ?Sized, V: ?Sized>: Send + 'static {
    /// The key type of what it forwards.
    type KeyOut: ?Sized + 'static;
    /// The value type of what it forwards.
    type ValueOut: ?Sized + 'static;

    /// Processes one record, and forwards what comes of it: nothing, one record or many.
    ///
    /// An error goes where the job's `on_error(process = ..)` says, and nothing that was forwarded for this record leaves.
    fn process(
        &mut self,
        record: Record<'_, K, V>,
        cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Outcome;
}

/// What a [`Processor`] can do, and know, while it processes a record.
pub struct ProcessorContext<'c, K: ?Sized, V: ?Sized> {
    task: &'c mut Context,
    next: &'c dyn Process<K, V>,
}

impl<K: ?Sized, V: ?Sized> ProcessorContext<'_, K, V> {
    /// Passes a record on to what follows the processor.
    #[inline]
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Outcome {
        self.next.process(self.task, record)
    }

    /// Where the record that is being processed was read.
    pub fn record_metadata(&self) -> RecordMetadata<'_> {
        self.task.metadata()
    }

    /// The largest timestamp of the records that the task has read, in milliseconds since the epoch. It never goes back.
    pub fn stream_time(&self) -> i64 {
        // A processor runs only for a record that was read, so the time is known.
        self.task.stream_time().unwrap_or_default()
    }
}

/// The node of a processor: its instances are in the tasks, in the slot of this number.
pub(crate) struct ProcessorNode<P, KIn: ?Sized, VIn: ?Sized, K: ?Sized, V: ?Sized> {
    pub(crate) slot: usize,
    pub(crate) next: Next<K, V>,
    pub(crate) of: PhantomData<fn(&KIn, &VIn) -> P>,
}

impl<KIn: ?Sized, VIn: ?Sized, P: Processor<KIn, VIn>> Process<KIn, VIn>
    for ProcessorNode<P, KIn, VIn, P::KeyOut, P::ValueOut>
{
    fn process(&self, cx: &mut Context, record: Record<'_, KIn, VIn>) -> Outcome {
        cx.with_slot::<P>(self.slot, |processor, task| {
            processor.process(
                record,
                &mut ProcessorContext {
                    task,
                    next: &*self.next,
                },
            )
        })
    }
}
