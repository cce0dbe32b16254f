//! `matchcut doctor`: whether this machine has what decoding needs, and what to install.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use matchcut_media::doctor::{self, Need};

use crate::render::CommandError;

/// Check that GStreamer has the elements that matchcut needs.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {}

/// Runs it. Exit code 1 when something that every pipeline needs is missing.
pub fn run(_: &DoctorArgs) -> Result<ExitCode, CommandError> {
    let report = doctor::check().map_err(|error| CommandError::Doctor {
        message: error.to_string(),
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "GStreamer {}", report.gstreamer)?;
    for check in &report.checks {
        let found = match (check.present, check.need) {
            (true, _) => "ok     ",
            (false, Need::Required) => "MISSING",
            (false, Need::Optional) => "missing",
        };
        write!(out, "{found} {:<16} {}", check.element, check.needed_for)?;
        match check.present {
            true => writeln!(out)?,
            false => writeln!(out, " (package {})", check.debian_package)?,
        }
    }
    if let Some(command) = report.install_command() {
        writeln!(out, "to install what is missing: {command}")?;
    }
    Ok(if report.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
