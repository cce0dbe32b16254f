//! JSON that goes out as it was planned, and comes in as the service said it. The SDKs route, sign and send, but
//! what one of them does not know of a service would be lost on its way through their types.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

/// Makes `body` what a request says.
pub(crate) fn says(request: &mut HttpRequest, body: &str) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body);
}

#[cfg(feature = "medialive")]
pub(crate) use heard::Heard;

#[cfg(feature = "medialive")]
mod heard {
    //! What a service answered.

    use std::sync::{Arc, Mutex, PoisonError};

    use aws_smithy_runtime_api::box_error::BoxError;
    use aws_smithy_runtime_api::client::interceptors::Intercept;
    use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::config_bag::ConfigBag;
    use serde_json::Value as Json;

    use crate::AwsError;

    /// Keeps the body of an answer, as an interceptor of the operation. Its clones hear the same.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Heard {
        /// What the answer about `what` says.
        pub fn json(&self, what: &str) -> Result<Json, AwsError> {
            let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            serde_json::from_slice(&body).map_err(|error| AwsError::Broken {
                what: what.to_owned(),
                message: format!("the answer is no JSON: {error}"),
            })
        }
    }

    impl Intercept for Heard {
        fn name(&self) -> &'static str {
            "Heard"
        }

        fn read_after_deserialization(
            &self,
            context: &AfterDeserializationInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            if let Some(body) = context.response().body().bytes() {
                let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *heard = body.to_vec();
            }
            Ok(())
        }
    }
}
