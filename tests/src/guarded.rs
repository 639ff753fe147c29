//! A child process that never outlives the process that started it, however that ends.
//!
//! Its parent is a small shell that waits at a pipe of ours: a line there is the name of a signal for the child, and
//! the end of the pipe, which comes also when this process is killed, kills the child, even a stopped one.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::eventually;

/// The shell. `$1` is a directory that it removes with the child when the pipe ends, or nothing; the rest is
/// the child's command line. It ends with the child's exit code, which is 128 and the number of the signal if one ended it.
const SHELL: &str = r#"
directory=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{
    while read -r signal; do kill -s "$signal" "$child"; done
    trap '' TERM
    kill -s KILL "$child"
} <&3 &
guard=$!
exec 3<&-
wait "$child"
code=$?
# A guard that still reads is ended by this: the child has ended by itself or by a signal that it was sent.
kill -s TERM "$guard" 2>/dev/null
wait "$guard" && if [ -n "$directory" ]; then rm -rf "$directory"; fi
exit "$code"
"#;

/// A child process under guard.
#[derive(Debug)]
pub(crate) struct Guarded {
    shell: Child,
    /// Taken when it is closed.
    pipe: Option<ChildStdin>,
}

impl Guarded {
    /// Starts `command`, of which the program, the arguments and the environment count, with both outputs to `log`.
    /// `removed` goes with the child when this process doesn't live to remove it.
    pub(crate) fn spawn(command: &Command, log: &Path, removed: Option<&Path>) -> Guarded {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log of a child process");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SHELL, "guard"])
            .arg(removed.unwrap_or(Path::new("")));
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the log of a child process"))
            .stderr(log)
            // A Ctrl-C in the terminal is for the test; the child ends by its pipe.
            .process_group(0)
            .spawn()
            .expect("sh runs");
        let pipe = shell.stdin.take();
        Guarded { shell, pipe }
    }

    /// Sends the signal of that name, such as `KILL`.
    pub(crate) fn signal(&mut self, name: &str) {
        if let Some(pipe) = &mut self.pipe {
            // Fails when the child has ended, and then there is nothing to signal.
            let _ = writeln!(pipe, "{name}");
        }
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().expect("the state of a child process")
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        eventually(deadline, || self.status().is_some());
        self.status()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}
