//! Plots as SVG, drawn by hand: the same numbers give the same bytes, and nothing has to be loaded to
//! see them.

use std::fmt::Write;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::stats::Sample;

/// A plot.
#[derive(Clone, Debug)]
pub enum Plot {
    /// How often which number was measured: a row for each name, on one logarithmic axis.
    Spread {
        /// What is measured.
        title: String,
        /// Its unit.
        unit: &'static str,
        /// Names and numbers.
        rows: Vec<(String, Vec<f64>)>,
    },
    /// Numbers over other numbers, joined by lines.
    Lines {
        /// What is measured.
        title: String,
        /// What lies along the axis.
        along: &'static str,
        /// The unit of what is measured.
        unit: &'static str,
        /// Names and points.
        rows: Vec<(String, Vec<(f64, f64)>)>,
    },
}

impl Serialize for Plot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            name: &'a str,
            count: usize,
            p50: f64,
            p90: f64,
            p99: f64,
            max: f64,
        }
        match self {
            Plot::Spread { title, unit, rows } => {
                let row = |(name, numbers): &'_ (String, Vec<f64>)| {
                    let sample = Sample::new(numbers.iter().copied());
                    let [p50, p90, p99, max] = QUANTILES.map(|(_, share)| sample.quantile(share));
                    (name.clone(), numbers.len(), p50, p90, p99, max)
                };
                let rows: Vec<_> = rows.iter().map(row).collect();
                let rows: Vec<Row<'_>> = rows
                    .iter()
                    .map(|(name, count, p50, p90, p99, max)| Row {
                        name,
                        count: *count,
                        p50: *p50,
                        p90: *p90,
                        p99: *p99,
                        max: *max,
                    })
                    .collect();
                let mut plot = serializer.serialize_struct("Spread", 3)?;
                plot.serialize_field("title", title)?;
                plot.serialize_field("unit", unit)?;
                plot.serialize_field("rows", &rows)?;
                plot.end()
            }
            Plot::Lines {
                title,
                along,
                unit,
                rows,
            } => {
                let mut plot = serializer.serialize_struct("Lines", 4)?;
                plot.serialize_field("title", title)?;
                plot.serialize_field("along", along)?;
                plot.serialize_field("unit", unit)?;
                plot.serialize_field("lines", rows)?;
                plot.end()
            }
        }
    }
}

/// The quantiles that are told.
pub const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

const WIDTH: f64 = 860.0;
/// Room for names on the left, and for the last label on the right.
const LEFT: f64 = 170.0;
const RIGHT: f64 = 30.0;
const ROW: f64 = 62.0;
const BINS: usize = 60;
const LINES_HEIGHT: f64 = 240.0;

/// Colours that differ for most who do not see all colours (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
];

/// Text inside SVG.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A number for a person, with three digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

impl Plot {
    /// The picture.
    pub fn svg(&self) -> String {
        match self {
            Plot::Spread { title, unit, rows } => spread(title, unit, rows),
            Plot::Lines {
                title,
                along,
                unit,
                rows,
            } => lines(title, along, unit, rows),
        }
    }
}

fn open(height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <text class=\"title\" x=\"0\" y=\"16\">{title}</text>\n"
    )
}

