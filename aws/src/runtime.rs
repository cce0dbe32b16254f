//! For callers on plain threads: the SDKs need an asynchronous runtime, and what they connect lives as long
//! as that. One small runtime serves all of them.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::AwsError;

/// Runs `work` on the runtime of this crate and waits for it. Not for threads of another runtime.
pub fn wait<T>(work: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("aws")
            .enable_all()
            .build();
        runtime.map_err(|error| error.to_string())
    });
    match made {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(AwsError::Broken {
            what: "AWS".to_owned(),
            message: format!("no runtime can be started: {error}"),
        }),
    }
}
