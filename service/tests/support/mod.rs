//! A server of a test, and a client that signs with AWS's own library.

#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use matchcut_service::{Access, Config, NewAccess, Role, ServeOptions, serve};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server on a free port, for as long as the tests run.
pub struct Server {
    pub address: SocketAddr,
    pub data: TempDir,
    pub client: Client,
}

impl Server {
    pub fn start(insecure_loopback: bool) -> Server {
        let client = Client::builder().build().unwrap();
        Server::with(insecure_loopback, Config::default(), client)
    }

    /// With a configuration file.
    pub fn configured(config: &str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serve.toml");
        std::fs::write(&path, config).unwrap();
        let config = Config::read(&path).unwrap();
        Server::with(false, config, Client::builder().build().unwrap())
    }

    pub fn with(insecure_loopback: bool, config: Config, client: Client) -> Server {
        let data = tempfile::tempdir().unwrap();
        let (told, ready) = mpsc::channel();
        let options = ServeOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: data.path().to_owned(),
            public_url: None,
            insecure_loopback,
            max_events: 2,
            admin: None,
            config,
        };
        thread::spawn(move || {
            serve(options, |address| {
                told.send(address).map_err(std::io::Error::other)
            })
        });
        Server {
            address: ready.recv().unwrap(),
            data,
            client,
        }
    }

    pub fn key(&self, role: Role) -> NewAccess {
        Access::open(self.data.path()).unwrap().add(role).unwrap()
    }

    /// Asks; with a key, as one who has it.
    pub async fn ask(
        &self,
        key: Option<&NewAccess>,
        method: Method,
        path: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self
            .client
            .request(method.clone(), &url)
            .body(body.to_owned());
        if let Some(key) = key {
            let session = Some("a token of a session".to_owned());
            let identity = Credentials::new(&key.id, &key.secret, session, None, "tests").into();
            let params = SigningParams::builder()
                .identity(&identity)
                .region("eu-central-1")
                .name("execute-api")
                .time(SystemTime::now())
                .settings(SigningSettings::default())
                .build()
                .unwrap()
                .into();
            let body = SignableBody::Bytes(body.as_bytes());
            let signable =
                SignableRequest::new(method.as_str(), &url, std::iter::empty(), body).unwrap();
            let (signed, _) = sign(signable, &params).unwrap().into_parts();
            for (name, value) in signed.headers() {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, value)
    }
}

pub fn error(code: &str, message: &str) -> Value {
    json!({ "Code": code, "Message": message })
}
