//! `wasm`: an operator that somebody else wrote, as a WebAssembly component that looks at pictures
//! (`wit/operator.wit`). It runs in a sandbox without files, network, clock or random numbers, with limits
//! for instructions, memory and time; what goes wrong in it costs what it would have said of one chunk.

#[allow(unsafe_code, missing_docs, clippy::all)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "operator",
    });
}
mod engine;
mod observed;
mod sandbox;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use matchcut_model::frame::{Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::{FrameRate, MediaTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, InputRule, Operator,
    OperatorType, OptionError, Options, Said, VideoScan, VideoScanner, intern, options_of,
    parse_options, pass_on, signature_of, text_duration,
};
use bindings::matchcut::operator::types as wit;
use observed::Observed;
use sandbox::{Limits, Running, Sandbox};

/// Options of `wasm`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WasmOptions {
    /// The component, a .wasm file; relative to the spec. A module that a compiler made with the interface in
    /// it is taken as well.
    #[schemars(extend("format" = "path"))]
    component: String,
    /// What the component itself is told, as it says in its own documentation.
    options: Options,
    /// How many instructions one call may take.
    fuel: u64,
    /// How many MiB of memory it may use.
    memory: usize,
    /// How long one call may take.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    timeout: MediaTime,
}

impl Default for WasmOptions {
    fn default() -> Self {
        WasmOptions {
            component: String::new(),
            options: Options::new(),
            fuel: 1_000_000_000,
            memory: 256,
            timeout: MediaTime::from_seconds(10),
        }
    }
}

/// Larger pictures are taken for a mistake.
const LARGEST: u32 = 4096;

/// The operator type `wasm`.
pub(crate) struct Wasm;

impl OperatorType for Wasm {
    fn describe(&self) -> Description {
        Description {
            name: "wasm",
            class: Class::Featurer,
            summary: "What a WebAssembly component says of pictures, with the attributes that it has.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![AttributeSpec {
                name: "*",
                kind: AttributeKind::Any,
                description: "what the component says of itself",
            }],
            options: options_of::<WasmOptions>(),
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let opened = parse_options(options).and_then(|options| open(&options));
        match opened {
            Ok((_, described)) => Description {
                attributes: described.attributes.iter().map(attribute).collect(),
                ..self.describe()
            },
            Err(_) => self.describe(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let (sandbox, described) = open(&parse_options(options)?)?;
        let wrong = |message: String| {
            let message = format!("what the component wants cannot be given: {message}");
            vec![OptionError::new("component", message)]
        };
        let scanner = WasmScanner {
            view: view(&described.view).map_err(wrong)?,
            shared: Arc::new(Shared {
                sandbox,
                observed: Observed::new(&described.attributes).map_err(wrong)?,
            }),
        };
        Ok(Operator::Video {
            scanner: Arc::new(scanner),
            fold: pass_on(),
        })
    }
}

/// Loads a component and asks it what it is.
fn open(options: &WasmOptions) -> Result<(Sandbox, wit::Description), Vec<OptionError>> {
    let mut errors = Vec::new();
    let mut wrong = |option: &str, message: &str| errors.push(OptionError::new(option, message));
    if options.fuel < 1000 {
        wrong("fuel", "less than 1000 instructions");
    }
    if !(1..=4096).contains(&options.memory) {
        wrong("memory", "not between 1 and 4096 MiB");
    }
    if !(MediaTime::from_millis(20)..=MediaTime::from_seconds(3600)).contains(&options.timeout) {
        wrong("timeout", "not between 20 ms and 1 h");
    }
    if options.component.is_empty() {
        wrong("component", "missing: the path of a component");
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let limits = Limits {
        fuel: options.fuel,
        memory: options.memory << 20,
        milliseconds: options.timeout.to_millis().unsigned_abs(),
    };
    let told = serde_json::Value::Object(options.options.clone()).to_string();
    let sandbox = Sandbox::open(Path::new(&options.component), told, limits)
        .map_err(|message| vec![OptionError::new("component", message)])?;
    let described = sandbox.describe().map_err(|message| {
        let option = match options.options.is_empty() {
            true => "component",
            false => "options",
        };
        vec![OptionError::new(
            option,
            format!("the component says: {message}"),
        )]
    })?;
    Ok((sandbox, described))
}

fn attribute(attribute: &wit::Attribute) -> AttributeSpec {
    AttributeSpec {
        name: intern(&attribute.name),
        kind: match attribute.kind {
            wit::AttributeKind::Boolean => AttributeKind::Boolean,
            wit::AttributeKind::Number => AttributeKind::Number,
            wit::AttributeKind::Text => AttributeKind::Text,
        },
        description: intern(&attribute.description),
    }
}

fn view(view: &wit::View) -> Result<ViewSpec, String> {
    for (name, size) in [("width", view.width), ("height", view.height)] {
        if !(1..=LARGEST).contains(&size) {
            return Err(format!("a {name} of {size} pixels (1 to {LARGEST})"));
        }
    }
    let rate = match view.rate {
        None => None,
        Some((num, den)) => {
            Some(FrameRate::new(num, den).ok_or_else(|| format!("{num}/{den} pictures a second"))?)
        }
    };
    Ok(ViewSpec {
        width: view.width,
        height: view.height,
        format: match view.format {
            wit::PixelFormat::Gray => PixelFormat::Gray8,
            wit::PixelFormat::Rgb => PixelFormat::Rgb24,
        },
        rate,
        frames: FrameChoice::All,
    })
}

struct Shared {
    sandbox: Sandbox,
    observed: Observed,
}

struct WasmScanner {
    view: ViewSpec,
    shared: Arc<Shared>,
}

impl VideoScanner for WasmScanner {
    fn view(&self) -> ViewSpec {
        self.view
    }

    fn start(&self, chunk: &ChunkContext) -> Box<dyn VideoScan> {
        let span = chunk.extent.span;
        let told = wit::Chunk {
            position: chunk.extent.position.0,
            start: span.start.flicks(),
            end: span.end.flicks(),
        };
        Box::new(WasmScan {
            running: self.shared.sandbox.start(told),
            shared: Arc::clone(&self.shared),
            start: span.start,
            end: span.end,
            said: Vec::new(),
        })
    }
}

struct WasmScan {
    /// The component of this chunk, or why there is none.
    running: Result<Running, String>,
    shared: Arc<Shared>,
    start: MediaTime,
    end: MediaTime,
    said: Vec<Said>,
}

impl VideoScan for WasmScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let running = self.running.as_mut().map_err(|message| message.clone())?;
        let seen = running.process_frame(&wit::Frame {
            time: frame.time.flicks(),
            width: frame.width,
            height: frame.height,
            format: match frame.format {
                PixelFormat::Gray8 => wit::PixelFormat::Gray,
                PixelFormat::Rgb24 | PixelFormat::Yuv444 => wit::PixelFormat::Rgb,
            },
            data: frame.data.to_vec(),
        })?;
        self.take(seen)
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, String> {
        let running = self.running.as_mut().map_err(|message| message.clone())?;
        let seen = running.finish()?;
        self.take(seen)?;
        signature_of(self.said)
    }
}

impl WasmScan {
    fn take(&mut self, seen: Vec<wit::Observation>) -> Result<(), String> {
        let said = self.shared.observed.read(seen, self.start, self.end)?;
        self.said.extend(said);
        self.shared.observed.check_count(self.said.len())
    }
}
