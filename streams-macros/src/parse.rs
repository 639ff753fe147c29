//! From tokens to the [`Model`]: every option read, every parameter sorted, and every mistake told on the way.

use crate::errors::Errors;
use crate::model::{Input, Model, OnError, Options, Parameter, Port, Setting};
use crate::options::{Known, Site, Written, read};
use crate::values;
use proc_macro2::{Span, TokenStream};
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, ItemFn, Meta, PatType, Type};

static TOPOLOGY: Site = Site {
    name: "#[topology]",
    options: &[
        Known {
            name: "application_id",
            example: "application_id = \"word-count\"",
        },
        Known {
            name: "guarantee",
            example: "guarantee = exactly_once",
        },
        Known {
            name: "checkpoint_interval",
            example: "checkpoint_interval = \"10s\"",
        },
        Known {
            name: "transactional_id_prefix",
            example: "transactional_id_prefix = \"word-count\"",
        },
        Known {
            name: "transaction_timeout",
            example: "transaction_timeout = \"60s\"",
        },
        Known {
            name: "broker_transaction_max_timeout",
            example: "broker_transaction_max_timeout = \"15min\"",
        },
        Known {
            name: "stream_threads",
            example: "stream_threads = 1",
        },
        Known {
            name: "offset_reset",
            example: "offset_reset = earliest",
        },
        STATE_BACKEND,
        Known {
            name: "statestore_cache_max_bytes",
            example: "statestore_cache_max_bytes = 10_485_760",
        },
        Known {
            name: "topology_optimization",
            example: "topology_optimization = all",
        },
        Known {
            name: "on_error",
            example: "on_error(deserialize = skip)",
        },
    ],
};

static ON_ERROR: Site = Site {
    name: "on_error(..)",
    options: &[
        Known {
            name: "deserialize",
            example: "deserialize = skip",
        },
        Known {
            name: "process",
            example: "process = skip",
        },
        Known {
            name: "produce",
            example: "produce = skip",
        },
    ],
};

const TOPIC: Known = Known {
    name: "topic",
    example: "topic = \"orders\"",
};
const KEY: Known = Known {
    name: "key",
    example: "key = Json",
};
const VALUE: Known = Known {
    name: "value",
    example: "value = Json",
};
const VERSIONED: Known = Known {
    name: "versioned",
    example: "versioned = \"1h\"",
};
const HEADERS: Known = Known {
    name: "headers",
    example: "headers = ignore",
};
const STATE_BACKEND: Known = Known {
    name: "state_backend",
    example: "state_backend = disk",
};
static SOURCE: Site = Site {
    name: "#[source]",
    options: &[TOPIC, KEY, VALUE, HEADERS],
};
static TABLE: Site = Site {
    name: "#[table]",
    options: &[TOPIC, KEY, VALUE, VERSIONED, STATE_BACKEND],
};
static GLOBAL_TABLE: Site = Site {
    name: "#[global_table]",
    options: &[TOPIC, KEY, VALUE, STATE_BACKEND],
};
static SINK: Site = Site {
    name: "#[sink]",
    options: &[TOPIC, KEY, VALUE],
};

/// Attributes that this crate takes away, wherever they stand.
const OURS: [&str; 4] = ["source", "sink", "table", "global_table"];

/// Reads a function and its attributes.
pub(crate) fn parse(attribute: TokenStream, mut function: ItemFn, errors: &mut Errors) -> Model {
    let options = options(attribute, errors);
    let sinks = sinks(&mut function, errors);
    let mut body_holds = qualifiers(&function, errors);
    let parameters = parameters(&mut function, &mut body_holds, errors);
    Model {
        function,
        options,
        parameters,
        sinks,
        body_holds,
    }
}

fn options(tokens: TokenStream, errors: &mut Errors) -> Options {
    let mut options = Options {
        application_id: Setting::Absent,
        guarantee: Setting::Absent,
        checkpoint_interval: Setting::Absent,
        transactional_id_prefix: Setting::Absent,
        transaction_timeout: Setting::Absent,
        broker_transaction_max_timeout: Setting::Absent,
        stream_threads: Setting::Absent,
        offset_reset: Setting::Absent,
        state_backend: Setting::Absent,
        statestore_cache_max_bytes: Setting::Absent,
        topology_optimization: Setting::Absent,
        on_error: OnError {
            deserialize: Setting::Absent,
            process: Setting::Absent,
            produce: Setting::Absent,
        },
        names: Vec::new(),
    };
    for written in read(&TOPOLOGY, tokens, errors) {
        options.names.push(written.name.clone());
        option(&mut options, written, errors);
    }
    options
}

