//! The nearest known name, for errors that say what was probably meant.

/// Longer names are no slip of an id, which has 63 bytes at most.
const MAX_MEASURED_BYTES: usize = 80;
/// A suggestion is not worth more work than this.
const MAX_CANDIDATES: usize = 2_000;

/// The candidate closest to `name`, if one is close enough to be a likely slip of the pen: at most a third of the
/// characters differ (Damerau-Levenshtein), or one name is the other with something added.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Distances cost the product of the lengths: a hostile name is not measured, and no id is that long.
    if name.len() > MAX_MEASURED_BYTES {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter_map(|candidate| {
            if lower.len() >= 4 && (candidate.starts_with(&lower) || lower.starts_with(candidate)) {
                return Some((candidate.len().abs_diff(lower.len()), candidate));
            }
            // Ids are ASCII: a difference of lengths is a lower bound of the distance.
            let worth_measuring = candidate.len().abs_diff(lower.chars().count()) <= allowed;
            let distance = worth_measuring.then(|| strsim::damerau_levenshtein(&lower, candidate))?;
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
