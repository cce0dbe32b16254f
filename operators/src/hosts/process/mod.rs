//! `process`: an operator that is another program, in any language. It is asked what it is, gets frames,
//! samples and steps on its stdin, and answers on its stdout; the protocol is written down in
//! `docs/src/reference/operator-protocol.md`.

mod answer;
mod child;
mod describe;
mod launch;
mod message;
mod options;
mod patience;
mod pipe;
mod pool;
mod program;
mod scan;
mod schema;
mod stderr;
mod step;
mod talk;
mod wire;

use std::sync::Arc;

use matchcut_model::observation::Class;

pub use child::end_all;
use describe::{Media, described};
use options::ProcessOptions;
use pool::Pool;

use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, options_of, parse_options, pass_on,
};

/// The operator type `process`.
pub(crate) struct Process;

impl OperatorType for Process {
    fn describe(&self) -> Description {
        Description {
            name: "process",
            class: Class::Featurer,
            summary: "Another program, in any language. Class, inputs, attributes and options are its own.",
            inputs: vec![
                InputRule::maybe(EdgeKind::Video),
                InputRule::maybe(EdgeKind::Audio),
                InputRule::any(EdgeKind::Observations),
                InputRule::maybe(EdgeKind::Segments),
            ],
            attributes: vec![AttributeSpec {
                name: "*",
                kind: AttributeKind::Any,
                description: "what the program says that it emits",
            }],
            options: options_of::<ProcessOptions>(),
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let general = self.describe();
        let asked = parse_options::<ProcessOptions>(options)
            .and_then(|options| described(&options.launch()?));
        match asked {
            Ok(own) => Description {
                class: own.class,
                summary: own.summary,
                inputs: own.inputs.clone(),
                attributes: own.attributes.clone(),
                ..general
            },
            Err(_) => general,
        }
    }

    fn varies(&self) -> bool {
        true
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: ProcessOptions = parse_options(options)?;
        let launch = options.launch()?;
        let own = described(&launch)?;
        let media = options.media(&own)?;
        let launch = Arc::new(launch);
        let pool = |instances: usize| {
            Arc::new(Pool::new(Arc::clone(&launch), Arc::clone(&own), instances))
        };
        // Scans keep their program for a whole chunk; a step does not wait for them.
        let fold = match own.ordered {
            true => FoldBox::calling(step::Steps::new(
                pool(1),
                Arc::clone(&own),
                launch.max_segment,
            )),
            false => pass_on(),
        };
        let instances = options.instances as usize;
        Ok(match media {
            Media::Frames(view) => Operator::Video {
                scanner: Arc::new(scan::Frames::new(pool(instances), view)),
                fold,
            },
            Media::Samples => Operator::Audio {
                scanner: Arc::new(scan::Samples::new(pool(instances))),
                fold,
            },
            Media::None => Operator::Fold(fold),
        })
    }
}
