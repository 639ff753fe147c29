//! What was written, as data: a function, its attributes' settings, its parameters and its sinks.
//!
//! Nothing here is known to be right, but every setting knows whether it was told to be wrong, so that no rule is
//! applied to it a second time.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use std::time::Duration;
use syn::spanned::Spanned;
use syn::{Expr, ItemFn, LitStr, Pat, ReturnType, Type};

/// An annotated function.
pub(crate) struct Model {
    /// As it was written, without the attributes that are this crate's.
    pub(crate) function: ItemFn,
    /// The settings of `#[topology]`.
    pub(crate) options: Options,
    /// The parameters, in order.
    pub(crate) parameters: Vec<Parameter>,
    /// The `#[sink]` lines, in order.
    pub(crate) sinks: Vec<Port>,
    /// Whether the body can still be compiled: not where the signature itself is wrong.
    pub(crate) body_holds: bool,
}

impl Model {
    /// The ports of the inputs, in order.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Port> {
        self.inputs().map(|(_, port)| port)
    }

    /// The inputs, in order: what each is, and its port.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Input, &Port)> {
        self.parameters
            .iter()
            .filter_map(|parameter| match parameter {
                Parameter::Plain { .. } => None,
                Parameter::Source { input, port, .. } => Some((*input, port.as_ref())),
            })
    }

    /// The types that the function returns, one for each sink.
    pub(crate) fn returned(&self) -> Vec<&Type> {
        match &self.function.sig.output {
            ReturnType::Default => Vec::new(),
            ReturnType::Type(_, ty) => match ty.as_ref() {
                Type::Tuple(tuple) => tuple.elems.iter().collect(),
                one => vec![one],
            },
        }
    }

    /// Every constant that a setting names.
    pub(crate) fn constants(&self) -> Vec<&Constant> {
        let options = &self.options;
        let intervals = [
            &options.checkpoint_interval,
            &options.transaction_timeout,
            &options.broker_transaction_max_timeout,
        ];
        let counts = [&options.stream_threads, &options.statestore_cache_max_bytes].into_iter();
        let texts = (options.transactional_id_prefix.given().into_iter())
            .chain(options.on_error.dead_letters())
            .chain(self.sources().chain(&self.sinks).filter_map(Port::topic));
        (intervals
            .into_iter()
            .filter_map(|interval| interval.given()?.constant()))
        .chain(counts.filter_map(|count| count.given()?.constant()))
        .chain(texts.filter_map(Value::constant))
        .collect()
    }
}

/// A setting.
pub(crate) enum Setting<T> {
    /// Not written.
    Absent,
    /// Written, and wrong; it was told.
    Broken,
    /// Written.
    Given(T),
}

impl<T> Setting<T> {
    /// What was written, if it was and is not broken.
    pub(crate) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Broken => None,
        }
    }

    /// What was written or `default`, unless it is broken.
    pub(crate) fn or<'a>(&'a self, default: &'a T) -> Option<&'a T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent => Some(default),
            Self::Broken => None,
        }
    }

    /// Whether it was not written.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// `None` is a value that was told to be wrong.
impl<T> From<Option<T>> for Setting<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Broken, Self::Given)
    }
}

/// The settings of `#[topology]`.
pub(crate) struct Options {
    pub(crate) application_id: Setting<LitStr>,
    pub(crate) guarantee: Setting<Guarantee>,
    pub(crate) checkpoint_interval: Setting<Value<Duration>>,
    pub(crate) transactional_id_prefix: Setting<Value<String>>,
    pub(crate) transaction_timeout: Setting<Value<Duration>>,
    pub(crate) broker_transaction_max_timeout: Setting<Value<Duration>>,
    pub(crate) stream_threads: Setting<Value<usize>>,
    pub(crate) offset_reset: Setting<OffsetReset>,
    pub(crate) state_backend: Setting<StateBackend>,
    pub(crate) statestore_cache_max_bytes: Setting<Value<usize>>,
    pub(crate) topology_optimization: Setting<TopologyOptimization>,
    pub(crate) on_error: OnError,
    /// Where each setting's name was written.
    pub(crate) names: Vec<Ident>,
}

/// How often the effect of a record may be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

/// Where a partition without a committed offset begins.
#[derive(Clone, Copy)]
pub(crate) enum OffsetReset {
    Earliest,
    Latest,
    None,
}

/// What becomes of the headers of the records that a source reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderUse {
    Keep,
    Ignore,
}

/// Where state is kept.
#[derive(Clone, Copy)]
pub(crate) enum StateBackend {
    Disk,
    Memory,
}

impl ToTokens for StateBackend {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Disk => quote!(::streams::StateBackend::Disk),
            Self::Memory => quote!(::streams::StateBackend::Memory),
        });
    }
}

/// Which parts of the graph are built so that less goes through Kafka.
#[derive(Clone, Copy)]
pub(crate) enum TopologyOptimization {
    None,
    MergeRepartitionTopics,
    ReuseKtableSourceTopics,
    All,
}

