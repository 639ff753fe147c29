//! What a test needs and a machine may lack: the test is skipped, but never in silence, and never where all must run.

use std::env;
use std::io::Write;
use std::thread;

/// Says that the test at hand is skipped, because of what the machine lacks. It is said on standard error itself: what
/// goes through `eprintln!` is kept back of a test that passes.
///
/// # Panics
///
/// With `CI=true` in the environment: there a test that does not run is one that fails.
pub fn skip(lacking: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    if env::var("CI").is_ok_and(|ci| ci == "true") {
        panic!("{test} cannot be skipped with CI=true: {lacking}");
    }
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {lacking}");
}
