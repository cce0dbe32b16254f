//! Objects as they are asked for: kinds, classes, keys, tags; large ones in parts, whole or not at all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/moto.rs"]
mod moto;
mod support;

use std::time::Duration;

use matchcut_aws::s3::{Content, Encryption, PART, Requester, S3, Writing};
use matchcut_aws::{AwsOptions, Connection, Keys, Patience, S3Address};
use moto::Moto;
use serde_json::{Value, json};
use support::{Fault, KEY, S3Server, SECRET};

async fn client(endpoint: &str) -> S3 {
    let options = AwsOptions {
        endpoint: Some(endpoint.to_owned()),
        keys: Some(Keys {
            id: KEY.to_owned(),
            secret: SECRET.to_owned(),
        }),
        ..AwsOptions::default()
    };
    let patience = Patience {
        timeout: Duration::from_secs(20),
        retries: 2,
    };
    S3::new(
        Connection::new(&options, patience).await,
        Requester::default(),
    )
}

fn at(key: &str) -> S3Address {
    S3Address::parse(&format!("s3://media/{key}")).unwrap()
}

/// A file of two parts and a bit, of which no two places are alike.
fn large(dir: &tempfile::TempDir) -> (std::path::PathBuf, Vec<u8>) {
    let length = usize::try_from(2 * PART + 12_345).unwrap();
    let bytes: Vec<u8> = (0..length).map(|at| (at * 31 + at / 251) as u8).collect();
    let path = dir.path().join("large.mp4");
    std::fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_what_was_asked_for() {
    let Some(mut moto) = Moto::start() else {
        return;
    };
    let s3 = client(&moto.endpoint).await;
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = large(&dir);
    let writing = Writing {
        content_type: "video/mp4".to_owned(),
        cache_control: Some("no-cache".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        encryption: Encryption::Kms,
        kms_key: Some("alias/desk".to_owned()),
        tags: [("keep".to_owned(), "30 d + a=b".to_owned())].into(),
    };
    let small = bytes::Bytes::from_static(b"small");
    let all = vec![
        (at("a/small"), Content::Bytes(small), writing.clone()),
        (at("a/large.mp4"), Content::File(path), writing),
    ];
    let done = s3.put_all(all, 2).await;
    assert_eq!(done, [Ok(()), Ok(())]);
    for (key, length) in [("a/small", 5), ("a/large.mp4", bytes.len())] {
        let about: Value = serde_json::from_str(&moto.does(&format!("about {key}"))).unwrap();
        assert_eq!(about["ContentLength"], length);
        let rest = json!({
            "ContentType": about["ContentType"], "CacheControl": about["CacheControl"],
            "StorageClass": about["StorageClass"], "Uploads": about["Uploads"], "Tags": about["Tags"],
            "ServerSideEncryption": about["ServerSideEncryption"], "SSEKMSKeyId": about["SSEKMSKeyId"],
        });
        let expected = json!({
            "ContentType": "video/mp4", "CacheControl": "no-cache", "StorageClass": "STANDARD_IA",
            "Uploads": 0, "Tags": {"keep": "30 d + a=b"}, "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "alias/desk",
        });
        assert_eq!(rest, expected, "{key}");
    }
    let read = s3.get(&at("a/large.mp4"), None, 1 << 30).await.unwrap();
    assert!(read == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_fail_are_sent_again_and_a_given_up_upload_leaves_nothing() {
    let server = S3Server::start(&["media"]);
    let s3 = client(&server.endpoint).await;
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = large(&dir);
    let mut faults = [Fault::Error(503, "SlowDown"), Fault::Spoilt].into_iter();
    server.fault(move |line| match line.contains("partNumber=2") {
        true => faults.next().unwrap_or(Fault::None),
        false => Fault::None,
    });
    let writing = Writing {
        content_type: "video/mp4".to_owned(),
        ..Writing::default()
    };
    s3.put_file(&at("a.mp4"), &path, &writing).await.unwrap();
    assert_eq!(server.asked("partNumber="), 5);
    assert!(std::fs::read(server.path("media", "a.mp4")).unwrap() == bytes);

    server.fault(|line| match line.contains("partNumber=3") {
        true => Fault::Error(500, "InternalError"),
        false => Fault::None,
    });
    let error = s3.put_file(&at("b.mp4"), &path, &writing).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "s3://media/b.mp4: the service answered 500 InternalError: as the test wants"
    );
    assert_eq!(s3.size(&at("b.mp4")).await, Ok(None));
    assert_eq!(server.asked("DELETE /media/b.mp4?"), 1);

    // A file that is not there.
    let (object, nothing) = (at("c.mp4"), dir.path().join("nothing"));
    let gone = s3.put_file(&object, &nothing, &writing).await;
    let error = gone.unwrap_err().to_string();
    assert!(
        error.starts_with("s3://media/c.mp4: ") && error.contains("nothing"),
        "{error}"
    );
}