impl ToTokens for TopologyOptimization {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let choice = match self {
            Self::None => quote!(None),
            Self::MergeRepartitionTopics => quote!(MergeRepartitionTopics),
            Self::ReuseKtableSourceTopics => quote!(ReuseKtableSourceTopics),
            Self::All => quote!(All),
        };
        tokens.extend(quote!(::streams::TopologyOptimization::#choice));
    }
}

/// What becomes of records that fail.
pub(crate) struct OnError {
    pub(crate) deserialize: Setting<Policy>,
    pub(crate) process: Setting<Policy>,
    pub(crate) produce: Setting<Policy>,
}

impl OnError {
    /// The topics that rejected records go to.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = &Value<String>> {
        let policies = [&self.deserialize, &self.process, &self.produce];
        policies
            .into_iter()
            .filter_map(|policy| match policy.given()? {
                Policy::Fail | Policy::Skip => None,
                Policy::DeadLetter(topic) => Some(topic),
            })
    }
}

/// What becomes of a record that fails at one step.
pub(crate) enum Policy {
    Fail,
    Skip,
    DeadLetter(Value<String>),
}

/// A value: known now, or to rustc alone.
pub(crate) enum Value<T> {
    Literal(T, Span),
    Constant(Box<Constant>),
}

/// A constant expression, and the name under which the expansion holds its value.
#[derive(Clone)]
pub(crate) struct Constant {
    pub(crate) name: Ident,
    pub(crate) ty: TokenStream,
    pub(crate) expr: Expr,
}

impl Constant {
    /// Its name where it is used, which stands where the expression does: rustc notes there that it cannot be computed.
    fn used(&self) -> Ident {
        let mut name = self.name.clone();
        name.set_span(name.span().located_at(self.expr.span()));
        name
    }
}

impl<T> Value<T> {
    /// Where an error about the value belongs.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Literal(_, span) => *span,
            Self::Constant(constant) => constant.expr.span(),
        }
    }

    /// The constant, if it is one.
    pub(crate) fn constant(&self) -> Option<&Constant> {
        match self {
            Self::Literal(..) => None,
            Self::Constant(constant) => Some(constant),
        }
    }
}

/// How a value is written in the expansion.
impl ToTokens for Value<Duration> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Literal(duration, _) => duration_tokens(*duration),
            Self::Constant(constant) => constant.used().to_token_stream(),
        });
    }
}

impl ToTokens for Value<String> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal(text, span) => LitStr::new(text, *span).to_tokens(tokens),
            Self::Constant(constant) => constant.used().to_tokens(tokens),
        }
    }
}

impl ToTokens for Value<usize> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal(number, span) => {
                let mut literal = proc_macro2::Literal::usize_unsuffixed(*number);
                literal.set_span(*span);
                literal.to_tokens(tokens);
            }
            Self::Constant(constant) => constant.used().to_tokens(tokens),
        }
    }
}

fn duration_tokens(duration: Duration) -> TokenStream {
    let seconds = proc_macro2::Literal::u64_unsuffixed(duration.as_secs());
    if duration.subsec_nanos() == 0 {
        return quote!(::core::time::Duration::from_secs(#seconds));
    }
    let millis = proc_macro2::Literal::u128_unsuffixed(duration.as_millis());
    quote!(::core::time::Duration::from_millis(#millis))
}

/// What a source and a sink have: a topic, and how it is read or written.
pub(crate) struct Port {
    pub(crate) topic: Setting<Value<String>>,
    pub(crate) key: Option<Expr>,
    pub(crate) value: Option<Expr>,
    /// What a source does with headers.
    pub(crate) headers: Setting<HeaderUse>,
    /// For how long a table keeps the versions of its rows.
    pub(crate) versioned: Setting<Value<Duration>>,
    /// Where a table is kept.
    pub(crate) state_backend: Setting<StateBackend>,
}

impl Port {
    /// Without a topic of its own.
    pub(crate) fn of(topic: Setting<Value<String>>) -> Self {
        Self {
            topic,
            key: None,
            value: None,
            headers: Setting::Absent,
            versioned: Setting::Absent,
            state_backend: Setting::Absent,
        }
    }

    /// The topic, unless it is broken.
    pub(crate) fn topic(&self) -> Option<&Value<String>> {
        self.topic.given()
    }
}

/// What a topic is read as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Stream,
    Table,
    GlobalTable,
}

impl Input {
    pub(crate) const ALL: [Self; 3] = [Self::Stream, Self::Table, Self::GlobalTable];

    /// The name of the attribute.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Stream => "source",
            Self::Table => "table",
            Self::GlobalTable => "global_table",
        }
    }

    /// The parameter's type.
    pub(crate) fn handle(self) -> &'static str {
        match self {
            Self::Stream => "KStream",
            Self::Table => "KTable",
            Self::GlobalTable => "GlobalKTable",
        }
    }

    /// The builder's method, which takes the topic and the serdes.
    pub(crate) fn method(self, port: &Port) -> &'static str {
        match self {
            Self::Stream => match port.headers.given() {
                Some(HeaderUse::Ignore) => "source_without_headers",
                _ => "source",
            },
            Self::Table => "table_with",
            Self::GlobalTable => "global_table_with",
        }
    }
}

/// A parameter.
pub(crate) enum Parameter {
    /// Stays one.
    Plain { pattern: Pat, ty: Type },
    /// Is read from a topic.
    Source {
        input: Input,
        pattern: Pat,
        ty: Type,
        port: Box<Port>,
    },
}

impl Parameter {
    /// What it binds.
    pub(crate) fn pattern(&self) -> &Pat {
        match self {
            Self::Plain { pattern, .. } | Self::Source { pattern, .. } => pattern,
        }
    }
}
