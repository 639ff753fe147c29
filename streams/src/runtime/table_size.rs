//! How much of a changelog is written to a store at once.

/// The first table has so much, and none but the last has less.
const LEAST: usize = 12 << 20;

/// Where a restore is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Nothing was written yet.
    Beginning,
    /// So many bytes are still to be read.
    Left(usize),
}

/// How much makes a table, `most` at the most. Reading, making a table and the disk work at the same time, so the first table is
/// small, that the disk soon has something to do, and the last ones are, that little is left to do when all is read. Those
/// between are large: each table is one more to look at for who reads the store.
pub(super) fn table_bytes(stage: Stage, most: usize) -> usize {
    let wanted = match stage {
        Stage::Beginning => 0,
        Stage::Left(bytes) => bytes,
    };
    wanted.max(LEAST).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    /// The tables of a restore of so much, in MB.
    fn tables(total: usize, most: usize) -> Vec<usize> {
        let (mut tables, mut unwritten) = (Vec::new(), 0);
        for read in 1..=total {
            unwritten += 1;
            let stage = match tables.is_empty() {
                true => Stage::Beginning,
                false => Stage::Left((total - read) * MB),
            };
            if read == total || unwritten * MB >= table_bytes(stage, most * MB) {
                tables.push(std::mem::take(&mut unwritten));
            }
        }
        tables
    }

    #[test]
    fn tables_are_small_at_both_ends() {
        assert_eq!(
            tables(440, 40),
            [12, 40, 40, 40, 40, 40, 40, 40, 40, 40, 34, 17, 12, 5]
        );
        assert_eq!(tables(10, 40), [10]);
        assert_eq!(tables(50, 8), [8, 8, 8, 8, 8, 8, 2]);
    }
}
