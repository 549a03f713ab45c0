//! The nearest name to a misspelt one.

/// The candidate that `word` was most likely meant to be, or `None` where nothing is near.
///
/// Case does not count. Two edits are forgiven in a short word, a third of the letters in a long one; a candidate
/// that only adds to the word, or the other way round, is near from three letters on.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&word, &lower);
            let contained = word.len() >= 3 && lower.len() >= 3 && (lower.contains(&word) || word.contains(&lower));
            // A word of two letters is two edits away from everything.
            let near = distance <= allowed && distance < word.chars().count().max(2);
            (near || contained).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn forgives_slips_and_not_everything() {
        let names = ["prod-westeurope", "staging", "dev"];
        assert_eq!(nearest("prod-westeurop", names), Some("prod-westeurope"));
        assert_eq!(nearest("Stagign", names), Some("staging"));
        assert_eq!(nearest("prod", names), Some("prod-westeurope"));
        assert_eq!(nearest("kind-kind", names), None);
        assert_eq!(nearest("", names), None);
    }
}
