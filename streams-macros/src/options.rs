//! The one grammar of this crate's attributes: `name = value` and `name(..)`, separated by commas.
//!
//! A broken option is told and skipped, so that the others are still read.

use crate::errors::Errors;
use crate::suggest;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Lit, Token, token};

/// A place where options stand.
pub(crate) struct Site {
    /// As it is called in messages.
    pub(crate) name: &'static str,
    /// What may stand there.
    pub(crate) options: &'static [Known],
}

/// An option, and an example of it for messages.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

/// An option that is known in its place, and was written there for the first time.
pub(crate) struct Written {
    pub(crate) known: &'static Known,
    pub(crate) name: Ident,
    /// `None` if it is wrong, which was told.
    pub(crate) value: Option<Form>,
}

/// The two ways to write an option.
pub(crate) enum Form {
    /// `name = value`
    Value(Expr),
    /// `name(..)`
    List(TokenStream),
}

impl Written {
    /// The expression of `name = value`.
    pub(crate) fn expression(self, errors: &mut Errors) -> Option<Expr> {
        match self.value? {
            Form::Value(expr) => Some(ungroup(expr)),
            Form::List(_) => {
                errors.at(
                    self.name.span(),
                    format!(
                        "`{}` takes a value; write `{}`",
                        self.name, self.known.example
                    ),
                );
                None
            }
        }
    }

    /// The options of `name(..)`.
    pub(crate) fn list(self, errors: &mut Errors) -> Option<TokenStream> {
        match self.value? {
            Form::List(tokens) => Some(tokens),
            Form::Value(_) => {
                errors.at(
                    self.name.span(),
                    format!(
                        "`{}` takes options; write `{}`",
                        self.name, self.known.example
                    ),
                );
                None
            }
        }
    }
}

/// Parentheses, and the invisible group around what a macro inserted, change nothing.
pub(crate) fn ungroup(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungroup(*group.expr),
        Expr::Paren(paren) => ungroup(*paren.expr),
        other => other,
    }
}

/// Reads the options of a site.
pub(crate) fn read(site: &'static Site, tokens: TokenStream, errors: &mut Errors) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for (name, form) in entries(site, tokens, errors) {
        let text = name.unraw().to_string();
        let Some(known) = recognise(site, &name, &text, errors) else {
            continue;
        };
        if all.iter().any(|before| before.known.name == known.name) {
            // What is wrong besides has been told.
            if form.is_some() {
                errors.at(
                    name.span(),
                    format!("`{}` is set twice; remove one of them", known.name),
                );
            }
            continue;
        }
        // A slip stands for the option that it is nearest to, so that this one is not reported as missing as well.
        let value = form.filter(|_| text == known.name);
        all.push(Written { known, name, value });
    }
    all
}

fn recognise(
    site: &'static Site,
    name: &Ident,
    text: &str,
    errors: &mut Errors,
) -> Option<&'static Known> {
    let find = |text: &str| site.options.iter().find(|known| known.name == text);
    if let Some(known) = find(text) {
        return Some(known);
    }
    let names: Vec<&str> = site.options.iter().map(|known| known.name).collect();
    errors.at(
        name.span(),
        format!(
            "unknown option `{text}` in `{}`; {}",
            site.name,
            suggest::remedy(text, &names)
        ),
    );
    suggest::nearest(text, names).and_then(find)
}

fn entries(
    site: &'static Site,
    tokens: TokenStream,
    errors: &mut Errors,
) -> Vec<(Ident, Option<Form>)> {
    let mut all = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match entry(site, input) {
                Ok(entry) => all.push((entry.0, Some(entry.1))),
                Err(Mistake { name, error }) => {
                    errors.push(error);
                    all.extend(name.map(|name| (name, None)));
                    skip_to_comma(input);
                }
            }
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                errors.push(input.error("expected `,` between two options"));
                skip_to_comma(input);
                let _: syn::Result<Token![,]> = input.parse();
            }
        }
        Ok(())
    };
    // The parser consumes everything and tells its errors itself.
    let _: syn::Result<()> = parser.parse2(tokens);
    all
}

struct Mistake {
    /// The option, if that much is known.
    name: Option<Ident>,
    error: syn::Error,
}

