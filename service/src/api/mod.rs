//! Our own REST API, under `/api/v1`: events are run, stopped, gone on with and removed, and what they come to is read
//! while they run and afterwards. Errors are problem details.

mod changes;
mod channel;
mod events;
mod feedback;
pub(crate) mod files;
mod folded;
mod graph;
mod problem;
mod replays;
mod results;
mod urls;
mod variables;
mod work;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use crate::context::App;
use crate::openapi::own::{Gives, Takes};
use crate::runs::Runs;
use crate::store::runs::Run;

pub use files::{chunk_of, chunks_of, find as file_of, is_plain};
pub use folded::Folds;
pub use problem::Problem;
pub use results::{segments_of, standing};
pub use urls::lasting;

/// Where it is.
pub const ROOT: &str = "/api/v1";

/// The longest id of an event.
const LONGEST: usize = 100;

/// A method of a path: how it is answered, and what is said of it in the document of the API.
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, below the root.
    pub path: &'static str,
    /// Its name.
    pub id: &'static str,
    /// What it does.
    pub does: &'static str,
    /// What its body is.
    pub takes: Takes,
    /// What it answers.
    pub gives: Gives,
    /// Who answers.
    pub serve: fn() -> MethodRouter<App>,
}

/// All of them.
pub const OPERATIONS: &[Route] = &[
    Route {
        method: "POST",
        path: "/events",
        id: "create_event",
        does: "Have an event run",
        takes: Takes::Event,
        gives: Gives::Accepted("Event"),
        serve: || post(events::create),
    },
    Route {
        method: "GET",
        path: "/events",
        id: "list_events",
        does: "Events, the newest first",
        takes: Takes::Nothing,
        gives: Gives::Found("Events"),
        serve: || get(events::list),
    },
    Route {
        method: "GET",
        path: "/events/{id}",
        id: "get_event",
        does: "An event",
        takes: Takes::Nothing,
        gives: Gives::Found("Event"),
        serve: || get(events::one),
    },
    Route {
        method: "DELETE",
        path: "/events/{id}",
        id: "delete_event",
        does: "Stop an event and remove all that it came to, here and from the topics and buckets of its sinks",
        takes: Takes::Nothing,
        gives: Gives::Begun,
        serve: || delete(events::remove),
    },
    Route {
        method: "GET",
        path: "/removals",
        id: "list_removals",
        does: "Events that are being removed, and what is waited for",
        takes: Takes::Nothing,
        gives: Gives::Found("Removals"),
        serve: || get(events::removals),
    },
    Route {
        method: "POST",
        path: "/events/{id}/stop",
        id: "stop_event",
        does: "Read the source of an event no further",
        takes: Takes::Nothing,
        gives: Gives::Accepted("Event"),
        serve: || post(events::stop),
    },
    Route {
        method: "POST",
        path: "/events/{id}/end",
        id: "end_event",
        does: "End an event where it is",
        takes: Takes::Nothing,
        gives: Gives::Accepted("Event"),
        serve: || post(events::end),
    },
    Route {
        method: "POST",
        path: "/events/{id}/resume",
        id: "resume_event",
        does: "Go on with an event that was stopped or has failed",
        takes: Takes::Nothing,
        gives: Gives::Accepted("Event"),
        serve: || post(events::resume),
    },
    Route {
        method: "POST",
        path: "/events/{id}/feedback",
        id: "say",
        does: "Say something of an event",
        takes: Takes::Lines,
        gives: Gives::Accepted("Heard"),
        serve: || post(feedback::say),
    },
    Route {
        method: "GET",
        path: "/events/{id}/graph",
        id: "get_graph",
        does: "What an event consists of: its operators and replays",
        takes: Takes::Nothing,
        gives: Gives::Found("Graph"),
        serve: || get(graph::graph),
    },
    Route {
        method: "GET",
        path: "/events/{id}/segments",
        id: "list_segments",
        does: "The segments of an event",
        takes: Takes::Nothing,
        gives: Gives::Found("Segments"),
        serve: || get(results::segments),
    },
    Route {
        method: "GET",
        path: "/events/{id}/clips",
        id: "list_clips",
        does: "The clips of an event",
        takes: Takes::Nothing,
        gives: Gives::Found("Clips"),
        serve: || get(results::clips),
    },
    Route {
        method: "GET",
        path: "/events/{id}/replays",
        id: "list_replays",
        does: "The replays of an event, with what they show now",
        takes: Takes::Nothing,
        gives: Gives::Found("Replays"),
        serve: || get(results::replays),
    },
    Route {
        method: "GET",
        path: "/events/{id}/replays/{name}",
        id: "get_replay",
        does: "A replay, with what it shows now",
        takes: Takes::Nothing,
        gives: Gives::Found("Replay"),
        serve: || get(results::replay),
    },
    Route {
        method: "PUT",
        path: "/events/{id}/replays/{name}",
        id: "ask_for_replay",
        does: "Ask for a replay, or for another under its name, at any time",
        takes: Takes::Replay,
        gives: Gives::Accepted("Asked"),
        serve: || put(replays::ask),
    },
    Route {
        method: "DELETE",
        path: "/events/{id}/replays/{name}",
        id: "withdraw_replay",
        does: "Take back a replay",
        takes: Takes::Nothing,
        gives: Gives::Begun,
        serve: || delete(replays::withdraw),
    },
    Route {
        method: "GET",
        path: "/events/{id}/variables",
        id: "get_variables",
        does: "The context variables of an event, with a tag of what they hold",
        takes: Takes::Nothing,
        gives: Gives::Found("Variables"),
        serve: || get(variables::read),
    },
    Route {
        method: "PUT",
        path: "/events/{id}/variables",
        id: "put_variables",
        does: "Replace all context variables of an event, if they are still those that were read",
        takes: Takes::Variables,
        gives: Gives::Found("Variables"),
        serve: || put(variables::replace),
    },
    Route {
        method: "PATCH",
        path: "/events/{id}/variables",
        id: "patch_variables",
        does: "Change some context variables of an event, if all are still those that were read; null removes one",
        takes: Takes::Variables,
        gives: Gives::Found("Variables"),
        serve: || patch(variables::merge),
    },
    Route {
        method: "GET",
        path: "/events/{id}/changes",
        id: "follow_changes",
        does: "What changes: segments, replays and clips, as server-sent events or over a WebSocket",
        takes: Takes::Nothing,
        gives: Gives::Stream,
        serve: || get(changes::changes),
    },
    Route {
        method: "GET",
        path: "/events/{id}/log",
        id: "follow_log",
        does: "What it follows from: chunks, gaps, observations and errors, in the same way",
        takes: Takes::Nothing,
        gives: Gives::Stream,
        serve: || get(changes::log),
    },
    Route {
        method: "GET",
        path: "/events/{id}/files/{*path}",
        id: "read_file",
        does: "A file of an event",
        takes: Takes::Nothing,
        gives: Gives::Bytes,
        serve: || get(files::file),
    },
    Route {
        method: "GET",
        path: "/events/{id}/chunks/{name}",
        id: "read_chunk",
        does: "A chunk of the source of an event, as plugins outside read it",
        takes: Takes::Nothing,
        gives: Gives::Bytes,
        serve: || get(files::chunk),
    },
    Route {
        method: "POST",
        path: "/events/{id}/urls",
        id: "make_url",
        does: "An address that opens one file, or a stream of changes, for a while, without credentials",
        takes: Takes::Url,
        gives: Gives::Found("Url"),
        serve: || post(urls::make),
    },
    Route {
        method: "GET",
        path: "/events/{id}/work",
        id: "take_work",
        does: "Take what a plugin outside is to do",
        takes: Takes::Nothing,
        gives: Gives::Work,
        serve: || get(work::take),
    },
    Route {
        method: "POST",
        path: "/events/{id}/work/{task}",
        id: "finish_work",
        does: "Hand back what a plugin outside returned",
        takes: Takes::Returned,
        gives: Gives::Nothing,
        serve: || post(work::finish),
    },
];

