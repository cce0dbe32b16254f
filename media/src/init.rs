//! GStreamer is started once for the process, before anything else of this crate uses it.
//! When it cannot start, every caller gets the same clear error.

use std::sync::OnceLock;

/// GStreamer is not usable on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GStreamer did not start: {reason}; install it with: apt-get install {DEBIAN_PACKAGES}")]
pub struct InitError {
    /// What GStreamer said.
    pub reason: String,
}

/// Everything that decoding, cutting and thumbnails need, as Debian and Ubuntu name it.
pub const DEBIAN_PACKAGES: &str = "gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
                                   gstreamer1.0-plugins-bad gstreamer1.0-libav";

/// Starts GStreamer if it has not been started yet. Cheap when called again, from any thread.
pub fn init() -> Result<(), InitError> {
    static DONE: OnceLock<Result<(), InitError>> = OnceLock::new();
    DONE.get_or_init(|| {
        gstreamer::init().map_err(|error| InitError {
            reason: error.to_string(),
        })
    })
    .clone()
}

/// The version of GStreamer that runs, for example "1.22.0".
pub fn gstreamer_version() -> Result<String, InitError> {
    init()?;
    let (major, minor, micro, _) = gstreamer::version();
    Ok(format!("{major}.{minor}.{micro}"))
}
