//! A client that speaks the protocol and nothing more.

mod batches;
mod producers;
mod records;
mod topics;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub(crate) use batches::{RawBatch, batch, batch_at, now, record};

/// How long an answer is waited for, if a case doesn't say: none keeps it for longer than a rebalance.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    format!("{name}-{time:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Asks until the answer has another code than these: a coordinator that is loading, or a marker that is under way.
pub(crate) fn patiently<T>(not: &[i16], mut ask: impl FnMut() -> (i16, T)) -> (i16, T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (code, answer) = ask();
        if !not.contains(&code) || Instant::now() > deadline {
            return (code, answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Wire {
    stream: TcpStream,
    asked: i32,
    pub(crate) client_id: &'static str,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self::to(crate::kafka::address())
    }

    pub(crate) fn to(address: &str) -> Self {
        let mut wire = Self {
            stream: TcpStream::connect(address).unwrap(),
            asked: 0,
            client_id: "wire",
        };
        // A frame is written in two pieces, and the second one does not wait for the first.
        wire.stream.set_nodelay(true).unwrap();
        wire.patience(PATIENCE);
        wire
    }

    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        self.send(version, &request);
        self.answer::<R>(version).unwrap()
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).unwrap();
        self.send_bytes(R::KEY, version, R::header_version(version), &body);
    }

    fn send_bytes(&mut self, key: i16, version: i16, header_version: i16, body: &[u8]) {
        self.asked += 1;
        let header = RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(self.asked)
            .with_client_id(Some(text(self.client_id)));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, header_version).unwrap();
        frame.extend_from_slice(body);
        self.stream
            .write_all(&i32::try_from(frame.len()).unwrap().to_be_bytes())
            .unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    /// The answer to what was sent, or why none came.
    pub(crate) fn answer<R: Request>(&mut self, version: i16) -> std::io::Result<R::Response> {
        let mut answer = self.answer_bytes(R::Response::header_version(version))?;
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(answer.is_empty(), "bytes after the answer");
        Ok(response)
    }

    fn answer_bytes(&mut self, header_version: i16) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, header_version).unwrap();
        assert_eq!(header.correlation_id, self.asked);
        Ok(answer)
    }

    /// Asks in a flexible version that `kafka-protocol` doesn't know.
    pub(crate) fn ask_bytes(&mut self, key: i16, version: i16, body: &[u8]) -> Bytes {
        self.send_bytes(key, version, 2, body);
        self.answer_bytes(1).unwrap()
    }
}
