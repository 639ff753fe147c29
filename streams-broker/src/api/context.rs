//! What a handler knows beside the request, and where it tells an error that it is to answer.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::Notify;

use crate::faults::{ErrorLevel, Told};
use crate::log::Reader;
use crate::shared::Shared;

/// What a handler knows beside the request.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) reader: &'a Reader,
    /// Told when the client is gone: it needs no answer.
    pub(crate) gone: &'a Notify,
    pub(crate) host: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) version: i16,
    /// The version in which request and response are decoded and encoded: see [`super::newer_versions`].
    pub(super) written_as: i16,
    /// What the decoder has no fields for.
    pub(super) beside: Bytes,
    /// The error that is answered, by an injected fault or because a limit is reached.
    pub(crate) refusal: Option<ResponseError>,
    /// Where it is answered, if the fault says so.
    pub(super) level: Option<ErrorLevel>,
    /// Whether a handler has asked for it.
    pub(super) told: AtomicBool,
}

/// Where errors are in the answers of a kind that has two places for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// The version from which on the answer as a whole may have one.
    pub(super) answer_from: i16,
    /// The level of an error if its fault says none.
    pub(super) usual: ErrorLevel,
}

impl Context<'_> {
    /// Asked by handlers before they do anything.
    pub(super) fn check(&self) -> Result<(), ResponseError> {
        self.refusal.map_or(Ok(()), |error| {
            self.told.store(true, Ordering::Relaxed);
            Err(error)
        })
    }

    /// The same at one level of an answer that has two.
    pub(super) fn check_at(&self, level: ErrorLevel, places: Places) -> Result<(), ResponseError> {
        if level == self.level(places) {
            self.check()
        } else {
            Ok(())
        }
    }

    fn level(&self, places: Places) -> ErrorLevel {
        if self.version < places.answer_from {
            ErrorLevel::Parts
        } else {
            self.level.unwrap_or(places.usual)
        }
    }

    /// Whether the error has found its place.
    pub(super) fn told(&self) -> Told {
        if self.told.load(Ordering::Relaxed) {
            Told::Yes
        } else {
            Told::No
        }
    }
}
