//! `embedded-kafka`: the broker as a process, for development and tests with clients in any language.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use streams_broker::{EmbeddedKafka, Error, Fault};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A Kafka broker in memory, for development and tests. Everything is lost when it ends.
///
/// Prints the address that it listens on, and serves until Ctrl-C or SIGTERM. There is no access control: keep it on the
/// loopback address.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: String,

    /// Address that clients are told to connect to, as Apache Kafka's advertised.listeners; port 0 is the one listened on.
    /// Where none is given, it is the address listened on, and 127.0.0.1 where that is 0.0.0.0.
    #[arg(long, value_name = "HOST:PORT")]
    advertised_listener: Option<String>,

    /// A topic that is there from the start, with configurations if it has any; may be repeated.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS[:CONFIG=VALUE]…", value_parser = topic)]
    topics: Vec<Topic>,

    /// The most bytes of records that are kept, in all partitions together; a batch above it is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_log_bytes: usize,

    /// The most partitions that all topics have together; a topic that would bring more is refused.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    max_partitions: usize,

    /// About how many bytes groups, offsets and transactional ids take; what would bring more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    max_coordinator_bytes: usize,

    /// The most bytes of one batch's records when they are decompressed; a batch above it is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    max_decompressed_bytes: usize,

    /// How long the markers of an ended transaction keep clients waiting; Apache Kafka takes 1 to 25.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    marker_delay: u64,

    /// A broker setting under Apache Kafka's name; may be repeated. An unknown one is an error that lists what there is.
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,

    /// Something that goes wrong; may be repeated. First what: fail=ERROR, delay=MILLISECONDS, delay-answer=MILLISECONDS,
    /// cut-before or cut-after (the request takes effect). Then with which requests, all of them if nothing is said:
    /// api=KIND, client-id=ID, topic=NAME, group=ID, transactional-id=ID; and of these nth=N, first=N, after=N, or one-in=N
    /// by chance (the same ones in each run; seed=N for others). Where an answer has two places for an error, level=answer
    /// is the answer as a whole, and level=parts its topics, partitions or members.
    #[arg(long = "fault", value_name = "WHAT[,WHICH]…")]
    faults: Vec<Fault>,
}

const EXAMPLES: &str = "Examples:
  embedded-kafka --topic input:4 --topic output:4
  embedded-kafka --topic table:4:cleanup.policy=compact:segment.ms=1000
  embedded-kafka --listen 127.0.0.1:0 --setting auto.create.topics.enable=false
  embedded-kafka --listen 0.0.0.0:9092 --advertised-listener host.docker.internal:9092   for clients in containers
  embedded-kafka --fault cut-after,api=EndTxn,nth=2   the second commit's answer is lost
  embedded-kafka --fault fail=NOT_LEADER_OR_FOLLOWER,api=Produce,topic=input,one-in=10
  embedded-kafka --fault fail=FETCH_SESSION_ID_NOT_FOUND,api=Fetch,level=answer,nth=3
  RUST_LOG=streams_broker=trace embedded-kafka        every request, on standard error
  kcat -b 127.0.0.1:9092 -L                           look on";

/// A topic as it is told on the command line.
#[derive(Debug, Clone)]
struct Topic {
    name: String,
    partitions: i32,
    configs: Vec<(String, String)>,
}

fn topic(argument: &str) -> Result<Topic, String> {
    let mut parts = argument.split(':');
    let name = parts.next().unwrap_or_default().to_owned();
    let partitions = parts.next().unwrap_or("1");
    let partitions = partitions
        .parse()
        .map_err(|_| format!("{partitions:?} is not a number of partitions"))?;
    Ok(Topic {
        name,
        partitions,
        configs: parts.map(setting).collect::<Result<_, _>>()?,
    })
}

fn setting(argument: &str) -> Result<(String, String), String> {
    let (name, value) = argument
        .split_once('=')
        .ok_or("a setting is written name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn start(arguments: Arguments) -> Result<EmbeddedKafka, Error> {
    let mut builder = EmbeddedKafka::builder()
        .listen(arguments.listen)
        .max_log_bytes(arguments.max_log_bytes)
        .max_partitions(arguments.max_partitions)
        .max_coordinator_bytes(arguments.max_coordinator_bytes)
        .max_decompressed_bytes(arguments.max_decompressed_bytes)
        .marker_delay(Duration::from_millis(arguments.marker_delay))
        // Nobody in this process asks what clients did: `RUST_LOG` tells it.
        .max_traffic_bytes(0);
    if let Some(address) = arguments.advertised_listener {
        builder = builder.advertised_listener(address);
    }
    for topic in arguments.topics {
        builder = builder.topic_with_configs(topic.name, topic.partitions, topic.configs);
    }
    for (name, value) in arguments.settings {
        builder = builder.setting(name, value);
    }
    for fault in arguments.faults {
        builder = builder.fault(fault);
    }
    builder.start()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("embedded-kafka: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until Ctrl-C or SIGTERM. Both are listened for before the address is told: whoever reads it may send them.
async fn serve(arguments: Arguments) -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|e| format!("signals cannot be received: {e}"));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let kafka = start(arguments).map_err(|e| e.to_string())?;
    let (listening, told) = (kafka.local_addr().to_string(), kafka.bootstrap_servers());
    let advertised = if listening == told {
        String::new()
    } else {
        format!(" and tells clients {told}")
    };
    println!(
        "embedded-kafka listens on {listening}{advertised} (development and tests only; data are in memory)"
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    kafka.shutdown();
    Ok(())
}
