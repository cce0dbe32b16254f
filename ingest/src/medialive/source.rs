//! A source of type `medialive`: the channel is made ready, its chunks are read, and it is watched meanwhile;
//! when the event is over, what was asked for is done.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_model::failure::{Domain, Failure, Retry};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use url::Url;

use super::config::MediaLiveConfig;
use super::control::{Control, ControlError, Purpose, Seen};
use super::pipelines::Pipelines;
use crate::compose::Composer;
use crate::error::SourceError;
use crate::fetch::Fetcher;
use crate::hls::{HlsCursor, HlsSource};
use crate::item::SourceItem;
use crate::reach::Reach;

/// What there is to tell beside the chunks.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: Mutex<VecDeque<(String, bool)>>,
    arrived: Notify,
}

impl Notices {
    pub(super) fn tell(&self, text: String, trouble: bool) {
        match trouble {
            true => tracing::warn!("{text}"),
            false => tracing::info!("{text}"),
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((text, trouble));
        self.arrived.notify_one();
    }

    fn take(&self) -> Option<(String, bool)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }

    /// The next one. Dropping the future loses nothing.
    async fn next(&self) -> (String, bool) {
        loop {
            if let Some(notice) = self.take() {
                return notice;
            }
            self.arrived.notified().await;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The channel is to be made ready.
    Prepare,
    /// Its chunks are read.
    Read,
    /// The event is over, and something is left to do.
    Finish,
    /// Nothing comes any more.
    Over,
}

/// A channel that is being read.
#[derive(Debug)]
pub struct MediaLiveSource {
    name: String,
    config: MediaLiveConfig,
    control: Control,
    hls: HlsSource,
    pipelines: Arc<Pipelines>,
    notices: Arc<Notices>,
    stage: Stage,
    /// Whether chunks were read by an earlier process.
    resumed: bool,
    watching: Option<JoinHandle<()>>,
}

impl Drop for MediaLiveSource {
    fn drop(&mut self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

impl MediaLiveSource {
    /// A source that goes on where another one stood, and what fetches its chunks.
    pub(crate) fn resume(
        name: &str,
        url: Url,
        config: &MediaLiveConfig,
        cursor: HlsCursor,
        reach: &Reach,
    ) -> (Self, Fetcher) {
        let access = config.access();
        let notices = Arc::new(Notices::default());
        let pipelines = Pipelines::new(config, access.clone(), &cursor, Arc::clone(&notices));
        let pipelines = Arc::new(pipelines);
        let fetcher = Fetcher::new(config.fetch_options())
            .with_reach(reach.clone())
            .with_s3(access)
            .with_composer(Composer::Pipelines(Arc::clone(&pipelines)));
        let resumed = cursor.reached().is_some();
        let ended = cursor.ended;
        let options = config.as_playlist();
        let hls = HlsSource::resume(name, url, options, fetcher.clone(), cursor);
        let source = MediaLiveSource {
            name: name.to_owned(),
            config: config.clone(),
            control: Control::new(config),
            hls,
            pipelines,
            notices,
            stage: match ended {
                true => Stage::Over,
                false => Stage::Prepare,
            },
            resumed,
            watching: None,
        };
        (source, fetcher)
    }

    /// How far it was read.
    pub fn cursor(&self) -> HlsCursor {
        self.hls.cursor()
    }

    /// The next item. After an error, and after the end, there is only the end. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<SourceItem, SourceError> {
        loop {
            match self.stage {
                Stage::Prepare => {
                    if let Err(error) = self.prepare().await {
                        self.stage = Stage::Over;
                        return Err(SourceError::Channel {
                            name: self.name.clone(),
                            error,
                        });
                    }
                    self.watch();
                    self.stage = Stage::Read;
                }
                Stage::Read => {
                    if self.is_over() {
                        self.stage = Stage::Finish;
                        continue;
                    }
                    let item = tokio::select! {
                        biased;
                        notice = self.notices.next() => return Ok(self.notice(notice)),
                        item = self.hls.next() => item,
                    };
                    match item {
                        Ok(SourceItem::End) => self.stage = Stage::Finish,
                        Err(error) => {
                            self.stage = Stage::Over;
                            return Err(error);
                        }
                        item => return item,
                    }
                }
                Stage::Finish => {
                    if let Err(error) = self.finish().await {
                        self.notices.tell(error.to_string(), true);
                    }
                    self.stage = Stage::Over;
                }
                Stage::Over => {
                    return Ok(match self.notices.take() {
                        Some(notice) => self.notice(notice),
                        None => SourceItem::End,
                    });
                }
            }
        }
    }

    /// Whether as much was read as there is to be.
    fn is_over(&self) -> bool {
        let duration = self.config.options.duration;
        duration.is_some_and(|duration| self.hls.cursor().clock >= duration.0)
    }

    fn notice(&self, (text, trouble): (String, bool)) -> SourceItem {
        SourceItem::Notice(Failure {
            position: None,
            input: format!("channel {} of MediaLive", self.config.options.channel),
            operator: None,
            message: text,
            domain: Domain::External,
            retry: match trouble {
                true => Retry::WithBackoff,
                false => Retry::No,
            },
        })
    }

    async fn prepare(&self) -> Result<(), ControlError> {
        let options = &self.config.options;
        if self.resumed {
            // What was made ready is; what has stopped since then is over.
            return Ok(());
        }
        if options.attach {
            let plan = self.control.carry_out(Purpose::Attach).await?;
            for change in &plan.changes {
                tracing::info!(%change, "the channel was changed");
            }
        }
        self.control.switch().await?;
        if options.start {
            self.control.start().await?;
        }
        Ok(())
    }

    /// Watches the channel from now on.
    fn watch(&mut self) {
        let (control, notices) = (self.control.clone(), Arc::clone(&self.notices));
        let pipelines = Arc::clone(&self.pipelines);
        let pause = self.config.options.watch.std();
        let mut ran = self.resumed;
        let watch = async move {
            let mut seen = Seen::default();
            let mut troubled = false;
            loop {
                match control.look(&mut seen).await {
                    Ok((described, told)) => {
                        ran |= described.is_running();
                        let stopped = ran && described.is_idle();
                        pipelines.stopped.store(stopped, Ordering::SeqCst);
                        for told in told {
                            notices.tell(told.text, told.trouble);
                        }
                        troubled = false;
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut troubled, true) {
                            notices.tell(format!("it cannot be watched: {error}"), true);
                        }
                    }
                }
                tokio::time::sleep(pause).await;
            }
        };
        self.watching = Some(tokio::spawn(watch));
    }

    async fn finish(&mut self) -> Result<(), ControlError> {
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
        let options = &self.config.options;
        if options.stop {
            self.control.stop().await?;
        }
        if options.detach {
            self.control.carry_out(Purpose::Detach).await?;
        }
        Ok(())
    }
}
