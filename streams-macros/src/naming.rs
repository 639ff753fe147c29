//! A `let` names what it builds.
//!
//! `let delays = EXPR` becomes `let delays = { let scope = builder.name_scope("delays"); EXPR }`; an assignment to a
//! variable likewise. The scope ends with its block, also by `return`, `?` and `break`.
//!
//! - A tuple of patterns beside a tuple of values is named element by element; any other pattern with more than one
//!   name inherits the scope around it.
//! - What runs later (closures, async blocks) or elsewhere (nested items, constants) is left alone.
//! - A value that calls nothing builds nothing, so it is left as it is. This also keeps places (`let x = y.z`) places:
//!   a block around one would move it.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprAssign, ExprAsync, ExprClosure, ExprConst, Item, Local, Pat, parse_quote,
};

/// Puts the name scopes into a body. Whether there is any: otherwise the body needs no builder.
pub(crate) fn name(body: &mut Block, builder: &Ident, scope: &Ident) -> bool {
    let mut naming = Naming {
        builder,
        scope,
        any: false,
    };
    naming.visit_block_mut(body);
    naming.any
}

struct Naming<'n> {
    builder: &'n Ident,
    scope: &'n Ident,
    any: bool,
}

impl Naming<'_> {
    fn pattern(&mut self, pattern: &Pat, value: &mut Expr) {
        match (pattern, &mut *value) {
            (Pat::Tuple(pattern), Expr::Tuple(value))
                if pattern.elems.len() == value.elems.len() =>
            {
                for (pattern, value) in pattern.elems.iter().zip(&mut value.elems) {
                    self.pattern(pattern, value);
                }
            }
            (pattern, value) => {
                if let Some(name) = single_name(pattern) {
                    self.wrap(name, value);
                }
            }
        }
    }

    fn place(&mut self, place: &Expr, value: &mut Expr) {
        match (place, &mut *value) {
            (Expr::Tuple(place), Expr::Tuple(value)) if place.elems.len() == value.elems.len() => {
                for (place, value) in place.elems.iter().zip(&mut value.elems) {
                    self.place(place, value);
                }
            }
            (Expr::Path(path), value) => {
                if let Some(name) = path.path.get_ident() {
                    self.wrap(name, value);
                }
            }
            _ => {}
        }
    }

    fn wrap(&mut self, name: &Ident, value: &mut Expr) {
        if is_place(value) || !calls(value) {
            return;
        }
        let (builder, scope, name) = (self.builder, self.scope, name.unraw().to_string());
        *value = parse_quote!({ let #scope = #builder.name_scope(#name); #value });
        self.any = true;
    }
}

impl VisitMut for Naming<'_> {
    fn visit_local_mut(&mut self, local: &mut Local) {
        visit_mut::visit_local_mut(self, local);
        let Some(init) = &mut local.init else { return };
        self.pattern(&local.pat, &mut init.expr);
    }

    fn visit_expr_assign_mut(&mut self, assign: &mut ExprAssign) {
        visit_mut::visit_expr_assign_mut(self, assign);
        self.place(&assign.left, &mut assign.right);
    }

    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// The one name that a pattern binds by value.
fn single_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(ident) if ident.subpat.is_none() && ident.by_ref.is_none() => Some(&ident.ident),
        Pat::Type(typed) => single_name(&typed.pat),
        Pat::Paren(paren) => single_name(&paren.pat),
        Pat::Reference(reference) => single_name(&reference.pat),
        Pat::TupleStruct(wrapper) if wrapper.elems.len() == 1 => {
            wrapper.elems.first().and_then(single_name)
        }
        _ => None,
    }
}

fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) | Expr::Field(_) | Expr::Index(_) => true,
        Expr::Unary(unary) => matches!(unary.op, syn::UnOp::Deref(_)),
        Expr::Paren(paren) => is_place(&paren.expr),
        Expr::Group(group) => is_place(&group.expr),
        _ => false,
    }
}

