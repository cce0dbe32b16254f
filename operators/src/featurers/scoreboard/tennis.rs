//! Tennis: the score that two lines of a box say, what may follow it, and what hangs on the next
//! point.

use std::fmt::Write as _;

use super::tokens::{TextLine, confidence, is_mark, name, number, trimmed};

/// Points of the game that is played, of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Points {
    /// The box shows none.
    Hidden,
    /// Steps of a game: 0, 15, 30, 40, advantage.
    Game([u8; 2]),
    /// Points of a tie-break.
    TieBreak([u8; 2]),
}

/// The score of a match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Score {
    /// Games of the sets that are over.
    pub(super) sets: Vec<[u8; 2]>,
    /// Games of the set that is played.
    pub(super) games: [u8; 2],
    pub(super) points: Points,
}

/// What was read of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Board {
    pub(super) score: Score,
    pub(super) names: [Option<String>; 2],
    /// 0 or 1: who serves.
    pub(super) server: Option<usize>,
    pub(super) confidence: u8,
}

/// What one point won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Won {
    /// 0 or 1.
    pub(super) side: usize,
    pub(super) game: bool,
    pub(super) set: bool,
}

const STEPS: [&str; 5] = ["0", "15", "30", "40", "AD"];

/// One number of a line, or the advantage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Number(u16),
    Advantage,
}

impl Cell {
    fn games(self) -> Option<u8> {
        match self {
            Cell::Number(games) if games <= 30 => Some(games as u8),
            _ => None,
        }
    }

    fn step(self) -> Option<u8> {
        match self {
            Cell::Number(0) => Some(0),
            Cell::Number(15) => Some(1),
            Cell::Number(30) => Some(2),
            Cell::Number(40) => Some(3),
            Cell::Advantage => Some(4),
            Cell::Number(_) => None,
        }
    }
}

struct Side {
    name: Option<String>,
    cells: Vec<Cell>,
    marked: bool,
    confidence: u8,
}

/// Reads the first two lines that follow each other and make a score.
pub(super) fn parse(lines: &[TextLine]) -> Option<Board> {
    lines
        .windows(2)
        .find_map(|pair| board(side(&pair[0])?, side(&pair[1])?))
}

fn side(line: &TextLine) -> Option<Side> {
    let words = line.words.as_slice();
    let mut marked = line.marked;
    let mut cells = Vec::new();
    let mut name_end = words.len();
    for (at, word) in words.iter().enumerate().rev() {
        if is_mark(&word.text) {
            marked = true;
            // Between name and numbers, or before the name.
            name_end = name_end.min(at);
            continue;
        }
        let text = trimmed(&word.text);
        let cell =
            if matches!(text, "AD" | "Ad" | "ADV" | "Adv" | "A") && cells.is_empty() && at > 0 {
                Some(Cell::Advantage)
            } else {
                number(&word.text).filter(|_| at > 0).map(Cell::Number)
            };
        match cell {
            Some(cell) => cells.push(cell),
            None => break,
        }
        name_end = at;
    }
    cells.reverse();
    // A number that could not be read would make others stand for it.
    if words[..name_end]
        .last()
        .is_some_and(|word| is_unread(&word.text))
    {
        return None;
    }
    let seed = |word: &&str| !(word.starts_with(['(', '[']) && number(word).is_some());
    let first: Vec<&str> = words[..name_end]
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    marked |= first
        .first()
        .is_some_and(|word| word.starts_with(['*', '•', '°', '►', '▶']));
    let named: Vec<&str> = first.into_iter().filter(seed).collect();
    let confidence = confidence(words[name_end..].iter().filter(|word| !is_mark(&word.text)));
    let name = name(&named)?;
    (!cells.is_empty()).then_some(Side {
        name: Some(name),
        cells,
        marked,
        confidence,
    })
}

/// Whether a word is neither a name nor a rest of a line between cells: what was read of a number, such as &
/// of an 8 or 6.
fn is_unread(word: &str) -> bool {
    let line = |c: char| "-–—_|/\\.,:;'\"`‘’~=()[]{}*•°".contains(c);
    !word.chars().any(char::is_alphabetic) && !word.chars().all(line)
}

