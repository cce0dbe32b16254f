//! One GStreamer element driven by hand: buffers are pushed into it on the calling thread and come
//! out before the push returns. There is no pipeline, no clock and no thread to wait for, so a
//! chunk costs exactly its decoding, and dropping the value frees everything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio::AudioMeta;
use gstreamer_video::VideoMeta;

/// What came out of an element, in order.
pub(crate) enum Output {
    /// The format of what follows.
    Caps(gst::Caps),
    /// Data.
    Buffer(gst::Buffer),
}

type Queue = Arc<Mutex<VecDeque<Output>>>;

/// An element with a pad of ours on either side.
pub(crate) struct Stage {
    element: gst::Element,
    /// Feeds the element.
    input: gst::Pad,
    /// Receives from the element.
    output: gst::Pad,
    bus: gst::Bus,
    queue: Queue,
    /// What the element complained about, oldest first.
    complaints: Complaints,
}

/// Messages of an element: the first few, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    first: Option<String>,
    count: u64,
}

impl Complaints {
    fn add(&mut self, text: String) {
        self.count += 1;
        self.first.get_or_insert(text);
    }

    /// The first message and the number of those after it.
    pub(crate) fn summary(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(match self.count {
            0 | 1 => first.clone(),
            more => format!("{first} (and {} more messages)", more - 1),
        })
    }
}

/// The element could not be made or linked, or refused its input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {message}")]
pub(crate) struct StageError {
    pub(crate) element: String,
    pub(crate) message: String,
}

impl Stage {
    /// Makes the element, lets `configure` set its properties, and gives it the format of its input.
    pub(crate) fn start(
        factory: &str,
        caps: &gst::Caps,
        configure: impl FnOnce(&Stage),
    ) -> Result<Self, StageError> {
        Self::start_into(factory, caps, None, configure)
    }

    /// The same for an element that can give several formats: it is to choose one of `wanted`.
    pub(crate) fn start_into(
        factory: &str,
        caps: &gst::Caps,
        wanted: Option<gst::Caps>,
        configure: impl FnOnce(&Stage),
    ) -> Result<Self, StageError> {
        let fail = |message: &str| StageError {
            element: factory.to_owned(),
            message: message.to_owned(),
        };
        let element = gst::ElementFactory::make(factory)
            .build()
            .map_err(|error| fail(&error.to_string()))?;
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let queue = Queue::default();
        let stage = Stage {
            input: gst::Pad::new(gst::PadDirection::Src),
            output: receiving_pad(Arc::clone(&queue), wanted),
            element,
            bus,
            queue,
            complaints: Complaints::default(),
        };
        configure(&stage);
        let sink = stage
            .element
            .static_pad("sink")
            .ok_or_else(|| fail("has no sink pad"))?;
        let source = stage
            .element
            .static_pad("src")
            .ok_or_else(|| fail("has no source pad"))?;
        stage
            .input
            .link_full(&sink, gst::PadLinkCheck::empty())
            .and_then(|_| source.link_full(&stage.output, gst::PadLinkCheck::empty()))
            .map_err(|error| fail(&error.to_string()))?;
        let activated = stage
            .output
            .set_active(true)
            .and_then(|()| stage.input.set_active(true));
        activated.map_err(|error| fail(&error.to_string()))?;
        stage
            .element
            .set_state(gst::State::Playing)
            .map_err(|error| {
                let said = stage.bus.pop().and_then(|message| complaint(&message));
                fail(&said.unwrap_or_else(|| error.to_string()))
            })?;
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        stage
            .input
            .push_event(gst::event::StreamStart::new("matchcut"));
        if !stage.input.push_event(gst::event::Caps::new(caps)) {
            return Err(fail(&format!("does not take {caps}")));
        }
        stage.input.push_event(gst::event::Segment::new(&segment));
        Ok(stage)
    }

