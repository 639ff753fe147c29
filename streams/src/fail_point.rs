//! Places at which a test has the process die, as `kill -9` would: nothing is flushed, nothing is dropped.
//!
//! Without the feature `fail-points` they are nothing.

/// A step of a checkpoint or a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailPoint {
    BeforeChangelog,
    AfterChangelog,
    AfterFlush,
    AfterOffsets,
    AfterCommit,
    /// Between the stores of two tasks.
    InApply,
    AfterApply,
    /// A table of what a store has logged is written, and the store does not know of it yet.
    InTable,
    /// It knows of it, and the log has it still.
    AfterTable,
    /// A table of a restore is written, and the store does not know of it yet.
    InIngestion,
    /// Between what a restore writes.
    InRestore,
}

/// Dies here if `STREAMS_FAIL_POINT` names this point and how often it is passed before: `AfterCommit:3`.
#[cfg(feature = "fail-points")]
pub(crate) fn pass(point: FailPoint) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static CHOSEN: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static PASSED: AtomicUsize = AtomicUsize::new(0);

    let chosen = CHOSEN.get_or_init(|| {
        let chosen = std::env::var("STREAMS_FAIL_POINT").ok()?;
        let (name, times) = chosen.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    if let Some((name, times)) = chosen
        && *name == format!("{point:?}")
        && PASSED.fetch_add(1, Ordering::Relaxed) == *times
    {
        std::process::abort();
    }
}

#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub(crate) fn pass(_: FailPoint) {}
