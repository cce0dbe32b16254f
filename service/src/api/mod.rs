//! Our own REST API, under `/api/v1`: events are run, stopped, gone on with and removed, and what they come to is read
//! while they run and afterwards. Errors are problem details.

mod changes;
mod channel;
mod events;
mod feedback;
mod files;
mod problem;
mod results;
mod urls;
mod work;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post};

use crate::context::App;
use crate::runs::Runs;
use crate::store::runs::Run;

pub use files::{chunk_of, chunks_of, find as file_of, is_plain};
pub use problem::Problem;
pub use results::{segments_of, standing};
pub use urls::lasting;

/// Where it is.
pub const ROOT: &str = "/api/v1";

/// The longest id of an event.
const LONGEST: usize = 100;

/// All routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/events", get(events::list).post(events::create))
        .route("/events/{id}", get(events::one).delete(events::remove))
        .route("/events/{id}/stop", post(events::stop))
        .route("/events/{id}/end", post(events::end))
        .route("/events/{id}/resume", post(events::resume))
        .route("/events/{id}/feedback", post(feedback::say))
        .route("/events/{id}/segments", get(results::segments))
        .route("/events/{id}/clips", get(results::clips))
        .route("/events/{id}/replays", get(results::replays))
        .route("/events/{id}/replays/{name}", get(results::replay))
        .route("/events/{id}/changes", get(changes::follow))
        .route("/events/{id}/files/{*path}", get(files::file))
        .route("/events/{id}/chunks/{name}", get(files::chunk))
        .route("/events/{id}/urls", post(urls::make))
        .route("/events/{id}/work", get(work::take))
        .route("/events/{id}/work/{task}", post(work::finish))
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
fn is_id(text: &str) -> bool {
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
