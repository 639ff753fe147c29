//! Every shape of a function: parameters, generics, returned streams, and the places where it may stand.

#![deny(warnings)]

use streams::prelude::*;

type Lines = KStream<Keyless, String>;

#[topology(application_id = "no-sink")]
fn no_sink(#[source(topic = "in")] text: Lines) {
    text.to("out");
}

#[topology(application_id = "unit")]
fn unit(#[source(topic = "in")] text: Lines) -> () {
    text.to("out");
}

#[topology(application_id = "one-tuple")]
#[sink(topic = "out")]
fn one_tuple(#[source(topic = "in")] text: Lines) -> (Lines,) {
    (text,)
}

#[topology(application_id = "two-sinks")]
#[sink(topic = "long")]
#[sink(topic = "lengths")]
fn two_sinks(
    #[source(topic = "in")] text: KStream<Keyless, str>,
    #[source(topic = "more")] more: KStream<Keyless, str>,
) -> (KStream<Keyless, str>, KStream<Keyless, u64>) {
    let all = text.merge(&more);
    (
        all.filter(|_, line| line.len() > 80),
        all.map_values(|line| line.len() as u64),
    )
}

/// Parameters without an attribute stay, whatever their patterns are.
#[topology(application_id = "parameters")]
#[sink(topic = "out")]
pub fn parameters(
    mut limit: usize,
    #[source(topic = "in")] text: Lines,
    (least, _): (usize, usize),
    prefixes: &[&str],
    keep: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Lines {
    limit += prefixes.len();
    text.filter(move |_, line| line.len() >= least && line.len() <= limit && keep(line))
}

#[topology(application_id = "generics")]
#[sink(topic = "out")]
fn generics<'a, P, const LEAST: usize>(
    #[source(topic = "in")] text: Lines,
    keep: P,
    _name: &'a str,
) -> Lines
where
    P: Fn(&str) -> bool + Clone + Send + Sync + 'static,
{
    text.filter(move |_, line| line.len() >= LEAST && keep(line))
}

/// No name of the expansion can meet one of the user's.
#[topology(application_id = "hygiene")]
#[sink(topic = "out")]
fn hygiene(#[source(topic = "in")] builder: Lines, scope: usize, output: usize) -> Lines {
    let text = builder.filter(move |_, line| line.len() > scope);
    let builder = text.filter(move |_, line| line.len() > output);
    let scope = builder.peek(|_, _| {});
    scope
}

/// A function may be called like its source, and a serde be made of a parameter.
#[topology(application_id = "same-names")]
#[sink(topic = "out", value = serde)]
fn same_names<T: Serde<String> + Copy + 'static>(
    #[source(topic = "in")] same_names: Lines,
    serde: T,
) -> Lines {
    let _ = serde;
    same_names
}

#[topology(application_id = "same-names-of-parameter")]
#[sink(topic = "out")]
fn limit(#[source(topic = "in")] text: Lines, limit: usize) -> Lines {
    text.filter(move |_, line| line.len() > limit)
}

#[topology(application_id = "raw-identifiers")]
#[sink(topic = "out")]
fn r#loop(#[source(topic = "in")] r#type: Lines, r#match: usize) -> Lines {
    r#type.filter(move |_, line| line.len() > r#match)
}

struct Jobs;

impl Jobs {
    #[topology(application_id = "associated")]
    #[sink(topic = "out")]
    pub fn associated(#[source(topic = "in")] text: Lines) -> Lines {
        text
    }
}

mod without_prelude {
    #[streams::topology(application_id = "without_prelude")]
    #[sink(topic = "out")]
    pub(super) fn job(
        #[source(topic = "in")] text: streams::KStream<streams::Keyless, Option<u64>>,
    ) -> streams::KStream<streams::Keyless, Option<u64>> {
        text
    }
}

fn main() -> streams::Result<()> {
    #[topology(application_id = "nested")]
    #[sink(topic = "out")]
    fn nested(#[source(topic = "in")] text: Lines) -> Lines {
        text
    }

    let _: fn() -> Topology = no_sink;
    for topology in [
        no_sink(),
        unit(),
        one_tuple(),
        two_sinks(),
        parameters(1, (1, 2), &["a"], |_| true),
        generics::<_, 3>(|_: &str| true, "name"),
        hygiene(1, 2),
        same_names(Json),
        limit(1),
        r#loop(1),
        Jobs::associated(),
        without_prelude::job(),
        nested(),
    ] {
        topology.check()?;
    }
    Ok(())
}
