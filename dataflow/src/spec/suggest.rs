//! "Did you mean": the known name nearest to what was written.

/// The candidate that `written` was most likely meant to be, if one is near enough: one typing
/// slip for short names, one in three letters for longer ones, or one name inside the other.
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let have = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&wanted, &have);
        let limit = (wanted.chars().count().max(have.chars().count()) / 3).max(1);
        let part = wanted.len() >= 4 && (have.contains(&wanted) || wanted.contains(&have));
        if (distance <= limit || part) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A hint: the nearest candidate, else all of them when they are few.
pub(super) fn hint(written: &str, what: &str, candidates: &[&str]) -> Option<String> {
    if let Some(name) = nearest(written, candidates.iter().copied()) {
        return Some(format!("did you mean \"{name}\"?"));
    }
    match candidates {
        [] => None,
        _ => Some(format!("{what}: {}", list(candidates))),
    }
}

/// `"a", "b" and "c"`-like text without surprises: names in quotes, separated by commas.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    names
        .iter()
        .map(|name| format!("\"{}\"", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["scene_change", "audio_peaks", "dominant_color", "view"];
        assert_eq!(nearest("scene_chnage", names), Some("scene_change"));
        assert_eq!(nearest("dominant_colour", names), Some("dominant_color"));
        assert_eq!(nearest("vew", names), Some("view"));
        assert_eq!(nearest("Scene_Change", names), Some("scene_change"));
        assert_eq!(nearest("peaks", names), Some("audio_peaks"));
        assert_eq!(nearest("kafka", names), None);
        assert_eq!(nearest("", names), None);
    }
}