fn option(options: &mut Options, written: Written, errors: &mut Errors) {
    match written.known.name {
        "application_id" => {
            let why = "it is compared with those of the other topologies while this crate compiles";
            options.application_id = values::literal_text(written, why, errors).into();
        }
        "guarantee" => options.guarantee = values::guarantee(written, errors).into(),
        "checkpoint_interval" => {
            options.checkpoint_interval = values::duration(written, errors).into()
        }
        "transactional_id_prefix" => {
            let constant = format_ident!("__TRANSACTIONAL_ID_PREFIX", span = Span::mixed_site());
            options.transactional_id_prefix = values::text(written, constant, errors).into();
        }
        "transaction_timeout" => {
            options.transaction_timeout = values::duration(written, errors).into()
        }
        "broker_transaction_max_timeout" => {
            options.broker_transaction_max_timeout = values::duration(written, errors).into();
        }
        "stream_threads" => options.stream_threads = values::count(written, errors).into(),
        "offset_reset" => options.offset_reset = values::offset_reset(written, errors).into(),
        "state_backend" => options.state_backend = values::state_backend(written, errors).into(),
        "statestore_cache_max_bytes" => {
            options.statestore_cache_max_bytes = values::count(written, errors).into();
        }
        "topology_optimization" => {
            options.topology_optimization = values::topology_optimization(written, errors).into();
        }
        _ => on_error(&mut options.on_error, written, errors),
    }
}

fn on_error(on_error: &mut OnError, written: Written, errors: &mut Errors) {
    let Some(tokens) = written.list(errors) else {
        return;
    };
    for written in read(&ON_ERROR, tokens, errors) {
        let policy = match written.known.name {
            "deserialize" => &mut on_error.deserialize,
            "process" => &mut on_error.process,
            _ => &mut on_error.produce,
        };
        *policy = values::policy(written, errors).into();
    }
}

/// Takes the `#[sink]` lines from a function.
fn sinks(function: &mut ItemFn, errors: &mut Errors) -> Vec<Port> {
    let mut sinks = Vec::new();
    for attribute in take_ours(&mut function.attrs) {
        if attribute.path().is_ident("sink") {
            sinks.push(port(
                &SINK,
                &attribute,
                &format!("__SINK_{}", sinks.len()),
                errors,
            ));
        } else {
            let name = name_of(&attribute);
            errors.under(
                &attribute,
                format!("`#[{name}]` belongs before a parameter; move it there"),
            );
        }
    }
    sinks
}

fn parameters(function: &mut ItemFn, body_holds: &mut bool, errors: &mut Errors) -> Vec<Parameter> {
    let mut all = Vec::new();
    for argument in &mut function.sig.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                errors.under(receiver, "a topology is a free function; remove `self`");
                *body_holds = false;
            }
            FnArg::Typed(argument) => {
                let sources = all
                    .iter()
                    .filter(|before| matches!(before, Parameter::Source { .. }))
                    .count();
                all.push(parameter(argument, sources, body_holds, errors));
            }
        }
    }
    all
}

fn parameter(
    argument: &mut PatType,
    sources: usize,
    body_holds: &mut bool,
    errors: &mut Errors,
) -> Parameter {
    let mut attributes = take_ours(&mut argument.attrs).into_iter();
    let (pattern, ty) = ((*argument.pat).clone(), (*argument.ty).clone());
    if let Some(cfg) = argument
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"))
    {
        errors.under(
            cfg,
            "a topology's parameter cannot have `#[cfg]`; write two functions, each with its own",
        );
    }
    let broken = Box::new(Port::of(Setting::Broken));
    let Some(attribute) = attributes.next() else {
        return match without_attribute(&ty, errors) {
            None => Parameter::Plain { pattern, ty },
            Some(input) => Parameter::Source {
                input,
                pattern,
                ty,
                port: broken,
            },
        };
    };
    for extra in attributes {
        errors.under(
            &extra,
            format!(
                "a parameter is read from one topic; remove this `#[{}]`",
                name_of(&extra)
            ),
        );
    }
    let is_written = |input: &Input| attribute.path().is_ident(input.attribute());
    let Some(input) = Input::ALL.into_iter().find(is_written) else {
        *body_holds = false;
        errors.under(
            &attribute,
            "`#[sink]` belongs above the function, one for each stream that it returns; move it there",
        );
        return Parameter::Source {
            input: Input::Stream,
            pattern,
            ty,
            port: broken,
        };
    };
    *body_holds &= is_handle(input, &ty, errors);
    let site = match input {
        Input::Stream => &SOURCE,
        Input::Table => &TABLE,
        Input::GlobalTable => &GLOBAL_TABLE,
    };
    let port = port(site, &attribute, &format!("__SOURCE_{sources}"), errors);
    Parameter::Source {
        input,
        pattern,
        ty,
        port: Box::new(port),
    }
}

