//! Makes a page that a reader of print can read out of a score box: cells light on dark and dark on
//! light become black on white, lines and pictures of the box are left out, wide gaps are closed.

use super::image::{Area, Grey};

/// A pixel that differs so much from what is around it belongs to a letter.
const LEAST_CONTRAST: u8 = 40;

/// Half the side of the square around a pixel that says what its background is: letters fill less than
/// half of it, and it hardly looks out of the line of the box that the pixel is in.
const AROUND: usize = 11;

/// Letters are at least so many pixels high.
const LEAST_LETTER: usize = 8;

/// How much larger the page is drawn: readers of print want letters of 30 pixels and more.
const ENLARGED: usize = 3;

/// White around the lines of the page.
const MARGIN: usize = 6;

/// A page: a picture, and where its lines stand in it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) picture: Grey,
    pub(super) rows: Vec<Row>,
    /// Where the lines stand in the box, with room for what may be added on both sides.
    pub(super) text: Area,
}

/// A line of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Top in the page.
    pub(super) top: usize,
    /// Bottom in the page.
    pub(super) bottom: usize,
    /// Whether the box has a mark on this line: who serves.
    pub(super) marked: bool,
}

/// Connected pixels that differ from their background.
#[derive(Clone, Debug)]
struct Piece {
    area: Area,
    pixels: usize,
    label: u16,
}

/// The page of a box; `None` where nothing in it looks like letters. What reaches into the outermost
/// `margin` pixels is no letter of it.
pub(super) fn page(picture: &Grey, margin: usize) -> Option<Page> {
    let contrast = contrast(picture);
    let (labels, mut pieces) = pieces(&contrast);
    pieces.retain(|Piece { area, .. }| {
        area.left >= margin
            && area.top >= margin
            && area.right + margin <= picture.width
            && area.bottom + margin <= picture.height
    });
    let lines = lines(&pieces);
    if lines.is_empty() {
        return None;
    }
    let placed: Vec<Placed> = lines.iter().map(placed).collect();
    let width = placed.iter().map(|line| line.width).max()? + 2 * MARGIN;
    let height: usize = placed.iter().map(|line| line.height * 3 / 2 + MARGIN).sum();
    if width > 4000 || height > 1000 {
        return None;
    }
    let mut sheet = Grey::filled(width, height + MARGIN, 255);
    let mut rows = Vec::new();
    let mut top = MARGIN;
    for line in &placed {
        for (piece, left) in &line.pieces {
            draw(
                &mut sheet,
                &contrast,
                &labels,
                piece,
                *left + MARGIN,
                top,
                line.top,
            );
        }
        rows.push(Row {
            top: top * ENLARGED,
            bottom: (top + line.height) * ENLARGED,
            marked: line.marked,
        });
        top += line.height * 3 / 2 + MARGIN;
    }
    Some(Page {
        picture: sheet.enlarged(ENLARGED),
        rows,
        text: text(&lines, picture)?,
    })
}

/// A box may be so much smaller than what is looked at.
const SURROUND: usize = 14;

fn text(lines: &[Line], picture: &Grey) -> Option<Area> {
    let areas = lines
        .iter()
        .flat_map(|line| &line.letters)
        .map(|piece| piece.area);
    let all = areas.reduce(|all, area| all.join(&area))?;
    let room = 2 * lines.iter().map(|line| line.letter).max()?;
    let (from, to) = (
        SURROUND.min(picture.width / 4),
        picture.width - SURROUND.min(picture.width / 4),
    );
    Some(Area {
        left: all.left.saturating_sub(room).max(from).min(all.left),
        top: all.top.saturating_sub(1),
        right: (all.right + room).min(to).max(all.right),
        bottom: (all.bottom + 1).min(picture.height),
    })
}

/// Values of a background differ by less than this from its usual one, in either direction.
const SPREAD: usize = 10;

