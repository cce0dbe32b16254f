//! File names with numbers: which files of a directory are one series, and in which order.

use std::collections::BTreeMap;

/// A number with more digits is a date or a time stamp: it orders, but says nothing of holes.
const COUNTER_DIGITS: usize = 9;

/// A file as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds since the Unix epoch.
    pub modified: i64,
    /// Changes with its content, where there is such a thing: then it counts, and not when it was changed.
    pub tag: Option<String>,
}

/// One series, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// By number; files without numbers are counted through.
    pub files: BTreeMap<u64, Entry>,
    /// Whether a number that is not there is a chunk that is missing.
    pub counted: bool,
    /// What stands before and after the number; `None` for files without numbers.
    pub around: Option<(String, String)>,
    /// Files that were left out.
    pub ignored: Vec<String>,
}

/// What stands before the last number of a name, the number, and what stands after it. The
/// extension has been taken off.
fn split(stem: &str) -> Option<(&str, &str, &str)> {
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = stem[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| {
            at + stem[at..].chars().next().map_or(1, char::len_utf8)
        });
    Some((&stem[..start], &stem[start..end], &stem[end..]))
}

/// Whether `name` has `extension`; gives the rest.
pub(crate) fn stem<'a>(name: &'a str, extension: &str) -> Option<&'a str> {
    let (stem, found) = name.rsplit_once('.')?;
    found.eq_ignore_ascii_case(extension).then_some(stem)
}

impl Series {
    /// The number of a file of this series that need not be there.
    pub(crate) fn number_of(&self, name: &str, extension: &str) -> Option<u64> {
        let (before, after) = self.around.as_ref()?;
        let (b, digits, a) = split(stem(name, extension)?)?;
        (b == before && a == after).then(|| digits.parse().ok())?
    }
}

/// Finds the series among the files with `extension`; of several, `prefix` says which.
pub(crate) fn series(
    entries: Vec<Entry>,
    extension: &str,
    prefix: Option<&str>,
) -> Result<Series, String> {
    let mut all: BTreeMap<(String, String), Series> = BTreeMap::new();
    let mut plain: Vec<Entry> = Vec::new();
    let mut entries: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| stem(&entry.name, extension).is_some())
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let stem = stem(&entry.name, extension).unwrap_or_default();
        let parts = split(stem).and_then(|(before, digits, after)| {
            Some((
                before.to_owned(),
                after.to_owned(),
                digits.parse().ok()?,
                digits.len(),
            ))
        });
        let Some((before, after, number, digits)) = parts else {
            plain.push(entry);
            continue;
        };
        if prefix.is_some_and(|prefix| prefix != before) {
            continue;
        }
        let series = all.entry((before.clone(), after.clone())).or_default();
        series.around = Some((before, after));
        series.counted = digits <= COUNTER_DIGITS;
        match series.files.entry(number) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(entry);
            }
            std::collections::btree_map::Entry::Occupied(_) => series.ignored.push(entry.name),
        }
    }
    let names = plain.iter().map(|entry| entry.name.clone());
    match (all.len(), prefix) {
        (0, None) => {
            let files = (0..).zip(plain).collect();
            Ok(Series {
                files,
                counted: false,
                ..Series::default()
            })
        }
        (0, Some(_)) => Ok(Series::default()),
        (1, _) => {
            let mut series = all.into_values().next().unwrap_or_default();
            series.ignored.extend(names);
            Ok(series)
        }
        _ => {
            let prefixes: Vec<_> = all
                .iter()
                .map(|((before, after), series)| {
                    format!("\"{before}\"…{after} ({} files)", series.files.len())
                })
                .collect();
            Err(format!(
                "it holds several series: {}; choose one by \"prefix\"",
                prefixes.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        names
            .iter()
            .map(|name| Entry {
                name: (*name).into(),
                size: 1,
                modified: 0,
                tag: None,
            })
            .collect()
    }

    fn order(series: &Series) -> Vec<(u64, &str)> {
        series
            .files
            .iter()
            .map(|(number, entry)| (*number, entry.name.as_str()))
            .collect()
    }

    #[test]
    fn numbers_order_whatever_their_width() {
        let names = ["c_10.ts", "c_9.ts", "index.m3u8", "c_00011.TS", "notes.txt"];
        let series = series(entries(&names), "ts", None).unwrap();
        assert_eq!(
            order(&series),
            [(9, "c_9.ts"), (10, "c_10.ts"), (11, "c_00011.TS")]
        );
        assert!(series.counted);
    }

    #[test]
    fn several_series_need_a_prefix() {
        let names = ["hd_1.ts", "hd_2.ts", "sd_1.ts", "intro.ts"];
        let error = series(entries(&names), "ts", None).unwrap_err();
        assert_eq!(
            error,
            "it holds several series: \"hd_\"… (2 files), \"sd_\"… (1 files); choose one by \"prefix\""
        );
        let series = series(entries(&names), "ts", Some("hd_")).unwrap();
        assert_eq!(order(&series), [(1, "hd_1.ts"), (2, "hd_2.ts")]);
        assert_eq!(series.ignored, ["intro.ts"]);
    }

    #[test]
    fn names_without_numbers_and_with_times() {
        let plain = series(entries(&["b.ts", "a.ts", "é.ts"]), "ts", None).unwrap();
        assert_eq!(order(&plain), [(0, "a.ts"), (1, "b.ts"), (2, "é.ts")]);
        assert!(!plain.counted);
        let times = ["é20240501100006.ts", "é20240501100000.ts"];
        let times = series(entries(&times), "ts", None).unwrap();
        assert!(!times.counted);
        assert_eq!(order(&times)[0].1, "é20240501100000.ts");
        let twice = series(entries(&["a1.ts", "a01.ts"]), "ts", None).unwrap();
        assert_eq!(
            (order(&twice), twice.ignored.len()),
            (vec![(1, "a01.ts")], 1)
        );
        // More digits than a number can have.
        let long = series(entries(&["a99999999999999999999999.ts"]), "ts", None).unwrap();
        assert_eq!(long.files.len(), 1);
    }
}
