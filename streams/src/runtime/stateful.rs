//! Tasks with state, from assigned to ready.
//!
//! A task that has state is read only when its state is there and up to date. Until then its partitions are paused, its state
//! is fetched from the process's register or the disk and handed to the restorer; then its inputs are set to the offsets
//! where they begin, and it runs. These offsets were asked for before the restorer asks for the ends of the changelogs:
//! nobody but the task moves either on. After an abort tasks go the same way again: a commit whose outcome was not known
//! may have been carried out, and then the changelog has what the store has not.

use super::patience::Patience;
use super::recovery::OFFSETS_LIMIT;
use super::restorer::{End, Finished, Request, Restorer};
use super::tasks::Phase;
use super::thread::StreamThread;
use super::work::Interrupt;
use crate::kafka::TopicPartition;
use crate::processor::{Task, TaskId};
use crate::state::TaskState;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the restorer may take to give states back when the thread ends.
const RETURN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a stream thread knows of its restorer, which is started for the first task with state.
#[derive(Default)]
pub(super) struct Restores {
    restorer: Option<Restorer>,
    last_request: u64,
    /// Requests that are not answered.
    open: usize,
}

impl StreamThread {
    /// Pauses tasks that have no state yet, and sends for it. One that another thread still has is asked for again, and so is
    /// one with an input that the group has not given to this thread yet.
    pub(super) fn send_for_states(&mut self) -> Result<(), Interrupt> {
        let waiting = self.work.tasks.waiting();
        if waiting.is_empty() {
            return Ok(());
        }
        for task in &waiting {
            let inputs = self.work.tasks.inputs_of(*task);
            let shared = &self.work.shared;
            shared.tasks.check(&shared.topology, *task, &inputs)?;
        }
        let inputs = waiting.iter();
        let inputs: Vec<TopicPartition> = inputs
            .flat_map(|task| self.work.tasks.inputs_of(*task))
            .map(|(partition, _)| partition)
            .collect();
        self.consumer.pause(&inputs)?;
        for task in waiting {
            if self.work.tasks.lacking(task).is_some() {
                continue;
            }
            let state = self.work.shared.states.take(task);
            if let Some(state) = state.map_err(Error::from)? {
                self.restore(task, state)?;
            }
        }
        Ok(())
    }

    fn restore(&mut self, task: TaskId, state: TaskState) -> Result<()> {
        let restorer = match self.restores.restorer.take() {
            Some(restorer) => restorer,
            None => Restorer::start(Arc::clone(&self.work.shared), self.work.index)?,
        };
        let restorer = self.restores.restorer.insert(restorer);
        self.restores.last_request += 1;
        let number = self.restores.last_request;
        restorer.restore(Request {
            number,
            task,
            state,
            processed: self.work.tasks.processed_of(task),
        })?;
        self.restores.open += 1;
        if let Some(phase) = self.work.tasks.phase_mut(task) {
            *phase = Phase::Restoring(number);
        }
        Ok(())
    }

    /// Begins the tasks whose states are ready.
    pub(super) fn begin_restored(&mut self) -> Result<(), Interrupt> {
        while self.restores.open > 0 {
            let Some(restorer) = &self.restores.restorer else {
                return Ok(());
            };
            let Some(finished) = restorer.finished()? else {
                break;
            };
            self.restores.open -= 1;
            self.take_finished(finished)?;
        }
        // Tasks whose state another thread has had may get it now.
        self.send_for_states()
    }

    fn take_finished(&mut self, finished: Finished) -> Result<(), Interrupt> {
        let Finished {
            number,
            task,
            state,
            end,
        } = finished;
        let phase = self.work.tasks.phase_mut(task);
        let is_awaited = matches!(phase, Some(Phase::Restoring(awaited)) if *awaited == number);
        match end {
            End::Ready if is_awaited => self.begin(task, state),
            End::Failed(error) if is_awaited => {
                self.work.shared.states.give_back(task, state);
                Err(error.into())
            }
            // The task was taken away meanwhile; what was read stays.
            _ => {
                self.work.shared.states.give_back(task, state);
                Ok(())
            }
        }
    }

    fn begin(&mut self, id: TaskId, state: TaskState) -> Result<(), Interrupt> {
        let starts = self.work.tasks.inputs_of(id);
        let inputs: Vec<TopicPartition> = starts.iter().map(|(p, _)| p.clone()).collect();
        let task = Task::with_state(&self.work.shared.topology, id, state);
        let running = self.work.tasks.running_task(task);
        if let Some(phase) = self.work.tasks.phase_mut(id) {
            *phase = running;
        }
        // Records that came before the pause are read again.
        Patience::new(OFFSETS_LIMIT, &self.work.shared.stop)
            .repeat(|wait| self.consumer.seek(&starts, wait))?;
        self.work
            .tasks
            .mark_stale(&inputs, &self.consumer.positions()?);
        self.consumer.resume(&inputs)?;
        Ok(())
    }

    /// Lays down the states of tasks that this thread does not work on any more.
    pub(super) fn lay_down(&mut self, tasks: Vec<(TaskId, Phase)>) {
        for (id, phase) in tasks {
            match phase {
                Phase::Running(task) => {
                    let state = task.into_state();
                    if !state.is_empty() {
                        self.work.shared.states.give_back(id, state);
                    }
                }
                // It comes with the answer.
                Phase::Restoring(number) => {
                    if let Some(restorer) = &self.restores.restorer {
                        restorer.cancel(number);
                    }
                }
                Phase::Waiting => {}
            }
        }
    }

    /// Lays down all states, and waits for those that the restorer has.
    pub(super) fn lay_down_all(&mut self) {
        let partitions = self.work.tasks.partitions();
        let tasks = self.work.tasks.remove(&partitions);
        self.lay_down(tasks);
        let deadline = Instant::now() + RETURN_TIMEOUT;
        while self.restores.open > 0 {
            let Some(restorer) = &self.restores.restorer else {
                return;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(finished) = restorer.wait(left) else {
                tracing::warn!("a restorer did not end in time");
                return;
            };
            self.restores.open -= 1;
            self.work
                .shared
                .states
                .give_back(finished.task, finished.state);
        }
    }
}
