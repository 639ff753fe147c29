//! Help, and what wrong arguments are told.

use crate::fixture::{ended, recipe, told};

#[test]
fn help_lists_the_commands_and_a_flag_for_each_attribute() {
    let help = told(&["--help"]);
    for word in ["run", "describe", "check"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(word)),
            "{word}: {help}"
        );
    }
    let flags = [
        "application-id",
        "guarantee",
        "checkpoint-interval",
        "transactional-id-prefix",
        "transaction-timeout",
        "broker-transaction-max-timeout",
        "stream-threads",
        "offset-reset",
        "on-deserialize-error",
        "on-process-error",
        "on-produce-error",
        "bootstrap-servers",
        "property",
        "properties-file",
        "state-dir",
        "until-latest",
    ];
    for help in [help, told(&["run", "--help"])] {
        for flag in flags {
            assert!(
                help.contains(&format!("--{flag} ")) || help.contains(&format!("--{flag}\n")),
                "{flag}: {help}"
            );
        }
    }
}

#[test]
fn wrong_arguments_are_told_what_was_expected() {
    let cases: [(&[&str], &[&str]); 22] = [
        (&["--bootstrap-server", "a:1"], &["'--bootstrap-servers'"]),
        (
            &["run", "--checkpont-interval", "5s"],
            &["'--checkpoint-interval'"],
        ),
        (&["decribe"], &["'describe'"]),
        (
            &["run", "--bootstrap-servers", ""],
            &["--bootstrap-servers", "names no broker", "`HOST:PORT`"],
        ),
        (
            &["check", "--bootstrap-servers", " ,"],
            &["--bootstrap-servers", "names no broker"],
        ),
        (
            &["run", "--property", "bootstrap.servers="],
            &["bootstrap.servers", "names no broker"],
        ),
        (
            &["run", "--checkpoint-interval", "5"],
            &["`5` is not a duration", "`10s`"],
        ),
        (
            &["run", "--stream-threads", "many"],
            &["'many'", "--stream-threads"],
        ),
        (
            &["run", "--guarantee", "once"],
            &["once", "exactly_once", "at_least_once"],
        ),
        (
            &["run", "--on-process-error", "ignore"],
            &["ignore", "skip", "dead_letter"],
        ),
        (
            &["run", "--property", "linger.ms"],
            &["linger.ms", "key=value"],
        ),
        (
            &["run", "--stream-threads", "-1"],
            &["'-1'", "--stream-threads", "cannot be negative"],
        ),
        (
            &["run", "--stream-threads", "0"],
            &["`stream_threads` is 0", "Usage: kafka-exactly-once "],
        ),
        (
            &["run", "--transaction-timeout", "9999999999999h"],
            &["is too long", "`5124095576030h`"],
        ),
        (
            &["run", "--on-process-error", "dead_letter(input)"],
            &["dead-letter topic `input` is also a source"],
        ),
        (
            &["run", "--on-process-error", "dead_letter(output)"],
            &["dead-letter topic `output` is also a sink"],
        ),
        (
            &["run", "--property", "foo.bar=1"],
            &["no property `foo.bar`", "CONFIGURATION.md"],
        ),
        (
            &["run", "--property", "linger.ms=abc"],
            &["property `linger.ms`", "`abc`", "CONFIGURATION.md"],
        ),
        (
            &["run", "--property", "acks=1"],
            &["property `acks` is `1`", "has to be `all`", "leave it out"],
        ),
        (
            &["run", "--property", "enable.auto.commit=true"],
            &[
                "`enable.auto.commit` cannot be set",
                "set `checkpoint_interval`",
            ],
        ),
        (
            &["run", "--property", "processing.guarantee=exactly_once_v2"],
            &["a property of Kafka Streams", "set `guarantee`"],
        ),
        (
            &["check", "--property", "isolation.level=read_committed"],
            &["`isolation.level` cannot be set"],
        ),
    ];
    for (arguments, words) in cases {
        let ended = ended(&mut recipe(arguments));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(
            !ended.stderr.contains("Kafka is listening"),
            "{arguments:?}"
        );
        for word in words {
            assert!(
                ended.stderr.contains(word),
                "{arguments:?}, `{word}`: {}",
                ended.stderr
            );
        }
    }
}
