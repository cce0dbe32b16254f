//! What this machine needs to decode: every GStreamer element that may be asked for, what it is
//! for, whether it is here, and which Debian package brings it. `matchcut doctor` prints this.

use serde::Serialize;

use crate::decode::codec;
use crate::encode;
use crate::init::{self, InitError};

/// How much is lost without an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Usual streams (H.264 or HEVC with AAC) or a part of every run do not work without it.
    Required,
    /// Only streams of one rarer codec need it.
    Optional,
}

/// One thing that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The element that is used, or the first choice when none of them is here.
    pub element: &'static str,
    /// Other elements that do the same, tried in this order after the first choice.
    pub alternatives: Vec<&'static str>,
    /// What it is for.
    pub needed_for: &'static str,
    /// How much is lost without it.
    pub need: Need,
    /// Whether one of them is here.
    pub present: bool,
    /// The Debian and Ubuntu package of `element`.
    pub debian_package: &'static str,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of GStreamer.
    pub gstreamer: String,
    /// Every element looked for.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing required is missing.
    pub fn is_healthy(&self) -> bool {
        self.missing(Need::Required).next().is_none()
    }

    /// What is missing and needed so much.
    pub fn missing(&self, need: Need) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(move |check| !check.present && check.need == need)
    }

    /// The command that mends everything missing; `None` when nothing is.
    pub fn install_command(&self) -> Option<String> {
        let mut packages: Vec<&str> = self
            .checks
            .iter()
            .filter(|c| !c.present)
            .map(|c| c.debian_package)
            .collect();
        packages.sort_unstable();
        packages.dedup();
        (!packages.is_empty()).then(|| format!("apt-get install {}", packages.join(" ")))
    }
}

/// Looks for every element. An error means that GStreamer itself is not usable.
pub fn check() -> Result<Report, InitError> {
    let gstreamer = init::gstreamer_version()?;
    let mut checks = Vec::new();
    for entry in codec::DECODERS {
        checks.push(look(
            entry.elements,
            entry.needed_for,
            entry.need,
            entry.debian_package,
        ));
    }
    checks.push(look(
        &["jpegenc"],
        "thumbnails",
        Need::Required,
        "gstreamer1.0-plugins-good",
    ));
    for (elements, needed_for, package) in encode::ENCODERS {
        checks.push(look(elements, needed_for, Need::Optional, package));
    }
    Ok(Report { gstreamer, checks })
}

fn look(
    elements: &'static [&'static str],
    needed_for: &'static str,
    need: Need,
    debian_package: &'static str,
) -> Check {
    let found = elements.iter().copied().find(|name| is_present(name));
    let element = found.or(elements.first().copied()).unwrap_or("");
    Check {
        element,
        alternatives: elements
            .iter()
            .copied()
            .filter(|name| *name != element)
            .collect(),
        needed_for,
        need,
        present: found.is_some(),
        debian_package,
    }
}

pub(crate) fn is_present(element: &str) -> bool {
    gstreamer::ElementFactory::find(element).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing_and_the_package_that_brings_it() {
        init::init().unwrap();
        let missing = look(
            &["no_such_decoder", "nor_this"],
            "nothing",
            Need::Required,
            "gstreamer1.0-nothing",
        );
        assert!(!missing.present);
        assert_eq!(missing.element, "no_such_decoder");
        assert_eq!(missing.alternatives, ["nor_this"]);
        let second = look(&["no_such_decoder", "identity"], "", Need::Required, "");
        assert!(second.present);
        assert_eq!(second.element, "identity");

        let report = Report {
            gstreamer: "1.22.0".into(),
            checks: vec![second, missing],
        };
        assert!(!report.is_healthy());
        assert_eq!(
            report.install_command().as_deref(),
            Some("apt-get install gstreamer1.0-nothing")
        );
    }

    #[test]
    fn this_machine_is_looked_at() {
        let report = check().unwrap();
        assert!(report.gstreamer.starts_with("1."));
        let h264 = report
            .checks
            .iter()
            .find(|c| c.needed_for.contains("H.264"))
            .unwrap();
        assert_eq!(h264.need, Need::Required);
        assert_eq!(
            h264.present,
            is_present("avdec_h264") || is_present("openh264dec")
        );
    }
}
