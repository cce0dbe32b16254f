//! The paths under which MRE's libraries ask. They take nothing for the address of a plane but what looks like one of
//! API Gateway (`….execute-api.REGION.amazonaws.com/api/`), and put a path that begins with a slash behind it; so
//! a name of that form stands in the path here, and slashes that are doubled count as one.

use axum::Router;
use axum::extract::Request;
use axum::http::Extensions;
use axum::http::uri::{PathAndQuery, Uri};
use tower::Layer;
use tower::util::MapRequestLayer;

/// The two planes.
const PLANES: [&str; 2] = ["controlplane", "dataplane"];

/// What is between the name of a plane and a region, and behind it.
const GATEWAY: &str = ".execute-api.";
const DOMAIN: &str = ".amazonaws.com";

/// The path as the client wrote it: that is what it has signed.
#[derive(Clone)]
struct AsAsked(String);

/// The path that the client wrote, where another one is served.
pub fn as_asked(extensions: &Extensions) -> Option<&str> {
    extensions
        .get::<AsAsked>()
        .map(|AsAsked(path)| path.as_str())
}

/// Where a client of a region is told that a plane is; `base` is the address of this server.
pub fn address(base: &str, plane: &str, region: Option<&str>) -> String {
    // Where the server has such a name itself, nothing needs to look like one.
    match region.filter(|_| !base.contains(GATEWAY)) {
        Some(region) => format!("{base}/{plane}{GATEWAY}{region}{DOMAIN}/api/"),
        None => format!("{base}/{plane}/"),
    }
}

/// The same routes, found under all these paths.
pub fn found_by_all(routes: Router) -> Router {
    Router::new().fallback_service(MapRequestLayer::new(plain).layer(routes))
}

fn plain<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let Some(served) = served(path).filter(|served| served != path) else {
        return request;
    };
    let asked = AsAsked(path.to_owned());
    let with_query = match request.uri().query() {
        Some(query) => format!("{served}?{query}"),
        None => served,
    };
    let mut parts = request.uri().clone().into_parts();
    let Ok(path) = PathAndQuery::try_from(with_query) else {
        return request;
    };
    parts.path_and_query = Some(path);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(asked);
    }
    request
}

/// The path of a plane as it is served.
fn served(path: &str) -> Option<String> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let first = parts.next()?;
    let (plane, gateway) = match first.split_once(GATEWAY) {
        Some((plane, rest)) if rest.ends_with(DOMAIN) => (plane, true),
        _ => (first, false),
    };
    if !PLANES.contains(&plane) {
        return None;
    }
    if gateway {
        parts.next_if(|part| *part == "api");
    }
    let rest: Vec<&str> = parts.collect();
    let mut served = format!("/{plane}/{}", rest.join("/"));
    if rest.is_empty() || !path.ends_with('/') {
        return Some(served);
    }
    served.push('/');
    Some(served)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mres_libraries_are_those_of_the_planes() {
        let served = |path: &str| served(path).unwrap_or_default();
        let told = address("http://h:1", "dataplane", Some("eu-central-1"));
        assert_eq!(
            told,
            "http://h:1/dataplane.execute-api.eu-central-1.amazonaws.com/api/"
        );
        let (_, path) = told.split_once(":1").unwrap();
        for rest in ["version", "/version", "//version"] {
            assert_eq!(served(&format!("{path}{rest}")), "/dataplane/version");
        }
        assert_eq!(
            served("/controlplane//event/a%2Fb"),
            "/controlplane/event/a%2Fb"
        );
        assert_eq!(served("/dataplane/version/"), "/dataplane/version/");
        assert_eq!(served("/dataplane"), "/dataplane/");
        for other in [
            "/api/v1//events",
            "/",
            "/x.execute-api.y.amazonaws.com/api/version",
        ] {
            assert_eq!(served(other), "", "{other}");
        }
        let own = "https://mre.execute-api.eu-west-1.amazonaws.com/api";
        assert_eq!(
            address(own, "controlplane", Some("eu-west-1")),
            format!("{own}/controlplane/")
        );
        assert_eq!(
            address("http://h", "dataplane", None),
            "http://h/dataplane/"
        );
    }
}
