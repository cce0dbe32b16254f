//! Sessions of HLS: begun, renewed before they end or when they are refused, and begun for a stretch of what the
//! stream keeps. What they give is asked for here, so that the address with the token goes nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use matchcut_aws::AwsError;
use matchcut_aws::kinesis_video::{Secret, Stream, seconds};
use reqwest::{Client, StatusCode};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::address::{InSession, SessionAddress};
use super::config::{KinesisVideoConfig, MOST_FRAGMENTS, Packing, Playback, Timestamps};
use crate::error::FetchError;

/// Sessions of stretches that are kept.
const STRETCHES: usize = 4;

/// A session may span so many milliseconds.
const LONGEST_STRETCH: i64 = 24 * 3600 * 1000;

/// A session that is used.
#[derive(Clone, Debug)]
pub(super) struct Session {
    address: SessionAddress,
    /// Which one of its kind.
    number: u64,
    /// Afterwards it is not begun anew with it.
    until: Instant,
    /// The first and the last moment that it shows, where it shows a stretch.
    stretch: Option<(i64, i64)>,
}

#[derive(Debug, Default)]
struct Held {
    /// The one that goes on.
    current: Option<Session>,
    stretches: Vec<Session>,
    number: u64,
    /// Where the current one is to begin, when it is begun anew: in milliseconds since the Unix epoch.
    edge: Option<i64>,
}

/// The sessions of a stream; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    stream: Stream,
    config: Arc<KinesisVideoConfig>,
    client: Client,
    held: Arc<Mutex<Held>>,
}

/// Why a session gave nothing.
enum Refusal {
    /// It is over, or does not have this.
    Session(u16),
    /// Something else.
    Error(FetchError),
}

/// An error of AWS, about one of our addresses.
pub(super) fn of_aws(url: &Url, error: AwsError) -> FetchError {
    let uri = url.to_string();
    match error {
        AwsError::NotFound { .. } => FetchError::NotFound {
            uri,
            status: Some(404),
        },
        AwsError::TooLarge { limit, .. } => FetchError::TooLarge { uri, limit },
        error => FetchError::Aws {
            uri,
            error: Box::new(error),
        },
    }
}

