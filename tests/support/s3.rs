//! Runs that find a server of S3.

use super::Work;
use crate::s3_server::{KEY, S3Server, SECRET};

/// Lets the runs of `work` find AWS with the keys of the tests, and nothing of the machine.
pub fn with_aws(work: &mut Work) {
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        work.set_env(name, value);
    }
}

/// Lets them find a server of S3 as well.
pub fn with_s3(work: &mut Work, server: &S3Server) {
    with_aws(work);
    work.set_env("AWS_ENDPOINT_URL_S3", server.endpoint.as_str());
}
