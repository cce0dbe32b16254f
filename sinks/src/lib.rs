//! Where results go: a directory of files, and the exports that other programs read (edit lists,
//! JSON in the shape of MRE, a report). Everything is written from the same rows, sorted, without
//! the time of day, so that equal results give equal bytes.

pub mod edl;
pub mod error;
pub mod files;
