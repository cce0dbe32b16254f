//! Soccer: names, goals and the clock of a box, on one line or on two.

use super::ocr::Word;
use super::tokens::{TextLine, confidence, digits, name, number, trimmed};

/// What was read of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Board {
    pub(super) goals: [u8; 2],
    pub(super) names: [Option<String>; 2],
    pub(super) clock: Option<Clock>,
    pub(super) confidence: u8,
}

/// The clock of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Clock {
    /// Seconds on it.
    pub(super) seconds: u32,
    /// Whole minutes beyond a half, as in 45+2.
    pub(super) added: Option<u32>,
}

impl Clock {
    /// As boxes write it: `04:56`, `45+2`.
    pub(super) fn text(&self) -> String {
        match self.added {
            Some(added) => format!("{}+{added}", self.seconds / 60),
            None => format!("{:02}:{:02}", self.seconds / 60, self.seconds % 60),
        }
    }

    /// Seconds on the clock and beyond.
    pub(super) fn total(&self) -> u32 {
        self.seconds + self.added.unwrap_or(0) * 60
    }
}

#[derive(Debug)]
enum Token<'a> {
    Name(&'a str),
    Goals(u16, &'a Word),
    /// Two digits between names, which may be the goals of both.
    Pair([u16; 2], &'a Word),
}

/// Reads names, goals and clock out of the lines of a box.
pub(super) fn parse(lines: &[TextLine]) -> Option<Board> {
    let words: Vec<&Word> = lines.iter().flat_map(|line| &line.words).collect();
    let (clock, used) = clock(&words);
    let mut tokens = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if used.contains(&at) || is_period(&word.text) {
            continue;
        }
        tokens.extend(read(word));
    }
    let (names, goals, sure) = sides(&tokens)?;
    let [home, away] = names;
    let home = name(&home)?;
    // A short form is one word: what comes behind the other is no part of it.
    let short = home.chars().count() <= 4 && !home.contains(' ');
    let away = name(if short { away.get(..1)? } else { &away })?;
    if goals.iter().any(|goals| *goals > 30) {
        return None;
    }
    Some(Board {
        goals: goals.map(|goals| goals as u8),
        names: [Some(home), Some(away)],
        clock,
        confidence: confidence(sure.into_iter()),
    })
}

fn is_period(text: &str) -> bool {
    matches!(
        trimmed(text),
        "1ST" | "2ND" | "1st" | "2nd" | "HT" | "FT" | "ET" | "VS" | "vs" | "LIVE"
    )
}

fn read(word: &Word) -> Vec<Token<'_>> {
    let text = word.text.as_str();
    if let Some((one, two)) = text.split_once(['-', '–', ':'])
        && let (Some(one), Some(two)) = (number(one), number(two))
    {
        return vec![Token::Goals(one, word), Token::Goals(two, word)];
    }
    if let Some(digits) = digits(text) {
        let mut each = digits
            .chars()
            .filter_map(|digit| digit.to_digit(10))
            .map(|digit| digit as u16);
        return match (digits.len(), each.next(), each.next(), digits.parse()) {
            (2, Some(one), Some(two), _) => vec![Token::Pair([one, two], word)],
            (1, _, _, Ok(number)) => vec![Token::Goals(number, word)],
            _ => Vec::new(),
        };
    }
    let letters = text.chars().filter(|sign| sign.is_alphabetic()).count();
    if letters >= 2 {
        vec![Token::Name(text)]
    } else {
        Vec::new()
    }
}

type Sides<'a> = ([Vec<&'a str>; 2], [u16; 2], Vec<&'a Word>);

/// HOME 1 0 AWAY, or HOME 1 AWAY 0.
fn sides<'a>(tokens: &[Token<'a>]) -> Option<Sides<'a>> {
    let mut names: [Vec<&str>; 2] = Default::default();
    let mut goals: Vec<(u16, &Word)> = Vec::new();
    let mut pairs = 0;
    let mut between = false;
    for token in tokens {
        match token {
            Token::Name(text) => {
                if goals.is_empty() {
                    names[0].push(text);
                } else if goals.len() <= 2 && !(between && goals.len() == 2) {
                    between |= goals.len() == 1;
                    names[1].push(text);
                }
            }
            // Numbers before the first name belong to something else.
            _ if names[0].is_empty() => {}
            Token::Goals(number, word) => goals.push((*number, word)),
            Token::Pair([one, two], word) => {
                pairs += 1;
                goals.push((one * 10 + two, word));
            }
        }
    }
    let sure = goals.iter().map(|(_, word)| *word).collect();
    let numbers: Vec<u16> = goals.iter().map(|(number, _)| *number).collect();
    match numbers.as_slice() {
        // 0 and 0 read as one word.
        [both] if pairs == 1 && !names[1].is_empty() => Some((names, [both / 10, both % 10], sure)),
        [one, two] if !names[1].is_empty() => Some((names, [*one, *two], sure)),
        _ => None,
    }
}

