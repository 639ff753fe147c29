//! The codecs of record batches: to read what clients have compressed, and to compress again what is left of it.
//!
//! Invariant: no more bytes come out than are allowed, whatever a batch claims to hold.

use std::io::{self, Read, Write};

use bytes::Bytes;
use zstd::zstd_safe::DCtx;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

/// How snappy-java begins its blocks, which Java's clients send: the magic, and two version numbers of four bytes.
const SNAPPY_JAVA: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_JAVA_HEADER: usize = 16;
const SNAPPY_JAVA_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// The bytes of a block that snappy-java writes.
const SNAPPY_JAVA_BLOCK: usize = 32 << 10;

/// Why nothing came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The bytes are not what they claim to be.
    Damaged,
    /// More would come out than is allowed.
    TooLarge,
}

/// Decompresses by the codec's number in a batch's attributes.
pub(super) fn decompress(most: usize, codec: i16, bytes: &Bytes) -> Result<Bytes, Unreadable> {
    let compressed = bytes.as_ref();
    match codec {
        0 => Ok(bytes.clone()),
        1 => limited(most, flate2::read::MultiGzDecoder::new(compressed)),
        2 => snappy(most, compressed),
        3 => limited(most, lz4_flex::frame::FrameDecoder::new(compressed)),
        4 => zstd(most, compressed).map(Bytes::from),
        _ => Err(Unreadable::Damaged),
    }
}

fn damaged<E>(_: E) -> Unreadable {
    Unreadable::Damaged
}

fn limited(most: usize, reader: impl Read) -> Result<Bytes, Unreadable> {
    let mut all = Vec::new();
    let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(one_more)
        .read_to_end(&mut all)
        .map_err(damaged)?;
    if all.len() <= most {
        Ok(Bytes::from(all))
    } else {
        Err(Unreadable::TooLarge)
    }
}

/// One block, or those of snappy-java, each after its length.
fn snappy(most: usize, bytes: &[u8]) -> Result<Bytes, Unreadable> {
    if !bytes.starts_with(SNAPPY_JAVA) {
        return block(most, bytes).map(Bytes::from);
    }
    let mut rest = bytes.get(SNAPPY_JAVA_HEADER..).ok_or(Unreadable::Damaged)?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (compressed, after) = after_length(rest).ok_or(Unreadable::Damaged)?;
        all.extend(block(most.saturating_sub(all.len()), compressed)?);
        rest = after;
    }
    Ok(Bytes::from(all))
}

/// As many bytes as the first four say, and the rest.
fn after_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = bytes.split_first_chunk()?;
    after.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)
}

fn block(most: usize, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    // The length is the block's own claim.
    if snap::raw::decompress_len(bytes).map_err(damaged)? > most {
        return Err(Unreadable::TooLarge);
    }
    snap::raw::Decoder::new()
        .decompress_vec(bytes)
        .map_err(damaged)
}

/// All frames at once. A reader of streams would make room for the window that a frame claims, which may be 128 MiB of a
/// few bytes; this makes room for what comes out, twice as much each time that it was not enough.
fn zstd(most: usize, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    const LEAST: usize = 64 << 10;
    let too_small = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();
    let mut context = DCtx::try_create().ok_or(Unreadable::TooLarge)?;
    let mut room = bytes.len().saturating_mul(4).max(LEAST).min(most);
    loop {
        let mut all = Vec::with_capacity(room);
        match context.decompress(&mut all, bytes) {
            Ok(_) => return Ok(all),
            Err(code) if code != too_small => return Err(Unreadable::Damaged),
            Err(_) if room == most => return Err(Unreadable::TooLarge),
            Err(_) => room = room.saturating_mul(2).min(most),
        }
    }
}

/// Compresses by the codec's number in a batch's attributes, at the level that is the codec's default, in the form that
/// Java's clients read: each block of lz4 by itself, and those of snappy as snappy-java has them.
pub(crate) fn compress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        0 => Ok(bytes.to_vec()),
        1 => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        2 => snappy_java(bytes),
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes)?;
            Ok(encoder.finish()?)
        }
        4 => zstd::bulk::compress(bytes, zstd::DEFAULT_COMPRESSION_LEVEL),
        other => Err(io::Error::other(format!("there is no codec {other}"))),
    }
}

fn snappy_java(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut all = [SNAPPY_JAVA, &SNAPPY_JAVA_VERSIONS].concat();
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(SNAPPY_JAVA_BLOCK) {
        let compressed = encoder.compress_vec(block)?;
        let length = i32::try_from(compressed.len()).map_err(io::Error::other)?;
        all.extend(length.to_be_bytes());
        all.extend(compressed);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn compressed(codec: i16, bytes: &[u8]) -> Bytes {
        Bytes::from(compress(codec, bytes).unwrap())
    }

    #[test]
    fn each_codec_is_read() {
        let bytes = b"again and again and again and again".repeat(100);
        for codec in 0..=4 {
            assert_eq!(
                decompress(usize::MAX, codec, &compressed(codec, &bytes)).unwrap(),
                bytes,
                "{codec}"
            );
        }
        assert_eq!(
            decompress(usize::MAX, 5, &Bytes::new()),
            Err(Unreadable::Damaged)
        );
        assert!(compress(5, &bytes).is_err());
    }

    #[test]
    fn snappy_is_read_as_one_block_and_as_those_of_snappy_java() {
        let bytes = b"again and again ".repeat(5_000);
        let one = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        assert_eq!(decompress(usize::MAX, 2, &Bytes::from(one)).unwrap(), bytes);
        let mut blocks = compress(2, &bytes).unwrap();
        assert!(blocks.starts_with(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"));
        assert_eq!(
            decompress(usize::MAX, 2, &Bytes::from(blocks.clone())).unwrap(),
            bytes
        );
        blocks.pop();
        assert_eq!(
            decompress(usize::MAX, 2, &Bytes::from(blocks)),
            Err(Unreadable::Damaged)
        );
    }

    #[test]
    fn frames_of_zstd_are_read_one_after_the_other_however_large_a_window_they_claim() {
        use std::io::Write;
        let mut frames = Vec::new();
        for part in [b"one".repeat(100_000), b"two".to_vec()] {
            let mut encoder = zstd::Encoder::new(&mut frames, 1).unwrap();
            encoder.window_log(27).unwrap();
            encoder.write_all(&part).unwrap();
            encoder.finish().unwrap();
        }
        let all = decompress(usize::MAX, 4, &Bytes::from(frames.clone())).unwrap();
        assert_eq!(all, [b"one".repeat(100_000), b"two".to_vec()].concat());
        frames.pop();
        assert_eq!(
            decompress(usize::MAX, 4, &Bytes::from(frames)),
            Err(Unreadable::Damaged)
        );
    }

    #[test]
    fn what_would_grow_without_bounds_is_refused() {
        const BOUND: usize = 100_000;
        for codec in 1..=4 {
            let largest = compressed(codec, &vec![0; BOUND]);
            assert!(decompress(BOUND, codec, &largest).is_ok(), "{codec}");
            let larger = compressed(codec, &vec![0; BOUND + 1]);
            assert!(larger.len() < BOUND / 10, "{codec}");
            assert_eq!(
                decompress(BOUND, codec, &larger),
                Err(Unreadable::TooLarge),
                "{codec}"
            );
        }
    }
}
