//! The expansion as it reads, kept in `snapshots/`: one file a case, formatted.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p streams-macros` writes the files anew, to be read before they are committed.

#![expect(clippy::expect_used, reason = "tests")]

use proc_macro2::TokenStream;
use quote::quote;
use std::path::Path;

#[track_caller]
fn assert_snapshot(name: &str, expansion: TokenStream) {
    let file: syn::File = syn::parse2(expansion).expect("the expansion is Rust");
    let text = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("snapshots")
        .join(name)
        .with_extension("rs");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot is written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        kept,
        "{} differs; `UPDATE_SNAPSHOTS=1` writes it anew",
        path.display()
    );
}

#[track_caller]
fn assert_topology_snapshot(name: &str, attribute: TokenStream, function: TokenStream) {
    assert_snapshot(name, crate::topology_tokens(attribute, function));
}

#[test]
fn the_recipe() {
    assert_topology_snapshot(
        "recipe",
        quote! {
            application_id = "kafka-exactly-once",
            guarantee = exactly_once,
            checkpoint_interval = "10s",
            transactional_id_prefix = "KafkaExactlyOnceRecipe",
            transaction_timeout = "60s",
        },
        quote! {
            /// Copies `input` to `output`, exactly once.
            #[sink(topic = "output")]
            fn kafka_exactly_once(#[source(topic = "input")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
                text
            }
        },
    );
}

#[test]
fn parameters_generics_names_and_two_sinks() {
    assert_topology_snapshot(
        "parameters",
        quote! {
            application_id = "flights",
            stream_threads = 2,
            offset_reset = latest,
            on_error(deserialize = dead_letter("flights.rejected"), process = skip),
        },
        quote! {
            #[sink(topic = "late", value = Json)]
            #[sink(topic = "carriers")]
            pub fn flights<P: Fn(&Flight) -> bool + Send + Sync + 'static>(
                #[source(topic = "flights", key = Utf8, headers = ignore)] flights: KStream<String, Flight>,
                (hours, minutes): (u64, u64),
                accept: P,
            ) -> (KStream<String, Flight>, KStream<Keyless, String>) {
                let late = flights.filter(move |_, flight| {
                    let limit = hours * 60 + minutes;
                    flight.delay > limit && accept(flight)
                });
                let (carriers, _) = (late.map_values(|flight| flight.carrier.clone()), late.print());
                (late, carriers.select_key(|_, _| Keyless))
            }
        },
    );
}

#[test]
fn constants_are_left_to_rustc() {
    assert_topology_snapshot(
        "constants",
        quote! {
            application_id = "constants",
            checkpoint_interval = settings::INTERVAL,
            stream_threads = THREADS,
        },
        quote! {
            #[sink(topic = OUTPUT)]
            fn constants(#[source(topic = "input")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
                text
            }
        },
    );
}

#[test]
fn mistakes_leave_the_item() {
    assert_topology_snapshot(
        "mistakes",
        quote!(aplication_id = "mistakes", stream_threads = 0),
        quote! {
            #[sink(topic = "input")]
            pub fn mistakes(#[source(topic = "input")] text: KStream<Keyless, String>, limit: usize) -> KStream<Keyless, String> {
                text.filter(move |_, line| line.len() < limit)
            }
        },
    );
}

#[test]
fn json() {
    let derive = |input: TokenStream| crate::json::derive(syn::parse2(input).expect("a type"));
    assert_snapshot(
        "json",
        derive(quote!(
            struct Flight {
                carrier: String,
            }
        )),
    );
    assert_snapshot(
        "json_generic",
        derive(quote!(
            struct Pair<A, B: Clone>(A, B);
        )),
    );
}
