//! The macros of the `streams` crate.

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

/// TODO
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

/// The type's wire format is JSON, in topics and in stores.
#[proc_macro_derive(Json)]
pub fn json(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<DeriveInput>(item) {
        Ok(input) => json::derive(input).into(),
        Err(error) => error.to_compile_error().into(),
    }
}
