//! Functions of Lambda: invoked, and waited for.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use crate::{AwsError, Connection};

/// What a function returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Its result, or what it says of its failure: JSON.
    pub payload: Vec<u8>,
    /// It failed: `Handled`, `Unhandled`.
    pub failed: Option<String>,
}

/// A function; cheap to clone.
#[derive(Clone, Debug)]
pub struct Function {
    client: Client,
    connection: Connection,
    name: String,
    qualifier: Option<String>,
}

impl Function {
    /// The function with this name or ARN, and a version or alias of it. Nothing is asked.
    pub fn new(connection: Connection, name: &str, qualifier: Option<&str>) -> Self {
        Function {
            client: Client::new(&connection.config),
            connection,
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        }
    }

    /// Invokes it and waits for its result. One try, whatever [`crate::Patience::retries`] says: a function
    /// that is slow may still be running.
    pub async fn invoke(&self, payload: Vec<u8>) -> Result<Returned, AwsError> {
        let limit = self.connection.patience.timeout;
        let request = self
            .client
            .invoke()
            .function_name(&self.name)
            .set_qualifier(self.qualifier.clone())
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload));
        let what = format!("function {}", self.name);
        let answered = request
            .send()
            .await
            .map_err(|error| AwsError::of(&what, "lambda:InvokeFunction", limit, error))?;
        Ok(Returned {
            failed: answered.function_error().map(str::to_owned),
            payload: answered.payload.map(Blob::into_inner).unwrap_or_default(),
        })
    }
}