/// What a parameter without an attribute would have to be read as, if it is a handle: nothing else gives it one.
fn without_attribute(ty: &Type, errors: &mut Errors) -> Option<Input> {
    let target = match ty {
        Type::Reference(reference) => &reference.elem,
        other => other,
    };
    let name = last_name(target)?;
    let input = Input::ALL
        .into_iter()
        .find(|input| name == input.handle())?;
    let (handle, attribute) = (input.handle(), input.attribute());
    let message = match input {
        Input::Stream => format!(
            "this `{handle}` has no source; put `#[{attribute}(topic = \"..\")]` before the parameter"
        ),
        Input::Table | Input::GlobalTable => format!(
            "this `{handle}` has no topic; put `#[{attribute}(topic = \"..\")]` before the parameter"
        ),
    };
    errors.under(ty, message);
    Some(input)
}

/// Whether an input's type can be its handle. A name that is not known here may be an alias, so rustc judges it.
fn is_handle(input: Input, ty: &Type, errors: &mut Errors) -> bool {
    const OTHERS: [&str; 6] = ["Vec", "String", "Option", "Result", "Box", "Arc"];
    let name = last_name(ty);
    let is_of = |other: &Input| name.as_deref() == Some(other.handle());
    let meant = Input::ALL.into_iter().find(is_of);
    let may_be = match (ty, meant) {
        (Type::Path(_), Some(meant)) => meant == input,
        (Type::Path(_), None) => !name.is_some_and(|name| OTHERS.contains(&name.as_str())),
        (Type::Macro(_) | Type::Group(_) | Type::Paren(_), _) => true,
        _ => false,
    };
    if !may_be {
        let (attribute, handle) = (input.attribute(), input.handle());
        let remedy = match meant {
            Some(meant) => format!(
                "write `#[{}(..)]` for a `{}`, or give the parameter that type",
                meant.attribute(),
                meant.handle()
            ),
            None => "give the parameter that type".to_owned(),
        };
        errors.under(
            ty,
            format!("`#[{attribute}]` gives a `{handle}<K, V>`; {remedy}"),
        );
    }
    may_be
}

fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string()),
        Type::Group(group) => last_name(&group.elem),
        Type::Paren(paren) => last_name(&paren.elem),
        _ => None,
    }
}

/// A source's or a sink's options; `constant` is the name of its topic in the expansion, if that is a constant.
fn port(site: &'static Site, attribute: &Attribute, constant: &str, errors: &mut Errors) -> Port {
    let mut port = Port::of(Setting::Absent);
    let written = match &attribute.meta {
        Meta::List(list) => read(site, list.tokens.clone(), errors),
        Meta::Path(_) => Vec::new(),
        Meta::NameValue(_) => {
            errors.under(
                attribute,
                format!(
                    "`{}` takes options in parentheses; write `#[{}(topic = \"..\")]`",
                    site.name,
                    name_of(attribute)
                ),
            );
            port.topic = Setting::Broken;
            return port;
        }
    };
    for written in written {
        match written.known.name {
            "topic" => {
                port.topic = values::text(
                    written,
                    format_ident!("{constant}", span = Span::mixed_site()),
                    errors,
                )
                .into()
            }
            "key" => port.key = written.expression(errors),
            "headers" => port.headers = values::headers(written, errors).into(),
            "versioned" => port.versioned = values::duration(written, errors).into(),
            "state_backend" => port.state_backend = values::state_backend(written, errors).into(),
            _ => port.value = written.expression(errors),
        }
    }
    if port.topic.is_absent() {
        errors.under(
            attribute,
            format!(
                "`{}` has no topic; write `#[{}(topic = \"..\")]`",
                site.name,
                name_of(attribute)
            ),
        );
        port.topic = Setting::Broken;
    }
    port
}

/// Whether a function has none of the qualifiers that a topology cannot have.
fn qualifiers(function: &ItemFn, errors: &mut Errors) -> bool {
    let signature = &function.sig;
    let wrong = [
        signature
            .constness
            .map(|token| (token.span(), "`const`", "it is built at run time")),
        signature
            .asyncness
            .map(|token| (token.span(), "`async`", "it is built at once")),
        signature
            .unsafety
            .map(|token| (token.span(), "`unsafe`", "it is called by safe code")),
        signature
            .abi
            .as_ref()
            .map(|abi| (abi.span(), "`extern`", "it is called by Rust")),
        signature
            .variadic
            .as_ref()
            .map(|dots| (dots.span(), "`...`", "it is called by Rust")),
    ];
    let mut none = true;
    for (span, what, why) in wrong.into_iter().flatten() {
        none = false;
        errors.at(
            span,
            format!("a topology cannot be {what}, because {why}; remove {what}"),
        );
    }
    none
}

fn take_ours(attributes: &mut Vec<Attribute>) -> Vec<Attribute> {
    let ours = |attribute: &mut Attribute| OURS.iter().any(|name| attribute.path().is_ident(name));
    attributes.extract_if(.., ours).collect()
}

fn name_of(attribute: &Attribute) -> String {
    attribute
        .path()
        .get_ident()
        .map(ToString::to_string)
        .unwrap_or_default()
}
