//! What stands to the right of an option's `=`: a literal of the right kind, a constant, or a word.

use crate::errors::Errors;
use crate::model::{
    Constant, Guarantee, HeaderUse, OffsetReset, Policy, StateBackend, TopologyOptimization, Value,
};
use crate::options::{Form, Known, Written, ungroup};
use crate::suggest;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use std::time::Duration;
use syn::{Expr, ExprCall, ExprLit, ExprUnary, Lit, LitStr};

/// Text that must be known to this crate.
pub(crate) fn literal_text(written: Written, why: &str, errors: &mut Errors) -> Option<LitStr> {
    let known = written.known;
    let expr = written.expression(errors)?;
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text),
        other => {
            let message = format!(
                "`{}` must be a string literal, because {why}; write `{}`",
                known.name, known.example
            );
            errors.under(other, message);
            None
        }
    }
}

/// Text, or a constant of type `&str`; `constant` is its name in the expansion.
pub(crate) fn text(
    written: Written,
    constant: Ident,
    errors: &mut Errors,
) -> Option<Value<String>> {
    let known = written.known;
    text_of(written.expression(errors)?, known, constant, errors)
}

fn text_of(
    expr: Expr,
    known: &Known,
    constant: Ident,
    errors: &mut Errors,
) -> Option<Value<String>> {
    match literal(expr) {
        Ok(Lit::Str(text)) => Some(Value::Literal(text.value(), text.span())),
        Ok(other) => {
            errors.at(
                other.span(),
                format!(
                    "`{}` is text; write `{}`, or name a `const` of type `&str`",
                    known.name, known.example
                ),
            );
            None
        }
        Err(expr) => Some(Value::Constant(Box::new(Constant {
            name: constant,
            ty: quote!(&str),
            expr,
        }))),
    }
}

/// A duration in text, or a constant of type `Duration`.
pub(crate) fn duration(written: Written, errors: &mut Errors) -> Option<Value<Duration>> {
    let known = written.known;
    match literal(written.expression(errors)?) {
        Ok(Lit::Str(text)) => match streams_rules::parse_duration(&text.value()) {
            Ok(duration) => Some(Value::Literal(duration, text.span())),
            Err(message) => {
                errors.at(text.span(), message);
                None
            }
        },
        Ok(other) => {
            errors.at(
                other.span(),
                format!(
                    "`{}` is a duration; write `{}`, or name a `const` of type `Duration`",
                    known.name, known.example
                ),
            );
            None
        }
        Err(expr) => Some(Value::Constant(named(
            known,
            quote!(::core::time::Duration),
            expr,
        ))),
    }
}

/// A count, or a constant of type `usize`.
pub(crate) fn count(written: Written, errors: &mut Errors) -> Option<Value<usize>> {
    let known = written.known;
    match literal(written.expression(errors)?) {
        Ok(Lit::Int(number)) if matches!(number.suffix(), "" | "usize") => {
            match number.base10_parse() {
                Ok(count) => Some(Value::Literal(count, number.span())),
                Err(_) => {
                    errors.at(
                        number.span(),
                        format!(
                            "`{number}` is too large for `{}`; write a smaller number",
                            known.name
                        ),
                    );
                    None
                }
            }
        }
        Ok(other) => {
            errors.at(
                other.span(),
                format!(
                    "`{}` is a count; write `{}`, or name a `const` of type `usize`",
                    known.name, known.example
                ),
            );
            None
        }
        Err(Expr::Unary(
            negative @ ExprUnary {
                op: syn::UnOp::Neg(_),
                ..
            },
        )) => {
            errors.under(
                negative,
                format!(
                    "`{}` is a count, which cannot be negative; write `{}`",
                    known.name, known.example
                ),
            );
            None
        }
        Err(expr) => Some(Value::Constant(named(known, quote!(usize), expr))),
    }
}

/// `exactly_once` or `at_least_once`.
pub(crate) fn guarantee(written: Written, errors: &mut Errors) -> Option<Guarantee> {
    let choices = [
        ("exactly_once", Guarantee::ExactlyOnce),
        ("at_least_once", Guarantee::AtLeastOnce),
    ];
    word(written, &choices, errors)
}

/// `earliest`, `latest` or `none`.
pub(crate) fn offset_reset(written: Written, errors: &mut Errors) -> Option<OffsetReset> {
    let choices = [
        ("earliest", OffsetReset::Earliest),
        ("latest", OffsetReset::Latest),
        ("none", OffsetReset::None),
    ];
    word(written, &choices, errors)
}

