//! The writes of one checkpoint as a log has them.
//!
//! First stands how far they reach (its length in one byte, and so many bytes), then each row: the length of its key (two
//! bytes), that of its value (eight, negative for a removal), key and value.

use super::super::overlay::Write;

/// A removal has no value.
const REMOVED: i64 = -1;

/// What is written together.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    rows: usize,
}

impl Batch {
    /// Without rows yet. `reached` is how far the store reaches with them, as it is stored, if that is said.
    pub(super) fn new(reached: Option<&[u8]>) -> Self {
        let reached = reached.unwrap_or_default();
        let mut bytes = vec![u8::try_from(reached.len()).unwrap_or_default()];
        bytes.extend_from_slice(reached);
        Self { bytes, rows: 0 }
    }

    /// A row, whose key is one that a store takes.
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_length = value.map_or(REMOVED, |v| i64::try_from(v.len()).unwrap_or(i64::MAX));
        self.rows += 1;
        self.bytes.extend_from_slice(&key_length.to_be_bytes());
        self.bytes.extend_from_slice(&value_length.to_be_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Write<'_>> {
        let rows = read(&self.bytes).ok().map(|(_, rows)| rows);
        // What was made here is not damaged.
        rows.into_iter().flatten().filter_map(Result::ok)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a log has are not the bytes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// How far a batch reaches, if it says so, and its rows.
pub(super) fn read(batch: &[u8]) -> Result<(Option<&[u8]>, Rows<'_>), Damaged> {
    let (length, rest) = batch.split_first().ok_or(Damaged)?;
    let (reached, rows) = rest.split_at_checked((*length).into()).ok_or(Damaged)?;
    let reached = Some(reached).filter(|reached| !reached.is_empty());
    Ok((reached, Rows(rows)))
}

/// The rows that are still to be read.
pub(super) struct Rows<'b>(&'b [u8]);

impl<'b> Rows<'b> {
    fn row(&mut self) -> Option<Write<'b>> {
        let (key_length, rest) = self.0.split_first_chunk()?;
        let (value_length, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(u16::from_be_bytes(*key_length).into())?;
        let (value, rest) = match i64::from_be_bytes(*value_length) {
            REMOVED => (None, rest),
            length => {
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(value), rest)
            }
        };
        self.0 = rest;
        Some((key, value))
    }
}

impl<'b> Iterator for Rows<'b> {
    type Item = Result<Write<'b>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let row = self.row().ok_or(Damaged);
        if row.is_err() {
            self.0 = &[];
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ROWS: [Write<'static>; 4] = [
        (b"key", Some(b"value")),
        (b"", Some(b"")),
        (b"removed", None),
        (b"last", Some(b"1")),
    ];

    fn batch(reached: Option<&[u8]>) -> Batch {
        let mut batch = Batch::new(reached);
        for (key, value) in ROWS {
            batch.push(key, value);
        }
        batch
    }

    #[test]
    fn what_is_written_is_read() {
        for reached in [None, Some(b"reached".as_slice())] {
            let batch = batch(reached);
            let (found, rows) = read(batch.as_bytes()).unwrap();
            let rows: Result<Vec<Write<'_>>, Damaged> = rows.collect();
            assert_eq!(
                (found, rows.unwrap().as_slice()),
                (reached, ROWS.as_slice())
            );
        }
    }

    #[test]
    fn what_is_cut_short_is_told_or_ends_between_rows() {
        let batch = batch(Some(b"reached"));
        let bytes = batch.as_bytes();
        let mut whole = 0;
        for length in 0..bytes.len() {
            let (cut, _) = bytes.split_at(length);
            let rows = read(cut).and_then(|(_, rows)| rows.collect::<Result<Vec<_>, _>>());
            whole += usize::from(rows.is_ok());
        }
        assert_eq!(
            whole,
            ROWS.len(),
            "as many as there are ends of rows before the last"
        );
    }
}
