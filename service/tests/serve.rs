//! The service over real HTTP: signed by AWS's own library, and without a signature.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use matchcut_service::{Access, NewAccess, Role};
use reqwest::{Method, StatusCode};
use serde_json::json;
use support::{Server, error};

fn model(endpoint: &str) -> String {
    json!({
        "Name": "Faces / v2",
        "ContentGroups": ["Tennis", "Football"],
        "Endpoint": endpoint,
        "PluginClass": "Featurer",
    })
    .to_string()
}

#[tokio::test]
async fn versions_are_published_read_switched_and_deleted() {
    let server = Server::start(false);
    let key = server.key(Role::Admin);
    let ask = async |method: Method, path: &str, body: &str| {
        let path = format!("/controlplane{path}");
        server.ask(Some(&key), method, &path, body).await
    };
    for number in 1..=3 {
        let published = ask(
            Method::POST,
            "/model",
            &model(&format!("endpoint-{number}")),
        )
        .await;
        let version = format!("v{number}");
        assert_eq!(
            published,
            (
                StatusCode::OK,
                json!({ "Name": "Faces / v2", "Version": version })
            )
        );
    }
    let path = "/model/Faces%20%2F%20v2";
    let (status, mut newest) = ask(Method::GET, path, "").await;
    assert_eq!(status, StatusCode::OK);
    let created = newest.as_object_mut().unwrap().remove("Created").unwrap();
    assert_eq!(created.as_str().unwrap().len(), 20);
    assert_eq!(
        newest,
        json!({
            "Name": "Faces / v2",
            "Version": "v0",
            "Description": "",
            "ContentGroups": ["Tennis", "Football"],
            "Endpoint": "endpoint-3",
            "PluginClass": "Featurer",
            "Enabled": true,
            "Latest": 3,
        })
    );
    let (_, second) = ask(Method::GET, &format!("{path}/version/v2"), "").await;
    assert_eq!(second["Endpoint"], "endpoint-2");
    assert_eq!(second.get("Latest"), None);
    let names = async |path: &str| -> Vec<String> {
        let (status, rows) = ask(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["Version"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&format!("{path}/version/all")).await,
        ["v1", "v2", "v3"]
    );
    for (path, expected) in [
        ("/model/all", 1),
        ("/model/contentgroup/Tennis/all", 1),
        ("/model/contentgroup/Golf/all", 0),
        ("/model/pluginclass/Featurer/all", 1),
        ("/model/pluginclass/Labeler/all", 0),
        ("/model/pluginclass/Featurer/contentgroup/Football/all", 1),
    ] {
        assert_eq!(names(path).await.len(), expected, "{path}");
    }
    let (_, groups) = ask(Method::GET, "/contentgroup/all", "").await;
    assert_eq!(
        groups,
        json!([{ "Name": "Football" }, { "Name": "Tennis" }])
    );

    // A version alone, then the newest with v0.
    let off = r#"{"Enabled": false}"#;
    let done = (StatusCode::OK, json!({}));
    assert_eq!(
        ask(Method::PUT, &format!("{path}/version/v3/status"), off).await,
        done
    );
    assert_eq!(names("/model/all").await, ["v0"]);
    assert_eq!(ask(Method::PUT, &format!("{path}/status"), off).await, done);
    assert_eq!(names("/model/all").await, Vec::<String>::new());
    assert_eq!(names("/model/all?include_disabled=true").await, ["v0"]);

    let refused = |message: &str| (StatusCode::BAD_REQUEST, error("BadRequestError", message));
    assert_eq!(
        ask(Method::DELETE, &format!("{path}/version/v0"), "").await,
        refused("Deletion of version 'v0' of the model is prohibited")
    );
    assert_eq!(
        ask(Method::DELETE, &format!("{path}/version/v3"), "").await,
        refused(
            "Deletion of version 'v3' of the model is blocked as it is the latest model revision. \
             Publish a new version to unblock the deletion of version 'v3'"
        )
    );
    assert_eq!(
        ask(Method::DELETE, &format!("{path}/version/v1"), "").await,
        done
    );
    let missing = error(
        "NotFoundError",
        "Machine Learning model endpoint 'Faces / v2' with version 'V1' not found",
    );
    let gone = ask(Method::DELETE, &format!("{path}/version/V1"), "").await;
    assert_eq!(gone, (StatusCode::NOT_FOUND, missing));
    assert_eq!(names(&format!("{path}/version/all")).await, ["v2", "v3"]);
    assert_eq!(ask(Method::DELETE, path, "").await, done);
    let missing = error(
        "NotFoundError",
        "Machine Learning model endpoint 'Faces / v2' not found",
    );
    assert_eq!(
        ask(Method::GET, path, "").await,
        (StatusCode::NOT_FOUND, missing)
    );
}

#[tokio::test]
async fn each_role_may_what_it_may_and_a_lost_key_nothing() {
    let server = Server::start(false);
    let groups = "/controlplane/contentgroup/all";
    let forbidden = |message: &str| (StatusCode::FORBIDDEN, error("ForbiddenError", message));
    assert_eq!(
        server.ask(None, Method::GET, groups, "").await,
        forbidden("Missing Authentication Token")
    );
    let viewer = server.key(Role::Viewer);
    let read = server.ask(Some(&viewer), Method::GET, groups, "").await;
    assert_eq!(read, (StatusCode::OK, json!([])));
    let path = "/controlplane/contentgroup/Tennis";
    for role in [Role::Viewer, Role::Editor, Role::Operator] {
        let key = server.key(role);
        let refused = format!("This access key has the role {role}, and PUT {path} needs admin");
        assert_eq!(
            server.ask(Some(&key), Method::PUT, path, "").await,
            forbidden(&refused)
        );
    }
    let admin = server.key(Role::Admin);
    let put = server.ask(Some(&admin), Method::PUT, path, "").await;
    assert_eq!(put, (StatusCode::OK, json!({})));

    let wrong = NewAccess {
        id: admin.id.clone(),
        secret: viewer.secret.clone(),
    };
    let (status, told) = server.ask(Some(&wrong), Method::GET, groups, "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let told = told["Message"].as_str().unwrap();
    assert!(
        told.starts_with("The request signature we calculated does not match"),
        "{told}"
    );
    Access::open(server.data.path())
        .unwrap()
        .remove(&admin.id)
        .unwrap();
    assert_eq!(
        server.ask(Some(&admin), Method::GET, groups, "").await,
        forbidden("The security token included in the request is invalid.")
    );
}

#[tokio::test]
async fn without_credentials_only_this_machine_is_served_and_wrong_ones_are_refused_there_too() {
    let server = Server::start(true);
    let path = "/controlplane/program/Wimbledon%20Final";
    let put = server.ask(None, Method::PUT, path, "").await;
    assert_eq!(put, (StatusCode::OK, json!({})));
    let unknown = NewAccess {
        id: "NOBODY".to_owned(),
        secret: "nothing".to_owned(),
    };
    let (status, _) = server.ask(Some(&unknown), Method::PUT, path, "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let url = format!("http://{}{path}", server.address);
    let page = server
        .client
        .put(&url)
        .header("origin", "https://news.example");
    assert_eq!(page.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let bearer = server.client.put(&url).bearer_auth("abc");
    assert_eq!(bearer.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let (_, programs) = server
        .ask(None, Method::GET, "/controlplane/program/all", "")
        .await;
    assert_eq!(programs, json!([{ "Name": "Wimbledon Final" }]));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_too_large_413() {
    let server = Server::start(true);
    let ask = async |method, path: &str, body: &str| server.ask(None, method, path, body).await;
    let nothing = (
        StatusCode::NOT_FOUND,
        error("NotFoundError", "There is no such path"),
    );
    for path in [
        "/controlplane/",
        "/controlplane/workflow/executions",
        "/dataplane/media/bucket",
        "/x",
    ] {
        assert_eq!(ask(Method::GET, path, "").await, nothing, "{path}");
    }
    let method = ask(Method::PATCH, "/controlplane/model", "").await;
    assert_eq!(
        method,
        (
            StatusCode::METHOD_NOT_ALLOWED,
            error(
                "MethodNotAllowedError",
                "This path does not know this method"
            )
        )
    );
    let limit = 10 * 1024 * 1024;
    let template = |length: usize| {
        let empty =
            json!({ "Name": "Long", "ContentGroups": ["News"], "Template": "" }).to_string();
        let text = "x".repeat(length - empty.len());
        json!({ "Name": "Long", "ContentGroups": ["News"], "Template": text }).to_string()
    };
    let (status, told) = ask(Method::POST, "/controlplane/prompt", &template(limit + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        told,
        error(
            "PayloadTooLargeError",
            "Payload Too Large: a body holds at most 10485760 bytes"
        )
    );
    let (status, told) = ask(Method::POST, "/controlplane/prompt", &template(limit)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(told["Message"].as_str().unwrap().ends_with("' is too long"));

    let (status, page) = ask(Method::GET, "/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    let page = page.as_str().unwrap();
    // At least: other tests count in the same process.
    let counted = |labels: &str| -> u64 {
        let series = format!("matchcut_http_requests_total{{{labels}}} ");
        let found = page.lines().find_map(|line| line.strip_prefix(&series));
        found.map_or(0, |value| value.parse().unwrap())
    };
    for (labels, least) in [
        (
            r#"route="/controlplane/prompt",method="POST",status="413""#,
            1,
        ),
        (
            r#"route="/controlplane/prompt",method="POST",status="400""#,
            1,
        ),
        (r#"route="none",method="GET",status="404""#, 4),
    ] {
        assert!(counted(labels) >= least, "{labels}\n{page}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            ask(Method::GET, path, "").await,
            (StatusCode::OK, json!("ok\n"))
        );
    }
}