impl Sessions {
    pub(super) fn new(stream: Stream, config: Arc<KinesisVideoConfig>) -> Result<Self, String> {
        let agent = concat!("matchcut/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().user_agent(agent).build();
        let client = client.map_err(|error| error.without_url().to_string())?;
        Ok(Sessions {
            stream,
            config,
            client,
            held: Arc::default(),
        })
    }

    /// What is asked for. With a stretch: what the stream keeps of it.
    fn request(&self, edge: Option<i64>, stretch: Option<(i64, i64)>) -> Json {
        let options = &self.config.options;
        let playback = match stretch {
            Some(_) => Playback::OnDemand,
            None => options.playback,
        };
        let mut selector = json!({"FragmentSelectorType": match options.timestamps {
            Timestamps::Producer => "PRODUCER_TIMESTAMP",
            Timestamps::Server => "SERVER_TIMESTAMP",
        }});
        let range = match (stretch, playback) {
            (Some((from, to)), _) => Some((from, Some(to))),
            (None, Playback::Live) => None,
            (None, _) => edge.or(self.config.from).map(|from| (from, self.config.to)),
        };
        if let Some((from, to)) = range {
            let mut range = json!({"StartTimestamp": seconds(from)});
            if let Some(to) = to {
                range["EndTimestamp"] = seconds(to.min(from.saturating_add(LONGEST_STRETCH)));
            }
            selector["TimestampRange"] = range;
        }
        json!({
            "PlaybackMode": match playback {
                Playback::Live => "LIVE",
                Playback::LiveReplay => "LIVE_REPLAY",
                Playback::OnDemand => "ON_DEMAND",
            },
            "HLSFragmentSelector": selector,
            "ContainerFormat": match options.container {
                Packing::FragmentedMp4 => "FRAGMENTED_MP4",
                Packing::MpegTs => "MPEG_TS",
            },
            "DiscontinuityMode": "ON_DISCONTINUITY",
            "DisplayFragmentTimestamp": "ALWAYS",
            "Expires": options.session.0.to_ticks(1),
            "MaxMediaPlaylistFragmentResults": match playback {
                Playback::OnDemand => MOST_FRAGMENTS,
                _ => options.fragments,
            },
        })
    }

    async fn begin(
        &self,
        number: u64,
        edge: Option<i64>,
        stretch: Option<(i64, i64)>,
    ) -> Result<Session, AwsError> {
        let life = self.config.options.session.std();
        // A fifth of it is left for what is under way.
        let margin = (life / 5).min(Duration::from_secs(60));
        let until = Instant::now() + life.saturating_sub(margin);
        let Secret(url) = self
            .stream
            .hls_session(&self.request(edge, stretch))
            .await?;
        let address = SessionAddress::read(&url).ok_or_else(|| AwsError::Broken {
            what: "a session of Kinesis Video".to_owned(),
            message: "it has no address with a token".to_owned(),
        })?;
        tracing::info!(number, ?stretch, "a session of Kinesis Video begins");
        Ok(Session {
            address,
            number,
            until,
            stretch,
        })
    }

    /// The session that goes on; another one than `refused`.
    pub(super) async fn current(&self, refused: Option<u64>) -> Result<Session, AwsError> {
        let mut held = self.held.lock().await;
        let good =
            |session: &&Session| Some(session.number) != refused && session.until > Instant::now();
        if let Some(session) = held.current.as_ref().filter(good) {
            return Ok(session.clone());
        }
        held.number += 1;
        let (number, edge) = (held.number, held.edge);
        match self.begin(number, edge, None).await {
            Ok(session) => Ok(held.current.insert(session).clone()),
            // The one before lives a little longer.
            Err(error) => match &held.current {
                Some(session) if refused.is_none() => {
                    tracing::warn!(%error, "a session of Kinesis Video cannot be renewed yet");
                    Ok(session.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// A session that shows `from` to `to`, both in milliseconds since the Unix epoch.
    pub(super) async fn stretch(
        &self,
        from: i64,
        to: i64,
        fresh: bool,
    ) -> Result<Session, AwsError> {
        let mut held = self.held.lock().await;
        let shows = |session: &Session| {
            session
                .stretch
                .is_some_and(|(first, last)| first <= from && to <= last)
        };
        if fresh {
            held.stretches.retain(|session| !shows(session));
        }
        held.stretches
            .retain(|session| session.until > Instant::now());
        if let Some(session) = held.stretches.iter().find(|session| shows(session)) {
            return Ok(session.clone());
        }
        held.number += 1;
        let number = held.number;
        let session = self.begin(number, None, Some((from, to))).await?;
        held.stretches.push(session.clone());
        if held.stretches.len() > STRETCHES {
            held.stretches.remove(0);
        }
        Ok(session)
    }

    /// A new session that is to go on with a time begins with it.
    pub(super) async fn reached(&self, edge: Option<i64>) {
        self.held.lock().await.edge = edge;
    }

    /// What a session has. A session that is refused is renewed once.
    pub(super) async fn get(
        &self,
        url: &Url,
        what: &InSession,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let session = self
            .current(None)
            .await
            .map_err(|error| of_aws(url, error))?;
        let refusal = match self.ask(&session, url, what, limit).await {
            Ok(bytes) => return Ok(bytes),
            Err(Refusal::Error(error)) => return Err(error),
            Err(Refusal::Session(status)) => status,
        };
        // A fragment that this session does not show may be kept all the same.
        if let Some(at) = what.at {
            return self.kept(url, what, limit, at).await;
        }
        tracing::info!(status = refusal, "a session of Kinesis Video was refused");
        let session = self.current(Some(session.number)).await;
        let session = session.map_err(|error| of_aws(url, error))?;
        self.ask(&session, url, what, limit)
            .await
            .map_err(|refusal| told(url, refusal))
    }

    /// A fragment of what the stream keeps.
    async fn kept(
        &self,
        url: &Url,
        what: &InSession,
        limit: u64,
        at: i64,
    ) -> Result<Bytes, FetchError> {
        let mut last = None;
        for fresh in [false, true] {
            let session = self.stretch(at, at, fresh).await;
            let session = session.map_err(|error| of_aws(url, error))?;
            match self.ask(&session, url, what, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(refusal @ Refusal::Session(_)) => last = Some(refusal),
                Err(refusal) => return Err(told(url, refusal)),
            }
        }
        Err(told(url, last.unwrap_or(Refusal::Session(404))))
    }

    /// What a session of a stretch has.
    pub(super) async fn get_of(
        &self,
        session: &Session,
        url: &Url,
        what: &InSession,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        self.ask(session, url, what, limit)
            .await
            .map_err(|refusal| told(url, refusal))
    }

    async fn ask(
        &self,
        session: &Session,
        url: &Url,
        what: &InSession,
        limit: u64,
    ) -> Result<Bytes, Refusal> {
        let broken = |error: reqwest::Error| {
            let mut text = String::new();
            let error = error.without_url();
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(inner) = cause {
                let message = inner.to_string();
                if !text.contains(&message) {
                    let colon = if text.is_empty() { "" } else { ": " };
                    text = format!("{text}{colon}{message}");
                }
                cause = inner.source();
            }
            Refusal::Error(FetchError::Transport {
                uri: url.to_string(),
                message: text,
            })
        };
        let address = session.address.url(what).ok_or(Refusal::Session(400))?;
        let mut response = self.client.get(address).send().await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(Refusal::Error(FetchError::Status {
                    uri: url.to_string(),
                    status: 429,
                    retry_after: None,
                }));
            }
            status if status.is_client_error() => return Err(Refusal::Session(status.as_u16())),
            status => {
                return Err(Refusal::Error(FetchError::Status {
                    uri: url.to_string(),
                    status: status.as_u16(),
                    retry_after: None,
                }));
            }
        }
        let mut bytes = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&part);
            if bytes.len() as u64 > limit {
                let uri = url.to_string();
                return Err(Refusal::Error(FetchError::TooLarge { uri, limit }));
            }
        }
        Ok(bytes.freeze())
    }

    /// The longest stretch of a session, from a time on, up to `to`.
    pub(super) fn longest(from: i64, to: i64) -> i64 {
        to.min(from.saturating_add(LONGEST_STRETCH))
    }
}

fn told(url: &Url, refusal: Refusal) -> FetchError {
    let uri = url.to_string();
    match refusal {
        Refusal::Error(error) => error,
        Refusal::Session(404) => FetchError::NotFound {
            uri,
            status: Some(404),
        },
        Refusal::Session(status) => FetchError::Status {
            uri,
            status,
            retry_after: None,
        },
    }
}

/// Milliseconds of a date in microseconds, rounded up: what begins there is in a range from there on.
pub(super) fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0)
}
