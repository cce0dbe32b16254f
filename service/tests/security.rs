//! Who is let in by tokens, how often, over encrypted connections, and what is logged of it; with real keys, over real
//! connections.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use matchcut_service::{Config, Role};
use rcgen::{CertifiedKey, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use reqwest::{Certificate, Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use support::{Server, error};

/// What a server and the maker of its tokens share.
const SECRET: &str = "a secret of tests, which is long enough to sign tokens with it.";

fn with_secret(config: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let path = dir.path().join("serve.toml");
    fs::write(&path, config).unwrap();
    let client = Client::builder().build().unwrap();
    Server::with(false, Config::read(&path).unwrap(), client)
}

const GATEWAY: &str = "[jwt]\nsecret = \"file:secret\"\nissuer = \"mre\"\n";

fn token(claims: &Value) -> String {
    let mut all = json!({ "iss": "mre", "exp": get_current_timestamp() + 60 });
    let all = all.as_object_mut().unwrap();
    all.extend(claims.as_object().unwrap().clone());
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::new(Algorithm::HS512), all, &key).unwrap()
}

async fn ask(server: &Server, method: Method, path: &str, token: &str) -> Response {
    let url = format!("http://{}{path}", server.address);
    let request = server.client.request(method, url).bearer_auth(token);
    request.send().await.unwrap()
}

async fn told(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

/// The lines of the audit log, without their times.
fn audit(data: &Path) -> Vec<Value> {
    let text = fs::read_to_string(data.join("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let time = line.as_object_mut().unwrap().shift_remove("time").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'));
        line
    });
    lines.collect()
}

#[tokio::test]
async fn tokens_of_mres_gateway_are_let_in_by_their_roles() {
    let server = with_secret(GATEWAY);
    let admin = token(&json!({ "sub": "anna", "role": "admin" }));
    let viewer = token(&json!({ "sub": "vera\nvera", "role": "viewer" }));
    let put = "/external/program/Final";
    let done = told(ask(&server, Method::PUT, put, &admin).await).await;
    assert_eq!(done, (StatusCode::OK, json!({})));
    for path in ["/external/program/all", "/controlplane/program/all"] {
        let read = told(ask(&server, Method::GET, path, &viewer).await).await;
        assert_eq!(read, (StatusCode::OK, json!([{ "Name": "Final" }])));
    }
    let refused = told(ask(&server, Method::PUT, put, &viewer).await).await;
    let message = format!("This token has the role viewer, and PUT {put} needs admin");
    let forbidden = error("ForbiddenError", &message);
    assert_eq!(refused, (StatusCode::FORBIDDEN, forbidden));
    let deleted = ask(
        &server,
        Method::DELETE,
        "/api/v1/events/a?force=false",
        &admin,
    );
    assert_eq!(deleted.await.status(), StatusCode::NOT_FOUND);

    let expired = token(&json!({ "role": "admin", "exp": get_current_timestamp() - 60 }));
    let response = ask(&server, Method::PUT, put, &expired).await;
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    let unauthorized = error("UnauthorizedError", "The token has expired");
    assert_eq!(
        told(response).await,
        (StatusCode::UNAUTHORIZED, unauthorized)
    );
    let response = ask(&server, Method::GET, "/api/v1/events", &expired).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let (status, problem) = told(response).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["detail"], "The token has expired");
    let foreign = token(&json!({ "role": "admin", "iss": "somebody" }));
    for (bad, message) in [
        (
            &foreign,
            "The token is of another issuer, or for another audience",
        ),
        (&"abc".to_owned(), "The token cannot be verified"),
    ] {
        let refused = told(ask(&server, Method::GET, put, bad).await).await;
        let unauthorized = error("UnauthorizedError", message);
        assert_eq!(refused, (StatusCode::UNAUTHORIZED, unauthorized));
    }
    let none = token(&json!({ "sub": "nobody" }));
    let refused = told(ask(&server, Method::GET, put, &none).await).await;
    let message = "The token gives no role for this service";
    let forbidden = error("ForbiddenError", message);
    assert_eq!(refused, (StatusCode::FORBIDDEN, forbidden));

    // Keys go on to be let in beside them.
    let key = server.key(Role::Viewer);
    let read = server.ask(Some(&key), Method::GET, "/controlplane/program/all", "");
    assert_eq!(read.await.0, StatusCode::OK);
    let line = |who: &str, role: Value, method: &str, path: &str, status: u16| {
        json!({
            "who": who, "role": role, "method": method, "path": path, "status": status,
            "address": "127.0.0.1",
        })
    };
    let own = "/api/v1/events";
    let expected = [
        line("jwt:anna", json!("admin"), "PUT", put, 200),
        line("jwt:vera\nvera", Value::Null, "PUT", put, 403),
        line(
            "jwt:anna",
            json!("admin"),
            "DELETE",
            "/api/v1/events/a",
            404,
        ),
        line("-", Value::Null, "PUT", put, 401),
        line("-", Value::Null, "GET", own, 401),
        line("-", Value::Null, "GET", put, 401),
        line("-", Value::Null, "GET", put, 401),
        line("-", Value::Null, "GET", put, 403),
    ];
    assert_eq!(audit(server.data.path()), expected);
}

/// An issuer of OpenID Connect.
struct Issuer {
    address: SocketAddr,
    /// What it says of its keys.
    keys: Arc<Mutex<Vec<Value>>>,
    /// How often it was asked for them.
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let keys: Arc<Mutex<Vec<Value>>> = Arc::default();
        let asked: Arc<AtomicUsize> = Arc::default();
        let discovery = json!({
            "issuer": format!("http://{address}/realm"),
            "jwks_uri": format!("http://{address}/keys"),
            "authorization_endpoint": "https://elsewhere.example.com",
        });
        let (shared, count) = (Arc::clone(&keys), Arc::clone(&asked));
        let show = move |State(()): State<()>| {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = shared.lock().unwrap().clone();
            async move { Json(json!({ "keys": keys })) }
        };
        let app = axum::Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(move || async move { Json(discovery) }),
            )
            .route("/keys", get(show))
            .with_state(());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Issuer {
            address,
            keys,
            asked,
        }
    }

    fn show(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.public.clone()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn token(&self, key: &Key, claims: Value) -> String {
        let mut all = json!({
            "iss": format!("http://{}/realm", self.address),
            "aud": ["account", "matchcut"],
            "exp": get_current_timestamp() + 60,
            "sub": "f81d4fae",
            "realm_access": { "roles": ["offline", "desk"] },
        });
        let all = all.as_object_mut().unwrap();
        all.extend(claims.as_object().unwrap().clone());
        let mut header = Header::new(key.algorithm);
        header.kid = Some(key.name.to_owned());
        encode(&header, all, &key.private).unwrap()
    }
}

