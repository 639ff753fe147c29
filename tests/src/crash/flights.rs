//! The example `flight_delays` under blows: made-up flights, and a recount of what is told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rdkafka::producer::BaseRecord;

use crate::{CopyJob, Random, ReadRecord, Sender, TestCluster};

const APPLICATION_ID: &str = "flight-delays";
const FLIGHTS: &str = "flights";
const AIRLINES: &str = "airlines";
const AIRPORTS: &str = "airports";
const WEATHER: &str = "weather";
const LATE_FLIGHTS: &str = "late-flights";
const DELAY_BY_ORIGIN: &str = "delay-by-origin";
const DELAY_BY_WEATHER: &str = "delay-by-weather";
const REJECTED: &str = "flights.rejected";

const ORIGINS: [&str; 3] = ["EWR", "JFK", "LGA"];
const HOURS: u64 = 40;
const CARRIERS: u64 = 12;
/// One of so many rows is no flight.
const REJECTED_ONE_OF: u64 = 50;
/// In minutes: a flight is late beyond it.
const LATE_AFTER: i64 = 15;

/// How long the job may take over the tables, before the flights come.
const TABLES_DEADLINE: Duration = Duration::from_secs(60);

/// The job with its topics, whose tables are there: what is joined with them later finds its row.
#[track_caller]
pub(super) fn job<'a>(cluster: &'a TestCluster, program: &'a Path, partitions: i32) -> CopyJob<'a> {
    for topic in [
        FLIGHTS,
        AIRLINES,
        AIRPORTS,
        WEATHER,
        LATE_FLIGHTS,
        DELAY_BY_ORIGIN,
        DELAY_BY_WEATHER,
        REJECTED,
    ] {
        let created = cluster.create_topic(topic, partitions);
        created.unwrap_or_else(|code| panic!("topic {topic} was not created: {code}"));
    }
    let sender = Sender::new(cluster, &[]);
    for carrier in 0..CARRIERS {
        let (carrier, name) = (format!("C{carrier}"), format!("Airline {carrier}"));
        sender.send(BaseRecord::to(AIRLINES).key(&carrier).payload(&name));
    }
    for origin in ORIGINS {
        sender.send(BaseRecord::to(AIRPORTS).key(origin).payload(origin));
    }
    for (hour, origin) in (0..HOURS).flat_map(|hour| ORIGINS.map(|origin| (hour, origin))) {
        let (key, sky) = (format!("{origin} h{hour}"), sky(origin, hour));
        sender.send(BaseRecord::to(WEATHER).key(&key).payload(&sky));
    }
    sender.flush();
    let names = [FLIGHTS, LATE_FLIGHTS, APPLICATION_ID].map(str::to_owned);
    let job = CopyJob::named(cluster, program, names);
    job.start(0, &["--until-latest"]).succeed(TABLES_DEADLINE);
    job
}

fn sky(origin: &str, hour: u64) -> String {
    let number = hour + ORIGINS.iter().position(|o| *o == origin).unwrap_or(0) as u64;
    format!("sky {}", number % 4)
}

/// Writes a row as the example reads it: 19 columns, of which it looks at the delay, the origin and the hour.
pub(super) fn send(sender: &Sender, input: &str, number: usize, random: &mut Random) {
    let carrier = format!("C{}", random.between(0, CARRIERS - 1));
    let row = if random.between(1, REJECTED_ONE_OF) == 1 {
        format!("no flight,{number}")
    } else {
        let delay = match random.between(0, 9) {
            0 => "NA".to_owned(),
            _ => (random.between(0, 70) as i64 - 20).to_string(),
        };
        let origin = usize::try_from(random.between(0, 2)).unwrap_or(0);
        let origin = ORIGINS.get(origin).copied().unwrap_or("EWR");
        let hour = random.between(0, HOURS - 1);
        format!(",,,,,{delay},,,,{carrier},{number},,{origin},,,,,,h{hour}")
    };
    sender.send(BaseRecord::to(input).key(&carrier).payload(&row));
}

/// How many flights, and how many minutes late in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Delay {
    flights: i64,
    minutes: i64,
}

/// What has to have come out.
#[derive(Default)]
struct Expected {
    late: BTreeMap<String, i64>,
    by_origin: BTreeMap<String, Delay>,
    by_sky: BTreeMap<String, Delay>,
    /// The delays at an airport, in the order of their size.
    delays: BTreeMap<String, Vec<i64>>,
    rejected: BTreeSet<Vec<u8>>,
}

