//! `matchcut schema`: the JSON Schema of a spec, for editors, and the documents of the REST APIs.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::spec::{Catalog, schema};
use matchcut_service::openapi;

use crate::render::CommandError;

/// Print the JSON Schema of a spec; begin a spec with `#:schema FILE` to have it used by editors.
#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {
    /// Print the OpenAPI document of a REST API of `matchcut serve` instead.
    #[arg(long, value_enum, value_name = "API")]
    pub api: Option<Api>,
}

/// A REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// Our own: /api/v1.
    V1,
    /// MRE's control plane.
    Controlplane,
    /// MRE's data plane.
    Dataplane,
}

/// Prints the schema on stdout.
pub fn run(args: &SchemaArgs) -> Result<ExitCode, CommandError> {
    let schema = match args.api {
        None => schema::schema(&Catalog::built_in()),
        Some(Api::V1) => openapi::own::own(),
        Some(Api::Controlplane) => openapi::control_plane(),
        Some(Api::Dataplane) => openapi::data_plane(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}
