//! A client that reads the environment and the profiles again when its credentials are not taken: somebody may
//! have renewed them since.

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::sync::Mutex;

use crate::{AwsError, AwsOptions, Connection, Patience};

/// How the clients of a service are made.
type Make<C> = fn(&SdkConfig) -> C;

/// Clients of a service; cheap to clone.
#[derive(Debug)]
pub(crate) struct Renewed<C> {
    options: AwsOptions,
    patience: Patience,
    make: Make<C>,
    client: Arc<Mutex<Option<C>>>,
}

impl<C> Clone for Renewed<C> {
    fn clone(&self) -> Self {
        Renewed {
            options: self.options.clone(),
            patience: self.patience,
            make: self.make,
            client: Arc::clone(&self.client),
        }
    }
}

impl<C: Clone> Renewed<C> {
    /// Nothing is read yet.
    pub fn new(options: AwsOptions, patience: Patience, make: Make<C>) -> Self {
        Renewed {
            options,
            patience,
            make,
            client: Arc::default(),
        }
    }

    /// How long is waited for it.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Asks it, again for reasons that may pass.
    pub async fn ask<T, F>(&self, ask: impl Fn(C) -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        self.patience.ask(|| self.once(&ask)).await
    }

    /// Asks it one time.
    pub async fn once<T, F>(&self, ask: impl FnOnce(C) -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let client = {
            let mut held = self.client.lock().await;
            match &*held {
                Some(client) => client.clone(),
                None => {
                    let connection = Connection::new(&self.options, self.patience).await;
                    held.insert((self.make)(&connection.config)).clone()
                }
            }
        };
        let answered = ask(client).await;
        if answered.as_ref().is_err_and(AwsError::of_credentials) {
            *self.client.lock().await = None;
        }
        answered
    }
}