impl Expected {
    fn of(flights: &[ReadRecord]) -> Expected {
        let mut expected = Expected::default();
        for record in flights {
            let columns: Vec<&str> = record.text().split(',').collect();
            let column = |number: usize| columns.get(number).copied().unwrap_or_default();
            if columns.len() != 19 {
                expected
                    .rejected
                    .insert(record.value.clone().unwrap_or_default());
                continue;
            }
            let Ok(minutes) = column(5).parse::<i64>() else {
                continue;
            };
            let (carrier, origin) = (column(9), column(12));
            let hour = column(18).trim_start_matches('h').parse();
            let sky = sky(origin, hour.expect("an hour"));
            if minutes > LATE_AFTER {
                *expected.late.entry(carrier.to_owned()).or_default() += 1;
            }
            for delay in [
                expected.by_origin.entry(origin.to_owned()).or_default(),
                expected.by_sky.entry(sky).or_default(),
            ] {
                delay.flights += 1;
                delay.minutes += minutes;
            }
            let delays = expected.delays.entry(origin.to_owned()).or_default();
            delays.push(minutes);
        }
        for delays in expected.delays.values_mut() {
            delays.sort_unstable();
        }
        expected
    }
}

/// The values of each key in the order in which they were written, as the numbers that they hold.
fn histories<T>(
    records: &[ReadRecord],
    read: impl Fn(&serde_json::Value) -> T,
) -> BTreeMap<String, Vec<T>> {
    let mut histories: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for record in records {
        let key = String::from_utf8(record.key.clone().unwrap_or_default()).expect("a key");
        let value: serde_json::Value = serde_json::from_str(record.text()).expect("JSON");
        histories.entry(key).or_default().push(read(&value));
    }
    histories
}

fn flights_of(value: &serde_json::Value) -> i64 {
    value
        .get("flights")
        .and_then(serde_json::Value::as_i64)
        .expect("flights")
}

fn delay_of(value: &serde_json::Value) -> Delay {
    Delay {
        flights: flights_of(value),
        minutes: value
            .get("minutes")
            .and_then(serde_json::Value::as_i64)
            .expect("minutes"),
    }
}

fn last_delays(records: &[ReadRecord]) -> BTreeMap<String, Delay> {
    let histories = histories(records, delay_of).into_iter();
    histories
        .filter_map(|(key, history)| Some((key, *history.last()?)))
        .collect()
}

/// Whether the last tables have what has to be in them, or too much.
pub(super) fn is_worked_off(cluster: &TestCluster) -> bool {
    let expected = Expected::of(&cluster.read_committed(FLIGHTS));
    let flights = |delays: BTreeMap<String, Delay>| delays.values().map(|d| d.flights).sum::<i64>();
    let reached = |topic| flights(last_delays(&cluster.read_committed(topic)));
    reached(DELAY_BY_WEATHER) >= flights(expected.by_sky)
        && reached(DELAY_BY_ORIGIN) >= flights(expected.by_origin)
}

/// Recounts all that the job tells from the flights.
#[track_caller]
pub(super) fn judge(cluster: &TestCluster) {
    let expected = Expected::of(&cluster.read_committed(FLIGHTS));

    // Each late flight of an airline is told once and in order.
    let late = histories(&cluster.read_committed(LATE_FLIGHTS), flights_of);
    let counted = expected
        .late
        .iter()
        .map(|(carrier, flights)| (carrier.clone(), (1..=*flights).collect()));
    assert_eq!(late, counted.collect(), "late flights");

    // At an airport each update adds one flight, and its delay is one of those that are there.
    let origins = cluster.read_committed(DELAY_BY_ORIGIN);
    for (origin, history) in histories(&origins, delay_of) {
        let before = std::iter::once(Delay::default()).chain(history.iter().copied());
        let steps = before.zip(&history);
        let mut delays: Vec<i64> = steps
            .map(|(before, after)| {
                assert_eq!(before.flights + 1, after.flights, "flights from {origin}");
                after.minutes - before.minutes
            })
            .collect();
        delays.sort_unstable();
        assert_eq!(
            Some(&delays),
            expected.delays.get(&origin),
            "delays at {origin}"
        );
    }
    assert_eq!(last_delays(&origins), expected.by_origin);

    // An hour's delay is taken from its weather and added again, changed: a doubled or lost step would stay in the sum.
    let skies = cluster.read_committed(DELAY_BY_WEATHER);
    assert_eq!(last_delays(&skies), expected.by_sky);

    // The changelogs agree with what is told.
    for (store, told) in [
        ("by_origin", &expected.by_origin),
        ("by_weather", &expected.by_sky),
    ] {
        let changelog = format!("{APPLICATION_ID}-{store}-changelog");
        let kept = last_delays(&cluster.read_committed(&changelog));
        assert_eq!(kept, *told, "{changelog}");
    }

    // What is no flight is a dead letter once.
    let rejected = cluster.read_committed(REJECTED);
    let values: BTreeSet<Vec<u8>> = rejected.iter().filter_map(|r| r.value.clone()).collect();
    assert_eq!(values, expected.rejected, "dead letters");
    assert_eq!(
        rejected.len(),
        expected.rejected.len(),
        "dead letters, each once"
    );
}