    /// Pushes one buffer. What the element makes of it can be taken with [`Stage::take`] when this
    /// returns.
    pub(crate) fn push(&mut self, buffer: gst::Buffer) -> Result<(), StageError> {
        let result = self.input.push(buffer);
        self.listen();
        match result {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(&error.to_string())),
        }
    }

    /// Pushes one buffer that may be refused: then this is `false`, and nothing is kept of it.
    pub(crate) fn try_push(&mut self, buffer: gst::Buffer) -> bool {
        self.listen();
        let taken = self.input.push(buffer).is_ok();
        while self.bus.pop().is_some() {}
        taken
    }

    /// Whether the element has a property of whole numbers with this name.
    pub(crate) fn has(&self, property: &str) -> bool {
        self.element
            .has_property_with_type(property, i32::static_type())
    }

    /// Sets such a property, if the element has it.
    pub(crate) fn set(&self, property: &str, value: i32) {
        if self.has(property) {
            self.element.set_property(property, value);
        }
    }

    /// Sets a property of any type from its text, if the element has it.
    pub(crate) fn set_text(&self, property: &str, value: &str) {
        if self.element.has_property(property) {
            self.element.set_property_from_str(property, value);
        }
    }

    /// Tells the element that nothing follows, so that it gives out what it holds back.
    pub(crate) fn finish(&mut self) {
        self.input.push_event(gst::event::Eos::new());
        self.listen();
    }

    /// The next thing that came out.
    pub(crate) fn take(&mut self) -> Option<Output> {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// What the element complained about so far.
    pub(crate) fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    fn refused(&self, otherwise: &str) -> StageError {
        StageError {
            element: self.element.factory().map_or_else(
                || "element".to_owned(),
                |factory| factory.name().to_string(),
            ),
            message: self
                .complaints
                .summary()
                .unwrap_or_else(|| otherwise.to_owned()),
        }
    }

    fn listen(&mut self) {
        while let Some(message) = self.bus.pop() {
            if let Some(text) = complaint(&message) {
                self.complaints.add(text);
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The output lets go first: a decoder thread that still pushes must not wait for us.
        let _ = self.output.set_active(false);
        let _ = self.element.set_state(gst::State::Null);
        let _ = self.input.set_active(false);
        self.bus.set_flushing(true);
        self.element.set_bus(None);
    }
}

fn receiving_pad(queue: Queue, wanted: Option<gst::Caps>) -> gst::Pad {
    let of_events = Arc::clone(&queue);
    gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push_back(Output::Buffer(buffer));
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |_, _, event| {
            if let gst::EventView::Caps(caps) = event.view() {
                let mut queue = of_events.lock().unwrap_or_else(PoisonError::into_inner);
                queue.push_back(Output::Caps(caps.caps_owned()));
            }
            true
        })
        .query_function(move |pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Allocation(allocation) => {
                // With these a decoder hands out its own picture, padding and all, where it would
                // otherwise copy each one.
                allocation.add_allocation_meta::<VideoMeta>(None);
                allocation.add_allocation_meta::<AudioMeta>(None);
                true
            }
            gst::QueryViewMut::Caps(caps) if wanted.is_some() => {
                if let Some(wanted) = &wanted {
                    let filtered = caps.filter().map(|filter| wanted.intersect(filter));
                    caps.set_result(filtered.as_ref().unwrap_or(wanted));
                }
                true
            }
            gst::QueryViewMut::AcceptCaps(accept) => {
                // The default holds on to the first format and refuses a change of size.
                accept.set_result(true);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build()
}

fn complaint(message: &gst::Message) -> Option<String> {
    let (error, debug) = match message.view() {
        gst::MessageView::Error(error) => (error.error(), error.debug()),
        gst::MessageView::Warning(warning) => (warning.error(), warning.debug()),
        _ => return None,
    };
    // The debug text ends with the reason, after the place in the element's source code.
    let reason = debug
        .as_deref()
        .and_then(|text| text.lines().last())
        .map(str::trim);
    Some(match reason {
        Some(reason) if !reason.is_empty() && reason != error.message() => {
            format!("{} {reason}", error.message())
        }
        _ => error.message().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_nothing(factory: &str, caps: &gst::Caps, data: &'static [u8]) {
        let mut stage = Stage::start(factory, caps, |_| {}).unwrap();
        let buffer = gst::Buffer::from_slice(data);
        let _ = stage.push(buffer);
        stage.finish();
        let element = stage.element.downgrade();
        let pads = [stage.input.downgrade(), stage.output.downgrade()];
        let bus = stage.bus.downgrade();
        drop(stage);
        let element = element.upgrade().map(|element| element.ref_count());
        assert_eq!(element, None, "references to {factory}");
        assert!(pads.iter().all(|pad| pad.upgrade().is_none()), "pads");
        assert!(bus.upgrade().is_none(), "bus");
    }

    #[test]
    fn a_dropped_stage_leaves_nothing() {
        crate::init::init().unwrap();
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("rate", 48_000)
            .field("channels", 1)
            .field("layout", "interleaved")
            .build();
        leaves_nothing("audioconvert", &caps, &[0; 64]);
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build();
        leaves_nothing(
            "avdec_h264",
            &caps,
            &[0, 0, 0, 1, 0x65, 0x88, 0x84, 0, 0x33, 0xff],
        );
    }
}
