//! The subcommands, a file each.

pub mod access;
pub mod backup;
pub mod bench;
pub mod clip;
pub mod convert;
pub mod doctor;
pub mod graph;
pub mod medialive;
mod metrics;
pub mod operator;
pub mod operators;
pub mod probe;
mod records;
pub mod replay;
pub mod run;
pub mod schema;
pub mod secret;
pub mod select;
pub mod serve;
mod service;
pub mod tap;
pub mod test;
pub mod top;
pub mod validate;
