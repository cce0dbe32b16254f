//! What has to be changed at a channel so that it writes chunks where they are read, and to take that away
//! again. Pure: from the description of a channel to a list of changes and the channel as it will be. Only what
//! bears our name is added, changed or removed; everything else goes back as it came.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// What is sent back of a description.
const KEPT: [&str; 8] = [
    "cdiInputSpecification",
    "destinations",
    "encoderSettings",
    "inputAttachments",
    "inputSpecification",
    "logLevel",
    "name",
    "roleArn",
];

/// What is to be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name of all of it.
    pub name: String,
    /// Where each pipeline writes.
    pub urls: [String; 2],
    /// Length of chunks in seconds.
    pub segment_length: i64,
    /// A video description of the channel that is used; without it there will be one of ours.
    pub video: Option<String>,
}

/// What is done to a part of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is not there yet.
    Add,
    /// It is there in another form.
    Replace,
    /// It is there and is to go.
    Remove,
}

/// A part of a channel that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Where an output group writes.
    Destination,
    /// How pictures are encoded.
    VideoDescription,
    /// What is written, and how it is packed.
    OutputGroup,
}

/// A change of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To what.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// What it says, in a few words.
    pub says: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Add => '+',
            Action::Replace => '~',
            Action::Remove => '-',
        };
        let part = match self.part {
            Part::Destination => "destination",
            Part::VideoDescription => "video description",
            Part::OutputGroup => "output group",
        };
        write!(f, "{sign} {part} \"{}\"", self.name)?;
        match self.says.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.says),
        }
    }
}

/// Changes of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What changes; empty when all is as it should be.
    pub changes: Vec<Change>,
    /// The channel as it will be, as `UpdateChannel` takes it.
    pub body: Json,
}

/// What a channel is, as far as a plan needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelDescription {
    /// Its name.
    pub name: String,
    /// Its state, `IDLE`, `RUNNING` and others.
    pub state: String,
    /// How many pipelines it has.
    pub pipelines: usize,
    /// The names of its output groups.
    pub outputs: Vec<String>,
    /// The names of its input attachments.
    pub inputs: Vec<String>,
    /// The attachment that each pipeline takes its input from, where it is told.
    pub active: Vec<String>,
}

fn list<'a>(json: &'a Json, path: &str) -> &'a [Json] {
    let found = json.pointer(path).and_then(Json::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn names(json: &Json, path: &str, key: &str) -> Vec<String> {
    let all = list(json, path).iter();
    all.map(|one| text(one, key).to_owned()).collect()
}

impl ChannelDescription {
    /// From what the service says.
    pub fn of(channel: &Json) -> Self {
        ChannelDescription {
            name: text(channel, "name").to_owned(),
            state: text(channel, "state").to_owned(),
            pipelines: match text(channel, "channelClass") {
                "SINGLE_PIPELINE" => 1,
                _ => 2,
            },
            outputs: names(channel, "/encoderSettings/outputGroups", "name"),
            inputs: names(channel, "/inputAttachments", "inputAttachmentName"),
            active: names(channel, "/pipelineDetails", "activeInputAttachmentName"),
        }
    }

    /// Whether it can be changed and started.
    pub fn is_idle(&self) -> bool {
        self.state == "IDLE"
    }

    /// Whether it writes.
    pub fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "RUNNING" | "RECOVERING")
    }
}

/// Whether everything that `ours` says stands in `theirs`, which may say more: the service adds defaults, and
/// may leave out what is empty.
fn says(theirs: &Json, ours: &Json) -> bool {
    let empty = |json: &Json| match json {
        Json::Object(map) => map.is_empty(),
        Json::Array(list) => list.is_empty(),
        _ => false,
    };
    match (theirs, ours) {
        (Json::Object(theirs), Json::Object(ours)) => {
            ours.iter().all(|(key, ours)| match theirs.get(key) {
                None | Some(Json::Null) => empty(ours),
                Some(theirs) => says(theirs, ours),
            })
        }
        (Json::Array(theirs), Json::Array(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(t, o)| says(t, o))
        }
        (Json::Number(theirs), Json::Number(ours)) => theirs.as_f64() == ours.as_f64(),
        _ => theirs == ours,
    }
}

/// A list of a channel where a part of ours belongs.
struct Place {
    part: Part,
    path: &'static str,
    key: &'static str,
}

