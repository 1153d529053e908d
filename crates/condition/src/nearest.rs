//! Finds the most similar known name, for the suggestion in an error message ("did you mean ...").

/// The maximum length, in bytes, of a name for which a suggestion is searched.
///
/// Ids have at most 63 bytes; a longer name is not a typing error.
const MAX_MEASURED_BYTES: usize = 80;
/// The maximum number of candidates compared with a name.
const MAX_CANDIDATES: usize = 2_000;
/// The maximum number of pairs of characters compared in one search, or for one condition or call.
///
/// Comparing them takes some milliseconds.
pub(super) const MAX_PAIRS: usize = 500_000;

/// Returns the suggestion at the end of an error message about an unknown name; empty without a similar name.
pub fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

/// Returns the candidate most similar to `name`, if one is similar enough to be what the author meant.
///
/// A candidate is similar enough if at most a third of the characters differ (Damerau-Levenshtein distance), or if one
/// of the two names is a prefix of the other.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut pairs_left = MAX_PAIRS;
    nearest_within(name, candidates, &mut pairs_left)
}

/// Returns the same as [`nearest`], and subtracts the pairs of characters compared from `pairs_left`.
///
/// Several searches can share `pairs_left`. Once it is zero, the search ends with the best candidate so far.
pub(super) fn nearest_within<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    pairs_left: &mut usize,
) -> Option<&'a str> {
    // Computing a distance costs the product of the two lengths, so the length of a hostile name must be bounded.
    if name.len() > MAX_MEASURED_BYTES {
        return None;
    }
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    let allowed = (name.chars().count() / 3).max(1);
    let mut found: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        // Ids are ASCII, so that the difference of the lengths is a lower bound of the distance.
        let worth_measuring = candidate.len().abs_diff(length) <= allowed;
        let pairs = if worth_measuring { (length + 1) * (candidate.len() + 1) } else { 1 };
        *pairs_left = pairs_left.saturating_sub(pairs);
        if *pairs_left == 0 {
            break;
        }
        let is_prefix = lower.len() >= 4 && (candidate.starts_with(&lower) || lower.starts_with(candidate));
        let distance = if is_prefix {
            candidate.len().abs_diff(lower.len())
        } else if worth_measuring {
            strsim::damerau_levenshtein(&lower, candidate)
        } else {
            continue;
        };
        if (is_prefix || distance <= allowed) && found.is_none_or(|(least, _)| distance < least) {
            found = Some((distance, candidate));
        }
    }
    found.map(|(_, candidate)| candidate)
}
