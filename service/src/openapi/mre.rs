//! The document of MRE's two planes. Paths and bodies are those of the routes; a table says what each operation does.

use serde_json::{Value, json};

use super::{About, Answer, Operation, document, query, schema};
use crate::auth::Role;
use crate::endpoint::{Described, Routes};
use crate::mre;

/// What operations do, by their names: those of the functions that answer.
const DOES: &[(&str, &str)] = &[
    ("names.list_groups", "All content groups"),
    ("names.put_group", "Keep a content group"),
    ("names.delete_group", "Forget a content group"),
    ("names.list_programs", "All programs"),
    ("names.put_program", "Keep a program"),
    ("names.delete_program", "Forget a program"),
    (
        "models.register",
        "Register a model, or publish a new version of it",
    ),
    ("models.of_class", "Models for a class of plugins"),
    (
        "models.of_class_and_group",
        "Models for a class of plugins in a content group",
    ),
    ("models.all", "The newest version of every model"),
    ("models.of_group", "Models of a content group"),
    ("models.newest", "The newest version of a model"),
    ("models.remove_all", "Delete a model with all its versions"),
    (
        "models.switch_newest",
        "Enable or disable the newest version of a model",
    ),
    ("models.history", "All versions of a model"),
    ("models.version", "A version of a model"),
    ("models.remove", "Delete a version of a model"),
    ("models.switch", "Enable or disable a version of a model"),
    (
        "plugins.register",
        "Register a plugin, or publish a new version of it",
    ),
    ("plugins.of_class", "Plugins of a class"),
    (
        "plugins.of_class_and_group",
        "Plugins of a class in a content group",
    ),
    (
        "plugins.dependencies",
        "The plugins that a plugin depends on",
    ),
    ("plugins.all", "The newest version of every plugin"),
    ("plugins.of_group", "Plugins of a content group"),
    ("plugins.newest", "The newest version of a plugin"),
    (
        "plugins.remove_all",
        "Delete a plugin with all its versions",
    ),
    (
        "plugins.switch_newest",
        "Enable or disable the newest version of a plugin",
    ),
    ("plugins.history", "All versions of a plugin"),
    ("plugins.version", "A version of a plugin"),
    ("plugins.remove", "Delete a version of a plugin"),
    ("plugins.switch", "Enable or disable a version of a plugin"),
    (
        "prompts.create",
        "Create a prompt, or publish a new version of it",
    ),
    ("prompts.all", "The newest version of every prompt"),
    ("prompts.of_group", "Prompts of a content group"),
    ("prompts.newest", "The newest version of a prompt"),
    (
        "prompts.remove_all",
        "Delete a prompt with all its versions",
    ),
    (
        "prompts.switch_newest",
        "Enable or disable the newest version of a prompt",
    ),
    ("prompts.history", "All versions of a prompt"),
    ("prompts.version", "A version of a prompt"),
    ("prompts.remove", "Delete a version of a prompt"),
    ("prompts.switch", "Enable or disable a version of a prompt"),
    (
        "profiles.create",
        "Create a profile: the plugins of a pipeline",
    ),
    ("profiles.all", "All profiles"),
    ("profiles.of_group", "Profiles of a content group"),
    ("profiles.one", "A profile"),
    ("profiles.update", "Change any part of a profile"),
    ("profiles.remove", "Delete a profile"),
    ("profiles.switch", "Enable or disable a profile"),
    (
        "profiles.variables",
        "The context variables that a profile uses",
    ),
    (
        "events.create",
        "Create an event; one with a SourceVideoUrl runs when it is due",
    ),
    ("events.one", "An event"),
    ("events.update", "Change an event"),
    (
        "events.remove",
        "Delete an event with its replays, and all that it came to",
    ),
    ("events.status", "The status of an event, as text"),
    (
        "events.set_status",
        "Set the status of an event; Complete ends it",
    ),
    ("events.has_replays", "Note that an event has replays"),
    ("events.variables", "The context variables of an event"),
    ("events.set_variables", "Set context variables of an event"),
    ("events.first_pts", "The first timestamp of an event"),
    (
        "events.set_first_pts",
        "Set the first timestamp of an event",
    ),
    (
        "events.set_first_frame",
        "Set the embedded timecode of the first frame of an event",
    ),
    ("events.set_frame_rate", "Set the frame rate of an event"),
    (
        "events.set_audio_tracks",
        "Set the audio tracks of an event",
    ),
    ("event_lists.all", "Events, the newest start first"),
    ("event_lists.of_group", "Events of a content group"),
    ("event_lists.of_program", "Events of a program"),
    ("event_lists.soon", "Events that start within an hour"),
    ("event_lists.range", "Events that start between two times"),
    ("event_lists.queued", "Events that wait"),
    (
        "replays.create",
        "Ask for a replay: before its event, while it runs, or when it is over",
    ),
    ("replays.all", "All requests for replays"),
    (
        "replays.of_group",
        "Requests for replays of a content group",
    ),
    ("replays.of_event", "Requests for replays of an event"),
    (
        "replays.unfinished",
        "Requests of an event that are neither Complete nor Error",
    ),
    ("replays.features", "What replays of an event can weigh"),
    ("replays.one", "A request for a replay"),
    ("replays.set_status", "Set the status of a request"),
    (
        "replays.unfinished_of_track",
        "Unfinished requests for an audio track",
    ),
    (
        "replays.queued_of_completed",
        "Requests that wait of an event that is complete",
    ),
    ("replays.remove", "Delete a request, and the replay with it"),
    (
        "priorities.create",
        "Register an engine of custom priorities",
    ),
    ("priorities.all", "All engines of custom priorities"),
    ("priorities.one", "An engine of custom priorities"),
    ("priorities.update", "Change an engine of custom priorities"),
    ("priorities.remove", "Delete an engine of custom priorities"),
    (
        "priorities.switch",
        "Enable or disable an engine of custom priorities",
    ),
    (
        "system.version",
        "The versions of the framework and of its APIs",
    ),
    ("system.id", "The identity of the installation"),
    ("system.configure", "Set a parameter of the system"),
    ("system.all", "All parameters of the system"),
    ("system.one", "A parameter of the system"),
    ("dataplane.version", "The version of the data plane"),
    (
        "dataplane.cards",
        "Clips of a classifier, as the GUI of MRE shows them",
    ),
    ("dataplane.page", "The same, page by page"),
    ("dataplane.for_edl", "Marks of segments, for edit lists"),
    (
        "dataplane.for_replay",
        "Segments with their clips, for replays",
    ),
    ("clips.store", "Keep where the clips of a segment are"),
    (
        "clips.original",
        "Clips and thumbnails of a segment by its original marks",
    ),
    (
        "clips.optimized",
        "Clips and thumbnails of a segment by its optimized marks",
    ),
    ("clips.think", "Like or dislike a clip"),
    ("clips.thought", "What a reviewer thinks of a clip"),
    (
        "clips.thoughts",
        "What reviewers think of the clips of a segment",
    ),
    ("clips.create_job", "Note a job that makes clips"),
    ("clips.update_job", "Set the status of a job"),
    ("clips.job", "The status of a job"),
    (
        "features.export",
        "Note where all segments of an event were exported to",
    ),
    ("features.features", "Whether segments have a feature"),
    ("features.feature", "Whether a segment has a feature"),
    ("features.values", "The values of an attribute"),
    (
        "features.outputs",
        "What featurers observed in a stretch of time",
    ),
    ("features.set_attribute", "Set an attribute of a segment"),
    ("media.media", "Where a chunk can be read for a while"),
    ("media.manifest", "The playlist of a chunk"),
    ("metadata.store_frames", "Keep the frames of a chunk"),
    ("metadata.store_chunk", "Keep a chunk"),
    (
        "metadata.chunk_start",
        "When the chunk begins in which a time is",
    ),
    ("metadata.timecode", "The timecode of a frame"),
    (
        "replays.cards_of",
        "The segments of a replay, as the GUI of MRE shows them",
    ),
    ("replays.page_of", "The same, page by page"),
    ("replays.of_replay", "The segments that a replay has chosen"),
    ("replays.store", "Keep the segments of a replay"),
    ("results.store", "Keep what a plugin found in a chunk"),
    (
        "results.dependents",
        "What the plugins found that a plugin depends on",
    ),
    (
        "workflow.segment_state",
        "What a classifier knows of the segments before a chunk",
    ),
    ("workflow.labeling_state", "What a labeler has to label"),
    (
        "workflow.optimization_state",
        "What an optimizer has to optimize",
    ),
    (
        "workflow.clip_segments",
        "Segments whose clips are to be made",
    ),
    (
        "workflow.clip_chunks",
        "Chunks that the clip of a segment is cut from",
    ),
    ("executions.record", "Keep the execution of a workflow"),
    ("executions.status", "The status of an execution"),
    ("executions.set_status", "Set the status of an execution"),
    (
        "executions.incomplete",
        "Executions of an event that are not complete",
    ),
];

