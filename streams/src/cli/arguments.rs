//! The command line: every attribute of `#[topology]` under its own name.

use crate::config::{ErrorPolicy, Guarantee, JobConfig, OffsetReset};
use crate::runtime::Properties;
use crate::topology::Topology;
use crate::{Error, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
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
    pub(super) until_latest: bool,
    #[command(flatten)]
    pub(super) deployment: Deployment,
}

/// Where the job runs, and what this deployment overrides of the topology's attributes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Deployment {
    /// The Kafka cluster, as HOST:PORT[,HOST:PORT…]. Without it `run` starts an embedded Kafka, if the program has one,
    /// whose data is gone when it ends.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
    /// Any librdkafka property, such as `security.protocol=SASL_SSL`; may be repeated, and wins over the file.
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    /// A file of librdkafka properties, one `key=value` a line.
    #[arg(long, value_name = "FILE")]
    properties_file: Option<PathBuf>,
    /// Where this instance keeps its id, locked while it runs; each instance on a machine needs its own. Default:
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
    #[arg(long, value_name = "N")]
    stream_threads: Option<usize>,
    /// Where a partition without a committed offset begins: `earliest`, `latest` or `none`.
    #[arg(long, value_name = "WHERE")]
    offset_reset: Option<OffsetReset>,
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
    /// Where the cluster is: by its flag, or by a property.
    pub(super) fn bootstrap_servers(&self) -> Option<&str> {
        let property = || {
            self.property
                .iter()
                .find_map(|p| p.strip_prefix("bootstrap.servers="))
        };
        self.bootstrap_servers.as_deref().or_else(property)
    }

    pub(super) fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }

    /// The same deployment on the cluster at `bootstrap_servers`.
    #[cfg(feature = "embedded")]
    pub(super) fn on(&self, bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: Some(bootstrap_servers.to_owned()),
            ..self.clone()
        }
    }

    /// The client properties: the file's, then the flags'.
    pub(super) fn properties(&self) -> Result<Properties> {
        let mut properties = Properties::default();
        if let Some(file) = &self.properties_file {
            properties.load(file)?;
        }
        for property in &self.property {
            let (key, value) = property.split_once('=').ok_or_else(|| {
                Error::Configuration(format!("`--property {property}`: expected `key=value`"))
            })?;
            properties.set(key.trim(), value.trim())?;
        }
        if let Some(servers) = &self.bootstrap_servers {
            properties.set("bootstrap.servers", servers)?;
        }
        if properties.bootstrap_servers().is_empty() {
            return Err(Error::Configuration(
                "where is Kafka? `--bootstrap-servers HOST:PORT` says it".into(),
            ));
        }
        Ok(properties)
    }

    /// The topology with what this deployment overrides, under the rules of the attributes.
    pub(super) fn apply(&self, topology: Topology) -> Result<Topology> {
        let mut config = topology.config().clone();
        self.override_config(&mut config);
        config
            .validate()
            .map_err(|broken| Error::Configuration(broken.join("\n")))?;
        Ok(topology.with_config(config))
    }

    fn override_config(&self, config: &mut JobConfig) {
        set(&mut config.application_id, &self.application_id);
        set(&mut config.guarantee, &self.guarantee);
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
        set(&mut config.on_error.deserialize, &self.on_deserialize_error);
        set(&mut config.on_error.process, &self.on_process_error);
        set(&mut config.on_error.produce, &self.on_produce_error);
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
        ])
        .override_config(&mut config);
        assert_eq!(config.checkpoint_interval(), Duration::from_millis(200));
        assert_eq!(config.stream_threads, 2);
    }

    #[test]
    fn a_flag_wins_over_the_property_and_a_property_needs_a_value() {
        let properties = deployment(&[
            "run",
            "--bootstrap-servers",
            "a:1",
            "--property",
            "bootstrap.servers=b:2",
        ]);
        assert_eq!(properties.properties().unwrap().bootstrap_servers(), "a:1");
        let error = deployment(&["run", "--bootstrap-servers", "a:1", "--property", "x"])
            .properties()
            .unwrap_err();
        assert!(
            error.to_string().contains("expected `key=value`"),
            "{error}"
        );
    }
}
