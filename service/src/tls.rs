//! Connections that are encrypted: the certificate is read again when its file changes, and a client that takes its
//! time to agree on a key holds up no other.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsFiles;

/// How long a client may take to agree on a key.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many may be about it at a time.
const AT_A_TIME: usize = 256;

/// How often is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(2);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

/// The certificate that is shown, which may be another one later.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    now: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.now.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Certificate {
    /// Reads it; an error says what is wrong with which file.
    pub fn read(files: &TlsFiles) -> Result<Arc<Certificate>, String> {
        Ok(Arc::new(Certificate {
            files: files.clone(),
            now: RwLock::new(Arc::new(load(files)?)),
        }))
    }

    /// How connections are encrypted with it.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(self);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads it again. Files that cannot be used change nothing: the one that is there is shown on.
    pub fn reload(&self) {
        match load(&self.files) {
            Ok(loaded) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the certificate is kept, since the new one cannot be used");
            }
        }
    }

    /// Reads it again whenever one of its files has changed, or `told` says so.
    pub async fn keep_up(self: Arc<Self>, mut told: tokio::signal::unix::Signal) {
        let mut seen = self.changed();
        loop {
            tokio::select! {
                _ = told.recv() => self.reload(),
                () = tokio::time::sleep(LOOK) => {
                    let now = self.changed();
                    if now != seen {
                        // Both files are rarely written at the same moment.
                        tokio::time::sleep(LOOK / 4).await;
                        seen = self.changed();
                        self.reload();
                    }
                }
            }
        }
    }

    fn changed(&self) -> [Option<SystemTime>; 2] {
        let time = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
        [time(&self.files.certificate), time(&self.files.key)]
    }
}

fn load(files: &TlsFiles) -> Result<CertifiedKey, String> {
    let TlsFiles { certificate, key } = files;
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        format!("{} cannot be used for TLS: {error}", path.display())
    };
    let pem = fs::read(certificate).map_err(|error| failed(certificate, &error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"there is no certificate in it"));
    }
    let pem = fs::read(key).map_err(|error| failed(key, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| failed(key, &error))?;
    let provider = aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, secret, &provider).map_err(|error| failed(key, &error))
}

/// Connections on which both have agreed on a key.
pub struct TlsListener {
    agreed: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    local: SocketAddr,
}

impl TlsListener {
    /// Takes the connections of a listener, until it is dropped.
    pub fn new(mut listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<TlsListener> {
        let local = TcpListener::local_addr(&listener)?;
        let (sender, agreed) = mpsc::channel(AT_A_TIME);
        let permits = Arc::new(Semaphore::new(AT_A_TIME));
        tokio::spawn(async move {
            loop {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                let (stream, peer) = tokio::select! {
                    accepted = Listener::accept(&mut listener) => accepted,
                    () = sender.closed() => return,
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    let agreed = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
                    drop(permit);
                    if let Ok(Ok(stream)) = agreed {
                        // An error means that nobody serves any more.
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(TlsListener { agreed, local })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.agreed.recv().await {
            Some(accepted) => accepted,
            // Nothing comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
