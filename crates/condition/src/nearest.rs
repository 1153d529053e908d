//! The nearest known name, for errors that say what was probably meant.

/// Longer names are no slip of an id, which has 63 bytes at most.
const MAX_MEASURED_BYTES: usize = 80;
/// A suggestion is not worth more work than looking at so many names,
const MAX_CANDIDATES: usize = 2_000;
/// nor than comparing so many pairs of characters: some milliseconds.
pub(super) const MAX_PAIRS: usize = 500_000;

/// The candidate closest to `name`, if one is close enough to be a likely slip of the pen: at most a third of the
/// characters differ (Damerau-Levenshtein), or one name is the other with something added.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut pairs_left = MAX_PAIRS;
    nearest_within(name, candidates, &mut pairs_left)
}

/// The same for one of many names: `pairs_left` is what all of them may compare. Without any, nothing is found.
pub(super) fn nearest_within<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    pairs_left: &mut usize,
) -> Option<&'a str> {
    // Distances cost the product of the lengths: a hostile name is not measured, and no id is that long.
    if name.len() > MAX_MEASURED_BYTES {
        return None;
    }
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    let allowed = (name.chars().count() / 3).max(1);
    let mut found: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        // Ids are ASCII: a difference of lengths is a lower bound of the distance.
        let worth_measuring = candidate.len().abs_diff(length) <= allowed;
        let pairs = if worth_measuring { (length + 1) * (candidate.len() + 1) } else { 1 };
        *pairs_left = pairs_left.saturating_sub(pairs);
        if *pairs_left == 0 {
            break;
        }
        let added = lower.len() >= 4 && (candidate.starts_with(&lower) || lower.starts_with(candidate));
        let distance = if added {
            candidate.len().abs_diff(lower.len())
        } else if worth_measuring {
            strsim::damerau_levenshtein(&lower, candidate)
        } else {
            continue;
        };
        if (added || distance <= allowed) && found.is_none_or(|(least, _)| distance < least) {
            found = Some((distance, candidate));
        }
    }
    found.map(|(_, candidate)| candidate)
}
