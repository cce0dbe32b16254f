//! Rows as a plain table: columns that are as wide as what stands in them, words to the left and numbers to the right.

use std::io::{self, Write};

use super::view::{COLUMNS, Row};

/// Columns that hold words.
pub const WORDS: usize = 2;

/// How wide each column is.
pub fn widths(rows: &[Row]) -> [usize; COLUMNS.len()] {
    let mut widths = COLUMNS.map(str::len);
    for row in rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = (*width).max(text.chars().count());
        }
    }
    widths
}

/// Writes them.
pub fn write(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let widths = widths(rows);
    let titles = COLUMNS.map(str::to_owned);
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (at, (text, width)) in row.iter().zip(widths).enumerate() {
            let cell = match at < WORDS {
                true => format!("{text:<width$}"),
                false => format!("{text:>width$}"),
            };
            line.push_str(&cell);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut row = COLUMNS.map(|_| "-".to_owned());
        row[0] = "a long id of an event".to_owned();
        row[2] = "1234567".to_owned();
        let mut out = Vec::new();
        write(&[row], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("EVENT                  STATE    EPOCH  TIME"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("a long id of an event  -      1234567     -"),
            "{text}"
        );
        assert_eq!(lines[0].len(), lines[1].len());
    }
}