fn board(mut one: Side, mut two: Side) -> Option<Board> {
    // With an advantage, boxes show nothing on the other side.
    let lacks = |full: &Side, short: &Side| {
        full.cells.len() == short.cells.len() + 1 && full.cells.last() == Some(&Cell::Advantage)
    };
    if lacks(&one, &two) {
        two.cells.push(Cell::Number(40));
    } else if lacks(&two, &one) {
        one.cells.push(Cell::Number(40));
    }
    if one.cells.len() != two.cells.len() {
        return None;
    }
    let mut columns: Vec<[Cell; 2]> = one
        .cells
        .iter()
        .zip(&two.cells)
        .map(|(a, b)| [*a, *b])
        .collect();
    let last = *columns.last()?;
    let before = columns
        .len()
        .checked_sub(2)
        .and_then(|at| columns.get(at))
        .copied();
    let before = before.and_then(games_of);
    let points = points(last, before);
    if points != Points::Hidden {
        columns.pop();
    }
    let mut sets = Vec::new();
    for column in &columns {
        sets.push(games_of(*column)?);
    }
    let games = match points {
        Points::Hidden if sets.last().is_some_and(|set| is_over(*set)) => [0, 0],
        _ => sets.pop()?,
    };
    let possible = games.iter().all(|games| *games <= 30)
        && games[0].max(games[1]) <= 7.max(games[0].min(games[1]) + 2);
    let done = points != Points::Hidden && is_over(games);
    if !possible || done || sets.len() > 4 || !sets.iter().all(|set| is_over(*set)) {
        return None;
    }
    let server = match (one.marked, two.marked) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        _ => None,
    };
    Some(Board {
        score: Score {
            sets,
            games,
            points,
        },
        names: [one.name, two.name],
        server,
        confidence: one.confidence.min(two.confidence),
    })
}

fn games_of(column: [Cell; 2]) -> Option<[u8; 2]> {
    Some([column[0].games()?, column[1].games()?])
}

/// Whether the last column is of points, and which. Without a column before it, it is of games.
fn points(last: [Cell; 2], before: Option<[u8; 2]>) -> Points {
    let Some(before) = before else {
        return Points::Hidden;
    };
    // Where a set has no tie-break, its games go on at 6-6, and points are 15, 30 and 40.
    let usual = matches!([last[0].step(), last[1].step()], [Some(a), Some(b)] if a + b > 0);
    if before[0] == before[1] && before[0] >= 6 && !usual {
        return match last {
            [Cell::Number(a), Cell::Number(b)] if a < 100 && b < 100 => {
                Points::TieBreak([a as u8, b as u8])
            }
            _ => Points::Hidden,
        };
    }
    match [last[0].step(), last[1].step()] {
        // After a set, 0 and 0 are the games of the next.
        [Some(0), Some(0)] if is_over(before) => Points::Hidden,
        [Some(4), Some(4)] => Points::Hidden,
        [Some(4), Some(other)] | [Some(other), Some(4)] if other != 3 => Points::Hidden,
        [Some(a), Some(b)] => Points::Game([a, b]),
        _ => Points::Hidden,
    }
}

/// Whether a set with these games is over.
fn is_over(games: [u8; 2]) -> bool {
    let (more, less) = (games[0].max(games[1]), games[0].min(games[1]));
    more == 6 && less <= 4 || more > 6 && more == less + 2 || more == 7 && less == 6
}

