//! A chunk is laid down for programs to fetch. A featurer that reads no other is asked about it at once, beside
//! decoding; for all others it only becomes what they are told of it, which their ordered part passes on.

use std::sync::Arc;

use matchcut_aws::S3Address;
use matchcut_model::chunk::{PlacedChunk, TrackNumber};
use serde_json::{Value as Json, json};

use super::asking::Asking;
use super::options::PluginOptions;
use crate::board::{self, View};
use crate::hosts::lambda::{Place, Shape, payload, stream_start};
use crate::sdk::{ChunkMedia, ChunkScanner, signature_of};

pub(super) struct Chunks(pub(super) Arc<Asking>);

impl ChunkScanner for Chunks {
    fn at_once(&self) -> usize {
        self.0.own.concurrency
    }

    fn scan(
        &self,
        placed: &PlacedChunk,
        track: Option<TrackNumber>,
        media: &dyn ChunkMedia,
    ) -> Result<Vec<u8>, String> {
        let Asking {
            own, attributes, ..
        } = &*self.0;
        let id = board::id(own.names())?;
        let file = media.file()?;
        // MRE reads the number of a chunk behind the last underscore of its name, and refuses 0.
        let number = placed.chunk.position.0.saturating_add(1);
        let name = format!("chunk_{number:05}.{}", file.extension);
        let frames = (0..placed.frames.len())
            .filter_map(|index| placed.frames.get(index))
            .map(|frame| {
                let (time, pts) = (frame.time, frame.pts.time());
                (time.as_seconds_f64(), pts.as_seconds_f64())
            });
        board::lay_chunk(own.names(), &name, &file.bytes, frames.collect())?;
        let object = S3Address {
            bucket: id,
            key: format!("chunks/{name}"),
        };
        let place = Place {
            object,
            staged: false,
        };
        let payload = told(own, payload(&own.lambda(), placed, track, &place));
        if own.ordered() {
            return serde_json::to_vec(&payload).map_err(|error| error.to_string());
        }
        let track = track.map(|track| track.0);
        let rows = self.0.ask(&payload, number, track, View::default())?;
        let shape = Shape {
            attributes,
            time_base: own.lambda().time_base,
            stream_start: stream_start(&payload).unwrap_or_default(),
            placed,
        };
        let mut said = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let row = shape.row(row);
            said.push(row.map_err(|why| format!("result {}: {why}", number + 1))?);
        }
        signature_of(said)
    }
}

/// The payload with what the plugin is, and what it reads.
pub(super) fn told(own: &PluginOptions, mut payload: Json) -> Json {
    let class = own.mre_class();
    let names: Vec<&str> = own.dependents.iter().map(|one| one.name.as_str()).collect();
    if let Some(plugin) = payload.get_mut("Plugin") {
        plugin["Class"] = json!(class);
        plugin["DependentPlugins"] = json!(names);
        if !own.mre_outputs.is_empty() {
            plugin["OutputAttributes"] = json!(own.mre_outputs);
        }
    }
    let Some(profile) = payload.get_mut("Profile").and_then(Json::as_object_mut) else {
        return payload;
    };
    if !own.mre_parts.is_empty() {
        for slot in ["Classifier", "Featurers"] {
            profile.remove(slot);
        }
        profile.extend(own.mre_parts.clone());
        return payload;
    }
    let dependents: Vec<Json> = names
        .iter()
        .map(|name| {
            json!({
                "Name": name,
                "Configuration": {},
                "DependentFor": [own.plugin()],
                "Level": 1,
                "SupportedMediaType": "Video",
            })
        })
        .collect();
    let own = json!({
        "Name": own.plugin(),
        "Configuration": own.configuration,
        "DependentPlugins": dependents,
    });
    match class {
        "Featurer" => profile.insert("Featurers".to_owned(), json!([own])),
        slot => {
            profile.remove("Featurers");
            profile.insert(slot.to_owned(), own)
        }
    };
    payload
}