const PLACES: [Place; 3] = [
    Place {
        part: Part::Destination,
        path: "/destinations",
        key: "id",
    },
    Place {
        part: Part::VideoDescription,
        path: "/encoderSettings/videoDescriptions",
        key: "name",
    },
    Place {
        part: Part::OutputGroup,
        path: "/encoderSettings/outputGroups",
        key: "name",
    },
];

/// The parts of ours, in the order of [`PLACES`], with what they say in a few words.
fn parts(channel: &Json, wanted: &Wanted) -> [(String, Option<Json>, String); 3] {
    let name = &wanted.name;
    let own_video = format!("{name}_video");
    let pipelines = ChannelDescription::of(channel).pipelines;
    let urls: Vec<&String> = wanted.urls.iter().take(pipelines).collect();
    let settings: Vec<Json> = urls.iter().map(|url| json!({"url": url})).collect();
    let destination = json!({"id": name, "settings": settings});
    let said = urls.iter().map(|url| url.as_str());
    let said: Vec<&str> = said.collect();
    let video = wanted.video.is_none().then(|| {
        json!({
            "name": own_video,
            "respondToAfd": "NONE",
            "scalingBehavior": "DEFAULT",
            "codecSettings": {"h264Settings": {
                "rateControlMode": "QVBR",
                "qvbrQualityLevel": 8,
                "maxBitrate": 5_000_000,
                "framerateControl": "INITIALIZE_FROM_SOURCE",
                "parControl": "INITIALIZE_FROM_SOURCE",
                "gopSize": 1.0,
                "gopSizeUnits": "SECONDS",
                "gopClosedCadence": 1,
                "gopNumBFrames": 2,
                "sceneChangeDetect": "DISABLED",
                "timecodeInsertion": "DISABLED",
            }},
        })
    });
    let sounds = names(channel, "/encoderSettings/audioDescriptions", "name");
    let used = wanted.video.as_ref().unwrap_or(&own_video);
    let group = json!({
        "name": name,
        "outputGroupSettings": {"hlsGroupSettings": {
            "destination": {"destinationRefId": name},
            "hlsCdnSettings": {"hlsS3Settings": {}},
            "adMarkers": ["ELEMENTAL_SCTE35"],
            "mode": "VOD",
            "outputSelection": "MANIFESTS_AND_SEGMENTS",
            "directoryStructure": "SINGLE_DIRECTORY",
            "tsFileMode": "SEGMENTED_FILES",
            "segmentLength": wanted.segment_length,
            "manifestDurationFormat": "FLOATING_POINT",
            "manifestCompression": "NONE",
            "programDateTime": "INCLUDE",
            "programDateTimePeriod": wanted.segment_length,
            "discontinuityTags": "INSERT",
            "incompleteSegmentBehavior": "AUTO",
            "inputLossAction": "PAUSE_OUTPUT",
            "redundantManifest": "DISABLED",
        }},
        "outputs": [{
            "outputName": format!("{name}_1"),
            "videoDescriptionName": used,
            "audioDescriptionNames": sounds,
            "captionDescriptionNames": [],
            "outputSettings": {"hlsOutputSettings": {
                "nameModifier": "_1",
                "hlsSettings": {"standardHlsSettings": {"m3u8Settings": {
                    "scte35Behavior": "PASSTHROUGH",
                }}},
            }},
        }],
    });
    let heard = match sounds.len() {
        0 => "no sound".to_owned(),
        _ => format!("sound {}", sounds.join(", ")),
    };
    let length = wanted.segment_length;
    let packed = format!("HLS, chunks of {length} s, video {used}, {heard}");
    let encoded = "H.264, QVBR 8 up to 5 Mbit/s, a key frame each second".to_owned();
    [
        (name.clone(), Some(destination), said.join(", ")),
        (own_video, video, encoded),
        (name.clone(), Some(group), packed),
    ]
}

/// What is sent back of a description.
fn kept(channel: &Json) -> Json {
    let mut body = Map::new();
    for key in KEPT {
        if let Some(value) = channel.get(key).filter(|value| !value.is_null()) {
            body.insert(key.to_owned(), value.clone());
        }
    }
    Json::Object(body)
}

