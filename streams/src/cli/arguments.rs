//! The command line: every attribute of `#[topology]` under its own name.

use crate::config::{ErrorPolicy, Guarantee, JobConfig, OffsetReset, StateBackend};
use crate::runtime::Properties;
use crate::topology::Topology;
use crate::{Error, Result};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::fmt::Display;
use std::num::{IntErrorKind, ParseIntError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stream processing job on Apache Kafka.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

impl Arguments {
    /// The command; without one, `run`.
    pub(super) fn command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the job (the default). Ctrl-C ends it with a last checkpoint.
    Run(RunArguments),
    /// Prints the topology.
    Describe {
        /// How.
        #[arg(long, value_enum, default_value_t = DescribeFormat::Text)]
        format: DescribeFormat,
    },
    /// Validates the job against the cluster, without running it: topics, settings, permissions.
    Check(Deployment),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum DescribeFormat {
    Text,
    Mermaid,
    Dot,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// End by itself once everything that was in the source topics at the start is committed.
    #[arg(long)]
    until_latest: bool,
    /// Fills a topic of the embedded Kafka with the lines of a file, in place of those that the program has of its own; may be
    /// repeated for further topics.
    #[arg(long, value_name = "TOPIC=FILE", value_parser = topic_and_file)]
    pub(super) lines: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub(super) deployment: Deployment,
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Not at all.
    WhenStopped,
    /// Once everything that was in the source topics at the start is committed.
    UntilLatest,
}

impl RunArguments {
    pub(super) fn end(&self) -> End {
        match self.until_latest {
            true => End::UntilLatest,
            false => End::WhenStopped,
        }
    }
}

/// Where the job runs, and what this deployment overrides of the topology's attributes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Deployment {
    /// The Kafka cluster, as HOST:PORT[,HOST:PORT…]. Without it `run` starts an embedded Kafka, if the program has one,
    /// whose data is gone when it ends.
    #[arg(long, value_name = "HOST:PORT", value_parser = servers)]
    bootstrap_servers: Option<String>,
    /// Any librdkafka property, such as `security.protocol=SASL_SSL`; may be repeated, and wins over the file.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// A file of librdkafka properties, one `key=value` a line.
    #[arg(long, value_name = "FILE")]
    properties_file: Option<PathBuf>,
    /// Where this instance keeps its id and its state, locked while it runs; each instance on a machine needs its own. Default:
    /// `streams/<application-id>` below the system's directory for temporary files.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The consumer group, and the start of internal names.
    #[arg(long, value_name = "NAME")]
    application_id: Option<String>,
    /// `exactly_once` or `at_least_once`.
    #[arg(long, value_name = "GUARANTEE")]
    guarantee: Option<Guarantee>,
    /// The time between checkpoints, such as 200ms, 10s, 1min.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    checkpoint_interval: Option<Duration>,
    /// The start of each transactional id.
    #[arg(long, value_name = "PREFIX")]
    transactional_id_prefix: Option<String>,
    /// After how long the brokers abort a transaction.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    transaction_timeout: Option<Duration>,
    /// The longest transaction timeout that the brokers are configured to accept.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    broker_transaction_max_timeout: Option<Duration>,
    /// How many stream threads this process runs.
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    stream_threads: Option<usize>,
    /// Where a partition without a committed offset begins: `earliest`, `latest` or `none`.
    #[arg(long, value_name = "WHERE")]
    offset_reset: Option<OffsetReset>,
    /// Where state is kept: `disk` or `memory`.
    #[arg(long, value_name = "WHERE")]
    state_backend: Option<StateBackend>,
    /// How many bytes a process holds of updates of tables, which are then sent on once a checkpoint; 0 for none.
    #[arg(long, value_name = "BYTES", value_parser = count, allow_negative_numbers = true)]
    statestore_cache_max_bytes: Option<usize>,
    /// How many bytes of state a stream thread may change before it takes a checkpoint early.
    #[arg(long, value_name = "BYTES", value_parser = count, allow_negative_numbers = true)]
    uncommitted_state_bytes: Option<usize>,
    /// What becomes of a record that cannot be read: `fail`, `skip` or `dead_letter(topic)`.
    #[arg(long, value_name = "POLICY")]
    on_deserialize_error: Option<ErrorPolicy>,
    /// What becomes of a record for which user code fails: `fail`, `skip` or `dead_letter(topic)`.
    #[arg(long, value_name = "POLICY")]
    on_process_error: Option<ErrorPolicy>,
    /// What becomes of a record whose output cannot be written: `fail`, `skip` or `dead_letter(topic)`.
    #[arg(long, value_name = "POLICY")]
    on_produce_error: Option<ErrorPolicy>,
}

impl Deployment {
    /// Whether `topology` can run so, as far as the arguments alone can tell: what the topology itself has wrong is no fault
    /// of theirs, nor is what a file says.
    pub(super) fn check(
        &self,
        program: &str,
        topology: &Topology,
    ) -> std::result::Result<(), clap::Error> {
        let wrong = |error| wrong(program, error);
        self.set_flags(&mut Properties::default()).map_err(wrong)?;
        if topology.check().is_err() {
            return Ok(());
        }
        let mut config = topology.config().clone();
        self.override_config(&mut config);
        topology.clone().with_config(config).check().map_err(wrong)
    }

    /// Whether it says where the cluster is: by the flag, by a property, or in the file.
    pub(super) fn names_a_cluster(&self) -> Result<bool> {
        Ok(!self.given_properties()?.bootstrap_servers().is_empty())
    }

    pub(super) fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }

    /// The same deployment on the embedded Kafka at `bootstrap_servers`: state of a cluster that will be gone is kept in
    /// memory, unless something else is said.
    #[cfg(feature = "embedded")]
    pub(super) fn on(&self, bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: Some(bootstrap_servers.to_owned()),
            state_backend: self.state_backend.or(Some(StateBackend::Memory)),
            ..self.clone()
        }
    }

    /// The client properties: the file's, then the flags'.
    pub(super) fn properties(&self) -> Result<Properties> {
        let properties = self.given_properties()?;
        if properties.bootstrap_servers().is_empty() {
            return Err(Error::Configuration(
                "where is Kafka? `--bootstrap-servers HOST:PORT` says it".into(),
            ));
        }
        Ok(properties)
    }

    fn given_properties(&self) -> Result<Properties> {
        let mut properties = Properties::default();
        if let Some(file) = &self.properties_file {
            properties.load(file)?;
        }
        self.set_flags(&mut properties)?;
        Ok(properties)
    }

    fn set_flags(&self, properties: &mut Properties) -> Result<()> {
        for (key, value) in &self.property {
            properties.set(key, value)?;
        }
        if let Some(servers) = &self.bootstrap_servers {
            properties.set("bootstrap.servers", servers)?;
        }
        Ok(())
    }

    /// The topology with what this deployment overrides, under the rules of the attributes.
    pub(super) fn apply(&self, topology: Topology) -> Result<Topology> {
        let mut config = topology.config().clone();
        if self.guarantee == Some(Guarantee::AtLeastOnce) {
            tell_ignored(&config);
        }
        self.override_config(&mut config);
        config
            .validate()
            .map_err(|broken| Error::Configuration(broken.join("\n")))?;
        Ok(topology.with_config(config))
    }

    fn override_config(&self, config: &mut JobConfig) {
        set(&mut config.application_id, &self.application_id);
        set(&mut config.guarantee, &self.guarantee);
        if self.guarantee == Some(Guarantee::AtLeastOnce) {
            ignore_transactional_attributes(config);
        }
        set_some(&mut config.checkpoint_interval, &self.checkpoint_interval);
        set_some(
            &mut config.transactional_id_prefix,
            &self.transactional_id_prefix,
        );
        set_some(&mut config.transaction_timeout, &self.transaction_timeout);
        set_some(
            &mut config.broker_transaction_max_timeout,
            &self.broker_transaction_max_timeout,
        );
        set(&mut config.stream_threads, &self.stream_threads);
        set(&mut config.offset_reset, &self.offset_reset);
        set(&mut config.state_backend, &self.state_backend);
        set(
            &mut config.statestore_cache_max_bytes,
            &self.statestore_cache_max_bytes,
        );
        set(
            &mut config.uncommitted_state_bytes,
            &self.uncommitted_state_bytes,
        );
        set(&mut config.on_error.deserialize, &self.on_deserialize_error);
        set(&mut config.on_error.process, &self.on_process_error);
        set(&mut config.on_error.produce, &self.on_produce_error);
    }
}

