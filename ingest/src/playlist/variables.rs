//! Variables of playlists: EXT-X-DEFINE gives names to values, `{$NAME}` stands for them.

use std::collections::BTreeMap;

use url::Url;

use super::attributes::attribute;

/// Names with their values.
pub(crate) type Variables = BTreeMap<String, String>;

/// Takes an EXT-X-DEFINE. `imports` are those of the master playlist, `uri` is where the playlist
/// was loaded from.
pub(super) fn define(
    variables: &mut Variables,
    tag: &str,
    imports: &Variables,
    uri: &str,
) -> Result<(), String> {
    let (name, value) = if let Some(name) = attribute(tag, "NAME") {
        let value = attribute(tag, "VALUE").ok_or("a variable without VALUE")?;
        (name, value.to_owned())
    } else if let Some(name) = attribute(tag, "IMPORT") {
        let value = imports.get(name);
        let value = value.ok_or("a variable that the master playlist does not define")?;
        (name, value.clone())
    } else if let Some(name) = attribute(tag, "QUERYPARAM") {
        let url = Url::parse(uri).ok();
        let value = url.and_then(|url| {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, v)| v.into_owned())
        });
        (
            name,
            value.ok_or("a variable that the query of the URI does not have")?,
        )
    } else {
        return Err("a variable without NAME, IMPORT or QUERYPARAM".into());
    };
    variables.insert(name.to_owned(), value);
    Ok(())
}

/// Puts values in the place of names; what is not defined stays as it stands.
pub(super) fn substitute(text: &str, variables: &Variables) -> Option<String> {
    if variables.is_empty() || !text.contains("{$") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{$") {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, next)) if variables.contains_key(name) => {
                out.push_str(variables.get(name).map_or("", String::as_str));
                rest = next;
            }
            _ => {
                out.push_str("{$");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The first name in the text that has no value.
pub(super) fn undefined(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("{$")?;
    after.split_once('}').map(|(name, _)| name)
}
