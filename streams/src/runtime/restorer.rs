//! Brings the state of tasks up to date, on a thread and a consumer of its own: tasks that are ready go on meanwhile.
//!
//! A request hands the task's state over, and the answer hands it back. What was read before an answer is applied in batches
//! that are each all there or not at all, so a restore that is cut short goes on where it was.
//!
//! A task may begin when its stores hold all that the last transaction of its former owner wrote. So, in this order:
//!
//! 1. the stream thread has asked for the committed offsets of the task's inputs, stable ones (KIP-447): the brokers answer
//!    when no transaction that commits any of them is undecided. One that comes later is refused by the group, whose
//!    generation has changed;
//! 2. the *high watermark* of each changelog is taken: it is behind all that those transactions have written, also where
//!    the marker that ends them has not arrived yet;
//! 3. committed records are read up to it. Where an aborted transaction of a dead instance is in the way, that takes until
//!    the brokers have ended it.
//!
//! A table whose topic is its changelog is read to the input's committed offset, and no further: what follows is processed.

use super::changelog_reader::ChangelogReader;
use super::logs::{Log, logs};
use super::restoring::{Reading, Restoring};
use super::shared::Shared;
use super::tables::MADE_AT_ONCE;
use super::waiting_restore::Waiting;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::reader::spoil_positions;
use crate::processor::TaskId;
use crate::state::TaskState;
use crate::{Error, Result};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one wait for records may take: commands are looked at after it.
const READ_WAIT: Duration = Duration::from_millis(20);

/// The pause after a failed request.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long the cluster may take to tell whether topics are there.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of what was read waits in memory at most, in a process. As much again is in memory for each of the tables that are
/// made at once.
const UNWRITTEN_BYTES: usize = 80 << 20;

/// How much of that one thread has at most. Large batches are written fast (as a sorted table at once), and make few tables.
const MOST_UNWRITTEN_BYTES: usize = 40 << 20;

/// How much one thread may have, however many there are: less than that makes no table.
const LEAST_UNWRITTEN_BYTES: usize = 8 << 20;

/// A task whose state is to be brought up to date.
pub(super) struct Request {
    /// Tells the answers of one task's requests apart.
    pub(super) number: u64,
    pub(super) task: TaskId,
    pub(super) state: TaskState,
    /// Up to where the group has processed the task's inputs, all of which are given to it; those of which nothing is committed
    /// are left out.
    pub(super) processed: Vec<(TopicPartition, i64)>,
}

pub(super) struct Finished {
    pub(super) number: u64,
    pub(super) task: TaskId,
    pub(super) state: TaskState,
    pub(super) end: End,
}

pub(super) enum End {
    /// The state has all that its changelogs have.
    Ready,
    Cancelled,
    /// The job cannot go on.
    Failed(Error),
}

enum Command {
    Restore(Box<Request>),
    Cancel(u64),
}

/// The stream thread's end. Dropping it ends the restorer, which gives back nothing more, and waits until it has let go of
/// the stores: whoever starts the job again in this process opens them again.
///
/// The fields are dropped in this order: the thread ends because nobody commands it any more.
pub(super) struct Restorer {
    commands: Sender<Command>,
    finished: Receiver<Finished>,
    _thread: Ending,
}

/// A thread that is waited for when this is dropped.
struct Ending(Option<JoinHandle<()>>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.0.take().map(JoinHandle::join) {
            // The panic was printed, and whoever waited for an answer was told that the restorer has ended.
            tracing::debug!("the restorer panicked");
        }
    }
}

impl Restorer {
    pub(super) fn start(shared: Arc<Shared>, thread: usize) -> Result<Self> {
        let (commands, received) = channel();
        let (done, finished) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("streams-restore-{thread}"))
            .spawn(move || Worker::new(shared, thread, done).run(&received))
            .map_err(|source| Error::Io {
                what: "starting a restorer".into(),
                source,
            })?;
        Ok(Self {
            commands,
            finished,
            _thread: Ending(Some(thread)),
        })
    }

    /// Answers with [`Self::finished`] in any case.
    pub(super) fn restore(&self, request: Request) -> Result<()> {
        let sent = self.commands.send(Command::Restore(Box::new(request)));
        sent.map_err(|_| ended())
    }

    /// The answer is [`End::Cancelled`], unless another one is on its way already.
    pub(super) fn cancel(&self, number: u64) {
        // A restorer that has ended has nothing to cancel.
        let _ = self.commands.send(Command::Cancel(number));
    }

    /// The next answer that is there.
    pub(super) fn finished(&self) -> Result<Option<Finished>> {
        match self.finished.try_recv() {
            Ok(finished) => Ok(Some(finished)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ended()),
        }
    }

    /// Waits for the next answer.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Finished> {
        self.finished.recv_timeout(timeout).ok()
    }
}

fn ended() -> Error {
    Error::Panic("the restorer has ended".to_owned())
}

