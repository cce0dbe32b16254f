//! `lambda`: a plugin of MRE as it is deployed: a function of AWS Lambda that gets the payload which MRE's
//! workflow gives it, fetches the chunk from S3, and returns its results. What it would ask MRE's data plane
//! for is not there: its results come by its return value.

mod clients;
mod options;
mod payload;
mod place;
mod results;
mod scanner;
#[cfg(test)]
mod tests;

use matchcut_aws::AwsOptions;
use matchcut_model::observation::Class;

use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, InputRule, Operator, OperatorType,
    OptionError, Options, intern, options_of, pass_on,
};
use options::read;
use scanner::Plugin;

pub(in crate::hosts) use clients::Clients;
pub(in crate::hosts) use options::{LambdaOptions, Media, Type};
pub(in crate::hosts) use payload::{payload, stream_start};
pub(in crate::hosts) use place::Place;
pub(in crate::hosts) use results::{Shape, attributes_of};
pub(in crate::hosts) use scanner::failed;

/// The operator type `lambda`.
pub(crate) struct Lambda;

impl OperatorType for Lambda {
    fn describe(&self) -> Description {
        let mut options = options_of::<LambdaOptions>();
        options.extend(options_of::<AwsOptions>());
        Description {
            name: "lambda",
            class: Class::Featurer,
            summary: "A featurer that was made for MRE, as the Lambda function that it is.",
            inputs: vec![
                InputRule::maybe(EdgeKind::Video),
                InputRule::maybe(EdgeKind::Audio),
            ],
            attributes: attributes(&LambdaOptions::default()),
            options,
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let (own, _) = read(options, &mut Vec::new());
        let kind = match own.media {
            Media::Video => EdgeKind::Video,
            Media::Audio => EdgeKind::Audio,
        };
        Description {
            inputs: vec![InputRule::one(kind)],
            attributes: attributes(&own),
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (own, aws) = read(options, &mut errors);
        let wrong = |(option, message): (&str, String)| OptionError::new(option, message);
        errors.extend(aws.check().into_iter().map(wrong));
        let stage = own.check(&mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let per_track = own.media == Media::Audio;
        let attributes = attributes(&own);
        let clients = Clients::new(&own, aws);
        let plugin = Plugin::new(own, attributes, stage, clients);
        Ok(Operator::Chunk {
            scanner: std::sync::Arc::new(plugin),
            fold: pass_on(),
            per_track,
        })
    }
}

/// What is declared of the results; whatever comes, where nothing is.
pub(in crate::hosts) fn attributes(own: &LambdaOptions) -> Vec<AttributeSpec> {
    let attribute = |(name, kind): (&String, &Type)| AttributeSpec {
        name: intern(name),
        kind: match kind {
            Type::Boolean => AttributeKind::Boolean,
            Type::Number => AttributeKind::Number,
            Type::Text => AttributeKind::Text,
        },
        description: "as the plugin returns it",
    };
    match own.output_attributes.is_empty() {
        false => own.output_attributes.iter().map(attribute).collect(),
        true => vec![AttributeSpec {
            name: "*",
            kind: AttributeKind::Any,
            description: "what the plugin returns",
        }],
    }
}
