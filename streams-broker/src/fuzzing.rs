//! What the fuzz targets drive, and the tests of nonsense: bytes as they come from a connection.
//!
//! Nothing here may panic, nor allocate much more than it is given.

#![expect(
    clippy::indexing_slicing,
    reason = "of bytes whose length has been looked at"
)]

use std::pin::pin;
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};

use crate::api::{self, Connection};
use crate::broker::{Broker, Limits, Node};
use crate::log::batch::{Batch, Marker, Outcome};
use crate::log::codec::compress;
use crate::log::{
    Admission, Beginning, Compaction, Isolation, Limit, Log, Offered, Reach, SegmentLimits,
};
use crate::settings::Settings;
use crate::shared::Shared;

/// The most requests of one input.
const REQUESTS: usize = 8;
/// As many bytes as the records of a batch have by default.
const MOST_DECOMPRESSED: usize = 64 << 20;

/// Frames that a decoder accepts, one of each kind and version, as [`requests`] takes them.
pub fn request_seeds() -> &'static [Vec<u8>] {
    // Made once: a mutator asks for them before each input.
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let frames = api::sample_frames().into_iter();
        frames.map(|frame| prefixed(&frame)).collect()
    });
    &SEEDS
}

fn prefixed(frame: &[u8]) -> Vec<u8> {
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), frame].concat()
}

/// A broker answers frames of one connection, each after its length of two bytes.
pub fn requests(bytes: &[u8]) {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build();
        runtime.unwrap_or_else(|error| unreachable!("a runtime without threads: {error}"))
    });
    let _guard = runtime.enter();
    let mut connection = Connection::new(Arc::new(Shared::new(broker())), "127.0.0.1".to_owned());
    let mut rest = Bytes::copy_from_slice(bytes);
    for _ in 0..REQUESTS {
        if rest.len() < 2 {
            return;
        }
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let _ = rest.split_to(2);
        let frame = rest.split_to(length.min(rest.len()));
        // What would wait is dropped.
        let answer = pin!(api::answer(&mut connection, frame));
        let _ = answer.poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// A broker that has the topic of the seeds.
fn broker() -> Broker {
    let node = Node {
        id: 1,
        host: "localhost".to_owned(),
        port: 9092,
    };
    let mut broker = Broker::new(node, Settings::broker(), Limits::none());
    let created = broker.create_topic("x", 2, Settings::topic());
    debug_assert!(created.is_ok());
    broker
}

/// Batches that a log accepts, as [`batches`] takes them.
pub fn batch_seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(accepted_batches);
    &SEEDS
}

fn accepted_batches() -> Vec<Vec<u8>> {
    let marker = Batch::marker(Marker::of(1, 0, Outcome::Commit), 1_000);
    let (header, record) = marker.bytes.split_at(61);
    let batch = |codec: u8| {
        let mut batch = header.to_vec();
        // Neither a control batch nor transactional, and with a sequence, so that a client could have sent it.
        batch[22] = codec;
        batch[53..57].fill(0);
        batch.extend(compress(codec.into(), record).unwrap_or_default());
        repaired(&batch).to_vec()
    };
    (0..=4).map(batch).collect()
}

/// The bytes with the length and the checksum that a batch of them has.
fn repaired(bytes: &[u8]) -> Bytes {
    let mut repaired = BytesMut::from(bytes);
    let length = i32::try_from(repaired.len() - 12).unwrap_or(i32::MAX);
    repaired[8..12].copy_from_slice(&length.to_be_bytes());
    repaired[16] = 2;
    let checksum = crc32c::crc32c(&repaired[21..]);
    repaired[17..21].copy_from_slice(&checksum.to_be_bytes());
    repaired.freeze()
}

/// A log takes the bytes for a client's batch, once as they are and once with the right length and checksum, and is
/// asked for everything that looks into batches.
pub fn batches(bytes: &[u8]) {
    let _ = Offered::from_client(&Bytes::copy_from_slice(bytes), MOST_DECOMPRESSED);
    if bytes.len() < 61 {
        return;
    }
    let Ok(offered) = Offered::from_client(&repaired(bytes), MOST_DECOMPRESSED) else {
        return;
    };
    let mut log = Log::default();
    for (keyed, stamp) in [(false, false), (true, false), (false, true)] {
        let _ = log.append(
            offered.clone(),
            admission(keyed, stamp),
            Beginning::Anywhere,
            0,
        );
    }
    look_into(&mut log, &offered);
}

fn admission(keyed: bool, stamp: bool) -> Admission {
    Admission {
        max_bytes: usize::MAX,
        stamp,
        before: i64::MAX,
        after: i64::MAX,
        keyed,
        segments: SegmentLimits {
            bytes: usize::MAX,
            time: 0,
        },
    }
}

fn look_into(log: &mut Log, offered: &Offered) {
    let batch = offered.batch();
    let limit = Limit {
        bytes: usize::MAX,
        at_least_one: true,
    };
    let _ = log.find_by_time(batch.max_timestamp, Isolation::ReadUncommitted);
    let _ = log.find_latest_time(Isolation::ReadUncommitted);
    let abort = Marker::of(batch.producer_id, batch.producer_epoch, Outcome::Abort);
    log.append_marker(abort, 1);
    let _ = log.append(
        offered.clone(),
        admission(false, false),
        Beginning::Anywhere,
        0,
    );
    let compaction = Compaction {
        min_lag: 0,
        max_lag: 1,
        delete_retention: 1,
        dirty_ratio: 0.0,
    };
    log.compact(compaction, Reach::Segments, usize::MAX, 1);
    log.compact(compaction, Reach::Everything, usize::MAX, i64::MAX);
    let read = log.read(log.start(), Isolation::ReadCommitted, limit);
    let _ = read.map(|read| read.concatenated());
    let _ = log.delete_before(1);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// How long each test makes up nonsense.
    const TIME: Duration = Duration::from_secs(2);

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
        }
    }

    /// Changes, cuts and doubles bytes.
    fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
        const TELLING: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
        let mut bytes = seed.to_vec();
        for _ in 0..=random.below(5) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.extend_from_within(at..),
                _ if bytes.is_empty() => {}
                2 => bytes[at] = TELLING[random.below(TELLING.len())],
                _ => bytes[at] = u8::try_from(random.below(256)).unwrap_or_default(),
            }
        }
        bytes
    }

    fn for_a_while(seeds: &[Vec<u8>], mut drive: impl FnMut(&[u8])) {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        seeds.iter().for_each(|seed| drive(seed));
        let began = Instant::now();
        while began.elapsed() < TIME {
            let seed = &seeds[random.below(seeds.len())];
            let other = &seeds[random.below(seeds.len())];
            drive(&[mutated(seed, &mut random), mutated(other, &mut random)].concat());
            drive(&mutated(seed, &mut random));
        }
    }

    #[test]
    fn no_requests_make_the_broker_panic() {
        for_a_while(request_seeds(), requests);
    }

    #[test]
    fn the_seeds_are_batches_of_clients() {
        for seed in batch_seeds() {
            assert!(Offered::from_client(&Bytes::from(seed.clone()), MOST_DECOMPRESSED).is_ok());
        }
    }

    #[test]
    fn no_batches_make_a_log_panic() {
        for_a_while(batch_seeds(), batches);
    }
}