/// The clients, which are there while there is something to read. A consumer may take an old position of a partition for the
/// new one, so whatever is read from an earlier offset than before is read by a new one.
struct Clients {
    reader: ChangelogReader,
    /// Where the reader has been, in each partition that it was given.
    been: BTreeMap<TopicPartition, i64>,
    logs: Admin,
}

impl Clients {
    fn note(&mut self, positions: &[(TopicPartition, i64)]) {
        for (partition, position) in positions {
            let been = self.been.entry(partition.clone()).or_insert(*position);
            *been = (*been).max(*position);
        }
    }

    /// Whether a partition is to be read from an offset that the reader was beyond.
    fn would_go_back(&self, mut starts: impl Iterator<Item = (TopicPartition, i64)>) -> bool {
        starts.any(|(partition, start)| self.been.get(&partition).is_some_and(|at| *at > start))
    }
}

struct Worker {
    shared: Arc<Shared>,
    thread: usize,
    done: Sender<Finished>,
    clients: Option<Clients>,
    waiting: VecDeque<Waiting>,
    reading: Vec<Restoring>,
    /// The stores that are being read have changed.
    must_assign: bool,
}

impl Worker {
    fn new(shared: Arc<Shared>, thread: usize, done: Sender<Finished>) -> Self {
        Self {
            shared,
            thread,
            done,
            clients: None,
            waiting: VecDeque::new(),
            reading: Vec::new(),
            must_assign: false,
        }
    }

    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let command = if self.waiting.is_empty() && self.reading.is_empty() {
                self.clients = None;
                match commands.recv() {
                    Ok(command) => Some(command),
                    Err(_) => return,
                }
            } else {
                match commands.try_recv() {
                    Ok(command) => Some(command),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            };
            match command {
                Some(Command::Restore(request)) => {
                    self.waiting.push_back(Waiting::new(*request));
                }
                Some(Command::Cancel(number)) => self.cancel(number),
                None => self.work(),
            }
        }
    }

    fn cancel(&mut self, number: u64) {
        if let Some(at) = self.waiting.iter().position(|w| w.request.number == number)
            && let Some(waiting) = self.waiting.remove(at)
        {
            self.answer(waiting.request, End::Cancelled);
        }
        if let Some(at) = self.reading.iter().position(|r| r.number() == number) {
            let mut restoring = self.reading.swap_remove(at);
            if let Err(error) = restoring.write_all() {
                // The store is as it was before: whoever is next reads it again, and meets what is wrong with the disk.
                tracing::debug!(%error, "what was read is not kept");
            }
            self.answer(restoring.suspend(), End::Cancelled);
        }
    }

    fn answer(&self, request: Request, end: End) {
        let Request {
            number,
            task,
            state,
            ..
        } = request;
        // Nobody waits any more when the stream thread has ended.
        let _ = self.done.send(Finished {
            number,
            task,
            state,
            end,
        });
    }

    /// One turn: a task that waits is begun, then what has arrived is applied.
    fn work(&mut self) {
        if let Some(waiting) = self.waiting.pop_front() {
            self.begin(waiting);
        }
        if let Err(error) = self.read() {
            self.read_failed(&error);
        }
        self.look_after_stalled();
        self.end_what_is_done();
    }

    /// Looks whether the topics are still there of which nothing comes.
    fn look_after_stalled(&mut self) {
        let stalled = self.reading.iter_mut().flat_map(Restoring::stalled);
        let stalled: BTreeSet<Arc<str>> = stalled.collect();
        if stalled.is_empty() {
            return;
        }
        let topics: Vec<&str> = stalled.iter().map(|topic| &**topic).collect();
        let asked = self
            .clients()
            .and_then(|clients| clients.logs.topic_ids(&topics, LOOK_TIMEOUT));
        match asked {
            Ok(ids) => self
                .reading
                .iter_mut()
                .for_each(|r| r.look_at(&stalled, &ids)),
            Err(error) => tracing::debug!(%error, "whether changelogs are there is not told"),
        }
    }

    fn begin(&mut self, mut waiting: Waiting) {
        match self.logs(&waiting.request) {
            Ok(logs) => match Restoring::new(&self.shared, self.thread, waiting.request, &logs) {
                Ok(restoring) => {
                    if let Some(clients) = &self.clients
                        && clients.would_go_back(restoring.to_read())
                    {
                        self.clients = None;
                    }
                    self.reading.push(restoring);
                    self.must_assign = true;
                }
                Err((request, error)) => self.answer(*request, End::Failed(error)),
            },
            Err(error) if waiting.fails_for_good(&error) => {
                let request = waiting.request;
                let error = Error::Client(format!("restoring task {}: {error}", request.task));
                self.answer(request, End::Failed(error));
            }
            Err(error) => {
                tracing::debug!(%error, task = %waiting.request.task, "restoring: trying again");
                self.waiting.push_back(waiting);
                std::thread::sleep(RETRY_PAUSE);
            }
        }
    }

    fn logs(&mut self, request: &Request) -> Result<Vec<Log>, ClientError> {
        let changelogs = Restoring::changelogs(&self.shared.topology, request);
        let shared = Arc::clone(&self.shared);
        let clients = self.clients()?;
        logs(
            &clients.logs,
            clients.reader.committed(),
            &changelogs,
            &shared.topic_ids,
        )
    }

    fn clients(&mut self) -> Result<&mut Clients, ClientError> {
        let clients = match self.clients.take() {
            Some(clients) => clients,
            None => {
                let properties = &self.shared.properties;
                Clients {
                    reader: ChangelogReader::new(properties, &self.shared.topology)?,
                    been: BTreeMap::new(),
                    logs: Admin::new(properties)?,
                }
            }
        };
        Ok(self.clients.insert(clients))
    }

    fn read(&mut self) -> Result<(), ClientError> {
        if self.reading.iter().all(Restoring::is_read) {
            self.finish_tables();
            return Ok(());
        }
        let offsets: Option<Vec<_>> = self.must_assign.then(|| {
            let reading = self.reading.iter();
            reading.flat_map(Restoring::to_read).collect()
        });
        let clients = self.clients()?;
        if let Some(offsets) = offsets {
            clients.reader.assign(&offsets)?;
            clients.note(&offsets);
        }
        let messages = clients.reader.read(READ_WAIT);
        let is_spoilt = spoil_positions(&messages);
        let positions = match is_spoilt {
            true => Vec::new(),
            false => clients.reader.positions()?,
        };
        clients.note(&positions);
        self.must_assign = false;
        for mut restoring in std::mem::take(&mut self.reading) {
            match restoring.take(&messages, &positions) {
                Ok(Reading::GoesOn) => self.reading.push(restoring),
                Ok(Reading::IsCutOff) => {
                    let request = restoring.into_request();
                    self.waiting.push_back(Waiting::new(request));
                    self.must_assign = true;
                }
                Err(error) => {
                    restoring.fail(error);
                    self.reading.push(restoring);
                }
            }
        }
        self.write_much();
        // What concerns a store was looked at above; what the client gets over by itself needs nothing.
        let errors = messages.iter().filter_map(|m| Some((m, m.error()?)));
        let errors = errors.map(|(m, code)| ClientError::new("restoring", code, m.error_text()));
        let failure = errors.into_iter().find(|e| e.remedy() == Remedy::Fail);
        if is_spoilt {
            // The client goes after its messages. What was read is there; it is read again from the offset that the stores
            // remember.
            drop(messages);
            self.clients = None;
            self.must_assign = true;
            std::thread::sleep(RETRY_PAUSE);
        }
        match failure {
            Some(error) if error.code() != Code::AutoOffsetReset => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps what is in memory within its bound.
    fn write_much(&mut self) {
        let sum = |reading: &[Restoring], bytes: fn(&Restoring) -> usize| {
            reading.iter().map(bytes).sum::<usize>()
        };
        let stores = sum(&self.reading, Restoring::open_stores);
        let threads = self.shared.topology.config().stream_threads.max(1);
        let most = UNWRITTEN_BYTES / threads;
        let most = most.clamp(LEAST_UNWRITTEN_BYTES, MOST_UNWRITTEN_BYTES);
        let keep = most / stores.max(1);
        for restoring in &mut self.reading {
            if let Err(error) = restoring.write_tables(most, keep) {
                restoring.fail(error);
            }
        }
        while sum(&self.reading, Restoring::unwritten_bytes) > most {
            self.take_oldest_back();
            let largest = self.reading.iter_mut().max_by_key(|r| r.unwritten_bytes());
            let Some(restoring) = largest else {
                return;
            };
            if let Err(error) = restoring.write_largest(keep) {
                restoring.fail(error);
                return;
            }
        }
        // What a store hands over when it is read to its end, or after a while, comes on top.
        let in_memory = |reading: &[Restoring]| {
            sum(reading, Restoring::handed_bytes) + sum(reading, Restoring::unwritten_bytes)
        };
        while in_memory(&self.reading) > (1 + MADE_AT_ONCE) * most
            && sum(&self.reading, Restoring::handed_bytes) > 0
        {
            self.take_oldest_back();
        }
    }

    fn take_oldest_back(&mut self) {
        let reading = self.reading.iter_mut();
        reading.for_each(Restoring::take_oldest_back);
    }

    /// Waits for what is being written.
    fn finish_tables(&mut self) {
        for restoring in &mut self.reading {
            if let Err(error) = restoring.finish_tables() {
                restoring.fail(error);
            }
        }
    }

    fn read_failed(&mut self, error: &ClientError) {
        self.must_assign = true;
        if error.remedy() == Remedy::Fail {
            for restoring in &mut self.reading {
                restoring.fail(Error::Client(error.to_string()));
            }
        } else {
            tracing::debug!(%error, "restoring: trying again");
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn end_what_is_done(&mut self) {
        while let Some(at) = self.reading.iter().position(Restoring::is_done) {
            let (request, end) = self.reading.swap_remove(at).finish();
            self.answer(request, end);
        }
    }
}
