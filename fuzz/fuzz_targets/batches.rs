//! `cargo +nightly fuzz run batches`: see `fuzz/README.md`.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use streams_broker::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::batches(bytes));

// Begins with what the broker accepts, where the corpus has nothing.
fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let seeds = fuzzing::batch_seeds();
    let mut size = size;
    if size <= 1 || seed % 64 == 0 {
        let chosen = &seeds[seed as usize / 64 % seeds.len()];
        size = chosen.len().min(most);
        bytes[..size].copy_from_slice(&chosen[..size]);
    }
    fuzzer_mutate(bytes, size, most)
});
