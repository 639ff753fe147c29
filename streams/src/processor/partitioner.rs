//! Which partition a record goes to: as Kafka's Java producer chooses, so that topics shared with other clients are
//! co-partitioned.

/// The partition of a key among `partitions` (`org.apache.kafka.clients.producer.internals.BuiltInPartitioner`).
pub(crate) fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    let positive = i32::try_from(murmur2(key) & 0x7fff_ffff).unwrap_or(0);
    positive % partitions.max(1)
}

/// Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word
            .iter()
            .rev()
            .fold(0, |k, byte| (k << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest
            .iter()
            .rev()
            .fold(0, |k, byte| (k << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Spreads records without a key: one partition for a run of bytes, then the next (KIP-480), so that batches are large.
#[derive(Debug, Default)]
pub(crate) struct StickyPartition {
    current: i32,
    bytes: usize,
}

/// After how many bytes the next partition is chosen: two of the client's default batches.
const RUN: usize = 32 * 1024;

impl StickyPartition {
    pub(crate) fn next(&mut self, bytes: usize, partitions: i32) -> i32 {
        if self.bytes >= RUN {
            self.bytes = 0;
            self.current = self.current.wrapping_add(1);
        }
        self.bytes += bytes;
        self.current.rem_euclid(partitions.max(1))
    }

    /// Begins at another partition than other threads do.
    pub(crate) fn starting_at(partition: i32) -> Self {
        Self {
            current: partition,
            bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (text, hash) in cases {
            assert_eq!(
                murmur2(text).cast_signed(),
                hash,
                "{}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn records_without_a_key_visit_every_partition() {
        let mut sticky = StickyPartition::default();
        let mut seen: Vec<i32> = (0..4 * RUN / 100 + 10)
            .map(|_| sticky.next(100, 4))
            .collect();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2, 3, 0]);
    }
}
