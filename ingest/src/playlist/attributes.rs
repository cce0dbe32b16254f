//! Attribute lists of tags: `KEY=value,KEY="quoted, value"`.

/// A value as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, without quotes.
    pub value: &'a str,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// The attributes of a list in order, up to the first place where it cannot be read.
pub(super) fn attributes(list: &str) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = list.trim();
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next, quoted) = match after.strip_prefix('"') {
            Some(inside) => {
                let (value, next) = inside.split_once('"')?;
                (value, next, true)
            }
            None => {
                let (value, next) = after.split_at(after.find(',').unwrap_or(after.len()));
                (value, next, false)
            }
        };
        let next = next.trim_start();
        rest = next.strip_prefix(',').unwrap_or(next).trim_start();
        Some(Attribute {
            name: name.trim(),
            value: value.trim(),
            quoted,
        })
    })
}

/// The value of `name` in an attribute list, without quotes.
pub(super) fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    attributes(list)
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value)
}

#[cfg(test)]
mod tests {
    use super::attribute;

    #[test]
    fn values_with_and_without_quotes() {
        let list = "METHOD=AES-128,URI=\"k,1=2\", IV=0x1";
        assert_eq!(attribute(list, "METHOD"), Some("AES-128"));
        assert_eq!(attribute(list, "URI"), Some("k,1=2"));
        assert_eq!(attribute(list, "IV"), Some("0x1"));
        assert_eq!(attribute(list, "KEYFORMAT"), None);
        assert_eq!(attribute("URI=\"open", "URI"), None);
        assert_eq!(attribute("nonsense", "URI"), None);
    }
}
