//! Running an event: admission of inputs, pools for blocking work, the loop that feeds the dataflow
//! and commits what it delivers.

pub mod admission;
pub mod pool;
