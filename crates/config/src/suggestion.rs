//! The known name that somebody who wrote an unknown one probably meant.

/// The candidate nearest to `name`, if one is near enough to be worth a question.
///
/// The case of ASCII letters and the separators `_` and `-` do not count, so `jwks-uri` finds `jwksUri`. (The case of all letters
/// is a table of many kilobytes.)
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(name);
    let far = plain.chars().count().div_ceil(3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &self::plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint for an unknown name: the nearest known one, else all of them.
pub fn hint(name: &str, candidates: &[&str], kind: &str) -> String {
    match nearest(name, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => format!("there are no {kind}"),
        None => format!("{kind}: {}", list(candidates)),
    }
}

/// Names in backticks, joined by commas.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn plain(name: &str) -> String {
    // A name that was never meant as one is cut, so that the comparison stays cheap.
    name.chars().take(64).filter(|letter| !matches!(letter, '_' | '-')).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_near_name_or_lists_all() {
        let known = ["jwksUri", "jwks", "issuer"];
        for (name, expected) in [
            ("jwks_uri", Some("jwksUri")),
            ("JWKS", Some("jwks")),
            ("isuer", Some("issuer")),
            ("issuers", Some("issuer")),
            ("sisuer", Some("issuer")),
            ("audience", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(hint("audience", &known, "known keys"), "known keys: `jwksUri`, `jwks`, `issuer`");
        assert_eq!(hint("x", &[], "known keys"), "there are no known keys");
    }
}
