//! Connections: frames in, frames out, one request of a connection at a time.
//!
//! Invariants: a connection's answers leave in the order of its requests; a frame that cannot be read closes its
//! connection and nothing else; no more is allocated for a frame than its bytes that have arrived, in steps; a client has
//! `connections.max.idle.ms` to ask, to wait for its answer, and to take it, and the fetch of one that is gone does not
//! wait, so that nothing is held for ever. None is closed while the broker stands still.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::api::{self, Connection};
use crate::shared::Shared;

/// Memory reserved ahead of a frame's bytes.
const STEP: usize = 1 << 20;
/// Bytes read from a connection at once when frames are small.
const BUFFER: usize = 64 << 10;

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("an injected fault")]
    Injected,
    #[error("nothing was asked, or answered, for connections.max.idle.ms")]
    Idle,
    #[error("an answer was not taken within connections.max.idle.ms")]
    Untaken,
    #[error("i/o: {0}")]
    Io(#[from] io::Error),
    #[error("a frame of {0} bytes")]
    Size(i32),
    #[error("a request that cannot be read: {0}")]
    Malformed(String),
    #[error("api key {key} version {version} is not supported")]
    Unsupported { key: i16, version: i16 },
    #[error("{0:?}, which a producer that wants no answer cannot be told otherwise")]
    Unacknowledged(ResponseError),
    #[error("the answer could not be written: {0}")]
    Unwritable(String),
}

/// Accepts connections until the task is dropped; each is cut when `cut` changes.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, cut: watch::Receiver<u64>) {
    // Each connection has one of these beside this one.
    let open = Arc::new(());
    let most = shared.lock().settings.int("max.connections");
    let most = usize::try_from(most).unwrap_or_default();
    loop {
        shared.running().await;
        match listener.accept().await {
            Ok((stream, _)) if shared.refuses() => refuse(stream),
            Ok((stream, peer)) if Arc::strong_count(&open) > most => {
                tracing::warn!(%peer, "refused: there are max.connections={most} connections");
                refuse(stream);
            }
            Ok((stream, peer)) => {
                let mut cut = cut.clone();
                // Whatever was cut before is not this connection's concern.
                cut.mark_unchanged();
                let connection = Connection::new(Arc::clone(&shared), peer.ip().to_string());
                let open = Arc::clone(&open);
                tokio::spawn(async move {
                    let _open = open;
                    tokio::select! {
                        // What is let go after the cut is dropped all the same.
                        biased;
                        _ = cut.changed() => {}
                        result = converse(stream, connection) => if let Err(error) = result {
                            tracing::debug!(%peer, %error, "connection closed");
                        },
                    }
                });
            }
            // Out of file descriptors, most likely: others may close some.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Closes a connection in a way that its client notices at once.
fn refuse(stream: TcpStream) {
    // If it cannot be reset, it is closed in order.
    let _ = stream.set_zero_linger();
}

async fn converse(mut stream: TcpStream, mut connection: Connection) -> Result<(), Closed> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut read = BufReader::with_capacity(BUFFER, read);
    let largest = connection.largest_request();
    let gone = connection.gone();
    let patience = Patience {
        shared: Arc::clone(connection.shared()),
        most: connection.patience(),
    };
    loop {
        // A client that is answered asks again, or is taken for gone.
        let frame = patience.with(Closed::Idle, read_frame(&mut read, largest));
        let Some(frame) = frame.await?? else {
            return Ok(());
        };
        let answer = api::answer(&mut connection, frame);
        let answer = answered(answer, &mut read, &gone);
        if let Some(answer) = patience.with(Closed::Idle, answer).await?? {
            let taken = write.write_all(&answer);
            patience.with(Closed::Untaken, taken).await??;
        }
    }
}

/// How long a client may keep a connection waiting.
struct Patience {
    shared: Arc<Shared>,
    /// `None` is for ever.
    most: Option<Duration>,
}

impl Patience {
    /// What comes of something, if that does not take too long.
    async fn with<T>(&self, late: Closed, something: impl Future<Output = T>) -> Result<T, Closed> {
        let Some(most) = self.most else {
            return Ok(something.await);
        };
        tokio::select! {
            // What is there at once is not timed.
            biased;
            done = something => Ok(done),
            () = self.shared.passed(most) => Err(late),
        }
    }
}

/// The answer. While it is waited for it is seen whether its client is gone, and who waits for its sake is told: a fetch may wait
/// for as long as it says. What the client asks meanwhile is kept, a buffer of it, and read when it is answered.
///
/// What was asked takes effect all the same: a request whose client is gone is a case that faults are for.
async fn answered<T>(
    answer: impl Future<Output = T>,
    read: &mut (impl AsyncBufRead + Unpin),
    gone: &Notify,
) -> T {
    let watch = async {
        if matches!(read.fill_buf().await, Ok([]) | Err(_)) {
            gone.notify_one();
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        never = watch => never,
    }
}

/// The next frame without its length; `None` at the end of the stream.
async fn read_frame(
    read: &mut (impl AsyncRead + Unpin),
    largest: i32,
) -> Result<Option<Bytes>, Closed> {
    let size = match read.read_i32().await {
        Ok(size) => size,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let length = usize::try_from(size).map_err(|_| Closed::Size(size))?;
    if size > largest {
        return Err(Closed::Size(size));
    }
    let mut frame = BytesMut::with_capacity(length.min(STEP));
    let mut rest = read.take(u64::try_from(length).unwrap_or_default());
    while frame.len() < length {
        frame.reserve((length - frame.len()).min(STEP));
        if rest.read_buf(&mut frame).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(Some(frame.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frame(bytes: &[u8]) -> Result<Option<Bytes>, Closed> {
        read_frame(&mut &*bytes, 100).await
    }

    #[tokio::test]
    async fn frames_are_read_whole_or_refused() {
        assert!(matches!(frame(&[0, 0, 0, 2, 7, 8]).await, Ok(Some(read)) if *read == [7, 8]));
        assert!(matches!(frame(&[]).await, Ok(None)));
        assert!(matches!(
            frame(&[0, 0, 0, 3, 7, 8]).await,
            Err(Closed::Io(_))
        ));
        assert!(matches!(
            frame(&[0, 0, 0, 101]).await,
            Err(Closed::Size(101))
        ));
        assert!(matches!(frame(&[0xff; 4]).await, Err(Closed::Size(-1))));
    }
}
