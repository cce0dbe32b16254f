//! What a plugin depends on, and what that depends on: each once, nearest first, with those that ask
//! for it.

use super::texts;
use crate::store::Row;

/// A plugin that others depend on.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub row: Row,
    /// Who depends on it.
    pub parents: Vec<String>,
}

/// Everything below `root`, which is not in it unless it depends on itself. What is not there is passed over.
pub fn tree<E>(
    root: &str,
    newest: impl Fn(&str) -> Result<Option<Row>, E>,
) -> Result<Vec<Dependency>, E> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut next = 0;
    let mut parent = newest(root)?.map(|row| (root.to_owned(), row));
    while let Some((name, row)) = parent {
        for child in texts(&row, "DependentPlugins") {
            match found.iter_mut().find(|known| known.name == child) {
                Some(known) if known.parents.contains(&name) => {}
                Some(known) => known.parents.push(name.clone()),
                None => {
                    if let Some(row) = newest(child)? {
                        found.push(Dependency {
                            name: child.to_owned(),
                            row,
                            parents: vec![name.clone()],
                        });
                    }
                }
            }
        }
        parent = found
            .get(next)
            .map(|known| (known.name.clone(), known.row.clone()));
        next += 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::{Value, json};

    use super::*;

    /// Each plugin with the letters of those that it depends on.
    fn below(root: &str, plugins: &[(&str, &str)]) -> Vec<(String, String)> {
        let newest = |name: &str| {
            let found = plugins.iter().find(|(plugin, _)| *plugin == name);
            let row = found.map(|(_, children)| {
                let children: Vec<String> = children.chars().map(String::from).collect();
                match json!({ "DependentPlugins": children }) {
                    Value::Object(row) => row,
                    _ => Row::new(),
                }
            });
            Ok::<_, Infallible>(row)
        };
        let found = tree(root, newest).unwrap().into_iter();
        found.map(|one| (one.name, one.parents.concat())).collect()
    }

    #[test]
    fn each_is_named_once_with_all_that_ask_for_it() {
        let plugins = [("a", "bc"), ("b", "d"), ("c", "dx"), ("d", "")];
        let pair = |name: &str, parents: &str| (name.to_owned(), parents.to_owned());
        assert_eq!(
            below("a", &plugins),
            [pair("b", "a"), pair("c", "a"), pair("d", "bc")]
        );
        assert_eq!(below("x", &plugins), []);
    }

    #[test]
    fn circles_end() {
        let plugins = [("a", "b"), ("b", "c"), ("c", "ab")];
        let names: Vec<String> = below("a", &plugins).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["b", "c", "a"]);
    }
}
