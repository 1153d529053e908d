//! The nearest known name, for errors that say what was probably meant.

/// The candidate closest to `name`, if one is close enough to be a likely slip of the pen: at most a third of the
/// characters differ (Damerau-Levenshtein), or one name is the other with something added.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Distances cost the product of the lengths: a hostile name is not measured, and no id is that long.
    if name.len() > 128 {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= allowed
                || (lower.len() >= 4 && (candidate.starts_with(&lower) || lower.starts_with(candidate)))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
