//! Who may do what: a request is signed with an access key (AWS Signature Version 4) or bears a token, both have a role, and
//! each path needs one. What a request presents is always checked; without anything it is served only
//! where that was asked for, and only from this machine.

mod access;
mod address;
pub(crate) mod bearer;
mod claims;
mod gate;
pub(crate) mod local;
mod oidc;
mod role;
mod signer;
pub(crate) mod sigv4;

pub use access::{Access, AdminKey, NewAccess};
pub use address::{Addresses, LONGEST as LONGEST_ADDRESS};
pub use bearer::Bearer;
pub use claims::RoleMap;
pub use gate::{Gate, guard};
pub use oidc::Oidc;
pub use role::Role;
pub use signer::Signer;
