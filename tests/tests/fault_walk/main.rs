//! Every request that a job sends, failed in every way, one at a time: exactly-once holds, or a fatal code ends the job
//! with a clear error and holds after the next start.
//!
//! The points are not written down: a first run of each scene records what is sent. On the embedded broker only, which
//! can be told to fail. Two jobs are walked: one that copies, and one that counts, with state; of the second one by default
//! only the checkpoints and restores, the creation of its topics, and what the group is asked when tasks move.
//! `FAULT_WALK=full` plays all scenes, strikes more than the first request of a kind,
//! and with each code in each scene, which takes an hour or two; any other text narrows the walk down to the cases whose
//! description has it, such as `EndTxn` or `StartUp`, and so does a text behind `full`, such as `full EndTxn`. Texts with `|`
//! between them choose what has one of them. `FAULT_WALK_WORKERS` is how many cases are played side by side.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod codes;
mod stage;
mod work;

use codes::{Class, codes};
use stage::{Broken, Outcome, Played, SOCKET_TIMEOUT, Scene, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use streams_broker::{ApiKey, ErrorCode, Fault, SeenRequest};
use tokio::runtime::Runtime;
use work::{Work, is_of_the_group};

/// Cases side by side, if `FAULT_WALK_WORKERS` does not say it: they mostly wait.
const WORKERS: usize = 32;

/// After so many cases it is told how far the walk is.
const TOLD_EVERY: usize = 100;

/// Behind the client's deadline.
const TOO_LATE: Duration = Duration::from_millis(SOCKET_TIMEOUT.as_millis() as u64 + 400);

/// A request of a scene.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    scene: Scene,
    api: ApiKey,
    client: String,
    /// Counted from 1, from the beginning of the scene.
    nth: u64,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Code(codes::Code),
    CutBefore,
    CutAfter,
    Late,
    LateAnswer,
}

/// Which cases are walked.
#[derive(Debug, Default)]
struct Choice {
    /// All scenes and more than the first request of a kind, with each code.
    is_full: bool,
    /// A case is walked if its description has one of these; all are, if there is none.
    texts: Vec<String>,
}

impl Choice {
    /// What `FAULT_WALK` says.
    fn of(text: &str) -> Self {
        let (is_full, texts) = match text.strip_prefix("full") {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => (true, rest.trim()),
            _ => (false, text),
        };
        let texts = texts.split('|').filter(|t| !t.is_empty());
        Self {
            is_full,
            texts: texts.map(str::to_owned).collect(),
        }
    }

    /// The walk of the suite: nobody has chosen.
    fn is_usual(&self) -> bool {
        !self.is_full && self.texts.is_empty()
    }

    fn has(&self, case: &Case) -> bool {
        let case = case.to_string();
        self.texts.is_empty() || self.texts.iter().any(|text| case.contains(text))
    }
}

