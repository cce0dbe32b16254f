//! `matchcut schema`: the JSON Schema of a spec, for editors.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use matchcut_dataflow::spec::{Catalog, schema};

use crate::render::CommandError;

/// Print the JSON Schema of a spec; begin a spec with `#:schema FILE` to have it used by editors.
#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {}

/// Prints the schema on stdout.
pub fn run(_args: &SchemaArgs) -> Result<ExitCode, CommandError> {
    let schema = schema::schema(&Catalog::built_in());
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}
