//! Delays of the flights that left New York in January 2013: by airline, by airport, and by the weather.
//!
//! `cargo run --example flight_delays` starts an embedded Kafka, fills it with the flights, runs the job on it and prints what
//! came out. `cargo run --example flight_delays -- run --bootstrap-servers HOST:PORT` runs it on a cluster.
//! `-- --lines flights=flights.csv` takes another file of the same columns, such as that of the whole year, and
//! `--lines weather=weather.csv` the weather of it.

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::time::Duration;
use streams::prelude::*;
use streams::serde::SerdeError;
use streams::testing::RawRecord;

/// A flight, as far as it matters here.
#[derive(Clone, Serialize, Deserialize, Json)]
struct Flight {
    origin: String,
    /// The hour in which it was to leave.
    hour: String,
    /// In minutes; none where it never left.
    delay: Option<i64>,
}

/// How many flights left, and how many minutes late they were in all.
#[derive(Clone, Default, Serialize, Deserialize, Json)]
struct Delay {
    flights: i64,
    minutes: i64,
}

impl Delay {
    fn and(&self, other: &Delay) -> Delay {
        Delay {
            flights: self.flights + other.flights,
            minutes: self.minutes + other.minutes,
        }
    }

    fn without(&self, other: &Delay) -> Delay {
        Delay {
            flights: self.flights - other.flights,
            minutes: self.minutes - other.minutes,
        }
    }

    fn with(&self, flight: &Flight) -> Delay {
        let minutes = flight.delay.unwrap_or_default();
        self.and(&Delay {
            flights: 1,
            minutes,
        })
    }

    /// In minutes a flight.
    fn average(&self) -> f64 {
        self.minutes as f64 / self.flights.max(1) as f64
    }
}

/// The delays of the flights from an airport.
#[derive(Clone, Serialize, Deserialize, Json)]
struct AirportDelay {
    airport: String,
    #[serde(flatten)]
    delay: Delay,
}

/// How many late flights an airline had.
#[derive(Clone, Serialize, Deserialize, Json)]
struct LateFlights {
    airline: String,
    flights: i64,
}

/// The flights of an hour at an airport, and its weather.
#[derive(Clone, Serialize, Deserialize, Json)]
struct Hour {
    sky: String,
    delay: Delay,
}

/// A row of the flights' file.
#[derive(Default)]
struct FlightRow;

impl Serde<Flight> for FlightRow {
    fn serialize(&self, _: &Flight, _: &mut Vec<u8>) -> Result<(), SerdeError> {
        Err(SerdeError::new("the flights' file is only read"))
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Flight, SerdeError> {
        let columns = columns(std::str::from_utf8(bytes)?);
        let &[
            _,
            _,
            _,
            _,
            _,
            delay,
            _,
            _,
            _,
            _,
            _,
            _,
            origin,
            _,
            _,
            _,
            _,
            _,
            hour,
        ] = columns.as_slice()
        else {
            return Err(SerdeError::new(format!(
                "a flight has 19 columns, none of them with a comma in it, found {}",
                columns.len()
            )));
        };
        let delay = match delay {
            "NA" => None,
            minutes => Some(minutes.parse()?),
        };
        Ok(Flight {
            origin: origin.to_owned(),
            hour: hour.to_owned(),
            delay,
        })
    }
}

/// Flights come keyed by airline, weather by airport and hour. What is no flight goes to `flights.rejected`.
#[topology(
    application_id = "flight-delays",
    checkpoint_interval = "1s",
    on_error(deserialize = dead_letter("flights.rejected"))
)]
#[sink(topic = "late-flights")]
#[sink(topic = "delay-by-origin")]
#[sink(topic = "delay-by-weather")]
fn flight_delays(
    #[source(topic = "flights", value = FlightRow)] flights: KStream<String, Flight>,
    #[table(topic = "airlines")] airlines: KTable<String, String>,
    #[table(topic = "airports")] airports: KTable<String, String>,
    #[table(topic = "weather")] weather: KTable<String, String>,
    late_after: Duration,
) -> (
    KTable<String, LateFlights>,
    KTable<String, AirportDelay>,
    KTable<String, Delay>,
) {
    let late_after = late_after.as_secs() as i64 / 60;
    let left = flights.filter(|_, flight| flight.delay.is_some());

    let late = left.filter(move |_, flight| flight.delay.is_some_and(|d| d > late_after));
    let late_by_airline = late.group_by_key().count();
    let late_flights = late_by_airline.join(&airlines, |flights, airline| LateFlights {
        airline: airline.clone(),
        flights: *flights,
    });

    let by_origin = left
        .group_by(|_, flight| flight.origin.clone())
        .aggregate(Delay::default, |_, flight, delay: Delay| delay.with(flight));
    let by_airport = by_origin.join(&airports, |delay, airport| AirportDelay {
        airport: airport.clone(),
        delay: delay.clone(),
    });

    let by_hour = left
        .group_by(|_, flight| format!("{} {}", flight.origin, flight.hour))
        .aggregate(Delay::default, |_, flight, delay: Delay| delay.with(flight));
    let hours = by_hour.join(&weather, |delay, sky| Hour {
        sky: sky.clone(),
        delay: delay.clone(),
    });
    let by_weather = hours
        .group_by(|_, hour| (hour.sky.clone(), hour.delay.clone()))
        .aggregate(
            Delay::default,
            |_, hour, total: Delay| total.and(hour),
            |_, hour, total: Delay| total.without(hour),
        );
    (late_flights, by_airport, by_weather)
}

