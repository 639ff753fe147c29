//! What does not compile, and what it says: one mistake a file, with the message that rustc gives beside it.
//!
//! `TRYBUILD=overwrite cargo test -p streams-tests --test ui` writes the messages anew, to be read before they are
//! committed.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/pass/*.rs");
}
