//! The macros of the `streams` crate: [`topology`](macro@topology) and [`Json`](derive@Json).
//!
//! `#[topology]` goes through four steps, a file each: `parse` reads tokens into the `model`, `validate` applies the rules
//! of `streams-rules`, `expand` writes the function that builds the topology. Every step tells all of its errors to one
//! collector (`errors`). A function with errors expands to them and to itself, as far as others depend on it, so that no
//! error follows from another.

#![expect(
    clippy::result_large_err,
    reason = "syntax trees and messages are large, and errors are told once"
)]

mod errors;
mod expand;
mod json;
mod model;
mod naming;
mod options;
mod parse;
#[cfg(test)]
mod snapshot;
mod suggest;
mod validate;
mod values;

use errors::Errors;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemFn};

/// Makes a job of a function: its inputs are parameters, its outputs are what it returns.
///
/// The annotated function becomes one of the same name, visibility, documentation and generics, which takes the parameters
/// that carry no attribute and returns a `Topology`: a value that can be described, tested and run. The configuration is
/// checked while it compiles.
///
/// ```
/// use streams::prelude::*;
///
/// /// Copies `input` to `output`, exactly once.
/// #[topology(application_id = "copy", checkpoint_interval = "10s")]
/// #[sink(topic = "output")]
/// fn copy(#[source(topic = "input")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
///     text
/// }
///
/// let mut driver = TopologyTestDriver::new(copy())?;
/// driver.pipe("input", &Keyless, "hello")?;
/// assert_eq!(driver.read_values::<String>("output")?, ["hello"]);
/// # Ok::<(), streams::Error>(())
/// ```
///
/// # `#[topology(..)]`
///
/// | option | default | rule |
/// |---|---|---|
/// | `application_id = "name"` | none: it is required | a string literal; a name that Kafka accepts, of at most 189 characters; no other topology of the crate has it |
/// | `guarantee = exactly_once` | `exactly_once` | or `at_least_once` |
/// | `checkpoint_interval = "10s"` | `"100ms"`; `"30s"` under `at_least_once` | more than 0; under `exactly_once` less than `transaction_timeout` |
/// | `transactional_id_prefix = "name"` | the application id | a name that Kafka accepts, of at most 189 characters; only under `exactly_once` |
/// | `transaction_timeout = "60s"` | `"60s"` | from `"1s"` to `broker_transaction_max_timeout`; only under `exactly_once` |
/// | `broker_transaction_max_timeout = "15min"` | `"15min"` | the brokers' `transaction.max.timeout.ms`; more than 0 and at most 2147483647 ms; only under `exactly_once` |
/// | `stream_threads = 1` | `1` | at least 1 |
/// | `state_backend = disk` | `disk` | or `memory`: where stores are kept that do not say it themselves |
/// | `statestore_cache_max_bytes = 10_485_760` | `0`: none | 0, or at least 1024: for how many bytes a process holds updates of tables back, so that they are sent on once a checkpoint |
/// | `topology_optimization = all` | `none` | or `merge_repartition_topics` or `reuse_ktable_source_topics`: see `TopologyBuilder::topology_optimization` |
/// | `offset_reset = earliest` | `earliest` | or `latest` or `none`: where a partition without a committed offset begins |
/// | `on_error(deserialize = skip, process = .., produce = ..)` | `fail` each | or `skip` or `dead_letter("topic")`; that topic is not a source |
///
/// Durations are whole numbers with a unit: `ms`, `s`, `min` or `h`. Durations, counts, topics and the prefix may also be
/// constant expressions (of type `Duration`, `usize`, `&str`); they are checked by the same rules.
///
/// # `#[source(..)]`, `#[table(..)]`, `#[global_table(..)]` and `#[sink(..)]`
///
/// `#[source]` stands before a parameter of type `KStream<K, V>`, `#[table]` before a `KTable<K, V>`, `#[global_table]` before
/// a `GlobalKTable<K, V>`; a table's store is called after the parameter. `#[sink]` stands above the function, once for each
/// stream or table that it returns, in order: one, or a tuple that is written out.
///
/// | option | default | rule |
/// |---|---|---|
/// | `topic = "name"` | none: it is required | a name that Kafka accepts, of at most 249 characters; no topic is both a source and a sink, and that of a table is read once |
/// | `key = serde` | the key type's own | an expression; reads, or writes, the key type |
/// | `value = serde` | the value type's own | an expression; reads, or writes, the value type |
/// | `headers = ignore` | `keep`: they go with what a record becomes | only of `#[source]`: records are read without their headers, which saves about a tenth of the time that a copied one takes |
/// | `versioned = "1h"` | only the newest row of each key is kept | only of `#[table]`: for how long the versions of its rows are kept, a duration (see `KTable::versioned`) |
/// | `state_backend = memory` | the topology's | only of `#[table]` and `#[global_table]`: `disk` or `memory`, whatever the topology says |
///
/// # Parameters, and names of operators
///
/// A parameter without an attribute stays one. Operators are called after the innermost `let` or assignment around them;
/// outside any, after the function.
///
/// ```
/// use std::time::Duration;
/// use streams::prelude::*;
///
/// const INTERVAL: Duration = Duration::from_secs(10);
///
/// #[topology(
///     application_id = "line-lengths",
///     checkpoint_interval = INTERVAL,
///     on_error(deserialize = dead_letter("lines.rejected")),
/// )]
/// #[sink(topic = "long-lines")]
/// #[sink(topic = "lengths")]
/// fn line_lengths(
///     #[source(topic = "lines")] lines: KStream<Keyless, str>,
///     longest: usize,
/// ) -> (KStream<Keyless, str>, KStream<Keyless, u64>) {
///     let long = lines.filter(move |_, line| line.len() > longest);
///     let lengths = lines.map_values(|line| line.len() as u64);
///     (long, lengths)
/// }
///
/// let description = line_lengths(80).describe().to_string();
/// assert!(description.contains("Processor: long-filter"));
/// assert!(description.contains("Processor: lengths-map-values"));
/// ```
///
/// # Errors
///
/// All mistakes of a function are told at once, each at its token and with what mends it:
///
/// ```compile_fail
/// use streams::prelude::*;
///
/// #[topology(application_id = "copy", checkpoint_interval = "90s")] // longer than `transaction_timeout`
/// #[sink(topic = "input")] // a source of this topology
/// fn copy(#[source(topic = "input")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
///     text
/// }
/// ```
#[proc_macro_attribute]
pub fn topology(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    topology_tokens(attribute.into(), item.into()).into()
}