/// How much each pixel differs from the background: the value that most of those around it have, more or
/// less. Letters have many values, since their edges are soft, and the background has few; so it is found
/// even where letters stand close and cells meet, and the middle value is neither.
fn contrast(picture: &Grey) -> Grey {
    let (width, height) = (picture.width, picture.height);
    let mut out = Grey::filled(width, height, 0);
    for y in 0..height {
        let rows = y.saturating_sub(AROUND)..(y + AROUND + 1).min(height);
        let mut counts = [0u32; 256];
        let column = |x: usize, counts: &mut [u32; 256], enters: bool| {
            for row in rows.clone() {
                let value = usize::from(picture.data[row * width + x]);
                if enters {
                    counts[value] += 1;
                } else {
                    counts[value] -= 1;
                }
            }
        };
        for x in 0..AROUND.min(width) {
            column(x, &mut counts, true);
        }
        for x in 0..width {
            if x + AROUND < width {
                column(x + AROUND, &mut counts, true);
            }
            if x > AROUND {
                column(x - AROUND - 1, &mut counts, false);
            }
            let value = picture.data[y * width + x];
            out.data[y * width + x] = value.abs_diff(usual(&counts));
        }
    }
    out
}

/// The value around which most are; the middle one of those that are equally good.
fn usual(counts: &[u32; 256]) -> u8 {
    let (mut best, mut first, mut last) = (0, 0, 0);
    let mut near: u32 = counts.iter().take(SPREAD).sum();
    for value in 0..counts.len() {
        near += counts.get(value + SPREAD).copied().unwrap_or(0);
        if value > SPREAD {
            near -= counts.get(value - SPREAD - 1).copied().unwrap_or(0);
        }
        if near > best {
            (best, first, last) = (near, value, value);
        } else if near == best && last + 1 == value {
            last = value;
        }
    }
    ((first + last) / 2) as u8
}

/// The pieces of what differs, and for each pixel the label of its piece (0 is none). What is too large
/// for a letter is looked at again with more contrast asked for, so that letters come off the edges of
/// cells and pictures that they touch.
fn pieces(contrast: &Grey) -> (Vec<u16>, Vec<Piece>) {
    let mut labels = vec![0u16; contrast.width * contrast.height];
    let mut found = Vec::new();
    let mut next = 1u16;
    let everywhere: Vec<usize> = (0..labels.len()).collect();
    let mut open = vec![(everywhere, LEAST_CONTRAST)];
    while let Some((within, least)) = open.pop() {
        let before = open.len();
        for start in &within {
            if labels[*start] != 0 || contrast.data[*start] < least {
                continue;
            }
            let Some(label) = next.checked_add(1).map(|_| next) else {
                return (labels, found);
            };
            next += 1;
            let (area, pixels) = fill(contrast, &mut labels, *start, least, label);
            let piece = Piece {
                area,
                pixels: pixels.len(),
                label,
            };
            let harder = u32::from(least) * 13 / 10;
            let too_large = area.height() > LEAST_LETTER && !is_slim(&piece, least);
            match u8::try_from(harder) {
                Ok(harder) if too_large && harder < 220 => open.push((pixels, harder)),
                _ => found.push(piece),
            }
        }
        // Those that are looked at again lose their labels only now, so that each is found once.
        for pixel in open[before..].iter().flat_map(|(pixels, _)| pixels) {
            labels[*pixel] = 0;
        }
    }
    (labels, found)
}

/// Labels everything connected with `start`.
fn fill(
    contrast: &Grey,
    labels: &mut [u16],
    start: usize,
    least: u8,
    label: u16,
) -> (Area, Vec<usize>) {
    let (width, height) = (contrast.width, contrast.height);
    labels[start] = label;
    let (x, y) = (start % width, start / width);
    let mut area = Area {
        left: x,
        top: y,
        right: x + 1,
        bottom: y + 1,
    };
    let mut pixels = vec![start];
    let mut at = 0;
    while let Some(pixel) = pixels.get(at).copied() {
        at += 1;
        let (x, y) = (pixel % width, pixel / width);
        area = area.join(&Area {
            left: x,
            top: y,
            right: x + 1,
            bottom: y + 1,
        });
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                let next = ny * width + nx;
                if labels[next] == 0 && contrast.data[next] >= least {
                    labels[next] = label;
                    pixels.push(next);
                }
            }
        }
    }
    (area, pixels)
}

/// What holds together with so much contrast is one letter, if a wide one.
const SOLID: u8 = 80;

/// Whether a piece that holds together with this contrast is no wider than a letter. An m or W of a wide
/// font is wider than what letters that touch an edge are taken for.
fn is_slim(piece: &Piece, contrast: u8) -> bool {
    let (w, h) = (piece.area.width(), piece.area.height());
    let widest = if contrast >= SOLID { 20 } else { 14 };
    w * 10 <= h * widest && h <= 48
}

