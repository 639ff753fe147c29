//! Collects what is wrong with a function, so that all of it is told at once.
//!
//! Invariant: a collector is finished, or the expansion would hide its errors; one that is dropped with errors
//! untold panics.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::fmt::Display;

/// The errors so far.
#[derive(Default)]
pub(crate) struct Errors {
    untold: Vec<syn::Error>,
}

impl Errors {
    /// Adds an error at a token.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.untold.push(syn::Error::new(span, message));
    }

    /// Adds an error under all of `tokens`: the span of a syntax tree is only its first token on stable Rust.
    pub(crate) fn under(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.untold.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds an error of the parser.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.untold.push(error);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.untold.is_empty()
    }

    /// All of them as one error, if there is any.
    pub(crate) fn finish(mut self) -> Option<syn::Error> {
        let all = std::mem::take(&mut self.untold);
        all.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        })
    }

    /// All of them as `compile_error!` calls; nothing if there is none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.finish()
            .map(|all| all.to_compile_error())
            .unwrap_or_default()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.untold.is_empty() || std::thread::panicking(),
            "errors were found and not told"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_told_in_order() {
        let mut errors = Errors::default();
        assert!(errors.is_empty());
        errors.at(Span::call_site(), "first");
        errors.under(quote::quote!(a b), "second");
        let told: Vec<String> = errors
            .finish()
            .into_iter()
            .flatten()
            .map(|error| error.to_string())
            .collect();
        assert_eq!(told, ["first", "second"]);
    }

    #[test]
    #[should_panic(expected = "errors were found and not told")]
    fn errors_cannot_be_lost() {
        Errors::default().at(Span::call_site(), "lost");
    }
}
