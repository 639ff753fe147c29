//! How long a call of the client is repeated.

use super::stop::Stop;
use crate::kafka::error::{ClientError, Remedy};
use std::time::{Duration, Instant};

/// The longest single wait in the client: a request to end is noticed after it. Calls that it cuts short are resumed.
const SLICE: Duration = Duration::from_secs(5);

/// What is left for a job that is overdue: enough for an answer that is on its way.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// A limit for waiting, which comes earlier for a job that was asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    limit: Instant,
    stop: &'a Stop,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(limit: Duration, stop: &'a Stop) -> Self {
        Self {
            limit: Instant::now() + limit,
            stop,
        }
    }

    fn end(&self) -> Instant {
        self.stop
            .deadline()
            .map_or(self.limit, |end| end.min(self.limit))
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end()
    }

    /// How long the next call of the client may wait.
    pub(crate) fn slice(&self) -> Duration {
        self.end()
            .saturating_duration_since(Instant::now())
            .clamp(LAST_WAIT, SLICE)
    }

    /// Repeats a call that may succeed a little later, with growing pauses, while there is time. The call is told how
    /// long it may wait.
    pub(crate) fn repeat<T>(
        &self,
        mut call: impl FnMut(Duration) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut pause = Duration::from_millis(10);
        loop {
            match call(self.slice()) {
                Err(error) if error.remedy() == Remedy::Retry => {
                    if Instant::now() + pause >= self.end() {
                        return Err(error.with_remedy(Remedy::Abort));
                    }
                    tracing::debug!(%error, "trying again");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::kafka::error::Code;

    fn not_yet() -> ClientError {
        ClientError::new("asking", Code::NotCoordinator, "not yet")
    }

    #[test]
    fn a_call_is_repeated_while_its_error_says_so() {
        let stop = Stop::new(Duration::from_secs(60));
        let mut calls = 0;
        let result = Patience::new(Duration::from_secs(5), &stop).repeat(|_| {
            calls += 1;
            if calls < 3 { Err(not_yet()) } else { Ok(calls) }
        });
        assert_eq!(result.unwrap(), 3);
    }

    #[test]
    fn patience_ends_and_asks_for_an_abort() {
        let stop = Stop::new(Duration::from_secs(60));
        let patience = Patience::new(Duration::from_millis(20), &stop);
        let error = patience.repeat(|_| Err::<(), _>(not_yet())).unwrap_err();
        assert_eq!(error.remedy(), Remedy::Abort);
    }

    #[test]
    fn a_request_to_end_cuts_it_short() {
        let stop = Stop::new(Duration::ZERO);
        let patience = Patience::new(Duration::from_secs(600), &stop);
        assert!(!patience.is_over());
        let mut calls = 0;
        let error = patience.repeat(|_| {
            calls += 1;
            stop.ask();
            Err::<(), _>(not_yet())
        });
        assert_eq!((calls, error.unwrap_err().remedy()), (1, Remedy::Abort));
        assert!(patience.is_over());
    }
}
