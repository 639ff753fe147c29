//! Window, session and versioned stores of processors on Kafka: what they hold outlives restarts and the loss of their
//! directory. A test driver with the same records, which never restarts, says what is in them.

use rdkafka::producer::BaseRecord;
use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use streams::prelude::*;
use streams::testing::TestRecord;
use streams_tests::{ReadRecord, Sender};

use crate::fixture::Counting;

const MINUTE: i64 = 60_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// Keeps each record in stores of all kinds that forget by time, and tells all that they hold.
struct Keep {
    windows: WindowStore<String, String>,
    several: WindowStore<String, String>,
    sessions: SessionStore<String, String>,
    versions: VersionedKeyValueStore<String, String>,
}

impl Processor<String, String> for Keep {
    type KeyOut = String;
    type ValueOut = String;

    fn process(
        &mut self,
        record: Record<'_, String, String>,
        cx: &mut ProcessorContext<'_, String, String>,
    ) -> Outcome {
        let (key, at) = (record.key, record.timestamp);
        let value = Some(record.value).filter(|value| *value != "gone");
        self.windows.put(cx, key, value, at)?;
        self.several.put(cx, key, value, at)?;
        let window = Window {
            start: at - MINUTE,
            end: at,
        };
        self.sessions.put(cx, key, window, value)?;
        self.versions.put(cx, key, value, at)?;
        let told = [
            list(self.windows.all(cx), windowed)?,
            list(self.several.all(cx), windowed)?,
            list(self.sessions.fetch_keys(cx, ..), windowed)?,
            list(self.versions(cx, key, at).into_iter(), |version| version)?,
        ];
        cx.forward(record.with_value(&told.join(" ")))
    }
}

impl Keep {
    /// What the key was, every ten minutes back.
    fn versions(
        &self,
        cx: &mut ProcessorContext<'_, String, String>,
        key: &String,
        at: i64,
    ) -> Vec<Outcome<String>> {
        let times = (0..10).map(|n| at - n * 10 * MINUTE);
        times
            .map(|time| {
                let version = self.versions.get_as_of(cx, key, time)?;
                Ok(version.map_or("none".to_owned(), |version| version.value))
            })
            .collect()
    }
}

fn windowed((windowed, value): (Windowed<String>, String)) -> String {
    let Windowed { key, window } = windowed;
    format!("{key}@{}..{}={value}", window.start, window.end)
}

fn list<T, S: Display>(
    entries: impl Iterator<Item = Outcome<T>>,
    show: impl Fn(T) -> S,
) -> Outcome<String> {
    let shown: Outcome<Vec<String>> = entries.map(|e| e.map(|e| show(e).to_string())).collect();
    Ok(format!("[{}]", shown?.join(",")))
}

fn topology(job: &Counting) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    let minutes = Duration::from_secs(60);
    let windows = builder.store(Stores::window("windows", HOUR, minutes));
    let several = Stores::window("several", HOUR, minutes).retain_duplicates();
    let several = builder.store(several);
    let sessions = builder.store(Stores::session("sessions", HOUR));
    let versions = builder.store(Stores::versioned_key_value("versions", HOUR));
    let input = builder.stream::<String, String>(&job.input);
    let kept = input.process_with(
        (&windows, &several, &sessions, &versions),
        |(windows, several, sessions, versions)| Keep {
            windows,
            several,
            sessions,
            versions,
        },
    );
    kept.to(&job.output);
    job.configured(&builder, |_| ())
}

/// Some that come late, some that are removed, and a jump behind which the first ones have expired.
const RECORDS: [(&str, &str, i64); 14] = [
    ("a", "a0", 0),
    ("b", "b5", 5),
    ("a", "a20", 20),
    ("a", "a10", 10),
    ("a", "again", 20),
    ("b", "gone", 5),
    ("c", "c40", 40),
    ("a", "a50", 50),
    ("b", "b55", 55),
    ("a", "a75", 75),
    ("c", "too late", 8),
    ("c", "gone", 40),
    ("a", "a200", 200),
    ("b", "b190", 190),
];

/// In minutes of yesterday, so that no topic lets go of a record by its age.
fn time(minute: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let day = 24 * 60 * MINUTE;
    let today = i64::try_from(now.as_millis()).unwrap() / day * day;
    today - day + minute * MINUTE
}

fn expected(job: &Counting) -> Vec<String> {
    let mut driver = TopologyTestDriver::new(topology(job)).unwrap();
    for (key, value, minute) in RECORDS {
        let record = TestRecord::new(key.to_owned(), value.to_owned());
        let record = record.at(time(minute));
        driver.pipe_record(&job.input, &record).unwrap();
    }
    driver.read_values(&job.output).unwrap()
}

/// Runs the job anew for each record, before some of them without its directory.
fn run_for_each(without_directory: &[usize]) {
    let mut job = Counting::new(1);
    for (number, (key, value, minute)) in RECORDS.into_iter().enumerate() {
        let sender = Sender::new(job.cluster, &[]);
        let record = BaseRecord::to(&job.input).timestamp(time(minute));
        sender.send(record.key(key).payload(value));
        sender.flush();
        if without_directory.contains(&number) {
            job.directory = tempfile::tempdir().unwrap();
        }
        job.run(topology(&job)).unwrap();
    }
    let outputs = job.cluster.read_committed(&job.output);
    let told: Vec<&str> = outputs.iter().map(ReadRecord::text).collect();
    assert_eq!(told, expected(&job));
}

#[test]
fn what_is_kept_for_a_time_outlives_restarts() {
    run_for_each(&[]);
}

#[test]
fn what_is_kept_for_a_time_is_restored_from_changelogs() {
    // As seldom as that, since the instance of before is a member of the group for 10 s more.
    run_for_each(&[4, 9, 13]);
}