impl Score {
    /// Sets, games and points, each as `1-2`, with spaces between them.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for [one, two] in self.sets.iter().chain([&self.games]) {
            let _ = write!(text, "{one}-{two} ");
        }
        if let Some([one, two]) = self.points_text() {
            let _ = write!(text, "{one}-{two}");
        }
        text.trim_end().to_owned()
    }

    /// The points of both sides as boxes write them.
    pub(super) fn points_text(&self) -> Option<[String; 2]> {
        match self.points {
            Points::Hidden => None,
            Points::Game(steps) => Some(steps.map(|step| {
                STEPS
                    .get(usize::from(step))
                    .copied()
                    .unwrap_or("")
                    .to_owned()
            })),
            Points::TieBreak(points) => Some(points.map(|points| points.to_string())),
        }
    }

    /// Sets won by each side.
    pub(super) fn sets_won(&self) -> [u8; 2] {
        let won = |side: usize| {
            self.sets
                .iter()
                .filter(|set| set[side] > set[1 - side])
                .count() as u8
        };
        [won(0), won(1)]
    }

    /// The score after `side` has won the next point; `None` where the box hides the points.
    pub(super) fn after(&self, side: usize) -> Option<(Score, Won)> {
        let other = 1 - side;
        let mut next = self.clone();
        let won_game = match &mut next.points {
            Points::Hidden => return None,
            Points::Game(steps) => match (steps[side], steps[other]) {
                (3, 4) => {
                    steps[other] = 3;
                    false
                }
                (3, 3) => {
                    steps[side] = 4;
                    false
                }
                (3.., _) => true,
                _ => {
                    steps[side] += 1;
                    false
                }
            },
            Points::TieBreak(points) => {
                points[side] = points[side].saturating_add(1);
                points[side] >= 7 && points[side] >= points[other].saturating_add(2)
            }
        };
        let mut won = Won {
            side,
            game: won_game,
            set: false,
        };
        if won_game {
            next.games[side] = next.games[side].saturating_add(1);
            next.points = Points::Game([0, 0]);
            // Without a tie-break, two games decide.
            let long = matches!(self.points, Points::Game(_)) && self.games[other] >= 6;
            if is_over(next.games) && !(long && next.games[side] < self.games[other] + 2) {
                won.set = true;
                next.sets.push(next.games);
                next.games = [0, 0];
            } else if next.games == [6, 6] {
                next.points = Points::TieBreak([0, 0]);
            }
        }
        Some((next, won))
    }

    /// What was won between this score and `later`, where one point lies between them. Points that the
    /// box hides, between games, do not matter.
    pub(super) fn won(&self, later: &Score) -> Option<Won> {
        [0, 1].into_iter().find_map(|side| {
            let (next, won) = self.after(side)?;
            let alike = next == *later
                || won.game
                    && later.points == Points::Hidden
                    && (&next.sets, next.games) == (&later.sets, later.games);
            alike.then_some(won)
        })
    }

    /// Which side has won the game or the set between this score and a `later` one, where more than
    /// one point lies between them.
    pub(super) fn won_meanwhile(&self, later: &Score) -> Option<Won> {
        let all = |score: &Score| {
            let mut sets = score.sets.clone();
            sets.push(score.games);
            let sum = |side: usize| sets.iter().map(|set| u32::from(set[side])).sum::<u32>();
            [sum(0), sum(1)]
        };
        let (before, after) = (all(self), all(later));
        let side = match [
            after[0].checked_sub(before[0])?,
            after[1].checked_sub(before[1])?,
        ] {
            [1, 0] => 0,
            [0, 1] => 1,
            _ => return None,
        };
        Some(Won {
            side,
            game: true,
            set: later.sets.len() > self.sets.len(),
        })
    }

    /// What the next point may decide: game, break, set and match point.
    pub(super) fn stakes(&self, server: Option<usize>, sets_to_win: u8) -> Stakes {
        let mut stakes = Stakes::default();
        for side in [0, 1] {
            let Some((next, won)) = self.after(side).filter(|(_, won)| won.game) else {
                continue;
            };
            let tie_break = matches!(self.points, Points::TieBreak(_));
            match server {
                Some(server) if server != side && !tie_break => stakes.break_point = true,
                _ => stakes.game_point = true,
            }
            stakes.set_point |= won.set;
            stakes.match_point |= won.set && next.sets_won()[side] >= sets_to_win;
        }
        stakes
    }
}

