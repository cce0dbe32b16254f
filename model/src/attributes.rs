//! The attributes of an observation or a segment. One observation stands in several places of a
//! running event (what was told, what is kept for corrections, what replays weigh), so that these
//! share one list, and a copy costs nothing. Whoever changes a shared list gets one of their own.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;
use std::sync::{Arc, LazyLock};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Name, Value};

/// Names and values, sorted by name, each name once.
#[derive(Clone)]
pub struct Attributes(Arc<Vec<(Name, Value)>>);

/// Much that is observed has no attributes: all of it shares this.
static NONE: LazyLock<Attributes> = LazyLock::new(|| Attributes(Arc::default()));

impl Attributes {
    /// None.
    pub fn new() -> Self {
        NONE.clone()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(name))
    }

    /// The value of an attribute.
    pub fn get<Q: Borrow<str> + ?Sized>(&self, name: &Q) -> Option<&Value> {
        let place = self.place(name.borrow()).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Whether it is there.
    pub fn contains_key<Q: Borrow<str> + ?Sized>(&self, name: &Q) -> bool {
        self.place(name.borrow()).is_ok()
    }

    /// Sets an attribute; the value that it had.
    pub fn insert(&mut self, name: Name, value: Value) -> Option<Value> {
        let place = self.place(&name);
        let own = Arc::make_mut(&mut self.0);
        match place {
            Ok(place) => own
                .get_mut(place)
                .map(|(_, old)| std::mem::replace(old, value)),
            Err(place) => {
                own.insert(place, (name, value));
                None
            }
        }
    }

    /// Takes an attribute away; the value that it had.
    pub fn remove<Q: Borrow<str> + ?Sized>(&mut self, name: &Q) -> Option<Value> {
        let place = self.place(name.borrow()).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(place).1)
    }

    /// Keeps those for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        Arc::make_mut(&mut self.0).retain_mut(|(name, value)| keep(name, value));
    }

    /// Names and values, by name.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    /// Names, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Name> + ExactSizeIterator {
        self.0.iter().map(|(name, _)| name)
    }

    /// Values, by name.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }
}

/// Names and values, by name.
#[derive(Clone, Debug)]
pub struct Iter<'a>(std::slice::Iter<'a, (Name, Value)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Name, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(name, value)| (name, value))
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = (&'a Name, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Attributes {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

/// Of several values of one name the last one counts.
impl FromIterator<(Name, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(pairs: I) -> Self {
        let mut own: Vec<(Name, Value)> = pairs.into_iter().collect();
        if own.is_empty() {
            return Attributes::new();
        }
        if !own.is_sorted_by(|(one, _), (other, _)| one < other) {
            // Stable: of one name, the last one stays last.
            own.sort_by(|(one, _), (other, _)| one.cmp(other));
            own.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        own.shrink_to_fit();
        Attributes(Arc::new(own))
    }
}

impl<const N: usize> From<[(Name, Value); N]> for Attributes {
    fn from(pairs: [(Name, Value); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl Extend<(Name, Value)> for Attributes {
    fn extend<I: IntoIterator<Item = (Name, Value)>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl Index<&str> for Attributes {
    type Output = Value;

    /// The value of an attribute, `null` where there is none, as in JSON.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Attributes::new()
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Attributes {}

impl PartialOrd for Attributes {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Attributes {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return std::cmp::Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl std::hash::Hash for Attributes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(4).min(64));
                while let Some(pair) = map.next_entry::<Name, Value>()? {
                    pairs.push(pair);
                }
                Ok(pairs.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(text: &str) -> Vec<(Name, Value)> {
        text.chars()
            .zip(0..)
            .map(|(c, n)| (Name::new(c.to_string()), Value::Integer(n)))
            .collect()
    }

    #[test]
    fn they_are_a_sorted_map_in_which_the_last_value_counts() {
        for text in ["", "a", "abc", "cba", "abcab", "zzz", "bab"] {
            let attributes: Attributes = pairs(text).into_iter().collect();
            let map: BTreeMap<Name, Value> = pairs(text).into_iter().collect();
            assert!(attributes.iter().eq(map.iter()), "{text}");
            assert!(attributes.keys().eq(map.keys()) && attributes.values().eq(map.values()));
            assert_eq!(attributes.len(), map.len());
            assert_eq!(attributes.get("a"), map.get("a"));
            let json = serde_json::to_string(&attributes).unwrap();
            assert_eq!(json, serde_json::to_string(&map).unwrap());
            let read: Attributes = serde_json::from_str(&json).unwrap();
            assert_eq!(read, attributes);
            assert!(attributes.into_iter().eq(map));
        }
    }

    #[test]
    fn a_copy_changes_on_its_own() {
        let first: Attributes = pairs("bd").into_iter().collect();
        let mut second = first.clone();
        assert_eq!(second.insert("c".into(), true.into()), None);
        assert_eq!(second.insert("b".into(), 7.into()), Some(0.into()));
        assert_eq!(second.remove("d"), Some(1.into()));
        assert_eq!(second.remove("x"), None);
        let names: Vec<&str> = second.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(first.len(), 2);
        assert_eq!(first["b"], Value::Integer(0));
        assert_eq!(first["x"], Value::Null);
        second.retain(|_, value| *value == Value::Bool(true));
        assert_eq!(second, Attributes::from([("c".into(), true.into())]));
        assert!(first < second);
    }
}
