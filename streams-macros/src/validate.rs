//! The rules of `streams-rules`, on a [`Model`].
//!
//! A rule whose values are literals is applied here. One with a constant among them becomes a [`Check`], which rustc
//! makes with the same function. One with a broken value among them is left out.

use crate::errors::Errors;
use crate::model::{Guarantee, Input, Model, Parameter, Port, Value};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use std::collections::HashMap;
use std::time::Duration;
use streams_rules::{self as rules, Verdict};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{GenericParam, LitStr, Pat, ReturnType};

/// A model in which every rule holds that can be judged here.
pub(crate) struct Topology {
    pub(crate) model: Model,
    pub(crate) application_id: LitStr,
    pub(crate) checks: Vec<Check>,
}

/// A rule for rustc.
pub(crate) struct Check {
    /// Where its error belongs.
    pub(crate) at: Span,
    /// The rule, applied.
    pub(crate) verdict: TokenStream,
}

/// The topology, or what is left of it beside the errors.
pub(crate) fn validate(model: Model, errors: &mut Errors) -> Result<Topology, Box<Model>> {
    let mut rules = Rules {
        checks: Vec::new(),
        errors,
    };
    let application_id = application_id(&model, &mut rules);
    settings(&model, &mut rules);
    topics(&model, &mut rules);
    outputs(&model, rules.errors);
    constants(&model, rules.errors);
    let checks = rules.checks;
    match application_id {
        Some(application_id) if errors.is_empty() => Ok(Topology {
            model,
            application_id,
            checks,
        }),
        _ => Err(Box::new(model)),
    }
}

/// Applies rules, here or by rustc.
struct Rules<'e> {
    checks: Vec<Check>,
    errors: &'e mut Errors,
}

/// A rule and its name, which is its path in the expansion; after it, the kinds of its operands.
macro_rules! rule {
    ($name:ident: $($operand:ident),+) => { (stringify!($name), rule!(@$name $($operand)+)) };
    (@$name:ident duration) => { |value: &Duration| rules::$name(*value) };
    (@$name:ident count) => { |value: &usize| rules::$name(*value) };
    (@$name:ident text) => { |value: &String| rules::$name(value) };
    (@$name:ident duration duration) => { |first: &Duration, second: &Duration| rules::$name(*first, *second) };
    (@$name:ident text text) => { |first: &String, second: &String| rules::$name(first, second) };
}