fn topology_tokens(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => topology_function(attribute, function),
        // The item stays, so that nothing that names it fails as well.
        Err(_) => {
            let mut errors = Errors::default();
            errors.under(
                first_line(&item),
                "`#[topology]` is for functions with a body; move it to one",
            );
            let errors = errors.into_tokens();
            quote!(#errors #item)
        }
    }
}

fn topology_function(attribute: TokenStream, function: ItemFn) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse::parse(attribute, function, &mut errors);
    match validate::validate(model, &mut errors) {
        Ok(topology) => expand::expand(&topology),
        Err(model) => expand::expand_errors(&model, errors),
    }
}

/// An item's tokens up to its body, which may be long.
fn first_line(item: &TokenStream) -> TokenStream {
    let body = |token: &proc_macro2::TokenTree| matches!(token, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
    item.clone()
        .into_iter()
        .take_while(|token| !body(token))
        .collect()
}

/// The type's wire format is JSON, in topics and in stores. It needs serde's `Serialize` and `Deserialize`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use streams::prelude::*;
///
/// #[derive(Serialize, Deserialize, Json)]
/// struct Measurement {
///     celsius: f64,
/// }
///
/// let builder = TopologyBuilder::new("measurements");
/// builder.stream::<Keyless, Measurement>("measured").map_values(|m| m.celsius).to("celsius");
/// ```
#[proc_macro_derive(Json)]
pub fn json(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<DeriveInput>(item) {
        Ok(input) => json::derive(input).into(),
        Err(error) => error.to_compile_error().into(),
    }
}