/// All routes.
pub fn routes() -> Router<App> {
    let route = |router: Router<App>, route: &Route| router.route(route.path, (route.serve)());
    OPERATIONS.iter().fold(Router::new(), route)
}

/// What stands in a path: the id of an event, and perhaps a name behind it.
pub struct Named {
    /// The id, which has the form of one.
    pub id: String,
    /// What is behind it; empty where there is nothing.
    pub rest: String,
}

impl FromRequestParts<App> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Named, Problem> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|error| Problem::bad_request(error.to_string()))?;
        let mut params = params.iter().map(|(_, value)| value.to_owned());
        let id = params.next().unwrap_or_default();
        if !is_id(&id) {
            return Err(Problem::not_found(format!("there is no event \"{id}\"")));
        }
        let rest = params.next().unwrap_or_default();
        Ok(Named { id, rest })
    }
}

/// Whether a text can be the id of an event. It names a directory, also where letters have no case.
pub(crate) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST).contains(&text.len()) && !text.starts_with(['.', '-']) && text.bytes().all(plain)
}

/// Does what may take a while where it holds up nobody.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Runs) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let runs = app.context.runs.clone();
    let done = tokio::task::spawn_blocking(move || work(&runs)).await;
    done.unwrap_or_else(|error| Err(Problem::internal(&error)))
}

/// The event of an id.
async fn event(app: &App, id: String) -> Result<Run, Problem> {
    blocking(app, move |runs| Ok(runs.get(&id)?)).await
}

/// In what form a body is.
enum Kind {
    Json,
    Toml,
}

impl Kind {
    /// By the headers of a request; JSON where they say nothing.
    fn of(headers: &HeaderMap) -> Result<Kind, Problem> {
        let kind = match headers.get(CONTENT_TYPE).map(|kind| kind.to_str()) {
            Some(Ok(kind)) => kind.split(';').next().unwrap_or_default().trim(),
            Some(Err(_)) => return Err(not_this_type("that")),
            None => return Ok(Kind::Json),
        };
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Kind::Json),
            "application/toml" => Ok(Kind::Toml),
            other => Err(not_this_type(other)),
        }
    }
}

/// Refuses a body that is not JSON.
fn only_json(headers: &HeaderMap) -> Result<(), Problem> {
    match Kind::of(headers)? {
        Kind::Json => Ok(()),
        Kind::Toml => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is application/json",
        )),
    }
}

/// 415.
fn not_this_type(found: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("a body is application/json or application/toml, not {found}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_a_directory_and_nothing_above_it() {
        assert!(is_id("final-2026_07.12") && is_id("a") && is_id(&"a".repeat(LONGEST)));
        for text in ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\0", "%2e"] {
            assert!(!is_id(text), "{text}");
        }
        assert!(!is_id(&"a".repeat(LONGEST + 1)));
    }
}
