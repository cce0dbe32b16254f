//! Who is asked: a function, or whoever fetches the work. Both find what the plugin may ask for at the desk of the
//! event, and both may save results there.

use matchcut_aws::{AwsOptions, wait};
use serde_json::{Value as Json, json};

use super::options::PluginOptions;
use crate::board::{self, Row, Task, View};
use crate::hosts::lambda::{Clients, failed};
use crate::sdk::AttributeSpec;

/// How one operator asks.
pub(super) struct Asking {
    pub(super) own: PluginOptions,
    pub(super) attributes: Vec<AttributeSpec>,
    clients: Clients,
}

impl Asking {
    pub(super) fn new(own: PluginOptions, attributes: Vec<AttributeSpec>, aws: AwsOptions) -> Self {
        let clients = Clients::new(&own.lambda(), aws);
        Asking {
            own,
            attributes,
            clients,
        }
    }

    /// What is said of a chunk, or of a track of it: `payload` is what MRE would invoke the plugin with.
    pub(super) fn ask(
        &self,
        payload: &Json,
        chunk: u64,
        track: Option<u32>,
        view: View,
    ) -> Result<Vec<Row>, String> {
        let plugin = self.own.plugin();
        let mut payload = payload.clone();
        if let (Some(track), Some(payload)) = (track, payload.as_object_mut()) {
            payload.insert("TrackNumber".to_owned(), json!(track));
        }
        let task = Task {
            operator: operator_of(&plugin),
            plugin,
            chunk,
            track,
            payload,
            view,
        };
        match self.own.function {
            None => board::ask(self.own.names(), task, self.own.patience()),
            Some(_) => self.invoke(task),
        }
    }

    fn invoke(&self, task: Task) -> Result<Vec<Row>, String> {
        let (function, _) = self.clients.get().map_err(|error| error.to_string())?;
        let question = task.payload.to_string().into_bytes();
        let (returned, saved) = board::beside(self.own.names(), task, || {
            let returned = wait(function.invoke(question)).map_err(|error| error.to_string())?;
            match failed(&returned) {
                Some((message, _)) => Err(message),
                None => Ok(returned.payload),
            }
        })?;
        match saved.is_empty() {
            false => Ok(saved),
            true => rows_of(&returned),
        }
    }
}

/// The rows that a function returned.
fn rows_of(returned: &[u8]) -> Result<Vec<Row>, String> {
    let returned: Json = serde_json::from_slice(returned)
        .map_err(|error| format!("what it returned is not JSON: {error}"))?;
    let output = returned.get("Output");
    let status = output.and_then(|output| output.get("Status")?.as_str());
    if let Some(status) = status.filter(|status| !status.eq_ignore_ascii_case("complete")) {
        return Err(format!("it reports the status {status}, not Complete"));
    }
    let rows = output.and_then(|output| output.get("Results")?.as_array());
    let rows = rows.ok_or("it returned no Output.Results")?;
    let rows = rows.iter().map(|row| {
        let row = row.as_object().cloned();
        row.ok_or_else(|| "a result is no object".to_owned())
    });
    rows.collect()
}

/// The operator that a plugin is, by its name.
pub(super) fn operator_of(plugin: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let letter = |letter: char| if plain(letter) { letter } else { '_' };
    plugin.chars().map(letter).collect()
}
