//! `plugin`: a plugin of MRE that runs outside, with MRE's data plane as the service has it: a function of Lambda, or a
//! program that fetches its work from the service. What it says of a chunk is waited for so long and no longer; it
//! is part of the log, so that nobody is asked twice.

mod asking;
mod chunk;
mod memory;
mod options;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use matchcut_aws::AwsOptions;
use matchcut_model::observation::Class;

use crate::hosts::lambda::attributes;
use crate::sdk::{
    Description, EdgeKind, FoldBox, InputRule, Operator, OperatorType, OptionError, Options,
    options_of, pass_on,
};
use asking::Asking;
use chunk::Chunks;
use options::{PluginOptions, read};
use steps::Steps;

use super::lambda::Media;

/// The operator type `plugin`.
pub(crate) struct Plugin;

impl OperatorType for Plugin {
    fn describe(&self) -> Description {
        let mut options = options_of::<PluginOptions>();
        options.extend(options_of::<AwsOptions>());
        Description {
            name: "plugin",
            class: Class::Featurer,
            summary: "A plugin of MRE that runs outside, as a function of Lambda or a program that fetches its work.",
            inputs: vec![
                InputRule::maybe(EdgeKind::Video),
                InputRule::maybe(EdgeKind::Audio),
                InputRule::any(EdgeKind::Observations),
                InputRule::maybe(EdgeKind::Segments),
            ],
            attributes: attributes(&PluginOptions::default().lambda()),
            options,
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let (own, _) = read(options, &mut Vec::new());
        let mut inputs = vec![InputRule::one(match own.media {
            Media::Video => EdgeKind::Video,
            Media::Audio => EdgeKind::Audio,
        })];
        if own.ordered() {
            inputs.push(InputRule::any(EdgeKind::Observations));
        }
        if matches!(own.class(), Class::Optimizer | Class::Labeler) {
            inputs.push(InputRule::one(EdgeKind::Segments));
        }
        Description {
            class: own.class(),
            inputs,
            attributes: attributes(&own.lambda()),
            ..self.describe()
        }
    }

    fn varies(&self) -> bool {
        true
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (own, aws) = read(options, &mut errors);
        let wrong = |(option, message): (&str, String)| OptionError::new(option, message);
        errors.extend(aws.check().into_iter().map(wrong));
        own.check(&mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let attributes = attributes(&own.lambda());
        // Optimizers go by track themselves; all others are what they are on each.
        let per_track = own.media == Media::Audio && own.class() == Class::Featurer;
        let asking = Arc::new(Asking::new(own, attributes, aws));
        let fold = match asking.own.ordered() {
            true => FoldBox::calling(Steps(Arc::clone(&asking))),
            false => pass_on(),
        };
        Ok(Operator::Chunk {
            scanner: Arc::new(Chunks(asking)),
            fold,
            per_track,
        })
    }
}