fn spread(title: &str, unit: &str, rows: &[(String, Vec<f64>)]) -> String {
    let all = || rows.iter().flat_map(|(_, numbers)| numbers).copied();
    let positive = all().filter(|number| *number > 0.0);
    let least = positive.clone().fold(f64::INFINITY, f64::min);
    let most = positive.fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if least.is_finite() {
        // Whole powers of ten at both ends.
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        (low, high.max(low + 1.0))
    } else {
        (0.0, 1.0)
    };
    let height = 46.0 + ROW * rows.len() as f64;
    let mut svg = open(height, &format!("{title}, {unit}"));
    let wide = WIDTH - LEFT - RIGHT;
    let place = |number: f64| {
        let share = (number.max(10f64.powf(low)).log10() - low) / (high - low);
        LEFT + wide * share.clamp(0.0, 1.0)
    };
    let bottom = height - 22.0;
    let mut power = low;
    while power <= high {
        let number = 10f64.powf(power);
        let (x, label) = (place(number), short(number));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"26\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
            bottom + 15.0
        );
        power += 1.0;
    }
    for (index, (name, numbers)) in rows.iter().enumerate() {
        let floor = 26.0 + ROW * (index as f64 + 1.0) - 14.0;
        let mut bins = [0_usize; BINS];
        for number in numbers {
            let share = (place(*number) - LEFT) / wide;
            let bin = ((share * BINS as f64) as usize).min(BINS - 1);
            if let Some(count) = bins.get_mut(bin) {
                *count += 1;
            }
        }
        let fullest = bins.iter().copied().max().unwrap_or(0).max(1);
        let colour = COLOURS[index % COLOURS.len()];
        for (bin, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let tall = 34.0 * *count as f64 / fullest as f64;
            let x = LEFT + wide * bin as f64 / BINS as f64;
            let _ = writeln!(
                svg,
                "<rect fill=\"{colour}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                floor - tall,
                wide / BINS as f64 - 1.0,
            );
        }
        let sample = Sample::new(numbers.iter().copied());
        let told: Vec<String> = QUANTILES
            .iter()
            .map(|(name, share)| format!("{name} {}", short(sample.quantile(*share))))
            .collect();
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text><text class=\"small\" x=\"0\" y=\"{:.1}\">{} \
             measured</text><text class=\"small\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>",
            floor - 16.0,
            escape(name),
            floor - 2.0,
            numbers.len(),
            floor + 12.0,
            told.join("  "),
        );
    }
    svg + "</svg>\n"
}

fn lines(title: &str, along: &str, unit: &str, rows: &[(String, Vec<(f64, f64)>)]) -> String {
    let all = || rows.iter().flat_map(|(_, points)| points).copied();
    let right = all().map(|(x, _)| x).fold(0.0, f64::max).max(1e-9);
    let top = all().map(|(_, y)| y).fold(0.0, f64::max).max(1e-9);
    let height = LINES_HEIGHT + 60.0;
    let mut svg = open(height, &format!("{title}, {unit}"));
    let left = 70.0;
    let wide = WIDTH - left - RIGHT;
    let place = |x: f64, y: f64| {
        (
            left + wide * x / right,
            26.0 + LINES_HEIGHT * (1.0 - y / top),
        )
    };
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (_, y) = place(0.0, top * share);
        let (x, _) = place(right * share, 0.0);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"left\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            left + wide,
            left - 6.0,
            y + 4.0,
            short(top * share),
            LINES_HEIGHT + 42.0,
            short(right * share),
        );
    }
    for (index, (name, points)) in rows.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| place(*x, *y))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text fill=\"{colour}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            path.join(" "),
            left + 8.0,
            42.0 + 16.0 * index as f64,
            escape(name),
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"small\" x=\"{left}\" y=\"{:.1}\">{}</text>",
        height - 4.0,
        escape(along)
    );
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_a_bar_for_what_was_measured() {
        let plot = Plot::Spread {
            title: "Latency <x>".into(),
            unit: "ms",
            rows: vec![
                ("clip".into(), vec![1.0, 1.0, 90.0]),
                ("none".into(), vec![]),
            ],
        };
        let svg = plot.svg();
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("Latency &lt;x&gt;, ms"));
        assert!(svg.contains("p50 1.00  p90 90.0  p99 90.0  max 90.0"));
        assert_eq!(svg, plot.svg());
        let json = serde_json::to_value(&plot).unwrap();
        assert_eq!(json["rows"][0]["count"], 3);
        assert_eq!(json["rows"][0]["p50"], 1.0);
    }

    #[test]
    fn lines_begin_and_end_at_the_edges() {
        let plot = Plot::Lines {
            title: "Memory".into(),
            along: "hours",
            unit: "MiB",
            rows: vec![("resident".into(), vec![(0.0, 0.0), (3.0, 120.0)])],
        };
        let svg = plot.svg();
        assert!(svg.contains("points=\"70.0,266.0 830.0,26.0\""), "{svg}");
        assert!(svg.contains(">120</text>"));
    }
}