/// What the next point may decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stakes {
    pub(super) game_point: bool,
    pub(super) break_point: bool,
    pub(super) set_point: bool,
    pub(super) match_point: bool,
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lines;
    use super::*;

    fn read(one: &str, two: &str) -> Option<Board> {
        parse(&lines(&[one, two]))
    }

    fn text(one: &str, two: &str) -> Option<String> {
        read(one, two).map(|board| board.score.text())
    }

    #[test]
    fn boxes_as_they_are_read() {
        for (one, two, expected) in [
            ("DJOKOVIC 6 1 0", "WAWRINKA 3 0 0", "6-3 1-0 0-0"),
            ("Nadal 1 15", "Dimitrov 1 15", "1-1 15-15"),
            ("DAVIDOVICH FOKINA Q 40", "* SHELTON O »40", "0-0 40-40"),
            ("DJOKOVIC 6 1) 0", "WAWRINKA 3 0 l5", "6-3 1-0 0-15"),
            ("FEDERER 4 6 3 40", "NADAL 6 4 2 AD", "4-6 6-4 3-2 40-AD"),
            ("FEDERER 4 6 3", "NADAL 6 4 2 AD", "4-6 6-4 3-2 40-AD"),
            ("FEDERER 5 A", "NADAL 5 40", "5-5 AD-40"),
            ("R. FEDERER (3) 6 6 5", "N. DJOKOVIC [1] 6 7 ", ""),
            ("FEDERER 6 7", "DJOKOVIC 6 5", "6-6 7-5"),
            ("FEDERER 6 6 10", "DJOKOVIC 4 6 11", "6-4 6-6 10-11"),
            ("FEDERER 7 6 3 0", "DJOKOVIC 6 4 3 30", "7-6 6-4 3-3 0-30"),
            ("FEDERER 6 6 40", "DJOKOVIC 4 6 15", "6-4 6-6 40-15"),
            ("FEDERER 6 6 0", "DJOKOVIC 4 6 0", "6-4 6-6 0-0"),
            ("FEDERER 6 0", "DJOKOVIC 3 0", "6-3 0-0"),
            ("FEDERER 6", "DJOKOVIC 3", "6-3 0-0"),
            ("FEDERER 3", "DJOKOVIC 2", "3-2"),
            ("WILLIAMS S. 2 3O", "OSAKA N. 3 O", "2-3 30-0"),
            ("LI 2 15", "KVITOVA 5 40", "2-5 15-40"),
            ("HALEP • 1 15", "KVITOVA 2 40", "1-2 15-40"),
            ("SELES 12 15", "GRAF 10 40", ""),
        ] {
            let expected = (!expected.is_empty()).then(|| expected.to_owned());
            assert_eq!(text(one, two), expected, "{one} / {two}");
        }
    }

    #[test]
    fn what_is_no_score_is_not_read_as_one() {
        for (one, two) in [
            ("ATP TENNIS TV", "Emirates"),
            ("RICOH 112", "Enel"),
            ("DJOKOVIC 6 1 440", "WAWRINKA 3 0 0"),
            ("DJOKOVIC 6 1", "WAWRINKA 3 0 0"),
            ("DJOKOVIC & 4 O", "WAWRINKA 3 0"),
            ("DJOKOVIC 9 1 0", "WAWRINKA 3 0 0"),
            ("DJOKOVIC 1 AD", "WAWRINKA 3 30"),
            ("DJOKOVIC 4 1 15", "WAWRINKA 2 1 15"),
            ("6 1 0", "3 0 0"),
            ("", ""),
        ] {
            assert_eq!(text(one, two), None, "{one} / {two}");
        }
    }

    #[test]
    fn names_and_server() {
        let board = read("* DAVIDOVICH FOKINA 0 40", "SHELTON 0 40").unwrap();
        assert_eq!(
            board.names,
            [
                Some("DAVIDOVICH FOKINA".to_owned()),
                Some("SHELTON".to_owned())
            ]
        );
        assert_eq!((board.server, board.confidence), (Some(0), 90));
        assert_eq!(read("HALEP 1 15", "•KVITOVA 2 40").unwrap().server, Some(1));
        assert_eq!(
            read("HALEP 1 15", "KVITOVA • 2 40").unwrap().server,
            Some(1)
        );
        assert_eq!(read("* HALEP 1 15", "* KVITOVA 2 40").unwrap().server, None);
        let mut marked = lines(&["HALEP 1 15", "KVITOVA 2 40"]);
        marked[1].marked = true;
        assert_eq!(parse(&marked).unwrap().server, Some(1));
        let with_title = parse(&lines(&["ROLAND GARROS", "HALEP 1 15", "KVITOVA 2 40"])).unwrap();
        assert_eq!(with_title.score.text(), "1-2 15-40");
    }

    fn score(one: &str, two: &str) -> Score {
        read(one, two).unwrap().score
    }

    #[test]
    fn one_point_further() {
        let won = |side, game, set| Some(Won { side, game, set });
        for (before, after, expected) in [
            (
                ("A. AB 1 15", "CD 1 15"),
                ("AB 1 30", "CD 1 15"),
                won(0, false, false),
            ),
            (
                ("AB 1 40", "CD 1 40"),
                ("AB 1", "CD 1 AD"),
                won(1, false, false),
            ),
            (
                ("AB 1 40", "CD 1 AD"),
                ("AB 1 40", "CD 1 40"),
                won(0, false, false),
            ),
            (
                ("AB 1 40", "CD 1 AD"),
                ("AB 1 0", "CD 2 0"),
                won(1, true, false),
            ),
            (
                ("AB 1 40", "CD 1 30"),
                ("AB 2", "CD 1"),
                won(0, true, false),
            ),
            (
                ("AB 5 40", "CD 3 30"),
                ("AB 6 0 0", "CD 3 0 0"),
                won(0, true, true),
            ),
            (
                ("AB 6 6", "CD 6 4"),
                ("AB 7 0", "CD 6 0"),
                won(0, true, true),
            ),
            (("AB 6 40", "CD 5 30"), ("AB 6 40", "CD 6 30"), None),
            (("AB 1 0", "CD 1 0"), ("AB 1 30", "CD 1 0"), None),
        ] {
            let (a, b) = (score(before.0, before.1), score(after.0, after.1));
            assert_eq!(a.won(&b), expected, "{} to {}", a.text(), b.text());
        }
        let (a, b) = (score("AB 5 15", "CD 3 30"), score("AB 6 0 0", "CD 3 0 0"));
        assert_eq!(a.won_meanwhile(&b), won(0, true, true));
        assert_eq!(b.won_meanwhile(&a), None);
    }

    #[test]
    fn stakes_of_the_next_point() {
        let stakes = |one, two, server| {
            let Stakes {
                game_point,
                break_point,
                set_point,
                match_point,
            } = score(one, two).stakes(server, 2);
            [game_point, break_point, set_point, match_point]
        };
        assert_eq!(
            stakes("AB 1 40", "CD 1 15", Some(0)),
            [true, false, false, false]
        );
        assert_eq!(
            stakes("AB 1 40", "CD 1 15", Some(1)),
            [false, true, false, false]
        );
        assert_eq!(
            stakes("AB 1 40", "CD 1 15", None),
            [true, false, false, false]
        );
        assert_eq!(stakes("AB 1 40", "CD 1 40", Some(1)), [false; 4]);
        assert_eq!(
            stakes("AB 5 AD", "CD 3 40", Some(1)),
            [false, true, true, false]
        );
        assert_eq!(
            stakes("AB 6 5 AD", "CD 2 3 40", Some(0)),
            [true, false, true, true]
        );
        assert_eq!(
            stakes("AB 6 6", "CD 6 4", Some(1)),
            [true, false, true, false]
        );
        // A set without a tie-break goes on at 6-6.
        assert_eq!(
            stakes("AB 6 6 40", "CD 4 6 15", Some(0)),
            [true, false, false, false]
        );
        assert_eq!(stakes("AB 2", "CD 3", Some(1)), [false; 4]);
    }
}