/// The clock among words, and which words say it.
fn clock(words: &[&Word]) -> (Option<Clock>, Vec<usize>) {
    for (at, word) in words.iter().enumerate() {
        let text: String = word
            .text
            .chars()
            .filter(|sign| !matches!(sign, '\'' | '’' | '"' | '′'))
            .collect();
        let text = text.trim_matches(|sign: char| !sign.is_alphanumeric() && sign != '+');
        if let Some((minutes, added)) = text.split_once('+')
            && let (Some(minutes), Some(added)) = (number(minutes), number(added))
            && matches!(minutes, 45 | 90 | 105 | 120)
            && added <= 30
        {
            let seconds = u32::from(minutes) * 60;
            return (
                Some(Clock {
                    seconds,
                    added: Some(u32::from(added)),
                }),
                vec![at],
            );
        }
        let parts = text.split_once([':', '.']);
        let apart = || {
            // A colon that was not read: two numbers of two digits before anything else is said.
            let next = words.get(at + 1)?;
            let both = digits(text)?.len() == 2 && digits(&next.text)?.len() == 2;
            let alone = words[..at]
                .iter()
                .all(|word| trimmed(&word.text).chars().count() <= 1);
            let named = words
                .get(at + 2)
                .is_some_and(|word| digits(&word.text).is_none());
            (both && alone && named).then_some((text, next.text.as_str(), 2))
        };
        let read = parts
            .map(|(minutes, seconds)| (minutes, seconds, 1))
            .or_else(apart);
        if let Some((minutes, seconds, length)) = read
            && digits(seconds).is_some_and(|digits| digits.len() == 2)
            && digits(minutes).is_some_and(|digits| digits.len() >= 2)
            && let (Some(minutes), Some(seconds)) = (number(minutes), number(seconds))
            && minutes <= 130
            && seconds < 60
        {
            let mut used: Vec<usize> = (at..at + length).collect();
            // The minutes that are added, shown beside the clock: +4.
            let next = words
                .get(at + length)
                .filter(|word| word.text.starts_with('+'));
            if next.is_some() {
                used.push(at + length);
            }
            let seconds = u32::from(minutes) * 60 + u32::from(seconds);
            return (
                Some(Clock {
                    seconds,
                    added: None,
                }),
                used,
            );
        }
    }
    (None, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lines;
    use super::*;

    fn read(texts: &[&str]) -> Option<String> {
        let board = parse(&lines(texts))?;
        let [home, away] = board.names.map(Option::unwrap_or_default);
        let clock = board.clock.map_or("-".to_owned(), |clock| clock.text());
        Some(format!(
            "{clock} {home} {}-{} {away}",
            board.goals[0], board.goals[1]
        ))
    }

    #[test]
    fn boxes_as_they_are_read() {
        for (texts, expected) in [
            (&["04:56 RMA 0 0 SEV"][..], "04:56 RMA 0-0 SEV"),
            (&["04:57 RMA 0 O SEV ’> y"], "04:57 RMA 0-0 SEV"),
            (&["04 43 RMA 0 O SEV _"], "04:43 RMA 0-0 SEV"),
            (&["h O4:'45 RMA QO OQ SEV"], "04:45 RMA 0-0 SEV"),
            (&["04:51 RMA QO SEV"], "04:51 RMA 0-0 SEV"),
            (&["O4 47 RMA OO SEV"], "04:47 RMA 0-0 SEV"),
            (
                &["REAL MADRID 0 0 SEVILLA FC"],
                "- REAL MADRID 0-0 SEVILLA FC",
            ),
            (
                &["MAN UTD 2 - 1 LEEDS UNITED"],
                "- MAN UTD 2-1 LEEDS UNITED",
            ),
            (
                &["MAN UTD 2-1 LEEDS UNITED 67:09"],
                "67:09 MAN UTD 2-1 LEEDS UNITED",
            ),
            (&["45+2 BAR 1 1 ATM"], "45+2 BAR 1-1 ATM"),
            (&["90:00 +4 BAR 3 1 ATM"], "90:00 BAR 3-1 ATM"),
            (&["BAR 1 ATM 2 45'+3"], "45+3 BAR 1-2 ATM"),
            (&["BAR 1", "ATM 2", "2ND 71:30"], "71:30 BAR 1-2 ATM"),
            (&["102:30 ARG 3:3 FRA ET"], "102:30 ARG 3-3 FRA"),
            (&["FT CHE 0 0 ARS"], "- CHE 0-0 ARS"),
            (&["GER 7 1 BRA"], "- GER 7-1 BRA"),
        ] {
            assert_eq!(read(texts).as_deref(), Some(expected), "{texts:?}");
        }
    }

    #[test]
    fn what_is_no_score_is_not_read_as_one() {
        for texts in [
            &["#RealMadridSevillaFC"][..],
            &["Emirates FLY BETTER"],
            &["04:56"],
            &["RMA 0 0"],
            &["0 0 SEV"],
            &["RMA 45 44 SEV"],
            &["cantabria labs 1"],
            &[],
        ] {
            assert_eq!(read(texts), None, "{texts:?}");
        }
    }

    #[test]
    fn clocks() {
        let clock = |text: &str| parse(&lines(&[text])).unwrap().clock.unwrap();
        assert_eq!(clock("45+2 BAR 1 1 ATM").total(), 47 * 60);
        assert_eq!(clock("04:56 BAR 1 1 ATM").total(), 296);
    }
}
