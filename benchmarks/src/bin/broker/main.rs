//! EmbeddedKafka against Apache Kafka, each in a process of its own, with the same clients in the same run.
//!
//! ```text
//! cargo run --release -p streams-benchmarks --bin broker            # both; needs java and mvn
//! cargo run --release -p streams-benchmarks --bin broker -- --only embedded
//! ```
#![expect(
    clippy::indexing_slicing,
    reason = "a benchmark may fail where an answer is not as it should be"
)]

mod footprint;
mod round_trip;
mod throughput;
mod wire;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::{Parser, Subcommand, ValueEnum};
use streams_broker::EmbeddedKafka;
use streams_tests::TestCluster;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tests run a JVM that compiles little, so that it starts soon; here it shall be fast.
const APACHE: [(&str, &str); 2] = [
    ("TEST_KAFKA", "jvm"),
    ("_JAVA_OPTIONS", "-XX:TieredStopAtLevel=4"),
];

/// Speed and footprint of brokers.
#[derive(Parser)]
struct Arguments {
    /// One broker instead of both.
    #[arg(long)]
    only: Option<Kind>,
    /// Records of 100 bytes that are written and read.
    #[arg(long, default_value_t = 2_000_000)]
    records: usize,
    /// How often each is measured; they take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Embedded,
    Apache,
}

/// A process of its own; started by this program.
#[derive(Subcommand)]
enum Part {
    /// Serves until its standard input ends.
    #[command(hide = true)]
    Serve,
    /// Measures the cluster that the environment names.
    #[command(hide = true)]
    Measure {
        /// The broker's process, if it isn't a child of this one.
        #[arg(long)]
        broker: Option<u32>,
    },
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Serve) => return serve(),
        Some(Part::Measure { broker }) => return measure(&arguments, broker),
        None => {}
    }
    if arguments.only != Some(Kind::Apache) {
        println!("embedded  start to first answer  {}", footprint::start()?);
        let (server, output) = spawn(&["serve"], &[])?;
        let mut server = server;
        footprint::warm_up(&read_line(output)?)?;
        println!(
            "embedded  idle                   {}",
            footprint::idle(server.id())?
        );
        drop(server.stdin.take());
        server.wait()?;
    }
    for _ in 0..arguments.rounds {
        if arguments.only != Some(Kind::Apache) {
            measure_embedded(&arguments)?;
        }
        if arguments.only != Some(Kind::Embedded) {
            measured("apache  ", &arguments, &APACHE, &[])?;
        }
    }
    Ok(())
}

fn measure_embedded(arguments: &Arguments) -> Result<(), Failure> {
    let (mut server, output) = spawn(&["serve"], &[])?;
    let address = read_line(output)?;
    let process = server.id().to_string();
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", &*address)];
    measured("embedded", arguments, &variables, &["--broker", &process])?;
    println!(
        "embedded  broker used            {}",
        footprint::used(server.id())?
    );
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}

/// Measures in a process of its own, so that the brokers' clients share nothing.
fn measured(
    name: &str,
    arguments: &Arguments,
    variables: &[(&str, &str)],
    more: &[&str],
) -> Result<(), Failure> {
    let records = arguments.records.to_string();
    let command = [&["--records", &records, "measure"], more].concat();
    let (mut child, output) = spawn(&command, variables)?;
    for line in BufReader::new(output).lines() {
        println!("{name}  {}", line?);
    }
    if child.wait()?.success() {
        Ok(())
    } else {
        Err(format!("the measurement of {name} failed").into())
    }
}

fn spawn(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(Child, ChildStdout), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("a pipe from the child")?;
    Ok((child, output))
}

fn read_line(output: ChildStdout) -> Result<String, Failure> {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn serve() -> Result<(), Failure> {
    let kafka = EmbeddedKafka::start()?;
    println!("{}", kafka.bootstrap_servers());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn measure(arguments: &Arguments, broker: Option<u32>) -> Result<(), Failure> {
    let cluster = TestCluster::start();
    let brokers = match broker {
        Some(process) => vec![process],
        None => footprint::descendants(std::process::id())?,
    };
    // The JVM compiles what is hot.
    throughput::plain(&cluster, arguments.records / 10)?;
    let cost = Cost::from_now(&brokers, arguments.records)?;
    let plain = throughput::plain(&cluster, arguments.records)?;
    println!("plain                  {plain}; {}", cost.so_far()?);
    let alone = throughput::reading(&cluster, arguments.records)?;
    println!("plain, from the start  {alone}");
    let cost = Cost::from_now(&brokers, arguments.records)?;
    let transactions = throughput::transactions(&cluster, arguments.records)?;
    println!("transactions of 10,000 {transactions}; {}", cost.so_far()?);
    println!(
        "begin, 1 record, commit {}",
        round_trip::transactions(&cluster)?
    );
    Ok(())
}

/// What a measurement costs the broker and its clients: steadier than its time where others use the machine.
struct Cost<'a> {
    brokers: &'a [u32],
    broker_before: f64,
    clients_before: f64,
    millions: f64,
}

impl<'a> Cost<'a> {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    fn from_now(brokers: &'a [u32], records: usize) -> Result<Self, Failure> {
        Ok(Self {
            brokers,
            broker_before: seconds(brokers)?,
            clients_before: seconds(&[std::process::id()])?,
            millions: records as f64 / 1e6,
        })
    }

    fn so_far(&self) -> Result<String, Failure> {
        let broker = (seconds(self.brokers)? - self.broker_before) / self.millions;
        let clients = (seconds(&[std::process::id()])? - self.clients_before) / self.millions;
        Ok(format!(
            "CPU s a million: broker {broker:.2}, clients {clients:.2}"
        ))
    }
}

fn seconds(processes: &[u32]) -> Result<f64, Failure> {
    processes
        .iter()
        .map(|process| footprint::cpu_seconds(*process))
        .sum()
}
