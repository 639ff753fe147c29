//! How many stream threads a process runs.

use crate::{Message, Verdict};

/// The stream threads of a process, unless said otherwise.
pub const DEFAULT_STREAM_THREADS: usize = 1;

/// There is a thread to work.
///
/// # Errors
///
/// If there is none.
pub const fn stream_threads(threads: usize) -> Verdict {
    if threads == 0 {
        return Err(Message::new(
            "`stream_threads` is 0, so nothing would run; set it to 1 or more",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn no_thread_is_refused() {
        stream_threads(1).unwrap();
        assert!(
            stream_threads(0)
                .unwrap_err()
                .to_string()
                .starts_with("`stream_threads` is 0")
        );
    }
}