/// Whether an expression calls anything when it is evaluated.
fn calls(expr: &Expr) -> bool {
    struct Calls(bool);
    impl<'ast> Visit<'ast> for Calls {
        fn visit_expr_call(&mut self, _: &'ast syn::ExprCall) {
            self.0 = true;
        }
        fn visit_expr_method_call(&mut self, _: &'ast syn::ExprMethodCall) {
            self.0 = true;
        }
        fn visit_macro(&mut self, _: &'ast syn::Macro) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
        fn visit_expr_const(&mut self, _: &'ast ExprConst) {}
        fn visit_item(&mut self, _: &'ast Item) {}
    }
    let mut calls = Calls(false);
    calls.visit_expr(expr);
    calls.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{ToTokens, format_ident, quote};

    /// The body after naming, where a scope is written `name!("x")`.
    fn named(body: Block) -> String {
        let mut body = body;
        name(
            &mut body,
            &format_ident!("builder"),
            &format_ident!("scope"),
        );
        body.to_token_stream()
            .to_string()
            .replace("let scope = builder . name_scope", "name !")
    }

    #[track_caller]
    fn assert_named(body: Block, expected: proc_macro2::TokenStream) {
        assert_eq!(named(body), quote!({ #expected }).to_string());
    }

    #[test]
    fn a_let_names_its_value() {
        assert_named(
            parse_quote!({
                let a = f();
            }),
            quote!(let a = { name!("a"); f() };),
        );
        assert_named(
            parse_quote!({
                let mut a: T = s.f();
            }),
            quote!(let mut a: T = { name!("a"); s.f() };),
        );
        assert_named(
            parse_quote!({
                let r#type = f();
            }),
            quote!(let r#type = { name!("type"); f() };),
        );
    }

    #[test]
    fn the_innermost_let_wins() {
        assert_named(
            parse_quote!({
                let a = {
                    let b = f();
                    b.g()
                };
            }),
            quote!(let a = { name!("a"); { let b = { name!("b"); f() }; b.g() } };),
        );
    }

    #[test]
    fn an_assignment_names_its_value() {
        assert_named(
            parse_quote!({
                a = f();
            }),
            quote!(a = { name!("a"); f() };),
        );
        assert_named(
            parse_quote!({
                (a, b) = (f(), g());
            }),
            quote!((a, b) = ({ name!("a"); f() }, { name!("b"); g() });),
        );
        assert_named(
            parse_quote!({
                a.b = f();
            }),
            quote!(a.b = f();),
        );
    }

    #[test]
    fn a_tuple_is_named_by_element() {
        assert_named(
            parse_quote!({
                let (a, (b, _)) = (f(), (g(), h()));
            }),
            quote!(let (a, (b, _)) = ({ name!("a"); f() }, ({ name!("b"); g() }, h()));),
        );
        assert_named(
            parse_quote!({
                let (a, b) = f();
            }),
            quote!(let (a, b) = f();),
        );
    }

    #[test]
    fn a_let_else_stays_one() {
        assert_named(
            parse_quote!({
                let Some(a) = f() else { return };
            }),
            quote!(let Some(a) = ({ name!("a"); f() }) else { return };),
        );
    }

    #[test]
    fn places_references_and_plain_values_are_left_alone() {
        for body in [
            parse_quote!({
                let a = b;
            }),
            parse_quote!({
                let Some(a) = b.c;
            }),
            parse_quote!({
                let a = *f();
            }),
            parse_quote!({
                let ref a = f();
            }),
            parse_quote!({
                let a = 1 + 2;
            }),
        ] {
            let body: Block = body;
            assert_eq!(named(body.clone()), body.to_token_stream().to_string());
        }
    }

    #[test]
    fn what_runs_later_or_elsewhere_is_left_alone() {
        for body in [
            parse_quote!({
                s.filter(|_, v| {
                    let a = f(v);
                    a
                })
            }),
            parse_quote!({
                async {
                    let a = f();
                }
            }),
            parse_quote!({
                fn g() {
                    let a = f();
                }
            }),
            parse_quote!({
                const A: T = {
                    let a = f();
                    a
                };
            }),
        ] {
            let body: Block = body;
            assert_eq!(named(body.clone()), body.to_token_stream().to_string());
        }
    }

    #[test]
    fn a_body_without_names_needs_no_builder() {
        let (builder, scope) = (format_ident!("builder"), format_ident!("scope"));
        assert!(!name(
            &mut parse_quote!({ text.filter(|_, _| true) }),
            &builder,
            &scope
        ));
        assert!(name(
            &mut parse_quote!({
                let a = text.filter(|_, _| true);
                a
            }),
            &builder,
            &scope
        ));
    }
}
