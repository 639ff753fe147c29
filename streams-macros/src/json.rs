//! `#[derive(Json)]`: a type whose wire format is JSON.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, WherePredicate, parse_quote};

/// The implementation of `HasSerde`.
pub(crate) fn derive(input: DeriveInput) -> TokenStream {
    let name = &input.ident;
    // At the type's name, where rustc then says what `Json` needs of the type.
    let json = quote_spanned!(name.span()=> ::streams::Json);
    let mut generics = input.generics.clone();
    let ty = {
        let (_, arguments, _) = input.generics.split_for_impl();
        quote!(#name #arguments)
    };
    if !input.generics.params.is_empty() {
        let bound: WherePredicate = parse_quote!(#json: ::streams::serde::Serde<#ty>);
        generics.make_where_clause().predicates.push(bound);
    }
    let (parameters, _, where_clause) = generics.split_for_impl();
    let (parameters, where_clause) = (parameters.to_token_stream(), where_clause.to_token_stream());
    quote! {
        impl #parameters ::streams::serde::HasSerde for #ty #where_clause {
            type Serde = #json;
        }
    }
}
