//! What goes to standard output.

use crate::{Error, Result};
use std::io::{ErrorKind, Write};

/// Prints a text and the end of its last line. Who has closed the pipe, as `head` does, wants no more of it, which is no
/// error.
pub(super) fn line(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    let printed = writeln!(output, "{}", text.trim_end()).and_then(|()| output.flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Io {
            what: "writing to standard output".to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}
