//! What a sink that makes media outside needs of the rest of the spec: chunks that it can read, and pictures in a form
//! that it knows.

use matchcut_media::render::Transition;

use super::Input;
use super::diagnostic::Report;
use super::parts::{Draft, ReplayDraft, SinkDraft};
use super::rendering::RenderBy;

const MEDIACONVERT: &str = "mediaconvert";

/// `inputs` are those of the sinks.
pub(super) fn check(draft: &Draft, inputs: &[Vec<Input>], report: &mut Report) {
    let is_cloud = |sink: &SinkDraft| {
        sink.kind
            .as_ref()
            .is_some_and(|kind| kind.name == MEDIACONVERT)
    };
    let clouds = draft.sinks.iter().zip(inputs);
    let clouds: Vec<_> = clouds.filter(|(sink, _)| is_cloud(sink)).collect();
    for (sink, _) in &clouds {
        readable(draft, sink, report);
    }
    for replay in &draft.replays {
        let takes =
            |input: &Input| matches!(input, Input::Replay(name) if **name == *replay.name.text);
        let taken = clouds.iter().any(|(_, inputs)| inputs.iter().any(takes));
        rendered(replay, taken, report);
    }
}

/// Whether the chunks of sources of this type lie in S3.
fn in_s3(kind: &str) -> bool {
    matches!(kind, "s3" | "medialive")
}

/// Chunks are in S3, or it is said where they are there.
fn readable(draft: &Draft, sink: &SinkDraft, report: &mut Report) {
    let media = sink
        .options
        .get("media")
        .and_then(|media| media.as_object());
    if media.is_some_and(|media| !media.is_empty()) {
        return;
    }
    for source in draft.sources.iter().filter(|source| !in_s3(&source.kind)) {
        let message = format!(
            "sink \"{}\": MediaConvert reads chunks in S3, and source \"{}\" reads them elsewhere",
            sink.name.text, source.name.text
        );
        let hint = "say where they lie in S3 too: media = { \"https://cdn.example.com/cup/\" = \"s3://media/cup/\" }";
        report.error(sink.name.span, message, Some(hint.to_owned()));
    }
}

fn rendered(replay: &ReplayDraft, taken: bool, report: &mut Report) {
    let settings = replay.settings.render.as_ref();
    let elsewhere = settings.is_some_and(|render| render.by == RenderBy::MediaConvert);
    let name = &replay.name;
    if elsewhere && !taken {
        let message = format!(
            "\"render\" of replay \"{}\": no sink of type \"mediaconvert\" takes the replay",
            name.text
        );
        let hint = format!(
            "name it among the inputs of one: inputs = [\"{}\"]",
            name.text
        );
        report.error(name.span, message, Some(hint));
    }
    let Some(Transition::Image { path, .. }) = replay.render.as_ref().map(|plan| &plan.transition)
    else {
        return;
    };
    let is_png = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("png"));
    if taken && !is_png {
        let message = format!(
            "\"render\" of replay \"{}\": MediaConvert shows pictures as PNG, and {} is none",
            name.text,
            path.display()
        );
        report.error(name.span, message, None);
    }
}