struct Key {
    name: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
}

impl Key {
    fn new(name: &'static str, algorithm: Algorithm) -> Key {
        let private = match algorithm {
            Algorithm::ES256 => {
                EncodingKey::from_ec_der(&KeyPair::generate().unwrap().serialize_der())
            }
            _ => {
                let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
                // What stands before it in PKCS #8 says that it is one.
                EncodingKey::from_rsa_der(&pair.unwrap().serialize_der()[26..])
            }
        };
        let mut public = Jwk::from_encoding_key(&private, algorithm).unwrap();
        public.common.key_id = Some(name.to_owned());
        Key {
            name,
            algorithm,
            public: serde_json::to_value(public).unwrap(),
            private,
        }
    }
}

#[tokio::test]
async fn tokens_of_an_issuer_are_verified_by_its_keys() {
    let issuer = Issuer::start().await;
    let server = Server::configured(&format!(
        "[oidc]\nissuer = \"http://{}/realm\"\naudience = \"matchcut\"\nrole_claim = \"realm_access.roles\"\n\
         roles = {{ desk = \"editor\", lead = \"admin\" }}\n",
        issuer.address
    ));
    let (rsa, ec) = (
        Key::new("rsa", Algorithm::RS256),
        Key::new("ec", Algorithm::ES256),
    );
    let unknown = json!({ "kty": "new", "kid": "x" });
    issuer.show(&[&rsa, &ec]);
    issuer.keys.lock().unwrap().push(unknown);
    let path = "/controlplane/program/all";
    let status = async |token: &str| ask(&server, Method::GET, path, token).await.status();
    let (ok, refused) = (StatusCode::OK, StatusCode::UNAUTHORIZED);
    assert_eq!(issuer.asked(), 0);
    for key in [&rsa, &ec] {
        assert_eq!(status(&issuer.token(key, json!({}))).await, ok);
    }
    assert_eq!(issuer.asked(), 1);
    let put = "/controlplane/program/Final";
    let lead = issuer.token(&rsa, json!({ "realm_access": { "roles": ["lead"] } }));
    let desk = issuer.token(&rsa, json!({}));
    let role = async |token: &str| ask(&server, Method::PUT, put, token).await.status();
    assert_eq!(role(&lead).await, ok);
    assert_eq!(role(&desk).await, StatusCode::FORBIDDEN);

    let now = get_current_timestamp();
    for claims in [
        json!({ "aud": "account" }),
        json!({ "iss": "http://127.0.0.1/realm" }),
        json!({ "exp": now - 60 }),
        json!({ "nbf": now + 60 }),
    ] {
        assert_eq!(
            status(&issuer.token(&ec, claims.clone())).await,
            refused,
            "{claims}"
        );
    }
    // Another key under the same name, and the public key taken for a secret.
    let thief = Key::new("ec", Algorithm::ES256);
    assert_eq!(status(&issuer.token(&thief, json!({}))).await, refused);
    for algorithm in [Algorithm::HS256, Algorithm::HS512] {
        let private = EncodingKey::from_secret(rsa.public["n"].as_str().unwrap().as_bytes());
        let confused = Key {
            name: "rsa",
            algorithm,
            private,
            public: Value::Null,
        };
        assert_eq!(status(&issuer.token(&confused, json!({}))).await, refused);
    }
    assert_eq!(issuer.asked(), 1);

    // A new key is found, the old one is no longer good, and names that nobody has do not make the server ask on and on.
    let next = Key::new("next", Algorithm::RS256);
    issuer.show(&[&next]);
    assert_eq!(status(&issuer.token(&next, json!({}))).await, ok);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(status(&issuer.token(&rsa, json!({}))).await, refused);
    for _ in 0..20 {
        assert_eq!(status(&issuer.token(&rsa, json!({}))).await, refused);
    }
    assert_eq!(issuer.asked(), 5);
    assert_eq!(status(&issuer.token(&next, json!({}))).await, ok);
    let who = &audit(server.data.path())[0]["who"];
    assert_eq!(who, "oidc:f81d4fae");
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_fault_of_the_token() {
    // Nobody listens there.
    let server = Server::configured(
        "[oidc]\nissuer = \"http://127.0.0.1:9/realm\"\naudience = \"matchcut\"\n[limits]\nfailures_per_minute = 1\n",
    );
    let issuer = Issuer::start().await;
    let token = issuer.token(&Key::new("ec", Algorithm::ES256), json!({}));
    for _ in 0..3 {
        let told = told(ask(&server, Method::GET, "/controlplane/x", &token).await).await;
        let message = "The keys of the issuer cannot be had at the moment";
        let unavailable = error("ServiceUnavailableError", message);
        assert_eq!(told, (StatusCode::SERVICE_UNAVAILABLE, unavailable));
    }
}

#[tokio::test]
async fn who_asks_too_often_waits() {
    let server = with_secret(&format!("{GATEWAY}[limits]\nrequests_per_second = 5\n"));
    let anna = token(&json!({ "sub": "anna", "role": "viewer" }));
    let path = "/controlplane/program/all";
    let begun = Instant::now();
    let mut passed = 0;
    let refused = loop {
        let response = ask(&server, Method::GET, path, &anna).await;
        match response.status() {
            StatusCode::OK => passed += 1,
            _ => break response,
        }
    };
    let most = 11 + begun.elapsed().as_millis() / 200;
    assert!((10..=most).contains(&passed), "{passed}");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    let (_, body) = told(refused).await;
    assert_eq!(body, error("TooManyRequestsError", "Too Many Requests"));
    // Somebody else is somebody else.
    let vera = token(&json!({ "sub": "vera", "role": "viewer" }));
    let other = ask(&server, Method::GET, path, &vera).await;
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_guesses_waits_longer() {
    let server = with_secret(&format!("{GATEWAY}[limits]\nfailures_per_minute = 3\n"));
    let path = "/api/v1/events";
    for _ in 0..3 {
        let guessed = ask(&server, Method::GET, path, "abc").await;
        assert_eq!(guessed.status(), StatusCode::UNAUTHORIZED);
    }
    let good = token(&json!({ "role": "viewer" }));
    let refused = ask(&server, Method::GET, path, &good).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((15..=20).contains(&wait), "{wait}");
    let (_, problem) = told(refused).await;
    assert_eq!(problem["title"], "Too Many Requests");
    // What is open stays open.
    let url = format!("http://{}/healthz", server.address);
    assert_eq!(server.client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn who_presents_nothing_is_held_to_a_limit_of_the_address() {
    let server = with_secret("[limits]\nanonymous_per_second = 2\n");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let asked = server.ask(None, Method::GET, "/api/v1/events", "").await;
        seen.push(asked.0);
    }
    assert_eq!(seen[..4], [StatusCode::FORBIDDEN; 4]);
    assert!(seen.contains(&StatusCode::TOO_MANY_REQUESTS), "{seen:?}");
    let admin = server.key(Role::Admin);
    let asked = server.ask(Some(&admin), Method::GET, "/api/v1/events", "");
    assert_eq!(asked.await.0, StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_changed_that_cannot_be_logged() {
    let server = with_secret("[audit]\nmax_bytes = 1\nkeep = 1\n");
    let key = server.key(Role::Admin);
    let put = async |name: &str| {
        let path = format!("/controlplane/program/{name}");
        server.ask(Some(&key), Method::PUT, &path, "").await
    };
    assert_eq!(put("Part-A").await.0, StatusCode::OK);
    assert_eq!(put("Part-B").await.0, StatusCode::OK);
    // Where the file would be put aside is a directory now.
    let aside = server.data.path().join("audit.jsonl.1");
    fs::remove_file(&aside).unwrap();
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("x"), "").unwrap();
    // It is not known beforehand.
    assert_eq!(put("Part-C").await.0, StatusCode::OK);
    let message = "Nothing can be changed while the audit log cannot be written";
    let unavailable = error("ServiceUnavailableError", message);
    assert_eq!(
        put("Part-D").await,
        (StatusCode::SERVICE_UNAVAILABLE, unavailable)
    );
    let all = "/controlplane/program/all";
    let read = server.ask(Some(&key), Method::GET, all, "").await;
    let names = json!([{ "Name": "Part-A" }, { "Name": "Part-B" }, { "Name": "Part-C" }]);
    assert_eq!(read, (StatusCode::OK, names));
    fs::remove_dir_all(&aside).unwrap();
    assert_eq!(put("Part-D").await.0, StatusCode::OK);
    let paths = |file: &str| {
        let text = fs::read_to_string(server.data.path().join(file)).unwrap();
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        line["path"].as_str().unwrap().to_owned()
    };
    assert_eq!(paths("audit.jsonl.1"), "/controlplane/program/Part-C");
    assert_eq!(paths("audit.jsonl"), "/controlplane/program/Part-D");
}

/// Makes a certificate for this machine, and lays it and its key where the server looks.
fn certificate(dir: &Path) -> Certificate {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(dir.join("key.pem"), signing_key.serialize_pem()).unwrap();
    fs::write(dir.join("server.pem"), cert.pem()).unwrap();
    Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

fn trusting(certificate: Certificate) -> Client {
    let only = Client::builder().tls_certs_only([certificate]);
    only.build().unwrap()
}

#[tokio::test]
async fn connections_are_encrypted_with_the_newest_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let first = certificate(dir.path());
    let path = dir.path().join("serve.toml");
    let text = "[tls]\ncertificate = \"server.pem\"\nkey = \"key.pem\"\n";
    fs::write(&path, text).unwrap();
    let config = Config::read(&path).unwrap();
    let server = Server::with(true, config, trusting(first.clone()));
    let url = format!("https://{}", server.address);
    // One that says nothing, and one that speaks otherwise, are in nobody's way.
    let _silent = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let plain = server
        .client
        .get(format!("http://{}/healthz", server.address));
    assert!(plain.send().await.is_err());

    let asked = server
        .client
        .post(format!("{url}/"))
        .header("x-amz-target", "AmazonSSM.GetParameter")
        .body(json!({ "Name": "/MRE/ControlPlane/EndpointURL" }).to_string());
    let (status, found) = told(asked.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["Parameter"]["Value"], format!("{url}/controlplane/"));

    // A half-written one changes nothing; a new one is shown without a new start.
    fs::write(
        dir.path().join("server.pem"),
        "-----BEGIN CERTIFICATE-----\n",
    )
    .unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let health = async |client: Client| client.get(format!("{url}/healthz")).send().await;
    assert!(health(trusting(first.clone())).await.is_ok());
    let second = certificate(dir.path());
    let deadline = Instant::now() + Duration::from_secs(20);
    while health(trusting(second.clone())).await.is_err() {
        assert!(
            Instant::now() < deadline,
            "the new certificate is not shown"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(health(trusting(first)).await.is_err());
}
