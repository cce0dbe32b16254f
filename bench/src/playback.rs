//! Plays a plan at its pace or faster.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::disturb::Plan;
use crate::outlet::Outlet;

/// How fast time goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// Everything at once.
    Max,
}

impl std::str::FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Pace::Max);
        }
        let times = text.parse::<f64>().ok();
        times
            .filter(|times| times.is_finite() && *times > 0.0)
            .map(Pace::Times)
            .ok_or_else(|| format!("\"{text}\" is not a pace; write 1, 4, 0.5 or max"))
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pace::Times(times) => write!(f, "{times}"),
            Pace::Max => f.write_str("max"),
        }
    }
}

impl Pace {
    fn scaled(self, at: Duration) -> Duration {
        match self {
            Pace::Times(times) => at.div_f64(times),
            Pace::Max => Duration::ZERO,
        }
    }
}

/// The longest sleep, so that a stop is noticed.
const NAP: Duration = Duration::from_millis(50);

/// Plays to the end, or until `stop`. What arrives at one time is given to the outlet together.
pub fn play(
    plan: &Plan,
    outlet: &mut dyn Outlet,
    pace: Pace,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let started = Instant::now();
    let wait = |at: Duration| {
        let due = started + pace.scaled(at);
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.load(Ordering::SeqCst) {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    };
    let mut rest = plan.arrivals.as_slice();
    while let Some(first) = rest.first() {
        let together = match pace {
            Pace::Max => rest.len(),
            Pace::Times(_) => rest.iter().take_while(|next| next.at == first.at).count(),
        };
        let (now, later) = rest.split_at(together);
        wait(first.at);
        if stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        outlet.arrive(now)?;
        rest = later;
    }
    wait(plan.end);
    Ok(outlet.end()?)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::disturb::{Arrival, What};

    #[derive(Default)]
    struct Heard(Vec<(Duration, usize)>, Option<Instant>, bool);

    impl Outlet for Heard {
        fn arrive(&mut self, arrivals: &[Arrival]) -> io::Result<()> {
            let started = *self.1.get_or_insert_with(Instant::now);
            self.0.push((started.elapsed(), arrivals.len()));
            Ok(())
        }

        fn end(&mut self) -> io::Result<()> {
            self.2 = true;
            Ok(())
        }
    }

    fn plan() -> Plan {
        let arrival = |at, chunk| Arrival {
            at: Duration::from_millis(at),
            chunk,
            what: What::Whole,
        };
        Plan {
            arrivals: vec![arrival(100, 0), arrival(100, 1), arrival(500, 2)],
            end: Duration::from_millis(500),
            ..Plan::default()
        }
    }

    #[test]
    fn it_keeps_its_pace() {
        let stop = AtomicBool::new(false);
        let mut heard = Heard::default();
        play(&plan(), &mut heard, Pace::Times(4.0), &stop).unwrap();
        assert_eq!(heard.0.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 1]);
        let apart = heard.0[1].0;
        assert!(apart >= Duration::from_millis(99) && apart < Duration::from_secs(5));
        assert!(heard.2);
        let mut heard = Heard::default();
        play(&plan(), &mut heard, Pace::Max, &stop).unwrap();
        assert_eq!(heard.0.len(), 1);
        stop.store(true, Ordering::SeqCst);
        let mut heard = Heard::default();
        play(&plan(), &mut heard, Pace::Times(0.001), &stop).unwrap();
        assert!(heard.0.is_empty() && !heard.2);
    }

    #[test]
    fn a_pace_is_a_number_or_max() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("2.5".parse(), Ok(Pace::Times(2.5)));
        for wrong in ["0", "-1", "fast", "inf", "NaN"] {
            assert!(wrong.parse::<Pace>().unwrap_err().contains("is not a pace"));
        }
    }
}
