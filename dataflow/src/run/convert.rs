//! From a plan to what the dataflow is rendered from, and to what the sinks tell of the event.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchcut_model::replay::Compat;
use matchcut_model::timecode::TimecodeSource;
use matchcut_model::value::Name;
use matchcut_operators::sdk::AttributeKind;
use matchcut_sinks::bucket::BucketOptions;
use matchcut_sinks::edl::EdlOptions;
use matchcut_sinks::export::ExportOptions;
use matchcut_sinks::{EventInfo, OperatorInfo, Profile, ReplayInfo};

use crate::flow::{Control, EventGraph, OperatorNode, ReplayDefinition};
use crate::plan::{Plan, PlanInput};
use crate::spec::{self, Catalog, FileSinkOptions};

/// The graph of a plan. Operators for which `recorded` holds are not run: what they say comes from
/// outside.
pub fn graph(plan: &Plan, recorded: impl Fn(&Name) -> bool) -> EventGraph {
    let node = |operator: &crate::plan::PlanOperator| OperatorNode {
        name: operator.name.clone(),
        class: operator.class,
        operator: (!recorded(&operator.name)).then(|| operator.operator.clone()),
        observations: operator.observations.clone(),
        segmenter: operator.segmenter,
        rank: operator.rank,
    };
    EventGraph {
        operators: plan.operators.iter().map(node).collect(),
        window: plan.pipeline.correction_window as usize,
        mre: plan
            .replays
            .iter()
            .any(|replay| replay.request.compat == Compat::Mre),
    }
}

/// The replays of a plan, as entries of the log.
pub fn replays(plan: &Plan) -> Vec<Control> {
    definitions(plan)
        .into_iter()
        .map(|d| Control::Replay(Arc::new(d)))
        .collect()
}

/// The replays of a plan.
pub fn definitions(plan: &Plan) -> Vec<ReplayDefinition> {
    plan.replays
        .iter()
        .map(|replay| ReplayDefinition {
            name: replay.name.clone(),
            segmenter: plan.operators[replay.segmenter].name.clone(),
            request: replay.request.clone(),
            asked: None,
        })
        .collect()
}

/// What exports tell of the event.
pub fn event_info(plan: &Plan, catalog: &Catalog) -> EventInfo {
    let names = |inputs: &[PlanInput]| {
        inputs
            .iter()
            .filter_map(|input| match input {
                PlanInput::Operator(index) => Some(plan.operators[*index].name.clone()),
                _ => None,
            })
            .collect()
    };
    let mut hears: Vec<bool> = Vec::new();
    let mut operators = Vec::new();
    for operator in &plan.operators {
        let audio = operator.operator.per_track()
            || operator.inputs.iter().any(|input| match input {
                PlanInput::Audio(_) => true,
                PlanInput::Operator(index) => hears.get(*index).copied().unwrap_or(false),
                _ => false,
            });
        hears.push(audio);
        let description = catalog
            .operator(&operator.kind)
            .map(|(kind, _)| kind.describe_with(&operator.options));
        let attributes = description.iter().flat_map(|d| &d.attributes);
        operators.push(OperatorInfo {
            name: operator.name.clone(),
            class: operator.class,
            inputs: names(&operator.inputs),
            audio,
            attributes: attributes
                .filter(|attribute| attribute.kind != AttributeKind::Any)
                .map(|attribute| Name::new(attribute.name))
                .collect(),
            options: operator.options.clone(),
        });
    }
    let replays: BTreeMap<Name, ReplayInfo> = definitions(plan)
        .into_iter()
        .map(|d| {
            (
                d.name,
                ReplayInfo {
                    request: d.request,
                    segmenter: Some(d.segmenter),
                },
            )
        })
        .collect();
    EventInfo {
        program: plan.pipeline.program().to_owned(),
        event: plan.pipeline.event().to_owned(),
        id: plan.pipeline.event().to_owned(),
        source: plan
            .sources
            .first()
            .map(|s| s.name.to_string())
            .unwrap_or_default(),
        source_uri: plan
            .sources
            .first()
            .map(|source| source.uri.clone())
            .unwrap_or_default(),
        profile: Profile {
            name: plan.pipeline.name.clone(),
            chunk_duration: None,
            max_segment: plan.pipeline.max_segment,
            operators,
        },
        replays,
        timecode_source: match plan.pipeline.timecode {
            spec::TimecodeSource::NotEmbedded => TimecodeSource::NotEmbedded,
            spec::TimecodeSource::ZeroBased => TimecodeSource::ZeroBased,
            spec::TimecodeSource::UtcBased => TimecodeSource::UtcBased,
        },
        edl: EdlOptions {
            start_timecode: plan.pipeline.start_timecode.clone(),
            drop_frame: plan.pipeline.drop_frame,
            style: plan.pipeline.edl_style,
            ..EdlOptions::default()
        },
        exports: ExportOptions {
            formats: plan.pipeline.exports.iter().copied().collect(),
            link: plan.pipeline.export_media,
        },
        ..EventInfo::default()
    }
}

/// The same with what an `s3` sink says otherwise.
pub fn for_bucket(info: EventInfo, options: &BucketOptions) -> EventInfo {
    let same = FileSinkOptions {
        exports: options.exports.clone(),
        edl_style: options.edl_style,
        export_media: options.export_media,
        ..FileSinkOptions::default()
    };
    for_sink(info, &same)
}

/// The same with what a `file` sink says otherwise.
pub fn for_sink(mut info: EventInfo, options: &FileSinkOptions) -> EventInfo {
    if let Some(exports) = &options.exports {
        info.exports.formats = exports.iter().copied().collect();
    }
    if let Some(style) = options.edl_style {
        info.edl.style = style;
    }
    if let Some(media) = options.export_media {
        info.exports.link = media;
    }
    info
}