/// Lists of these modules leave out what is disabled.
const LISTS: [&str; 4] = ["models", "plugins", "prompts", "profiles"];

/// What answers with a text.
const TEXTS: [&str; 3] = ["system.id", "events.status", "events.first_pts"];

/// What answers with a text or something else, by what there is.
const EITHER: [&str; 3] = ["system.one", "executions.status", "metadata.timecode"];

/// What lists of events can be asked for.
const OF_EVENTS: [(&str, &str); 8] = [
    ("limit", "How many"),
    ("LastEvaluatedKey", "Where the page before ended"),
    (
        "ProjectionExpression",
        "The keys that are wanted, with commas between them",
    ),
    ("timeFilterStart", "The earliest start, with timeFilterEnd"),
    ("timeFilterEnd", "The latest start"),
    ("ContentGroup", "Of this content group only"),
    ("Program", "Of this program only"),
    ("hasReplays", "true: with replays only"),
];

/// The document of the control plane.
pub fn control_plane() -> Value {
    let about = About {
        title: "matchcut: control plane of MRE",
        description: "Content groups, programs, models, plugins, prompts, profiles, events and replays, as AWS Media \
                      Replay Engine has them.",
        root: "/controlplane",
        schemas: errors(),
    };
    document(&about, &operations(&mre::routes(), "/controlplane"))
}

