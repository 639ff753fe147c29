//! Restores as progress bars, where standard error is a terminal; the log's lines go above them.

use crate::runtime::{Event, Restore, RestoreStatus, log_event};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// The bars of a run, one for each store that is being restored.
#[derive(Clone, Default)]
pub(super) struct Bars {
    all: MultiProgress,
    /// By task and store.
    open: Arc<Mutex<HashMap<(String, String), ProgressBar>>>,
}

impl Bars {
    /// Hears the events of a job in place of the log: restores move their bars, everything else is logged.
    pub(super) fn hear(&self, event: &Event) {
        match event {
            Event::Restore(restore) => self.show(restore),
            _ => log_event(event),
        }
    }

    fn show(&self, restore: &Restore) {
        let key = (restore.task.clone(), restore.store.clone());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if restore.status != RestoreStatus::Restoring {
            if let Some(bar) = open.remove(&key) {
                bar.finish_and_clear();
            }
            drop(open);
            return log_event(&Event::Restore(restore.clone()));
        }
        let bar = open.entry(key).or_insert_with(|| {
            let name = format!("restoring `{}` of task {}", restore.store, restore.task);
            let bar = ProgressBar::new(distance(restore.from, restore.end));
            self.all.add(bar.with_style(style()).with_prefix(name))
        });
        bar.set_length(distance(restore.from, restore.end));
        bar.set_position(distance(restore.from, restore.position));
        bar.set_message(rate(restore));
    }
}

fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Megabytes a second, on average.
fn rate(restore: &Restore) -> String {
    let seconds = restore.took.as_secs_f64().max(0.001);
    format!("{:.1} MB/s", restore.bytes as f64 / 1e6 / seconds)
}

fn style() -> ProgressStyle {
    let with = "{prefix} [{bar:30}] {percent}% of {len} offsets, {msg}, {eta} left";
    ProgressStyle::with_template(with)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Standard error, for the log: a line is written while the bars are out of the way.
impl<'a> MakeWriter<'a> for Bars {
    type Writer = AboveBars;

    fn make_writer(&'a self) -> AboveBars {
        AboveBars {
            all: self.all.clone(),
        }
    }
}

pub(super) struct AboveBars {
    all: MultiProgress,
}

impl Write for AboveBars {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.all.suspend(|| io::stderr().write_all(text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn restore(position: i64, status: RestoreStatus) -> Restore {
        Restore {
            thread: 0,
            task: "0_1".into(),
            store: "counts".into(),
            changelog: "app-counts-changelog-1".into(),
            from: 100,
            position,
            end: 300,
            records: 0,
            bytes: 3_000_000,
            took: Duration::from_secs(2),
            number: 1,
            status,
        }
    }

    #[test]
    fn a_bar_follows_its_restore_and_goes_with_it() {
        let bars = Bars::default();
        let open = || bars.open.lock().unwrap_or_else(PoisonError::into_inner);
        bars.hear(&Event::Restore(restore(150, RestoreStatus::Restoring)));
        let bar = open().values().next().cloned();
        let told = bar.map(|bar| (bar.position(), bar.length(), bar.message()));
        assert_eq!(told, Some((50, Some(200), "1.5 MB/s".to_owned())));
        bars.hear(&Event::Restore(restore(300, RestoreStatus::Completed)));
        assert!(open().is_empty());

        bars.hear(&Event::Restore(restore(150, RestoreStatus::Restoring)));
        bars.hear(&Event::Restore(restore(150, RestoreStatus::Suspended)));
        assert!(open().is_empty(), "nobody reads it any more");
    }
}
