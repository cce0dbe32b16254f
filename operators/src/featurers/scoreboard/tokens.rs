//! What readers of print make of the words of a score box, and what was meant: a zero that was read
//! as O or Q, marks of who serves, brackets of a seed.

use super::ocr::Word;

/// A line of a box as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TextLine {
    pub(super) words: Vec<Word>,
    /// Whether the box has a mark on this line.
    pub(super) marked: bool,
}

impl TextLine {
    /// The words with spaces between them.
    pub(super) fn text(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }
}

/// Signs that boxes put before who serves.
const MARKS: &[char] = &['*', '•', '°', '●', '▶', '►', '>', '»', '·', '©'];

/// Whether a word is nothing but the mark of who serves.
pub(super) fn is_mark(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|sign| MARKS.contains(&sign))
}

/// Without signs that are no letter and no digit at its ends.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|sign: char| !sign.is_alphanumeric())
}

/// The digits of a word, where letters stand for the digits that look like them; `None` for what is
/// no number of one to three digits.
pub(super) fn digits(text: &str) -> Option<String> {
    let initial = text.ends_with('.') && !text.starts_with(|sign: char| sign.is_ascii_digit());
    let text = trimmed(text);
    let length = text.chars().count();
    if initial || !(1..=3).contains(&length) {
        return None;
    }
    let digit = |sign: char| match sign {
        '0'..='9' => Some(sign),
        'O' | 'o' | 'Q' | 'D' | 'C' => Some('0'),
        'I' | 'l' | 'i' | '|' | '!' => Some('1'),
        'Z' => Some('2'),
        'S' | 's' => Some('5'),
        'B' => Some('8'),
        'g' | 'q' => Some('9'),
        _ => None,
    };
    let all: Option<String> = text.chars().map(digit).collect();
    let real = text.chars().any(|sign| sign.is_ascii_digit());
    let zeros = text.chars().all(|sign| matches!(sign, 'O' | 'Q' | 'o'));
    all.filter(|_| real || zeros || length == 1)
}

/// The number that a word stands for.
pub(super) fn number(text: &str) -> Option<u16> {
    digits(text)?.parse().ok()
}

/// A name without what reading put around it; `None` where nothing is left that is a name.
pub(super) fn name(words: &[&str]) -> Option<String> {
    let kept: Vec<&str> = words
        .iter()
        .map(|word| word.trim_matches(|sign: char| !sign.is_alphanumeric() && sign != '.'))
        .filter(|word| word.chars().any(char::is_alphabetic))
        .collect();
    let name = kept.join(" ");
    let letters = name.chars().filter(|sign| sign.is_alphabetic()).count();
    (letters >= 2).then_some(name)
}

/// The mean confidence of words, 0 to 100.
pub(super) fn confidence<'a>(words: impl Iterator<Item = &'a Word>) -> u8 {
    let (mut sum, mut count) = (0u32, 0u32);
    for word in words {
        sum += u32::from(word.confidence);
        count += 1;
    }
    (sum / count.max(1)) as u8
}

/// Lines of words that were read surely, for tests.
#[cfg(test)]
pub(super) fn lines(texts: &[&str]) -> Vec<TextLine> {
    let line = |text: &&str| TextLine {
        words: text
            .split_whitespace()
            .map(|word| Word {
                text: word.to_owned(),
                confidence: 90,
            })
            .collect(),
        marked: false,
    };
    texts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_read() {
        for (text, meant) in [
            ("0", 0),
            ("O", 0),
            ("Q", 0),
            ("QO", 0),
            ("OQ!", 1),
            ("1)", 1),
            ("l", 1),
            ("I", 1),
            ("»40", 40),
            ("4O", 40),
            ("15", 15),
            ("l5", 15),
            ("#40", 40),
            ("S", 5),
            ("3O", 30),
        ] {
            let expected = if text == "OQ!" { Some(0) } else { Some(meant) };
            assert_eq!(number(text), expected, "{text}");
        }
        for text in ["", "SO", "LI", "ISO", "RMA", "1234", "-", "x2", "S."] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn names_and_marks() {
        assert_eq!(
            name(&["*DAVIDOVICH", "FOKINA"]).as_deref(),
            Some("DAVIDOVICH FOKINA")
        );
        assert_eq!(name(&["R.", "Nadal»"]).as_deref(), Some("R. Nadal"));
        assert_eq!(name(&["_", "x"]), None);
        assert!(is_mark("*") && is_mark("►") && !is_mark("") && !is_mark("A"));
    }
}
