//! What there is to tell of a channel while it is watched: pure, from one look to the next.

use std::collections::BTreeSet;

use matchcut_aws::medialive::Alert;

/// What was seen of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    state: String,
    alerts: BTreeSet<Alert>,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub text: String,
    /// Whether somebody should look after it.
    pub trouble: bool,
}

fn of(alert: &Alert, what: &str) -> String {
    let pipeline = match alert.pipeline.as_str() {
        "" => String::new(),
        pipeline => format!("pipeline {pipeline}: "),
    };
    format!("{pipeline}{what}: {}: {}", alert.kind, alert.message)
}

impl Seen {
    /// Takes a look at a channel; gives what is new. `alerts` is `None` where they could not be asked for.
    pub fn look(&mut self, state: &str, alerts: Option<Vec<Alert>>) -> Vec<Told> {
        let mut told = Vec::new();
        if self.state != state {
            let text = match self.state.as_str() {
                "" => format!("it is {state}"),
                before => format!("it is {state} and was {before}"),
            };
            let usual = ["IDLE", "STARTING", "RUNNING", "STOPPING", "UPDATING"];
            let trouble = !usual.contains(&state);
            told.push(Told { text, trouble });
            self.state = state.to_owned();
        }
        if let Some(alerts) = alerts {
            let now: BTreeSet<Alert> = alerts.into_iter().collect();
            let new = now.difference(&self.alerts);
            told.extend(new.map(|alert| Told {
                text: of(alert, "alert"),
                trouble: true,
            }));
            let over = self.alerts.difference(&now);
            told.extend(over.map(|alert| Told {
                text: of(alert, "alert is over"),
                trouble: false,
            }));
            self.alerts = now;
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once() {
        let alert = |id: &str| Alert {
            id: id.to_owned(),
            pipeline: "0".to_owned(),
            kind: "Video Not Detected".to_owned(),
            message: "no video".to_owned(),
        };
        let mut seen = Seen::default();
        let texts = |told: Vec<Told>| -> Vec<String> {
            let line = |t: Told| format!("{}{}", if t.trouble { "! " } else { "" }, t.text);
            told.into_iter().map(line).collect()
        };
        assert_eq!(texts(seen.look("IDLE", Some(vec![]))), ["it is IDLE"]);
        assert_eq!(
            texts(seen.look("RUNNING", Some(vec![alert("1")]))),
            [
                "it is RUNNING and was IDLE",
                "! pipeline 0: alert: Video Not Detected: no video"
            ]
        );
        assert_eq!(texts(seen.look("RUNNING", None)), [""; 0]);
        assert_eq!(texts(seen.look("RUNNING", Some(vec![alert("1")]))), [""; 0]);
        assert_eq!(
            texts(seen.look("RECOVERING", Some(vec![]))),
            [
                "! it is RECOVERING and was RUNNING",
                "pipeline 0: alert is over: Video Not Detected: no video"
            ]
        );
    }
}