/// Refuses what bears our name and was not made by us.
fn check(channel: &Json, name: &str) -> Result<(), String> {
    let groups = list(channel, "/encoderSettings/outputGroups").iter();
    let path = "/outputGroupSettings/hlsGroupSettings/destination/destinationRefId";
    for group in groups {
        let writes_to = group.pointer(path).and_then(Json::as_str);
        let (bears, goes) = (text(group, "name") == name, writes_to == Some(name));
        if bears && !goes {
            return Err(format!(
                "the channel has an output group \"{name}\" that matchcut did not make (it does not write to \
                 the destination \"{name}\"); choose another name by \"output\""
            ));
        }
        if goes && !bears {
            return Err(format!(
                "the output group \"{}\" of the channel writes to the destination \"{name}\"; choose another \
                 name by \"output\"",
                text(group, "name")
            ));
        }
    }
    let video = format!("{name}_video");
    let groups = list(channel, "/encoderSettings/outputGroups").iter();
    for group in groups.filter(|group| text(group, "name") != name) {
        let uses = |output: &Json| text(output, "videoDescriptionName") == video;
        if list(group, "/outputs").iter().any(uses) {
            return Err(format!(
                "the output group \"{}\" of the channel uses the video description \"{video}\"; choose another \
                 name by \"output\"",
                text(group, "name")
            ));
        }
    }
    Ok(())
}

fn at<'a>(body: &'a mut Json, path: &str) -> Result<&'a mut Vec<Json>, String> {
    let (parent, key) = path.rsplit_once('/').unwrap_or_default();
    let parent = match parent {
        "" => Some(&mut *body),
        parent => body.pointer_mut(parent),
    };
    let parent = parent.and_then(Json::as_object_mut);
    let parent = parent.ok_or("the channel has no encoder settings")?;
    let list = parent.entry(key).or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut()
        .ok_or_else(|| format!("{path} of the channel is no list"))
}

/// What has to be changed so that a channel writes what is wanted.
pub fn attach(channel: &Json, wanted: &Wanted) -> Result<Plan, String> {
    check(channel, &wanted.name)?;
    if let Some(video) = &wanted.video {
        let known = names(channel, "/encoderSettings/videoDescriptions", "name");
        if !known.contains(video) {
            return Err(format!(
                "the channel has no video description \"{video}\"; it has {}",
                known.join(", ")
            ));
        }
    }
    let mut body = kept(channel);
    let mut changes = Vec::new();
    for (place, (name, part, what)) in PLACES.iter().zip(parts(channel, wanted)) {
        let list = at(&mut body, place.path)?;
        let found = list.iter().position(|one| text(one, place.key) == name);
        let mut change = |action, says| {
            let (part, name) = (place.part, name.clone());
            changes.push(Change {
                action,
                part,
                name,
                says,
            });
        };
        match (found.and_then(|index| list.get_mut(index)), part) {
            (Some(there), Some(part)) => {
                if !says(there, &part) {
                    *there = part;
                    change(Action::Replace, what);
                }
            }
            (None, Some(part)) => {
                list.push(part);
                change(Action::Add, what);
            }
            (Some(_), None) => {
                list.retain(|one| text(one, place.key) != name);
                change(Action::Remove, String::new());
            }
            (None, None) => {}
        }
    }
    Ok(Plan { changes, body })
}

/// What has to be changed so that nothing of ours is left.
pub fn detach(channel: &Json, wanted: &Wanted) -> Result<Plan, String> {
    check(channel, &wanted.name)?;
    let mut body = kept(channel);
    let mut changes = Vec::new();
    // What refers to another part goes before it.
    for (place, (name, ..)) in PLACES.iter().zip(parts(channel, wanted)).rev() {
        let list = at(&mut body, place.path)?;
        let before = list.len();
        list.retain(|one| text(one, place.key) != name);
        if list.len() < before {
            changes.push(Change {
                action: Action::Remove,
                part: place.part,
                name,
                says: String::new(),
            });
        }
    }
    let left = list(&body, "/encoderSettings/outputGroups");
    if !changes.is_empty() && left.is_empty() {
        return Err(
            "the channel would have no output left, and MediaLive allows none without: delete the channel, or \
             give it another output first"
                .to_owned(),
        );
    }
    Ok(Plan { changes, body })
}

/// The schedule that switches to an input at once; `known` are the names of the actions that there are.
pub fn switch(name: &str, input: &str, url: Option<&str>, known: &[String]) -> Json {
    let action = format!("{name}-input");
    let mut settings = json!({"inputAttachmentNameReference": input});
    if let Some(url) = url {
        settings["urlPath"] = json!([url]);
    }
    let mut body = json!({"creates": {"scheduleActions": [{
        "actionName": action,
        "scheduleActionStartSettings": {"immediateModeScheduleActionStartSettings": {}},
        "scheduleActionSettings": {"inputSwitchSettings": settings},
    }]}});
    if known.contains(&action) {
        body["deletes"] = json!({"actionNames": [action]});
    }
    body
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