/// The document of the data plane.
pub fn data_plane() -> Value {
    let about = About {
        title: "matchcut: data plane of MRE",
        description: "What events come to, as AWS Media Replay Engine tells it.",
        root: "/dataplane",
        schemas: errors(),
    };
    document(&about, &operations(&mre::data_routes(), "/dataplane"))
}

fn errors() -> Value {
    json!({
        "Error": {
            "type": "object",
            "properties": { "Code": { "type": "string" }, "Message": { "type": "string" } },
            "required": ["Code", "Message"],
        },
    })
}

fn operations(routes: &Routes, root: &str) -> Vec<Operation> {
    let all = routes.described().iter();
    all.map(|described| operation(described, root)).collect()
}

fn operation(described: &Described, root: &str) -> Operation {
    let does = DOES.iter().find(|(id, _)| *id == described.id);
    let tag = described.id.split('.').next().unwrap_or_default();
    let id = described.id.as_str();
    let kind = match (TEXTS.contains(&id), EITHER.contains(&id)) {
        (true, _) => "text/plain",
        (_, true) => "*/*",
        _ => "application/json",
    };
    let mut answers: Vec<Answer> = vec![(200, "Done", Some((kind, Value::Bool(true))))];
    for (status, means) in [
        (400, "Path or body is not as it must be"),
        (401, "A bearer token that is not valid"),
        (403, "No credentials, wrong ones, or a role that may not"),
        (404, "There is no such thing"),
        (409, "It is there already, or in use"),
        (413, "The body is longer than 10 MiB"),
        (429, "Too many requests"),
        (500, "The body is no JSON, or something failed"),
        (503, "The service cannot do it now"),
    ] {
        answers.push((status, means, Some(("application/json", schema("Error")))));
    }
    let text = json!({ "type": "string" });
    let mut parameters = Vec::new();
    if described.method == "GET" && LISTS.contains(&tag) && described.path.ends_with("/all") {
        let means = "true: also what is disabled";
        parameters.push(query("include_disabled", &text, means));
    }
    if tag == "event_lists" && !described.path.contains("future") {
        let all = OF_EVENTS.iter();
        parameters.extend(all.map(|(name, means)| query(name, &text, means)));
    }
    Operation {
        method: described.method.clone(),
        path: described.path.clone(),
        id: described.id.replace('.', "_"),
        summary: does.map_or_else(|| described.id.clone(), |(_, does)| (*does).to_owned()),
        tag: tag.to_owned(),
        role: Role::needed(&described.method, &format!("{root}{}", described.path)).name(),
        parameters,
        bodies: described
            .body
            .map(|body| ("application/json", body()))
            .into_iter()
            .collect(),
        answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_it_does() {
        let (control, data) = (mre::routes(), mre::data_routes());
        let all = || control.described().iter().chain(data.described());
        for described in all() {
            let says = DOES.iter().filter(|(id, _)| *id == described.id).count();
            assert_eq!(says, 1, "{} {}", described.method, described.id);
        }
        for (id, _) in DOES {
            assert!(
                all().any(|described| described.id == *id),
                "{id} is nothing"
            );
        }
        let mut ids: Vec<_> = control.described().iter().map(|one| &one.id).collect();
        let number = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), number, "names are unique");
    }
}