/// The pieces of one line of the box, from left to right.
struct Line {
    letters: Vec<Piece>,
    /// Usual height of a letter.
    letter: usize,
    marked: bool,
}

fn middle(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn is_letter(piece: &Piece) -> bool {
    let (w, h) = (piece.area.width(), piece.area.height());
    h >= LEAST_LETTER && w <= 4 * h && h <= 12 * w && h <= 64
}

/// Puts pieces into lines, and leaves out what is no letter.
fn lines(pieces: &[Piece]) -> Vec<Line> {
    let letters: Vec<&Piece> = pieces.iter().filter(|piece| is_letter(piece)).collect();
    let mut heights: Vec<usize> = letters.iter().map(|piece| piece.area.height()).collect();
    heights.sort_unstable();
    // The height of capitals and digits: small letters are lower, frames of the box are higher.
    let usual = heights.get(heights.len() * 7 / 10).copied().unwrap_or(0);
    let mut tall: Vec<&Piece> = letters
        .iter()
        .copied()
        .filter(|piece| (usual * 17..=usual * 26).contains(&(piece.area.height() * 20)))
        .collect();
    tall.sort_by_key(|piece| (piece.area.top + piece.area.bottom, piece.area.left));
    let mut rows: Vec<(Area, usize)> = Vec::new();
    for piece in tall {
        let centre = (piece.area.top + piece.area.bottom) / 2;
        match rows.last_mut() {
            // The area stays that of the first letter: a stray one must not widen it.
            Some((area, count)) if centre < area.bottom.saturating_sub(area.height() / 4) => {
                *count += 1;
            }
            _ => rows.push((piece.area, 1)),
        }
    }
    let of_row = |area: &Area| -> Vec<&Piece> {
        let fits = |piece: &&&Piece| {
            let centre = (piece.area.top + piece.area.bottom) / 2;
            let h = piece.area.height();
            (area.top..area.bottom).contains(&centre) && h * 10 <= usual * 14 && h * 2 >= usual
        };
        letters.iter().filter(fits).copied().collect()
    };
    let rows = rows.into_iter().filter(|(_, count)| *count >= 2);
    rows.filter_map(|(area, _)| line(&of_row(&area), pieces))
        .collect()
}

fn line(row: &[&Piece], pieces: &[Piece]) -> Option<Line> {
    let letter = middle(row.iter().map(|piece| piece.area.height()).collect());
    let top = middle(row.iter().map(|piece| piece.area.top).collect());
    let bottom = middle(row.iter().map(|piece| piece.area.bottom).collect());
    // Letters stand on one line, or small ones half way up; one that is a mere stroke (1, I, l) is as
    // high as any. What hangs in the air or below is a corner of some cell.
    let stands = |area: &Area| {
        let centred = (area.top + area.bottom).abs_diff(top + bottom) * 5 <= 2 * letter;
        let grounded = area.bottom.abs_diff(bottom) * 5 <= letter && area.top + letter / 5 >= top;
        let hanging = area.bottom > bottom
            && area.bottom - bottom <= letter * 2 / 5
            && area.top + letter / 5 >= top
            && area.top <= top + letter / 2;
        let stroke = area.width() * 5 <= area.height();
        (centred || grounded || hanging) && (!stroke || area.height() * 10 >= letter * 9)
    };
    let mut letters: Vec<Piece> = row
        .iter()
        .filter(|piece| stands(&piece.area))
        .map(|piece| (*piece).clone())
        .collect();
    let left = letters.iter().map(|piece| piece.area.left).min()?;
    let right = letters.iter().map(|piece| piece.area.right).max()?;
    // What is smaller than a letter: the points of a clock, a dash, or the mark of who serves.
    let small: Vec<&Piece> = pieces
        .iter()
        .filter(|piece| {
            let area = &piece.area;
            let centre = (area.top + area.bottom) / 2;
            (top.saturating_sub(letter / 3)..bottom).contains(&centre)
                && area.height() * 4 <= letter * 3
                && area.width() <= letter
                && letters.iter().all(|letter| letter.label != piece.label)
        })
        .collect();
    let mut marked = false;
    let mut more = Vec::new();
    for piece in &small {
        let area = &piece.area;
        let (w, h) = (area.width(), area.height());
        let beside = |other: &Area, gap: usize| {
            other.left >= area.right + gap || area.left >= other.right + gap
        };
        let over = |other: &Area| other.left < area.right && area.left < other.right;
        let raised =
            2 * area.top > 2 * top + letter / 4 && 2 * area.bottom + letter / 4 < 2 * bottom;
        let apart = letters.iter().all(|other| beside(&other.area, letter / 4));
        let round = w.abs_diff(h) * 3 <= w.max(h) + 2 && piece.pixels * 2 >= w * h;
        let twin = small
            .iter()
            .any(|other| other.label != piece.label && over(&other.area));
        let large = w * 4 >= letter && h * 4 >= letter;
        let near = area.right + 3 * letter >= left && area.left <= right;
        let inside = area.left > left && area.right < right;
        if apart && round && large && near && raised && !twin {
            marked = true;
        } else if inside
            && (twin && round && w * 3 <= letter
                || w >= 2 * h && raised && w * 3 >= letter
                || area.bottom <= top + letter / 3
                    && letters
                        .iter()
                        .any(|other| over(&other.area) && !is_wide(&other.area)))
        {
            more.push((*piece).clone());
        }
    }
    letters.extend(more);
    letters.sort_by_key(|piece| (piece.area.left, piece.area));
    (letters.len() >= 2).then_some(Line {
        letters,
        letter,
        marked,
    })
}

fn is_wide(area: &Area) -> bool {
    area.width() * 2 > area.height()
}

/// A line with the place of each piece on the page.
struct Placed {
    pieces: Vec<(Piece, usize)>,
    top: usize,
    width: usize,
    height: usize,
    marked: bool,
}

/// Moves the words of a line together.
fn placed(line: &Line) -> Placed {
    let widest = line.letter;
    let apart = (line.letter * 2 / 5).max(4);
    let mut pieces = Vec::new();
    let mut end: Option<usize> = None;
    let mut x = 0;
    for piece in &line.letters {
        if let Some(end) = end {
            let gap = piece.area.left.saturating_sub(end);
            x += if gap > apart {
                gap.clamp(widest, widest * 5 / 4)
            } else {
                gap
            };
            if piece.area.left < end {
                x = x.saturating_sub(end - piece.area.left);
            }
        }
        pieces.push((piece.clone(), x));
        x += piece.area.width();
        end = Some(piece.area.right.max(end.unwrap_or(0)));
    }
    let top = line
        .letters
        .iter()
        .map(|piece| piece.area.top)
        .min()
        .unwrap_or(0);
    let bottom = line
        .letters
        .iter()
        .map(|piece| piece.area.bottom)
        .max()
        .unwrap_or(0);
    Placed {
        pieces,
        top,
        width: x,
        height: bottom - top,
        marked: line.marked,
    }
}

/// Draws a piece black on white, with the soft edges that it has.
fn draw(
    sheet: &mut Grey,
    contrast: &Grey,
    labels: &[u16],
    piece: &Piece,
    left: usize,
    top: usize,
    line_top: usize,
) {
    let own = piece.area.grown(1, contrast.width, contrast.height);
    let mut peak = LEAST_CONTRAST;
    let inside = |x: usize, y: usize| {
        let label = labels[y * contrast.width + x];
        label == 0 || label == piece.label
    };
    for y in own.top..own.bottom {
        for x in own.left..own.right {
            if inside(x, y) {
                peak = peak.max(contrast.at(x, y));
            }
        }
    }
    for y in own.top..own.bottom {
        for x in own.left..own.right {
            if !inside(x, y) {
                continue;
            }
            let (value, peak) = (u32::from(contrast.at(x, y)), u32::from(peak));
            let ink = (value * 20).saturating_sub(peak * 6) * 255 / (peak * 9);
            let ink = ink.min(255) as u8;
            let (Some(to_x), Some(to_y)) = (
                (left + x).checked_sub(piece.area.left),
                (top + y).checked_sub(line_top),
            ) else {
                continue;
            };
            if to_x < sheet.width && to_y < sheet.height {
                let pixel = &mut sheet.data[to_y * sheet.width + to_x];
                *pixel = (*pixel).min(255 - ink);
            }
        }
    }
}
