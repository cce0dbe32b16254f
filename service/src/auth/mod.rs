//! Who may do what: a request is signed with an access key (AWS Signature Version 4), the key has a role, and
//! each path needs one. What a request presents is always checked; without anything it is served only
//! where that was asked for, and only from this machine.

mod access;
mod address;
mod gate;
mod local;
mod role;
mod sigv4;

pub use access::{Access, AdminKey, NewAccess};
pub use address::{Addresses, LONGEST as LONGEST_ADDRESS};
pub use gate::{Gate, guard};
pub use role::Role;
