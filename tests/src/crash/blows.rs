//! What happens to the instances, and when.

use std::time::{Duration, Instant};

use super::{Plan, Scene, Tally};
use crate::{Isolation, Job, Random, wait_until};

/// How long an instance that was asked to end may take; the broker may be away meanwhile.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// How long the job may take to work off what is left when the blows have stopped.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(120);
/// How often the instances are looked at.
const TICK: Duration = Duration::from_millis(20);

/// What is done to an instance.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill,
    Freeze,
    Restart,
}

/// Where an instance is between blows.
enum State {
    /// Until the next blow.
    Running(Job, Instant),
    /// Stopped by SIGSTOP until then.
    Frozen(Job, Instant),
    /// Asked to end; has to have ended by then.
    Ending(Job, Instant),
    /// Not there until then.
    Away(Instant),
}

/// The instances and what happens to them.
pub(super) struct Blows<'a> {
    scene: &'a Scene<'a>,
    random: Random,
    start: Instant,
    /// Each kind of blow falls at least once, whatever the seed.
    first: Vec<Blow>,
    states: Vec<Option<State>>,
    tally: Tally,
}

impl<'a> Blows<'a> {
    pub(super) fn new(scene: &'a Scene<'a>, plan: &Plan) -> Blows<'a> {
        let mut blows = Blows {
            scene,
            random: Random::new(plan.seed),
            start: Instant::now(),
            first: vec![Blow::Restart, Blow::Freeze, Blow::Kill],
            states: Vec::new(),
            tally: Tally::default(),
        };
        for instance in 0..plan.instances {
            let state = State::Running(scene.start(instance), blows.in_ms(2_000, 5_000));
            blows.states.push(Some(state));
        }
        blows
    }

    fn in_ms(&mut self, low: u64, high: u64) -> Instant {
        Instant::now() + Duration::from_millis(self.random.between(low, high))
    }

    fn say(&self, instance: usize, what: &str) {
        println!(
            "{:6.1} s: instance {instance} {what}",
            self.start.elapsed().as_secs_f64()
        );
    }

    /// Deals blows for that long.
    pub(super) fn deal(&mut self, duration: Duration) {
        while self.start.elapsed() < duration {
            self.each(Blows::step);
            std::thread::sleep(TICK);
        }
    }

    /// Lets each instance run again, waits until the job has done all its work, and ends it in order.
    pub(super) fn recover(mut self) -> Tally {
        wait_until("each instance runs", STOP_DEADLINE, || {
            self.each(|blows, instance, state| match state {
                running @ State::Running(..) => running,
                other => blows.step(instance, other),
            });
            self.states
                .iter()
                .all(|state| matches!(state, Some(State::Running(..))))
        });
        let Scene {
            cluster,
            job,
            partitions,
            ..
        } = self.scene;
        let ends: Vec<_> = cluster
            .end_offsets(&job.input, Isolation::Committed)
            .into_iter()
            .map(Some)
            .collect();
        let done = crate::eventually(CATCH_UP_DEADLINE, || {
            self.each(|blows, instance, state| blows.still_there(instance, state));
            cluster.committed(&job.application_id, &job.input, *partitions) == ends
        });
        assert!(
            done,
            "committed {:?} of {ends:?}",
            cluster.committed(&job.application_id, &job.input, *partitions)
        );
        let scene = self.scene;
        wait_until("all has come out", CATCH_UP_DEADLINE, || {
            self.each(|blows, instance, state| blows.still_there(instance, state));
            scene.is_worked_off()
        });
        for state in self.states.into_iter().flatten() {
            if let State::Running(mut job, _) = state {
                job.terminate();
                job.succeed(STOP_DEADLINE);
            }
        }
        self.tally
    }

    fn each(&mut self, mut change: impl FnMut(&mut Self, usize, State) -> State) {
        for instance in 0..self.states.len() {
            let state = self.states.get_mut(instance).and_then(Option::take);
            let state = state.map(|state| change(self, instance, state));
            if let Some(place) = self.states.get_mut(instance) {
                *place = state;
            }
        }
    }

    /// What is due for the instance.
    fn step(&mut self, instance: usize, state: State) -> State {
        match self.still_there(instance, state) {
            State::Running(job, until) if due(until) => self.strike(instance, job),
            State::Frozen(mut job, until) if due(until) => {
                job.thaw();
                self.say(instance, "is continued");
                State::Running(job, self.in_ms(3_000, 8_000))
            }
            State::Ending(mut job, until) => match job.status() {
                None if due(until) => {
                    panic!("instance {instance} did not end:\n{}", job.log_tail())
                }
                None => State::Ending(job, until),
                Some(status) => {
                    // Who is asked to end before it runs has nothing to commit, and who meets no broker cannot commit.
                    let log = job.log_tail();
                    let in_vain = [
                        "without a last checkpoint",
                        "starting the transactional producer",
                    ];
                    let in_vain = in_vain.iter().any(|error| log.contains(error));
                    assert!(
                        status.success() || job.is_starting() || in_vain,
                        "instance {instance} ended with {status}:\n{}",
                        job.log_tail()
                    );
                    State::Away(self.in_ms(0, 1_000))
                }
            },
            State::Away(until) if due(until) => {
                self.say(instance, "is started");
                State::Running(self.scene.start(instance), self.in_ms(2_000, 8_000))
            }
            other => other,
        }
    }

    fn strike(&mut self, instance: usize, mut job: Job) -> State {
        let random = [Blow::Kill, Blow::Freeze, Blow::Restart, Blow::Kill];
        let choice = usize::try_from(self.random.between(0, 3)).unwrap_or(0);
        match self
            .first
            .pop()
            .or(random.get(choice).copied())
            .unwrap_or(Blow::Kill)
        {
            Blow::Kill => {
                self.say(instance, "is killed");
                self.tally.kills += 1;
                job.kill();
                State::Away(self.in_ms(100, 2_000))
            }
            Blow::Freeze => {
                self.say(instance, "is frozen");
                self.tally.zombies += 1;
                job.freeze();
                let session = u64::try_from(super::SESSION_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
                State::Frozen(job, self.in_ms(session + 1_000, session + 4_000))
            }
            Blow::Restart => {
                self.say(instance, "is stopped in order");
                self.tally.restarts += 1;
                job.terminate();
                State::Ending(job, Instant::now() + STOP_DEADLINE)
            }
        }
    }

    /// A running instance has no reason to end by itself: not a zombie's awakening, nor a broker that restarts.
    fn still_there(&mut self, instance: usize, mut state: State) -> State {
        if let State::Running(job, _) | State::Frozen(job, _) = &mut state
            && let Some(status) = job.status()
        {
            panic!(
                "instance {instance} ended by itself with {status}:\n{}",
                job.log_tail()
            );
        }
        state
    }
}

fn due(until: Instant) -> bool {
    Instant::now() >= until
}
