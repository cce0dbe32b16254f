//! Attribute lists of tags: `KEY=value,KEY="quoted, value"`.

/// The value of `name` in an attribute list, without quotes.
pub(super) fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = list.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => match after.find(',') {
                Some(comma) => after.split_at(comma),
                None => (after, ""),
            },
        };
        if key.trim() == name {
            return Some(value.trim());
        }
        rest = next
            .trim_start()
            .strip_prefix(',')
            .unwrap_or(next)
            .trim_start();
    }
    None
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