/// What is said of wrong arguments, which end the process with exit code 2.
pub(super) fn wrong(program: &str, error: impl Display) -> clap::Error {
    let mut command = <Arguments as CommandFactory>::command().bin_name(program);
    command.error(ErrorKind::ValueValidation, error)
}

/// A deployment without transactions has no use for what the topology says of them. What the deployment itself says of them
/// beside that is a mistake, and stays one.
fn ignore_transactional_attributes(config: &mut JobConfig) {
    config.transactional_id_prefix = None;
    config.transaction_timeout = None;
    config.broker_transaction_max_timeout = None;
}

fn tell_ignored(config: &JobConfig) {
    let said = [
        (
            "transactional_id_prefix",
            config.transactional_id_prefix.is_some(),
        ),
        ("transaction_timeout", config.transaction_timeout.is_some()),
        (
            "broker_transaction_max_timeout",
            config.broker_transaction_max_timeout.is_some(),
        ),
    ];
    for (attribute, _) in said.iter().filter(|(_, said)| *said) {
        tracing::warn!(
            "the attribute `{attribute}` is ignored: `--guarantee at_least_once` means no transactions"
        );
    }
}

fn set<T: Clone>(value: &mut T, by: &Option<T>) {
    if let Some(by) = by {
        value.clone_from(by);
    }
}

