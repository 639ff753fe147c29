//! "did you mean": the known name that an unknown one is nearest to.

/// The one of `known` that `written` is most likely a slip of.
pub(crate) fn nearest(
    written: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    let candidates = known
        .into_iter()
        .map(|name| (distance(written, name), name));
    let (slips, name) = candidates.min()?;
    // One slip for three letters: more of them, and it is another word.
    (slips * 3 <= name.chars().count()).then_some(name)
}

/// What to do about an unknown name: take the nearest, or choose among all.
pub(crate) fn remedy(written: &str, known: &[&'static str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("choose {}", one_of(known)),
    }
}

/// `a`, `b` or `c`.
fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make `b` of `a`
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    let mut row_before = row.clone();
    let mut left_before = None;
    for (i, left) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut right_before = None;
        for (j, right) in b.chars().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = at(&row, j) + usize::from(left != right);
            least = least.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if j > 0 && left_before == Some(right) && right_before == Some(left) {
                least = least.min(at(&row_before, j - 1) + 1);
            }
            next.push(least);
            right_before = Some(right);
        }
        row_before = std::mem::replace(&mut row, next);
        left_before = Some(left);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["application_id", "guarantee", "topic"];

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(nearest("aplication_id", KNOWN), Some("application_id"));
        assert_eq!(nearest("garantee", KNOWN), Some("guarantee"));
        assert_eq!(nearest("topics", KNOWN), Some("topic"));
        assert_eq!(remedy("topc", &KNOWN), "did you mean `topic`?");
    }

    #[test]
    fn another_word_is_answered_with_all() {
        assert_eq!(nearest("parallelism", KNOWN), None);
        assert_eq!(
            remedy("x", &KNOWN),
            "choose `application_id`, `guarantee` or `topic`"
        );
        assert_eq!(remedy("x", &["topic"]), "choose `topic`");
    }

    #[test]
    fn distances_count_letters() {
        for (a, b, slips) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("ß", "s", 1),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }
}
