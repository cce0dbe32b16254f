//! How long events are kept when they are over: a text such as `30d` or `12h`, or for ever.

use jiff::{Span, SpanRelativeTo};

/// What says that an event is kept until somebody removes it.
const FOR_EVER: &str = "forever";

/// The longest that anything is kept, in seconds: 1000 years.
const LONGEST: i64 = 1000 * 366 * 24 * 3600;

/// Seconds, or nothing for ever.
pub fn parse(text: &str) -> Result<Option<i64>, String> {
    let wrong = || format!("\"{text}\" is no duration such as \"30d\", \"12h\" or \"forever\"");
    if text == FOR_EVER {
        return Ok(None);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|_| wrong())?;
    let seconds = duration.as_secs();
    match !duration.is_negative() && seconds <= LONGEST {
        true => Ok(Some(seconds)),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_duration_or_for_ever() {
        assert_eq!(parse("30d"), Ok(Some(30 * 86_400)));
        assert_eq!(parse("1w 2h"), Ok(Some(7 * 86_400 + 7200)));
        assert_eq!(parse("90s"), Ok(Some(90)));
        assert_eq!(parse("0s"), Ok(Some(0)));
        assert_eq!(parse("forever"), Ok(None));
        for text in ["", "30", "-1d", "never", "1mo", "99999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