fn set_some<T: Clone>(value: &mut Option<T>, by: &Option<T>) {
    if by.is_some() {
        value.clone_from(by);
    }
}

fn key_value(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected `key=value`")?;
    let key = key.trim();
    if key == "bootstrap.servers" {
        servers(value)?;
    }
    // A password may begin or end in blanks.
    Ok((key.to_owned(), value.to_owned()))
}

/// An empty list, as of a variable that is not set, must not be taken for none: that would start an embedded Kafka.
fn servers(text: &str) -> std::result::Result<String, String> {
    match text.split(',').all(|server| server.trim().is_empty()) {
        true => Err("it names no broker; write `HOST:PORT`, or leave it out".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn topic_and_file(text: &str) -> std::result::Result<(String, PathBuf), String> {
    let (topic, file) = text.split_once('=').ok_or("expected `topic=file`")?;
    Ok((topic.to_owned(), file.into()))
}

fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(
        |error: ParseIntError| match (text.strip_prefix('-'), error.kind()) {
            (Some(_), _) => "it is a count, which cannot be negative".to_owned(),
            (None, IntErrorKind::PosOverflow) => {
                format!("it is too large; the largest count is {}", usize::MAX)
            }
            _ => "it is a count; write a whole number".to_owned(),
        },
    )
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    crate::rules::parse_duration(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(arguments: &[&str]) -> Command {
        let all = std::iter::once("job").chain(arguments.iter().copied());
        Arguments::try_parse_from(all).unwrap().command()
    }

    fn deployment(arguments: &[&str]) -> Deployment {
        match parse(arguments) {
            Command::Run(run) => run.deployment,
            Command::Check(deployment) => deployment,
            Command::Describe { .. } => Deployment::default(),
        }
    }

    #[test]
    fn without_a_command_it_runs() {
        assert!(matches!(parse(&[]), Command::Run(_)));
        assert!(matches!(
            parse(&["--until-latest"]),
            Command::Run(RunArguments {
                until_latest: true,
                ..
            })
        ));
        assert!(matches!(
            parse(&["run", "--until-latest"]),
            Command::Run(RunArguments {
                until_latest: true,
                ..
            })
        ));
    }

    #[test]
    fn a_flag_overrides_its_attribute() {
        let mut config = JobConfig::new("job");
        deployment(&[
            "run",
            "--checkpoint-interval",
            "200ms",
            "--stream-threads",
            "2",
            "--statestore-cache-max-bytes",
            "4096",
        ])
        .override_config(&mut config);
        assert_eq!(config.checkpoint_interval(), Duration::from_millis(200));
        assert_eq!(config.stream_threads, 2);
        assert_eq!(config.statestore_cache_max_bytes, 4_096);
    }

    #[test]
    fn at_least_once_ignores_the_transactional_attributes_but_not_such_flags() {
        let mut config = JobConfig::new("job");
        config.transactional_id_prefix = Some("prefix".into());
        config.transaction_timeout = Some(Duration::from_secs(60));
        let mut overridden = config.clone();
        deployment(&["run", "--guarantee", "at_least_once"]).override_config(&mut overridden);
        overridden.validate().unwrap();
        assert_eq!(overridden.transactional_id_prefix, None);
        let flags = [
            "run",
            "--guarantee",
            "at_least_once",
            "--transaction-timeout",
            "30s",
        ];
        deployment(&flags).override_config(&mut config);
        let broken = config.validate().unwrap_err();
        assert_eq!(broken.len(), 1);
        assert!(
            broken.iter().any(|b| b.contains("transaction_timeout")),
            "{broken:?}"
        );
    }

    #[test]
    fn a_flag_wins_over_a_property_and_a_property_over_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"bootstrap.servers=c:3\n").unwrap();
        let path = file.path().to_str().unwrap();
        let servers = |arguments: &[&str]| {
            let arguments = [&["run", "--properties-file", path], arguments].concat();
            let deployment = deployment(&arguments);
            assert!(deployment.names_a_cluster().unwrap());
            let properties = deployment.properties().unwrap();
            properties.bootstrap_servers().to_owned()
        };
        let (flag, property) = (
            ["--bootstrap-servers", "a:1"],
            ["--property", "bootstrap.servers=b:2"],
        );
        assert_eq!(servers(&[]), "c:3");
        assert_eq!(servers(&property), "b:2");
        assert_eq!(servers(&[flag, property].concat()), "a:1");
        assert!(!deployment(&["run"]).names_a_cluster().unwrap());
    }

    #[test]
    fn the_value_of_a_property_keeps_its_blanks() {
        let deployment = deployment(&["run", "--property", " sasl.password = secret "]);
        let expected = ("sasl.password".to_owned(), " secret ".to_owned());
        assert_eq!(deployment.property, [expected]);
    }

    #[test]
    fn a_topology_that_is_wrong_by_itself_is_no_fault_of_the_arguments() {
        let topology = |threads: usize| {
            let builder = crate::TopologyBuilder::new("job");
            builder.stream_threads(threads);
            builder.stream::<crate::Keyless, str>("in").to("out");
            builder.build()
        };
        let threads = deployment(&["run", "--stream-threads", "0"]);
        let error = threads.check("job", &topology(1)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains("`stream_threads` is 0"), "{error}");
        deployment(&["run"]).check("job", &topology(0)).unwrap();
    }

    #[test]
    fn a_property_needs_a_value() {
        let arguments = ["job", "run", "--property", "x"];
        let error = Arguments::try_parse_from(arguments)
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected `key=value`"), "{error}");
    }
}