/// A sample's file: compressed, with a line of names first.
fn rows(file: &[u8]) -> std::io::Result<Vec<String>> {
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    Ok(text.lines().skip(1).map(str::to_owned).collect())
}

/// Of a row of comma-separated values, which may be in quotes. No value of these files has a comma in it.
fn columns(row: &str) -> Vec<&str> {
    let columns = row.split(',');
    columns.map(|column| column.trim_matches('"')).collect()
}

fn record(key: &str, value: &str) -> RawRecord {
    RawRecord::new(Some(key.into()), Some(value.into()))
}

/// By carrier. The line with the columns' names is none.
fn flight(row: &str) -> Option<RawRecord> {
    let columns = columns(row);
    let carrier = columns.get(9).copied().unwrap_or("unknown");
    (carrier != "carrier").then(|| record(carrier, row))
}

fn airlines() -> Vec<RawRecord> {
    let rows = include_str!("data/airlines.csv").lines().skip(1);
    let pairs = rows.filter_map(|row| row.split_once(','));
    pairs.map(|(carrier, name)| record(carrier, name)).collect()
}

fn airports() -> std::io::Result<Vec<RawRecord>> {
    let rows = rows(include_bytes!("data/airports.csv.gz"))?;
    let airport = |row: &String| {
        let mut columns = row.split(',');
        Some(record(columns.next()?, columns.next()?))
    };
    Ok(rows.iter().filter_map(airport).collect())
}

/// By airport and hour: whether it rained, and how strong the wind was, in miles an hour. The line with the columns' names has
/// no numbers.
fn weather(row: &str) -> Option<RawRecord> {
    let columns = columns(row);
    let (origin, hour) = (columns.first()?, columns.get(14)?);
    let number = |column: usize| columns.get(column)?.parse::<f64>().ok();
    let rain = if number(11)? > 0.0 {
        "rain or snow"
    } else {
        "dry"
    };
    let wind = if number(9)? > 15.0 { "windy" } else { "calm" };
    Some(record(
        &format!("{origin} {hour}"),
        &format!("{rain}, {wind}"),
    ))
}

fn late_flights(mut airlines: Vec<(String, LateFlights)>) -> String {
    airlines.sort_by_key(|(_, late)| std::cmp::Reverse(late.flights));
    let line =
        |(_, late): &(String, LateFlights)| format!("{:>6}  {}\n", late.flights, late.airline);
    let lines: String = airlines.iter().map(line).collect();
    format!("Flights more than 15 minutes late, by airline\n{lines}")
}

fn line(of: &str, delay: &Delay) -> String {
    let (average, flights) = (delay.average(), delay.flights);
    format!("{average:>6.1} min  {of:<20} {flights:>6} flights\n")
}

fn airport_delays(airports: Vec<(String, AirportDelay)>) -> String {
    let line = |(_, from): &(String, AirportDelay)| line(&from.airport, &from.delay);
    let lines: String = airports.iter().map(line).collect();
    format!("Average delay, by airport\n{lines}")
}

fn weather_delays(skies: Vec<(String, Delay)>) -> String {
    let lines: String = skies.iter().map(|(sky, delay)| line(sky, delay)).collect();
    format!("Average delay, by the weather of the hour\n{lines}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let late_after = Duration::from_secs(15 * 60);
    let flights = rows(include_bytes!("data/flights-2013-01.csv.gz"))?;
    let hours = rows(include_bytes!("data/weather-2013-01.csv.gz"))?;
    streams::cli::Cli::new(flight_delays(late_after))
        .records("airlines", airlines())
        .records("airports", airports()?)
        .lines("weather", hours, weather)
        .lines("flights", flights, flight)
        .show("late-flights", late_flights)
        .show("delay-by-origin", airport_delays)
        .show("delay-by-weather", weather_delays)
        .run()
        .await?;
    Ok(())
}