/// `keep` or `ignore`.
pub(crate) fn headers(written: Written, errors: &mut Errors) -> Option<HeaderUse> {
    let choices = [("keep", HeaderUse::Keep), ("ignore", HeaderUse::Ignore)];
    word(written, &choices, errors)
}

/// `disk` or `memory`.
pub(crate) fn state_backend(written: Written, errors: &mut Errors) -> Option<StateBackend> {
    let choices = [
        ("disk", StateBackend::Disk),
        ("memory", StateBackend::Memory),
    ];
    word(written, &choices, errors)
}

/// `none`, `all`, or one of them.
pub(crate) fn topology_optimization(
    written: Written,
    errors: &mut Errors,
) -> Option<TopologyOptimization> {
    let choices = [
        ("none", TopologyOptimization::None),
        (
            "merge_repartition_topics",
            TopologyOptimization::MergeRepartitionTopics,
        ),
        (
            "reuse_ktable_source_topics",
            TopologyOptimization::ReuseKtableSourceTopics,
        ),
        ("all", TopologyOptimization::All),
    ];
    word(written, &choices, errors)
}

fn word<T: Copy>(
    written: Written,
    choices: &[(&'static str, T)],
    errors: &mut Errors,
) -> Option<T> {
    let known = written.known;
    let expr = written.expression(errors)?;
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let (span, text, quoted) = match &expr {
        Expr::Path(path) if let Some(word) = path.path.get_ident() => {
            (word.span(), word.to_string(), false)
        }
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => (text.span(), text.value(), true),
        other => {
            errors.under(
                other,
                format!("`{}` is a word; write `{}`", known.name, known.example),
            );
            return None;
        }
    };
    let Some((name, choice)) = choices.iter().find(|(name, _)| *name == text) else {
        errors.at(
            span,
            format!(
                "`{text}` is not a choice for `{}`; {}",
                known.name,
                suggest::remedy(&text, &names)
            ),
        );
        return None;
    };
    if quoted {
        errors.at(
            span,
            format!(
                "`{}` is a word, not text; write `{} = {name}`, without quotes",
                known.name, known.name
            ),
        );
        return None;
    }
    Some(*choice)
}

/// `fail`, `skip` or `dead_letter(topic)`.
pub(crate) fn policy(written: Written, errors: &mut Errors) -> Option<Policy> {
    let known = written.known;
    let expr = match written.value? {
        Form::Value(expr) => ungroup(expr),
        Form::List(tokens) => {
            errors.under(
                tokens,
                format!("`{}` takes a policy; write `{}`", known.name, known.example),
            );
            return None;
        }
    };
    let (word, topic) = match &expr {
        Expr::Call(ExprCall { func, args, .. }) => (func.as_ref(), Some(args)),
        other => (other, None),
    };
    let text = word.to_token_stream().to_string();
    match (text.as_str(), topic) {
        ("fail", None) => Some(Policy::Fail),
        ("skip", None) => Some(Policy::Skip),
        ("dead_letter", Some(arguments)) if arguments.len() == 1 => {
            const TOPIC: Known = Known {
                name: "dead_letter",
                example: "dead_letter(\"rejected\")",
            };
            let topic = arguments.first()?.clone();
            let constant = format_ident!(
                "__DEAD_LETTER_{}",
                known.name.to_uppercase(),
                span = Span::mixed_site()
            );
            text_of(topic, &TOPIC, constant, errors).map(Policy::DeadLetter)
        }
        ("dead_letter", _) => {
            errors.under(
                expr,
                "`dead_letter` needs one topic; write `dead_letter(\"rejected\")`",
            );
            None
        }
        ("fail" | "skip", Some(_)) => {
            errors.under(
                &expr,
                format!("`{text}` takes nothing; write `{} = {text}`", known.name),
            );
            None
        }
        _ => {
            let remedy = suggest::remedy(&text, &["fail", "skip", "dead_letter"]);
            errors.under(word, format!("`{text}` is not an error policy; {remedy}"));
            None
        }
    }
}

/// The literal that an expression is, or the expression.
fn literal(expr: Expr) -> Result<Lit, Expr> {
    match ungroup(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Ok(lit),
        other => Err(other),
    }
}

fn named(known: &Known, ty: TokenStream, expr: Expr) -> Box<Constant> {
    let name = format_ident!("__{}", known.name.to_uppercase(), span = Span::mixed_site());
    Box::new(Constant { name, ty, expr })
}
