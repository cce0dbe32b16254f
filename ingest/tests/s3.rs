//! Sources in S3: finished and growing prefixes, playlists, faults on the way, and a queue that wakes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../aws/tests/support/moto.rs"]
mod moto;
#[path = "../../aws/tests/support/mod.rs"]
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use matchcut_aws::Keys;
use matchcut_ingest::{Source, SourceConfig, SourceItem, SourceKind};
use matchcut_model::chunk::ChunkRef;
use matchcut_model::failure::Domain;
use matchcut_model::time::MediaTime;
use moto::Moto;
use serde_json::{Value, json};
use server::{Fault, KEY, S3Server, SECRET};

fn config_with(uri: &str, endpoint: &str, options: Value, secret: &str) -> SourceConfig {
    let mut options = options.as_object().unwrap().clone();
    options.insert("endpoint".into(), endpoint.into());
    let mut config = SourceConfig::new("court", "s3", uri, Path::new("/"), &options).unwrap();
    let SourceKind::S3(s3) = &mut config.kind else {
        panic!("{config:?}")
    };
    s3.aws.keys = Some(Keys {
        id: KEY.to_owned(),
        secret: secret.to_owned(),
    });
    config
}

fn config(uri: &str, server: &S3Server, options: Value) -> SourceConfig {
    config_with(uri, &server.endpoint, options, SECRET)
}

fn source(uri: &str, server: &S3Server, options: Value) -> Source {
    Source::new(&config(uri, server, options))
}

async fn item(source: &mut Source) -> Result<SourceItem, String> {
    let next = tokio::time::timeout(Duration::from_secs(20), source.next()).await;
    next.unwrap().map_err(|error| error.to_string())
}

async fn chunk(source: &mut Source) -> ChunkRef {
    match item(source).await {
        Ok(SourceItem::Chunk(chunk)) => chunk,
        other => panic!("{other:?}"),
    }
}

async fn next(source: &mut Source) -> String {
    match item(source).await {
        Ok(SourceItem::Chunk(chunk)) => format!("{} {}", chunk.position, chunk.media.uri),
        Ok(SourceItem::Missing(missing)) => {
            format!("{} {}", missing.position, missing.failure.message)
        }
        Ok(SourceItem::Notice(failure)) => format!("! {}", failure.message),
        Ok(SourceItem::File(path)) => path.display().to_string(),
        Ok(SourceItem::End) => "end".into(),
        Err(error) => format!("error {error}"),
    }
}

async fn all(source: &mut Source) -> Vec<String> {
    let mut items = vec![next(source).await];
    while !items.last().unwrap().starts_with("end") && !items.last().unwrap().starts_with("error") {
        items.push(next(source).await);
    }
    items
}

#[tokio::test]
async fn a_finished_prefix_in_the_order_of_its_numbers() {
    let server = S3Server::start(&["media"]);
    for name in [
        "a b_9.ts",
        "a b_10.ts",
        "a b_12.ts",
        "notes.txt",
        "deeper/a b_1.ts",
    ] {
        server.put("media", &format!("cup #1/{name}"), "x");
    }
    server.put(
        "media",
        "cup #1/list.m3u8",
        "#EXTM3U\n#EXTINF:6.006,\na b_9.ts\n#EXTINF:6,\na b_10.ts\n",
    );
    let expected = [
        "0 s3://media/cup%20%231/a%20b_9.ts",
        "1 s3://media/cup%20%231/a%20b_10.ts",
        "2 file number 11 is missing",
        "3 s3://media/cup%20%231/a%20b_12.ts",
        "end",
    ];
    for uri in ["s3://media/cup #1/", "s3://media/cup #1"] {
        let mut source = source(uri, &server, json!({}));
        let first = chunk(&mut source).await;
        let duration = first.declared_duration.map(MediaTime::to_millis);
        assert_eq!(duration, Some(6006), "as the playlist beside them says");
        assert_eq!(source.fetcher().fetch(&first.media).await.unwrap(), "x");
        assert_eq!(all(&mut source).await, expected[1..]);
    }
    // It goes on behind every item.
    for taken in 1..expected.len() {
        let config = config("s3://media/cup #1/", &server, json!({}));
        let mut first = Source::new(&config);
        for _ in 0..taken {
            next(&mut first).await;
        }
        let cursor = serde_json::to_string(&first.cursor()).unwrap();
        let cursor = serde_json::from_str(&cursor).unwrap();
        let mut rest = Source::resume(&config, cursor).unwrap();
        assert_eq!(all(&mut rest).await, expected[taken..]);
    }
}

