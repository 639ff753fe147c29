//! `embedded-kafka`: the broker as a process, for development and tests with clients in any language.

use std::process::ExitCode;

use clap::Parser;
use streams_broker::{EmbeddedKafka, Error};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A Kafka broker in memory, for development and tests. Everything is lost when it ends.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: String,

    /// A topic that is there from the start; may be repeated.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    topics: Vec<(String, i32)>,

    /// A broker setting under Apache Kafka's name; may be repeated.
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn topic(argument: &str) -> Result<(String, i32), String> {
    let (name, partitions) = argument.rsplit_once(':').unwrap_or((argument, "1"));
    let partitions = partitions
        .parse()
        .map_err(|_| format!("{partitions:?} is not a number of partitions"))?;
    Ok((name.to_owned(), partitions))
}

fn setting(argument: &str) -> Result<(String, String), String> {
    let (name, value) = argument
        .split_once('=')
        .ok_or("a setting is written name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn start(arguments: Arguments) -> Result<EmbeddedKafka, Error> {
    let mut builder = EmbeddedKafka::builder().listen(arguments.listen);
    for (name, partitions) in arguments.topics {
        builder = builder.topic(name, partitions);
    }
    for (name, value) in arguments.settings {
        builder = builder.setting(name, value);
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
    println!(
        "embedded-kafka listens on {} (development and tests only; data are in memory)",
        kafka.bootstrap_servers()
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    kafka.shutdown();
    Ok(())
}
