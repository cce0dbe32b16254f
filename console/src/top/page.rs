//! A page of metrics in the text format of Prometheus, as far as it is asked.

/// A value of a metric.
#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Page(Vec<Sample>);

impl Page {
    /// Reads it; lines that are none are left out.
    pub fn read(text: &str) -> Page {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Page(lines.filter_map(sample).collect())
    }

    fn found<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = |sample: &Sample, (key, value): &(&str, &str)| {
            let mut all = sample.labels.iter();
            all.any(|(name, found)| name == key && found == value)
        };
        let mine = self.0.iter().filter(move |sample| sample.name == name);
        mine.filter(move |sample| labels.iter().all(|label| has(sample, label)))
    }

    /// The sum of a metric over all series with these labels; none where there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.found(name, labels).map(|sample| sample.value);
        values.reduce(|sum, value| sum + value)
    }

    /// The values that a label has in a metric, each once.
    pub fn values(&self, name: &str, labels: &[(&str, &str)], label: &str) -> Vec<String> {
        let mut all: Vec<String> = self
            .found(name, labels)
            .filter_map(|sample| {
                let mut labels = sample.labels.iter();
                let found = labels.find(|(name, _)| name == label)?;
                Some(found.1.clone())
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (key, value) = rest.split_once("=\"")?;
            let (value, behind) = quoted(value)?;
            labels.push((key.trim_start_matches([',', ' ']).to_owned(), value));
            rest = behind;
        }
        rest = rest.get(1..)?;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The text up to the quotation mark that ends it, and what is behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_by_names_and_labels() {
        let page = Page::read(
            "# HELP chunks Chunks\n# TYPE chunks counter\n\
             chunks{event=\"a\",outcome=\"placed\"} 7\n\
             chunks{event=\"a\",outcome=\"missing\"} 2\n\
             chunks{event=\"b \\\"{x}\\\\\",outcome=\"placed\"} 1e3\n\
             memory 12.5\nnonsense\nbad{a=\"b} 1\n",
        );
        assert_eq!(page.sum("chunks", &[("event", "a")]), Some(9.0));
        let placed = [("event", "a"), ("outcome", "placed")];
        assert_eq!(page.sum("chunks", &placed), Some(7.0));
        assert_eq!(page.sum("chunks", &[("event", "b \"{x}\\")]), Some(1000.0));
        assert_eq!(page.sum("memory", &[]), Some(12.5));
        assert_eq!(page.sum("memory", &[("event", "a")]), None);
        assert_eq!(
            page.values("chunks", &[("event", "a")], "outcome"),
            ["missing", "placed"]
        );
    }
}
