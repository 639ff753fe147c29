//! From a [`Topology`] to a function that builds it, through nothing but `TopologyBuilder`'s public methods.
//!
//! - Everything is inside of that one function, so the attribute works wherever a function may stand.
//! - The body becomes an inner function: a closure would borrow from this one, and rustc's hints (such as `move`) would
//!   point at the attribute. It is called `__` and the function's name, since a parameter may have that very name.
//! - Variables of the expansion have mixed-site hygiene, so that no name of the user's can meet them. Only the
//!   parameters keep theirs: a serde of an attribute may be made of one.
//! - What a type error should point at carries the span of the user's type or expression.

use crate::errors::Errors;
use crate::model::{Constant, Guarantee, Model, OffsetReset, Parameter, Policy, Port};
use crate::naming;
use crate::validate::Topology;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Expr, FnArg, GenericArgument, GenericParam, ItemFn, Pat, PathArguments, Type, Visibility,
    parse_quote_spanned,
};

/// The function that builds the topology.
pub(crate) fn expand(topology: &Topology) -> TokenStream {
    let Topology {
        model,
        application_id,
        checks,
    } = topology;
    let names = Names::new();
    let Names { builder, scope } = &names;
    let function = &model.function;
    let name = &function.sig.ident;
    let scope_name = name.unraw().to_string();
    let head = head(model);
    let constants = model.constants().into_iter().map(constant);
    let unique = unique(application_id);
    let checks = checks.iter().map(|check| {
        let verdict = &check.verdict;
        quote_spanned!(check.at=> const _: () = ::streams::rules::enforce(#verdict);)
    });
    let (body, call) = body(model, &names);
    let settings = settings(model, builder);
    let sources = sources(model, &names);
    let sinks = sinks(model, call);
    quote! {
        #head {
            #(#constants)*
            #(#checks)*
            #unique
            #body
            let #builder = ::streams::TopologyBuilder::new(#application_id);
            #settings
            let #scope = #builder.name_scope(#scope_name);
            #sources
            #sinks
            ::core::mem::drop(#scope);
            #builder.build()
        }
    }
}

/// The errors, and the function as far as others can depend on it, so that no error follows from its absence.
pub(crate) fn expand_errors(model: &Model, errors: Errors) -> TokenStream {
    let errors = errors.into_tokens();
    let head = head(model);
    let body = model.body_holds.then(|| {
        let mut body = inner(model);
        body.attrs.clear();
        quote!(#[allow(dead_code, unused_variables)] #body)
    });
    quote! {
        #errors
        #[allow(unused_variables)]
        #head {
            #body
            ::core::unreachable!()
        }
    }
}

/// The variables of the expansion.
struct Names {
    builder: Ident,
    scope: Ident,
}

impl Names {
    fn new() -> Self {
        Self {
            builder: hidden("builder"),
            scope: hidden("scope"),
        }
    }
}

fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The function's attributes and signature, with the parameters that stay.
fn head(model: &Model) -> TokenStream {
    let function = &model.function;
    let (attributes, visibility, name) = (&function.attrs, &function.vis, &function.sig.ident);
    let generics = &function.sig.generics;
    let where_clause = &generics.where_clause;
    let parameters = model
        .parameters
        .iter()
        .enumerate()
        .filter_map(|(index, parameter)| match parameter {
            Parameter::Plain { pattern, ty } => {
                let name = argument(pattern, index);
                Some(quote!(#name: #ty))
            }
            Parameter::Source { .. } => None,
        });
    quote! {
        #(#attributes)*
        #visibility fn #name #generics (#(#parameters),*) -> ::streams::Topology #where_clause
    }
}

/// What a parameter is called outside of the body, where its pattern does not matter.
fn argument(pattern: &Pat, index: usize) -> Ident {
    match pattern {
        Pat::Ident(pattern) => pattern.ident.clone(),
        _ => hidden(&format!("argument_{index}")),
    }
}

/// What the stream of a source is called outside of the body, where it meets neither the user's names nor ours.
fn stream(pattern: &Pat, index: usize) -> Ident {
    let parameter = argument(pattern, index);
    let span = Span::mixed_site().located_at(parameter.span());
    format_ident!("{}_stream", parameter.unraw(), span = span)
}

/// A constant of the attributes, once: were it repeated, so would be its errors.
fn constant(Constant { name, ty, expr }: &Constant) -> TokenStream {
    quote_spanned!(expr.span()=> const #name: #ty = #expr;)
}

/// A macro that a crate can define once: two topologies with one application id do not compile.
fn unique(application_id: &syn::LitStr) -> TokenStream {
    let name = Ident::new(&unique_name(&application_id.value()), application_id.span());
    quote_spanned! {application_id.span()=>
        #[doc(hidden)]
        #[allow(non_local_definitions, non_snake_case)]
        #[macro_export]
        macro_rules! #name { () => {} }
    }
}

/// A name for each application id and another for each other one: the id with `_` for every separator, then one letter
/// for each separator.
fn unique_name(application_id: &str) -> String {
    let readable = application_id.replace(['-', '.'], "_");
    let separators = application_id
        .chars()
        .filter_map(|character| match character {
            '-' => Some('h'),
            '_' => Some('u'),
            '.' => Some('d'),
            _ => None,
        });
    let separators: String = separators.collect();
    format!("only_one_topology_may_have_the_application_id_{readable}__{separators}")
}

/// The function as it was written, for the inside of the one that is expanded.
fn inner(model: &Model) -> ItemFn {
    let mut inner = model.function.clone();
    inner.vis = Visibility::Inherited;
    inner.attrs.clear();
    inner
}

/// The inner function, and its call.
fn body(model: &Model, Names { builder, scope }: &Names) -> (TokenStream, TokenStream) {
    let mut body = inner(model);
    let name = format_ident!(
        "__{}",
        model.function.sig.ident.unraw(),
        span = model.function.sig.ident.span()
    );
    body.sig.ident = name.clone();
    let argument = |(index, parameter): (usize, &Parameter)| match parameter {
        Parameter::Plain { pattern, .. } => argument(pattern, index).into_token_stream(),
        Parameter::Source { pattern, .. } => stream(pattern, index).into_token_stream(),
    };
    let mut arguments: Vec<TokenStream> =
        model.parameters.iter().enumerate().map(argument).collect();
    if naming::name(&mut body.block, builder, scope) {
        let parameter: FnArg =
            parse_quote_spanned!(Span::mixed_site()=> #builder: &::streams::TopologyBuilder);
        body.sig.inputs.push(parameter);
        arguments.push(quote!(&#builder));
    }
    let generics = turbofish(model);
    let body = quote! {
        #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments, unused_parens)]
        #body
    };
    (body, quote!(#name #generics (#(#arguments),*)))
}

fn turbofish(model: &Model) -> Option<TokenStream> {
    let generics = model.function.sig.generics.params.iter();
    let names: Vec<&Ident> = generics
        .filter_map(|generic| match generic {
            GenericParam::Type(ty) => Some(&ty.ident),
            GenericParam::Const(constant) => Some(&constant.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!names.is_empty()).then(|| quote!(::<#(#names),*>))
}

/// A call of the builder for each setting that was written.
fn settings(model: &Model, builder: &Ident) -> TokenStream {
    let options = &model.options;
    let guarantee = options.guarantee.given().map(|guarantee| match guarantee {
        Guarantee::ExactlyOnce => quote!(guarantee(::streams::Guarantee::ExactlyOnce)),
        Guarantee::AtLeastOnce => quote!(guarantee(::streams::Guarantee::AtLeastOnce)),
    });
    let offset_reset = options.offset_reset.given().map(|reset| match reset {
        OffsetReset::Earliest => quote!(offset_reset(::streams::OffsetReset::Earliest)),
        OffsetReset::Latest => quote!(offset_reset(::streams::OffsetReset::Latest)),
        OffsetReset::None => quote!(offset_reset(::streams::OffsetReset::None)),
    });
    let policy = |method: &str, policy: Option<&Policy>| {
        let method = hidden(method);
        policy.map(|policy| match policy {
            Policy::Fail => quote!(#method(::streams::ErrorPolicy::Fail)),
            Policy::Skip => quote!(#method(::streams::ErrorPolicy::Skip)),
            Policy::DeadLetter(topic) => {
                quote!(#method(::streams::ErrorPolicy::DeadLetter(::std::string::String::from(#topic))))
            }
        })
    };
    let calls = [
        guarantee,
        options
            .checkpoint_interval
            .given()
            .map(|interval| quote!(checkpoint_interval(#interval))),
        options
            .transactional_id_prefix
            .given()
            .map(|prefix| quote!(transactional_id_prefix(#prefix))),
        options
            .transaction_timeout
            .given()
            .map(|timeout| quote!(transaction_timeout(#timeout))),
        options
            .broker_transaction_max_timeout
            .given()
            .map(|max| quote!(broker_transaction_max_timeout(#max))),
        options
            .stream_threads
            .given()
            .map(|threads| quote!(stream_threads(#threads))),
        offset_reset,
        options
            .state_backend
            .given()
            .map(|backend| quote!(state_backend(#backend))),
        options
            .statestore_cache_max_bytes
            .given()
            .map(|bytes| quote!(statestore_cache_max_bytes(#bytes))),
        options
            .topology_optimization
            .given()
            .map(|choice| quote!(topology_optimization(#choice))),
        policy("on_deserialize_error", options.on_error.deserialize.given()),
        policy("on_process_error", options.on_error.process.given()),
        policy("on_produce_error", options.on_error.produce.given()),
    ];
    calls
        .into_iter()
        .flatten()
        .map(|call| quote!(#builder.#call;))
        .collect()
}

/// A variable for each source.
fn sources(model: &Model, Names { builder, scope }: &Names) -> TokenStream {
    let source = |(index, parameter): (usize, &Parameter)| {
        let Parameter::Source {
            input,
            pattern,
            ty,
            port,
        } = parameter
        else {
            return None;
        };
        let topic = port.topic()?;
        let (key, value) = serdes(port, ty);
        let name = stream(pattern, index);
        let scope = match pattern {
            Pat::Ident(pattern) => {
                let text = pattern.ident.unraw().to_string();
                Some(quote!(let #scope = #builder.name_scope(#text);))
            }
            _ => None,
        };
        // Said here as well, or a serde that does not fit is told to be one for `_`.
        let types = match type_arguments(ty).as_slice() {
            [key, value] => Some(quote!(::<#key, #value>)),
            _ => None,
        };
        let method = Ident::new(input.method(port), Span::mixed_site().located_at(ty.span()));
        let call = quote_spanned!(ty.span()=> #builder.#method #types (#topic, #key, #value));
        let history = port.versioned.given();
        let history = history.map(|history| quote_spanned!(ty.span()=> .versioned(#history)));
        let backend = port.state_backend.given();
        let backend = backend.map(|backend| quote_spanned!(ty.span()=> .state_backend(#backend)));
        Some(quote!(let #name: #ty = { #scope #call #history #backend };))
    };
    model
        .parameters
        .iter()
        .enumerate()
        .filter_map(source)
        .collect()
}

/// The body's call, and a sink for each stream that it returns.
fn sinks(model: &Model, call: TokenStream) -> TokenStream {
    let returned = model.returned();
    let outputs: Vec<Ident> = match returned.len() {
        1 => vec![hidden("output")],
        many => (0..many)
            .map(|index| hidden(&format!("output_{index}")))
            .collect(),
    };
    let sinks =
        model
            .sinks
            .iter()
            .zip(&returned)
            .zip(&outputs)
            .filter_map(|((port, ty), output)| {
                let topic = port.topic()?;
                let (key, value) = serdes(port, ty);
                let at = Ident::new(&output.to_string(), output.span().located_at(ty.span()));
                Some(quote!(::streams::sink(#at, #topic, #key, #value);))
            });
    let pattern = match (&model.function.sig.output, outputs.as_slice()) {
        (_, []) => return quote!(#call;),
        (syn::ReturnType::Type(_, ty), [output]) if !matches!(**ty, Type::Tuple(_)) => {
            quote!(#output)
        }
        (_, outputs) => quote!((#(#outputs,)*)),
    };
    quote! {
        let #pattern = #call;
        #(#sinks)*
    }
}

/// How the key and the value of a port are read or written: as its attribute says, or as their types say.
fn serdes(port: &Port, ty: &Type) -> (TokenStream, TokenStream) {
    let mut types = type_arguments(ty).into_iter();
    let (key, value) = (types.next().unwrap_or(ty), types.next().unwrap_or(ty));
    (
        serde(port.key.as_ref(), key),
        serde(port.value.as_ref(), value),
    )
}

fn serde(explicit: Option<&Expr>, ty: &Type) -> TokenStream {
    match explicit {
        Some(expr) => quote_spanned!(expr.span()=> ::streams::By(#expr)),
        None => quote_spanned!(ty.span()=> ::streams::ByType),
    }
}

/// `K` and `V` of `KStream<K, V>`.
fn type_arguments(ty: &Type) -> Vec<&Type> {
    let Type::Path(path) = ty else {
        return Vec::new();
    };
    let Some(PathArguments::AngleBracketed(arguments)) =
        path.path.segments.last().map(|segment| &segment.arguments)
    else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Every text of up to `length` of these characters.
    fn texts(length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..length {
            longest = longest
                .iter()
                .flat_map(|text| "-_.hud".chars().map(move |c| format!("{text}{c}")))
                .collect();
            all.extend(longest.clone());
        }
        all
    }

    #[test]
    fn no_two_application_ids_share_a_name() {
        let ids = texts(5);
        let names: HashSet<String> = ids.iter().map(|id| unique_name(id)).collect();
        assert_eq!(names.len(), ids.len());
    }
}
