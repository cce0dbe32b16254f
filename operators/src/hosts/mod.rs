//! Operators that are not part of the program: a host runs each and speaks with it. What it says is
//! checked like everything that comes from outside.

mod process;

pub(crate) use process::Process;
pub use process::end_all;
