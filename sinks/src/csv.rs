//! Tables as comma-separated values (RFC 4180): lines end with CR LF, fields with commas, quotes or
//! line ends stand in quotes. Free text that a spreadsheet would take for a formula gets an
//! apostrophe in front, so that opening a table runs nothing.

/// A field.
pub(crate) enum Field {
    /// Nothing.
    Empty,
    /// A number or timecode that this program made.
    Plain(String),
    /// Text that comes from somebody.
    Free(String),
}

impl Field {
    /// A plain field, empty for nothing.
    pub(crate) fn plain(value: Option<impl ToString>) -> Self {
        value.map_or(Field::Empty, |value| Field::Plain(value.to_string()))
    }

    /// Free text, empty for nothing.
    pub(crate) fn free(value: Option<impl ToString>) -> Self {
        value.map_or(Field::Empty, |value| Field::Free(value.to_string()))
    }
}

/// A table; its first line names the columns.
#[derive(Debug)]
pub(crate) struct Table {
    text: String,
    columns: usize,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Table {
            text: format!("{}\r\n", columns.join(",")),
            columns: columns.len(),
        }
    }

    /// Adds a line; one that is too short is filled up.
    pub(crate) fn row(&mut self, mut fields: Vec<Field>) {
        fields.resize_with(self.columns, || Field::Empty);
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            match field {
                Field::Empty => {}
                Field::Plain(text) => self.text.push_str(text),
                Field::Free(text) => self.text.push_str(&quoted(&defused(text))),
            }
        }
        self.text.push_str("\r\n");
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// What spreadsheets take for the beginning of a formula, after what they skip before it.
fn defused(text: &str) -> String {
    let first = text.trim_start_matches([' ', '\u{feff}']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_defused() {
        let mut table = Table::new(&["a", "b", "c"]);
        table.row(vec![
            Field::plain(Some("-1.5")),
            Field::free(Some("say \"hi\", you\nthere")),
        ]);
        table.row(vec![
            Field::free(Some("=HYPERLINK(\"x\")")),
            Field::free(Some(" @x")),
            Field::free(None::<&str>),
        ]);
        assert_eq!(
            table.into_text(),
            "a,b,c\r\n\
             -1.5,\"say \"\"hi\"\", you\nthere\",\r\n\
             \"'=HYPERLINK(\"\"x\"\")\",' @x,\r\n"
        );
        for formula in ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\u{feff}=1", "＝1"] {
            assert!(defused(formula).starts_with('\''), "{formula:?}");
        }
        for text in ["Game 1", "a=1", "", "{\"a\":1}"] {
            assert_eq!(defused(text), text);
        }
    }
}