fn entry(site: &'static Site, input: ParseStream<'_>) -> Result<(Ident, Form), Mistake> {
    if let Some(mistake) = without_name(site, input) {
        return Err(mistake);
    }
    let name = Ident::parse_any(input).map_err(|_| Mistake {
        name: None,
        error: input.error(format!(
            "expected an option; write `{}`",
            example(site, None)
        )),
    })?;
    let mistake = |error| Mistake {
        name: Some(name.clone()),
        error,
    };
    if input.peek(token::Paren) {
        let list = |input: ParseStream<'_>| {
            let content;
            syn::parenthesized!(content in input);
            content.parse::<TokenStream>()
        };
        let tokens = list(input).map_err(mistake)?;
        return Ok((name, Form::List(tokens)));
    }
    let no_value = || {
        let example = example(site, Some(&name));
        mistake(syn::Error::new(
            name.span(),
            format!("`{name}` has no value; write `{example}`"),
        ))
    };
    input.parse::<Token![=]>().map_err(|_| no_value())?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(no_value());
    }
    let value = input.parse().map_err(mistake)?;
    Ok((name, Form::Value(value)))
}

/// A value without its option's name, where it can be told what it is meant for: it stands for that option, so that this
/// one is not reported as missing as well.
fn without_name(site: &Site, input: ParseStream<'_>) -> Option<Mistake> {
    let first = site.options.first()?;
    let value: Expr = input.fork().parse().ok()?;
    let is_option = |path: &syn::Path| {
        let names = site.options.iter().map(|known| known.name);
        let word = path.get_ident().map(ToString::to_string);
        word.is_some_and(|word| suggest::nearest(&word, names).is_some())
    };
    let is_meant = match &value {
        Expr::Lit(literal) => {
            matches!(literal.lit, Lit::Str(_)) && matches!(first.name, "topic" | "application_id")
        }
        Expr::Path(path) => first.name == "topic" && !is_option(&path.path),
        Expr::Macro(_) => first.name == "topic",
        _ => false,
    };
    let text = value.to_token_stream().to_string();
    is_meant.then(|| Mistake {
        name: Some(Ident::new(first.name, value.span())),
        error: syn::Error::new_spanned(
            &value,
            format!(
                "`{text}` stands without its name; write `{} = {text}`",
                first.name
            ),
        ),
    })
}

fn example(site: &Site, name: Option<&Ident>) -> String {
    let known = site
        .options
        .iter()
        .find(|known| name.is_none_or(|name| name == known.name));
    match (known, name) {
        (Some(known), _) => known.example.to_owned(),
        (None, Some(name)) => format!("{name} = .."),
        (None, None) => String::new(),
    }
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: syn::Result<TokenTree> = input.parse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    static SITE: Site = Site {
        name: "#[shape]",
        options: &[
            Known {
                name: "width",
                example: "width = 1",
            },
            Known {
                name: "border",
                example: "border(colour = red)",
            },
        ],
    };

    fn written(tokens: TokenStream) -> (Vec<(&'static str, bool)>, Vec<String>) {
        let mut errors = Errors::default();
        let all = read(&SITE, tokens, &mut errors);
        let names = all
            .iter()
            .map(|written| (written.known.name, written.value.is_some()))
            .collect();
        (
            names,
            errors
                .finish()
                .into_iter()
                .flatten()
                .map(|error| error.to_string())
                .collect(),
        )
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(
            written(quote!(width = 1 + 2, border(colour = red),)),
            (vec![("width", true), ("border", true)], vec![])
        );
        assert_eq!(written(quote!()), (vec![], vec![]));
    }

    #[test]
    fn a_slip_is_told_and_counts_as_written() {
        let (names, errors) = written(quote!(widht = 1));
        assert_eq!(names, [("width", false)]);
        assert_eq!(
            errors,
            ["unknown option `widht` in `#[shape]`; did you mean `width`?"]
        );
    }

    #[test]
    fn an_unknown_option_is_answered_with_all() {
        let (names, errors) = written(quote!(colour = 1));
        assert_eq!(names, []);
        assert_eq!(
            errors,
            ["unknown option `colour` in `#[shape]`; choose `width` or `border`"]
        );
    }

    #[test]
    fn an_option_is_set_once() {
        let (names, errors) = written(quote!(width = 1, width = 2));
        assert_eq!(names, [("width", true)]);
        assert_eq!(errors, ["`width` is set twice; remove one of them"]);
    }

    #[test]
    fn a_broken_option_does_not_hide_the_next() {
        for broken in [
            quote!(width, border()),
            quote!(width = , border()),
            quote!(width =),
        ] {
            let (names, errors) = written(broken);
            assert_eq!(names.first(), Some(&("width", false)));
            assert_eq!(errors, ["`width` has no value; write `width = 1`"]);
        }
        let (names, errors) = written(quote!("x", width = 1 2, border()));
        assert_eq!(names, [("width", true), ("border", true)]);
        assert_eq!(
            errors,
            [
                "expected an option; write `width = 1`",
                "expected `,` between two options"
            ]
        );
    }
}