struct Case {
    point: Point,
    harm: Harm,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point {
            scene,
            api,
            client,
            nth,
        } = &self.point;
        write!(f, "{scene:?}: {api:?} {nth} of {client}: ")?;
        match self.harm {
            Harm::Code((code, name, class)) => write!(f, "{code} {name} ({class:?})"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Case {
    fn fault(&self) -> Fault {
        let Point {
            api, client, nth, ..
        } = &self.point;
        let fault = match self.harm {
            Harm::Code((code, ..)) => Fault::fail(*api, ErrorCode::try_from_code(code).unwrap()),
            Harm::CutBefore => Fault::cut_before(*api),
            Harm::CutAfter => Fault::cut_after(*api),
            Harm::Late => Fault::delay(*api, TOO_LATE),
            Harm::LateAnswer => Fault::delay_answer(*api, TOO_LATE),
        };
        fault.nth(*nth).client_id(client.as_str())
    }

    /// Whether the request comes when its time is there, which may be after the scene: what deletes records that are committed.
    fn comes_by_time(&self) -> bool {
        self.point.scene == Scene::Checkpoint && self.point.client.ends_with("-admin")
    }

    /// Whether the job may end because of it.
    fn may_end_the_job(&self) -> bool {
        matches!(self.harm, Harm::Code((_, _, Class::Fatal)))
    }
}

fn count(requests: &[SeenRequest], api: ApiKey, client: &str) -> u64 {
    let of_point = |r: &&SeenRequest| r.api == api && r.client_id == client;
    u64::try_from(requests.iter().filter(of_point).count()).unwrap()
}

/// The requests of a scene that are struck: of each kind and client the first ones.
fn points(scene: Scene, requests: &[SeenRequest], at_most: u64) -> Vec<Point> {
    let kinds: BTreeSet<(i16, &str)> = requests
        .iter()
        .filter(|r| belongs_to(scene, r))
        .map(|r| (r.api as i16, r.client_id.as_str()))
        .collect();
    let mut points = Vec::new();
    for (key, client) in kinds {
        let api = ApiKey::try_from(key).unwrap();
        for nth in 1..=count(requests, api, client).min(at_most) {
            points.push(Point {
                scene,
                api,
                client: client.to_owned(),
                nth,
            });
        }
    }
    points
}

/// Whether a request is what the scene is about, and not what another scene shows as well.
fn belongs_to(scene: Scene, request: &SeenRequest) -> bool {
    let of_the_job = request.client_id.starts_with("a-") || request.client_id.starts_with("b-");
    let of_the_group = is_of_the_group(request);
    of_the_job
        && match scene {
            Scene::StartUp => true,
            Scene::Deal => is_about_the_deal(request),
            // Nothing more is read. A fetch that fails before the stop is noticed is a matter of the scenes before: the job
            // goes back, and may then end in order with what the next start has to process.
            Scene::End => request.api != ApiKey::Fetch,
            Scene::Checkpoint => !of_the_group,
            Scene::Join => {
                of_the_group || request.client_id == "a-0-producer" || is_for_a_restore(request)
            }
            Scene::Leave => of_the_group || request.client_id == "b-0-producer",
            Scene::Restore => is_for_a_restore(request),
        }
}

/// Whether a member asks what the group's members have, or is on its way to it.
fn is_about_the_deal(request: &SeenRequest) -> bool {
    let apis = [ApiKey::ListGroups, ApiKey::DescribeGroups, ApiKey::Metadata];
    request.client_id.ends_with("-consumer") && apis.contains(&request.api)
}

/// Whether the restorer asks: for what a changelog has, or where it begins and ends.
fn is_for_a_restore(request: &SeenRequest) -> bool {
    request.client_id.ends_with("-restore-consumer")
        || (request.client_id.ends_with("-admin") && request.api == ApiKey::ListOffsets)
}

/// What happens to a request, one at a time. A scene that shows what others show, and takes long, needs not show each code
/// again: one of each class.
fn harms(point: &Point, each_code: bool) -> Vec<Harm> {
    let mut harms = vec![
        Harm::CutBefore,
        Harm::CutAfter,
        Harm::Late,
        Harm::LateAnswer,
    ];
    let mut shown = BTreeSet::new();
    for code in codes(point.api) {
        let (_, _, class) = code;
        if shown.insert(*class) || each_code {
            harms.push(Harm::Code(*code));
        }
    }
    harms
}

/// The first run of a scene, without a fault.
fn record(runtime: &Runtime, work: Work, scene: Scene) -> Vec<SeenRequest> {
    match Stage::new(work, runtime.handle().clone()).play(scene, None) {
        Ok(Played {
            outcome: Outcome::Recovered,
            requests,
            ..
        }) => requests,
        other => panic!("{scene:?} without a fault: {other:?}"),
    }
}

/// What came of the cases.
#[derive(Default)]
struct Tally {
    recovered: usize,
    ended: BTreeMap<String, usize>,
    missed: Vec<String>,
    /// The same of a second request of its kind, or a later one: how many there are goes by time.
    few: usize,
    /// The scene was over before the time of the request.
    too_early: usize,
    broken: Vec<String>,
    slowest: Vec<(Duration, String)>,
}

impl Tally {
    fn note(&mut self, case: &Case, played: Broken<Played>, took: Duration) {
        self.slowest.push((took, case.to_string()));
        let played = match played {
            Ok(played) => played,
            Err(broken) => return self.broken.push(format!("{case}: {broken}")),
        };
        match played.outcome {
            _ if !played.was_struck && case.comes_by_time() => self.too_early += 1,
            _ if !played.was_struck && case.point.nth > 1 => self.few += 1,
            _ if !played.was_struck => self.missed.push(case.to_string()),
            Outcome::Recovered => self.recovered += 1,
            Outcome::Ended(error) if case.may_end_the_job() => {
                *self.ended.entry(error).or_default() += 1;
            }
            Outcome::Ended(error) => self.broken.push(format!("{case}: ended the job: {error}")),
        }
    }
}

/// Does the work of all items, many at a time.
fn side_by_side<T: Send, R: Send>(
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let (items, results) = (Mutex::new(items), Mutex::new(Vec::new()));
    let workers = std::env::var("FAULT_WALK_WORKERS");
    let workers = workers.map_or(WORKERS, |n| n.parse().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(item) = items.lock().unwrap().next() else {
                        return;
                    };
                    let result = work(item);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

#[test]
fn whatever_fails_each_record_is_there_once() {
    walk(Work::Copy);
}

#[test]
fn whatever_fails_each_record_is_counted_once() {
    walk(Work::Count);
}

/// Held by the walk that goes: two at once would be late everywhere.
static WALKING: Mutex<()> = Mutex::new(());

fn walk(work: Work) {
    let _walking = WALKING.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Instant::now();
    let choice = Choice::of(&std::env::var("FAULT_WALK").unwrap_or_default());
    let runtime = Runtime::new().unwrap();
    let scenes = work.scenes();
    let at_most = if choice.is_full { 8 } else { 1 };
    let mut cases = Vec::new();
    let recorded = side_by_side(scenes.iter(), |scene| {
        let requests = record(&runtime, work, *scene);
        println!(
            "  {scene:?}: {} requests, {:.1?}",
            requests.len(),
            began.elapsed()
        );
        (*scene, requests)
    });
    for (scene, mut requests) in recorded {
        requests.retain(|request| !choice.is_usual() || work.usually_walks(scene, request));
        for point in points(scene, &requests, at_most) {
            cases.extend(
                harms(&point, choice.is_full || work.shows_each_code(scene))
                    .into_iter()
                    .map(|harm| Case {
                        point: point.clone(),
                        harm,
                    }),
            );
        }
    }
    cases.retain(|case| choice.has(case));
    assert!(
        !cases.is_empty(),
        "no case's description has one of {choice:?}"
    );
    let total = cases.len();
    println!("{work:?}: {total} cases");
    let done = AtomicUsize::new(0);
    let played = side_by_side(cases.into_iter(), |case| {
        let start = Instant::now();
        let mut stage = Stage::new(work, runtime.handle().clone());
        let played = stage.play(case.point.scene, Some(case.fault()));
        if let Err(broken) = &played {
            println!("  {case}: {broken}");
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(TOLD_EVERY) {
            println!("  {done} of {total} cases, {:.0?}", began.elapsed());
        }
        (case, played, start.elapsed())
    });
    let mut tally = Tally::default();
    for (case, played, took) in played {
        tally.note(&case, played, took);
    }
    let ended: usize = tally.ended.values().sum();
    println!(
        "fault walk, {work:?}: {total} cases in {:.0?}: {} recovered, {ended} ended with an error and were finished by the next start, {} never came to their point, {} \
         had fewer requests of their kind, {} were over before it",
        began.elapsed(),
        tally.recovered,
        tally.missed.len(),
        tally.few,
        tally.too_early,
    );
    for (error, count) in &tally.ended {
        println!("  ended {count} times: {error}");
    }
    for missed in &tally.missed {
        println!("  missed: {missed}");
    }
    for scene in scenes {
        let name = format!("{scene:?}:");
        let of_scene: Vec<_> = tally
            .slowest
            .iter()
            .filter(|(_, case)| case.starts_with(&name))
            .collect();
        let time: Duration = of_scene.iter().map(|(took, _)| *took).sum();
        println!(
            "  {scene:?}: {} cases, {time:.0?} altogether",
            of_scene.len()
        );
    }
    tally.slowest.sort();
    for (took, case) in tally.slowest.iter().rev().take(10) {
        println!("  {took:.1?}: {case}");
    }
    runtime.shutdown_background();
    // A fault that does not come to its point shows nothing: few may miss it.
    assert!(
        tally.missed.len() * 20 <= total.max(20),
        "{} of {total} cases never came to their point",
        tally.missed.len()
    );
    assert!(
        tally.broken.is_empty(),
        "{} broken:\n{}",
        tally.broken.len(),
        tally.broken.join("\n")
    );
}