#[tokio::test]
async fn a_growing_prefix_with_faults_on_the_way() {
    let server = S3Server::start(&["media"]);
    server.put("media", "live/c_00001.ts", "one");
    let options = json!({
        "follow": true, "poll": "50ms", "missing_after": "600ms", "finished_after": "3s", "retries": 1,
    });
    let mut source = source("s3://media/live/", &server, options);
    assert_eq!(next(&mut source).await, "0 s3://media/live/c_00001.ts");
    // S3 is busy for longer than one listing is tried.
    let mut left = 6;
    server.fault(move |_| match left {
        0 => Fault::None,
        _ => {
            left -= 1;
            Fault::Error(503, "SlowDown")
        }
    });
    server.put("media", "live/c_00002.ts", "two");
    let begun = Instant::now();
    assert_eq!(
        next(&mut source).await,
        "! s3://media/live/: too many requests (SlowDown); it is looked at again"
    );
    assert_eq!(next(&mut source).await, "1 s3://media/live/c_00002.ts");
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    // One is late, but not too late.
    server.put("media", "live/c_00004.ts", "four");
    let waiting = tokio::time::timeout(Duration::from_millis(300), source.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    server.put("media", "live/c_00003.ts", "three");
    assert_eq!(next(&mut source).await, "2 s3://media/live/c_00003.ts");
    assert_eq!(next(&mut source).await, "3 s3://media/live/c_00004.ts");
    // One is given up, comes all the same, and one is written anew.
    server.put("media", "live/c_00006.ts", "six");
    assert_eq!(next(&mut source).await, "4 file number 5 is missing");
    assert_eq!(next(&mut source).await, "5 s3://media/live/c_00006.ts");
    server.put("media", "live/c_00005.ts", "five");
    assert_eq!(next(&mut source).await, "4 s3://media/live/c_00005.ts");
    server.put("media", "live/c_00002.ts", "corrected");
    assert_eq!(next(&mut source).await, "1 s3://media/live/c_00002.ts");
    assert_eq!(next(&mut source).await, "end", "nothing came for so long");

    // S3 stays away for longer than anything is awaited: that is no end.
    let options = json!({"follow": true, "poll": "50ms", "finished_after": "700ms", "retries": 0});
    let mut source = self::source("s3://media/live/", &server, options);
    for _ in 0..6 {
        chunk(&mut source).await;
    }
    server.fault(|_| Fault::Error(503, "SlowDown"));
    assert!(
        next(&mut source)
            .await
            .starts_with("! s3://media/live/: too many requests")
    );
    assert_eq!(
        next(&mut source).await,
        "error source \"court\": s3://media/live/: too many requests (SlowDown)"
    );
}

#[tokio::test]
async fn chunks_come_whole_through_a_bad_connection() {
    let server = S3Server::start(&["media"]);
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    server.put("media", "c_1.ts", &bytes);
    let mut source = source(
        "s3://media/",
        &server,
        json!({"timeout": "2s", "max_bytes": 200_000}),
    );
    let chunk = chunk(&mut source).await;
    let fetcher = source.fetcher();
    let faults = [
        Fault::Broken(100_000),
        Fault::Error(500, "InternalError"),
        Fault::Slow(Duration::from_secs(3)),
    ];
    let mut next = faults.into_iter();
    server.fault(move |_| next.next().unwrap_or(Fault::None));
    assert_eq!(fetcher.fetch(&chunk.media).await.unwrap(), bytes);
    assert_eq!(server.asked("GET /media/c_1.ts"), 4);

    server.put("media", "c_1.ts", vec![0; 200_001]);
    let error = fetcher.fetch(&chunk.media).await.unwrap_err();
    assert_eq!(error.domain(), Domain::User);
    assert!(
        error
            .to_string()
            .contains("is larger than 200000 bytes; raise \"max_bytes\""),
        "{error}"
    );
    std::fs::remove_file(server.path("media", "c_1.ts")).unwrap();
    let error = fetcher.fetch(&chunk.media).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://media/c_1.ts does not exist (the server answered 404)"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_said() {
    let server = S3Server::start(&["media"]);
    let said = async |uri: &str, secret: &str, options: Value| {
        let config = config_with(uri, &server.endpoint, options, secret);
        next(&mut Source::new(&config)).await
    };
    let text = said("s3://media/empty/", SECRET, json!({})).await;
    assert_eq!(
        text,
        "error source \"court\": nothing in s3://media/empty/ can be read: it has no .ts file"
    );
    let text = said("s3://nowhere/live/", SECRET, json!({"follow": true})).await;
    assert!(
        text.starts_with("error source \"court\": the bucket of s3://nowhere/live/ does not exist"),
        "{text}"
    );
    for uri in ["s3://media/live/", "s3://media/live/index.m3u8"] {
        let text = said(uri, "not-the-secret", json!({})).await;
        assert!(
            text.contains("AWS does not take the credentials (SignatureDoesNotMatch)"),
            "{text}"
        );
        assert!(!text.contains("not-the-secret"), "{text}");
    }
    server.fault(|_| Fault::Error(403, "AccessDenied"));
    let text = said("s3://media/live/", SECRET, json!({})).await;
    assert!(
        text.ends_with("needs the permission s3:ListBucket"),
        "{text}"
    );
    let text = said("s3://media/live/index.m3u8", SECRET, json!({})).await;
    assert!(
        text.ends_with("needs the permission s3:GetObject"),
        "{text}"
    );
}

#[tokio::test]
async fn a_live_playlist_is_followed_as_over_http() {
    let server = S3Server::start(&["media"]);
    let playlist = |first: u64, count: u64, ended: bool| {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for number in first..first + count {
            text += &format!("#EXTINF:2,\nindex_1_{number:05}.ts\n");
        }
        text + if ended { "#EXT-X-ENDLIST\n" } else { "" }
    };
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nindex_1.m3u8\n";
    server.put("media", "ch/index.m3u8", master);
    for number in 1..9 {
        server.put(
            "media",
            &format!("ch/index_1_{number:05}.ts"),
            number.to_string(),
        );
    }
    server.put("media", "ch/index_1.m3u8", playlist(1, 3, false));
    let options = json!({"reload": "50ms", "missing_after": "5s"});
    let mut source = source("s3://media/ch/index.m3u8", &server, options.clone());
    for number in 1..4_u64 {
        let expected = format!("{} s3://media/ch/index_1_{number:05}.ts", number - 1);
        assert_eq!(next(&mut source).await, expected);
    }
    // The window moves on, and beyond what was read.
    server.put("media", "ch/index_1.m3u8", playlist(3, 3, false));
    assert_eq!(next(&mut source).await, "3 s3://media/ch/index_1_00004.ts");
    let cursor = source.cursor();
    assert_eq!(next(&mut source).await, "4 s3://media/ch/index_1_00005.ts");
    server.put("media", "ch/index_1.m3u8", playlist(7, 2, true));
    let rest = all(&mut source).await;
    assert_eq!(rest.len(), 4, "{rest:?}");
    assert!(rest[0].starts_with("5 "), "a hole of one: {rest:?}");
    assert_eq!(
        rest[1..3],
        [
            "6 s3://media/ch/index_1_00007.ts",
            "7 s3://media/ch/index_1_00008.ts"
        ]
    );

    let config = config("s3://media/ch/index.m3u8", &server, options);
    let mut resumed = Source::resume(&config, cursor).unwrap();
    let again = all(&mut resumed).await;
    assert_eq!(
        again[again.len() - 2..],
        ["7 s3://media/ch/index_1_00008.ts", "end"]
    );
    let listing = config_with("s3://media/ch/", &server.endpoint, json!({}), SECRET);
    let error = Source::resume(&listing, resumed.cursor()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "source \"court\" is of type s3 with a prefix now and was of type s3 with a playlist: it cannot go \
         on where it stood"
    );
}

#[tokio::test]
async fn parts_of_objects_and_what_is_not_there_yet() {
    let server = S3Server::start(&["media"]);
    server.put("media", "ch/all.ts", "0123456789");
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:4@2\nall.ts\n\
                #EXTINF:2,\n#EXT-X-BYTERANGE:3\nall.ts\n#EXTINF:2,\nlate.ts\n";
    server.put("media", "ch/index.m3u8", text);
    let options = json!({"reload": "50ms", "missing_after": "5s"});
    let mut source = source("s3://media/ch/index.m3u8", &server, options);
    let mut chunks = Vec::new();
    for _ in 0..3 {
        chunks.push(chunk(&mut source).await);
    }
    let fetcher = source.fetcher().clone();
    assert_eq!(fetcher.fetch(&chunks[0].media).await.unwrap(), "2345");
    assert_eq!(fetcher.fetch(&chunks[1].media).await.unwrap(), "678");
    let late = chunks[2].media.clone();
    let fetching = tokio::spawn(async move { fetcher.fetch(&late).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.put("media", "ch/late.ts", "here");
    assert_eq!(fetching.await.unwrap().unwrap(), "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_wakes_and_nothing_depends_on_it() {
    let Some(mut moto) = Moto::start() else {
        return;
    };
    moto.does("put live/c_1.ts one");
    let options = |poll: &str| {
        json!({"follow": true, "poll": poll, "queue": moto.queue, "missing_after": "20s",
            "finished_after": "60s"})
    };
    let config =
        |poll: &str| config_with("s3://media/live/", &moto.endpoint, options(poll), SECRET);
    let (seldom, often) = (config("50s"), config("3s"));
    let mut source = Source::new(&seldom);
    assert_eq!(next(&mut source).await, "0 s3://media/live/c_1.ts");
    // Without the queue it would be listed again in 50 s.
    let begun = Instant::now();
    moto.does("put live/c_2.ts two");
    assert_eq!(next(&mut source).await, "1 s3://media/live/c_2.ts");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    // Told out of order and twice, and of something else between.
    let twice = json!({"Records": [{"s3": {"bucket": {"name": "media"}, "object": {"key": "live/c_4.ts"}}}]});
    let other = json!({"Records": [{"s3": {"bucket": {"name": "media"}, "object": {"key": "other/x.ts"}}}]});
    moto.does("put live/c_4.ts four");
    moto.does(&format!("message {twice}"));
    moto.does(&format!("message {other}"));
    let told = next(&mut source).await;
    assert!(
        told.ends_with(
            "tells of other things than s3://media/live/ too, which are left in it; give each source a queue \
             of its own"
        ),
        "{told}"
    );
    let waiting = tokio::time::timeout(Duration::from_millis(1500), source.next()).await;
    assert!(waiting.is_err(), "number 3 is awaited: {waiting:?}");
    moto.does("put live/c_3.ts three");
    assert_eq!(next(&mut source).await, "2 s3://media/live/c_3.ts");
    assert_eq!(next(&mut source).await, "3 s3://media/live/c_4.ts");
    // An object that holds something else is told again, one that was only written again is not.
    moto.does("put live/c_3.ts three");
    moto.does("put live/c_2.ts TWO");
    assert_eq!(next(&mut source).await, "1 s3://media/live/c_2.ts");
    let waiting = tokio::time::timeout(Duration::from_millis(1500), source.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    assert_eq!(
        moto.does("left"),
        "1",
        "what was of use is deleted, what is of others stays"
    );

    // What nobody tells of is found by listing.
    let mut source = Source::resume(&often, source.cursor()).unwrap();
    moto.does("mute");
    moto.does("put live/c_5.ts five");
    assert_eq!(next(&mut source).await, "4 s3://media/live/c_5.ts");
    let waiting = tokio::time::timeout(Duration::from_millis(500), source.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    moto.does("put live/c_6.ts six");
    assert_eq!(next(&mut source).await, "5 s3://media/live/c_6.ts");
}