impl Rules<'_> {
    /// A rule on one value, if there is one.
    fn one<T>(&mut self, (name, rule): (&str, impl Fn(&T) -> Verdict), value: Option<&Value<T>>)
    where
        Value<T>: ToTokens,
    {
        match value {
            None => {}
            Some(Value::Literal(literal, span)) => self.tell(*span, rule(literal)),
            Some(constant) => self.leave_to_rustc(constant.span(), name, quote!(#constant)),
        }
    }

    /// A rule on two values, if there are both; `at` is to blame.
    fn two<T>(
        &mut self,
        (name, rule): (&str, impl Fn(&T, &T) -> Verdict),
        first: Option<&Value<T>>,
        second: Option<&Value<T>>,
        at: Span,
    ) where
        Value<T>: ToTokens,
    {
        match (first, second) {
            (Some(Value::Literal(first, _)), Some(Value::Literal(second, _))) => {
                self.tell(at, rule(first, second))
            }
            (Some(first), Some(second)) => self.leave_to_rustc(at, name, quote!(#first, #second)),
            _ => {}
        }
    }

    fn tell(&mut self, at: Span, verdict: Verdict) {
        if let Err(message) = verdict {
            self.errors.at(at, message);
        }
    }

    fn leave_to_rustc(&mut self, at: Span, rule: &str, arguments: TokenStream) {
        let rule = Ident::new(rule, Span::mixed_site());
        self.checks.push(Check {
            at,
            verdict: quote!(::streams::rules::#rule(#arguments)),
        });
    }
}

fn application_id(model: &Model, rules: &mut Rules<'_>) -> Option<LitStr> {
    let options = &model.options;
    if options.application_id.is_absent() {
        let name = &model.function.sig.ident;
        let proposal = name.unraw().to_string().replace('_', "-");
        let message = format!(
            "topology `{name}` has no application id; write `#[topology(application_id = \"{proposal}\")]`"
        );
        rules.errors.at(name.span(), message);
    }
    let id = options.application_id.given()?;
    rules.tell(id.span(), rules::application_id(&id.value()));
    Some(id.clone())
}

fn settings(model: &Model, rules: &mut Rules<'_>) {
    let options = &model.options;
    rules.one(
        rule!(checkpoint_interval: duration),
        options.checkpoint_interval.given(),
    );
    rules.one(rule!(stream_threads: count), options.stream_threads.given());
    rules.one(
        rule!(statestore_cache_max_bytes: count),
        options.statestore_cache_max_bytes.given(),
    );
    match options.guarantee.or(&Guarantee::ExactlyOnce) {
        Some(Guarantee::ExactlyOnce) => transactions(model, rules),
        Some(Guarantee::AtLeastOnce) => no_transactions(model, rules),
        None => {}
    }
}

/// How checkpoints, transactions and brokers fit together.
fn transactions(model: &Model, rules: &mut Rules<'_>) {
    let options = &model.options;
    let default = |duration| Value::Literal(duration, Span::call_site());
    let (default_interval, default_timeout, default_max) = (
        default(rules::DEFAULT_CHECKPOINT_INTERVAL_EXACTLY_ONCE),
        default(rules::DEFAULT_TRANSACTION_TIMEOUT),
        default(rules::DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT),
    );
    let (interval, timeout, max) = (
        &options.checkpoint_interval,
        &options.transaction_timeout,
        &options.broker_transaction_max_timeout,
    );
    rules.one(
        rule!(transactional_id_prefix: text),
        options.transactional_id_prefix.given(),
    );
    rules.one(rule!(broker_transaction_max_timeout: duration), max.given());
    // The defaults agree, so a rule can only break where one of its values was written.
    if let Some(written) = timeout.given().or(max.given()) {
        let (timeout, max) = (timeout.or(&default_timeout), max.or(&default_max));
        rules.two(
            rule!(transaction_timeout: duration, duration),
            timeout,
            max,
            written.span(),
        );
    }
    if let Some(written) = interval.given().or(timeout.given()) {
        let (interval, timeout) = (interval.or(&default_interval), timeout.or(&default_timeout));
        rules.two(
            rule!(checkpoint_within_transaction: duration, duration),
            interval,
            timeout,
            written.span(),
        );
    }
}

fn no_transactions(model: &Model, rules: &mut Rules<'_>) {
    const TRANSACTIONAL: [&str; 3] = [
        "transactional_id_prefix",
        "transaction_timeout",
        "broker_transaction_max_timeout",
    ];
    for name in &model.options.names {
        if TRANSACTIONAL.iter().any(|option| name == option) {
            rules.tell(
                name.span(),
                rules::only_exactly_once(&name.to_string(), false),
            );
        }
    }
}

fn topics(model: &Model, rules: &mut Rules<'_>) {
    if !model
        .parameters
        .iter()
        .any(|parameter| matches!(parameter, Parameter::Source { .. }))
    {
        let name = &model.function.sig.ident;
        rules.errors.at(
            name.span(),
            format!("topology `{name}` reads nothing; give it a parameter `#[source(topic = \"..\")] name: KStream<K, V>`"),
        );
    }
    let sources: Vec<&Value<String>> = model.sources().filter_map(Port::topic).collect();
    for source in &sources {
        rules.one(rule!(topic: text), Some(source));
    }
    tables(model, rules);
    for sink in model.sinks.iter().filter_map(Port::topic) {
        rules.one(rule!(topic: text), Some(sink));
        for source in &sources {
            rules.two(
                rule!(not_source_and_sink: text, text),
                Some(source),
                Some(sink),
                sink.span(),
            );
        }
    }
    for dead_letter in model.options.on_error.dead_letters() {
        rules.one(rule!(dead_letter_topic: text), Some(dead_letter));
        for source in &sources {
            let rule = rule!(not_source_and_dead_letter: text, text);
            rules.two(rule, Some(source), Some(dead_letter), dead_letter.span());
        }
        for sink in model.sinks.iter().filter_map(Port::topic) {
            let rule = rule!(not_sink_and_dead_letter: text, text);
            rules.two(rule, Some(sink), Some(dead_letter), dead_letter.span());
        }
    }
}

/// The topic of a table is read by no other parameter.
fn tables(model: &Model, rules: &mut Rules<'_>) {
    let inputs: Vec<_> = model.inputs().collect();
    for (at, (input, port)) in inputs.iter().enumerate() {
        for (before, earlier) in inputs.iter().take(at) {
            if (*input, *before) != (Input::Stream, Input::Stream)
                && let Some(topic) = port.topic()
            {
                let rule = rule!(table_read_once: text, text);
                rules.two(rule, earlier.topic(), Some(topic), topic.span());
            }
        }
    }
}

/// Each returned stream has its sink.
fn outputs(model: &Model, errors: &mut Errors) {
    let (returned, sinks) = (model.returned().len(), model.sinks.len());
    if returned == sinks {
        return;
    }
    let streams = match returned {
        0 => "no stream is returned".to_owned(),
        1 => "1 stream is returned".to_owned(),
        many => format!("{many} streams are returned"),
    };
    let lines = match sinks {
        0 => "no `#[sink(..)]` stands".to_owned(),
        1 => "1 `#[sink(..)]` stands".to_owned(),
        many => format!("{many} `#[sink(..)]` stand"),
    };
    let message = format!(
        "{streams}, but {lines} above the function; write one sink for each returned stream, in order"
    );
    match &model.function.sig.output {
        ReturnType::Default => errors.at(model.function.sig.ident.span(), message),
        ReturnType::Type(_, ty) => errors.under(ty, message),
    }
}

/// A constant does not need what is known only when the topology is built.
fn constants(model: &Model, errors: &mut Errors) {
    let mut names = NamesOf {
        runtime: runtime_names(model),
        errors,
    };
    for constant in model.constants() {
        names.visit_expr(&constant.expr);
    }
}

/// A name that is known only when the topology is built.
#[derive(Clone, Copy)]
enum Runtime {
    Generic,
    Parameter,
}

impl Runtime {
    /// Whether `path`, which begins with the name, means it: a longer path means a module where the name is a
    /// variable's, but an associated item where it is a type's.
    fn is_meant_by(self, path: &syn::Path) -> bool {
        match self {
            Self::Generic => true,
            Self::Parameter => path.segments.len() == 1,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "a generic parameter",
            Self::Parameter => "a parameter",
        }
    }
}

/// The generic parameters and the parameters.
fn runtime_names(model: &Model) -> HashMap<String, Runtime> {
    let generics = model
        .function
        .sig
        .generics
        .params
        .iter()
        .filter_map(|generic| match generic {
            GenericParam::Type(ty) => Some((ty.ident.to_string(), Runtime::Generic)),
            GenericParam::Const(constant) => Some((constant.ident.to_string(), Runtime::Generic)),
            GenericParam::Lifetime(_) => None,
        });
    let parameters = model
        .parameters
        .iter()
        .filter_map(|parameter| match parameter.pattern() {
            Pat::Ident(pattern) => Some((pattern.ident.to_string(), Runtime::Parameter)),
            _ => None,
        });
    generics.chain(parameters).collect()
}

struct NamesOf<'e> {
    runtime: HashMap<String, Runtime>,
    errors: &'e mut Errors,
}

impl<'ast> Visit<'ast> for NamesOf<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
            && let Some(runtime) = self.runtime.get(&first.ident.to_string())
            && runtime.is_meant_by(path)
        {
            let (name, what) = (&first.ident, runtime.as_str());
            let message = format!(
                "`{name}` is {what}, known only when the topology is built; write a literal or a `const` here"
            );
            self.errors.at(name.span(), message);
        }
        visit::visit_path(self, path);
    }
}
