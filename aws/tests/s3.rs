//! Objects of a real server, with right and wrong keys, and with faults in between.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use matchcut_aws::s3::{Requester, S3};
use matchcut_aws::{AwsError, AwsOptions, Connection, Keys, Patience, S3Address};
use matchcut_model::failure::Retry;
use support::{Fault, KEY, S3Server, SECRET};

async fn client(server: &S3Server, secret: &str) -> S3 {
    let keys = Keys {
        id: KEY.to_owned(),
        secret: secret.to_owned(),
    };
    let options = AwsOptions {
        endpoint: Some(server.endpoint.clone()),
        keys: Some(keys),
        ..AwsOptions::default()
    };
    let patience = Patience {
        timeout: Duration::from_millis(1500),
        retries: 3,
    };
    S3::new(
        Connection::new(&options, patience).await,
        Requester::default(),
    )
}

fn at(text: &str) -> S3Address {
    S3Address::parse(text).unwrap()
}

#[tokio::test]
async fn objects_are_listed_read_written_and_removed() {
    let server = S3Server::start(&["media"]);
    for number in 0..1003 {
        server.put("media", &format!("cup #1/c_{number:05}.ts"), "x");
    }
    server.put("media", "cup #1/deeper/c_1.ts", "x");
    server.put("media", "cup #2/c_1.ts", "x");
    let s3 = client(&server, SECRET).await;
    let listed = s3.list(&at("s3://media/cup #1/")).await.unwrap();
    assert_eq!(listed.len(), 1003, "two pages, and nothing deeper");
    assert_eq!(
        (listed[1002].key.as_str(), listed[1002].size),
        ("cup #1/c_01002.ts", 1)
    );
    assert!(listed[0].modified > 0);
    assert_eq!(server.asked("list-type=2"), 2);

    let object = at("s3://media/cup #1/50% a+b.ts");
    assert_eq!(s3.size(&object).await, Ok(None));
    let bytes = bytes::Bytes::from_static(b"0123456789");
    s3.put_new(&object, bytes, "video/mp2t").await.unwrap();
    assert_eq!(s3.size(&object).await, Ok(Some(10)));
    let other = bytes::Bytes::from_static(b"others");
    let refused = s3.put_new(&object, other, "video/mp2t").await.unwrap_err();
    assert_eq!(
        refused,
        AwsError::Exists {
            what: object.to_string()
        }
    );
    let get = async |part, limit| s3.get(&object, part, limit).await;
    assert_eq!(get(None, 10).await.unwrap(), "0123456789");
    assert_eq!(get(Some((2, 3)), 10).await.unwrap(), "234");
    let error = get(None, 9).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/cup #1/50% a+b.ts is larger than 9 bytes"
    );
    for part in [(8, 3), (20, 1)] {
        let error = get(Some(part), 100).await.unwrap_err();
        assert!(matches!(error, AwsError::Range { .. }), "{error:?}");
    }
    s3.remove(&object).await.unwrap();
    s3.remove(&object).await.unwrap();
    let error = get(None, 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/cup #1/50% a+b.ts does not exist"
    );
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let server = S3Server::start(&["media"]);
    server.put("media", "a.ts", "x");
    let s3 = client(&server, "wrong-secret").await;
    let error = s3.get(&at("s3://media/a.ts"), None, 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/a.ts: AWS does not take the credentials (SignatureDoesNotMatch); look at AWS_PROFILE, \
         AWS_ACCESS_KEY_ID and the option \"profile\""
    );
    let s3 = client(&server, SECRET).await;
    let error = s3.list(&at("s3://nowhere/a/")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the bucket of s3://nowhere/a/ does not exist; look")
    );
    server.fault(|_| Fault::Error(403, "AccessDenied"));
    let error = s3.list(&at("s3://media/a/")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "access to s3://media/a/ is denied; whose credentials are used needs the permission s3:ListBucket"
    );
    server.fault(|_| Fault::Error(400, "ExpiredToken"));
    let error = s3.list(&at("s3://media/a/")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("(ExpiredToken); they have expired: get new ones")
    );
    assert_eq!(
        server.asked("list-type=2"),
        3,
        "none of it passes by being tried again"
    );
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let server = S3Server::start(&["media"]);
    server.put("media", "a/c_1.ts", "x");
    let s3 = client(&server, SECRET).await;
    let prefix = at("s3://media/a/");
    let faults = [
        Fault::Error(503, "SlowDown"),
        Fault::Error(500, "InternalError"),
        Fault::Broken(20),
    ];
    let mut next = faults.into_iter();
    server.fault(move |_| next.next().unwrap_or(Fault::None));
    let begun = Instant::now();
    assert_eq!(s3.list(&prefix).await.unwrap().len(), 1);
    assert_eq!(server.asked("list-type=2"), 4);
    assert!(
        begun.elapsed() >= Duration::from_millis(700),
        "pauses of 0.1, 0.2 and 0.4 s at least"
    );

    server.fault(|_| Fault::Error(503, "SlowDown"));
    let error = s3.list(&prefix).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/a/: too many requests (SlowDown)"
    );
    assert_eq!(server.asked("list-type=2"), 8);

    // A body that stops in the middle, and an answer that does not come.
    server.put("media", "a/c_2.ts", vec![7; 100_000]);
    server.fault(|_| Fault::Broken(50_000));
    let object = at("s3://media/a/c_2.ts");
    let error = s3.get(&object, None, 1 << 20).await.unwrap_err();
    assert!(matches!(error, AwsError::Transport { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::WithBackoff);
    server.fault(|_| Fault::Slow(Duration::from_secs(4)));
    let error = s3.get(&object, None, 1 << 20).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/a/c_2.ts: no answer within 1.5 s"
    );
}
