//! HLS sources against a real server on the loopback and against files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use matchcut_ingest::{FetchError, Fetcher, Source, SourceConfig, SourceError, SourceItem};
use matchcut_model::chunk::{ByteRange, ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Retry};
use matchcut_model::time::MediaTime;
use serde_json::json;
use support::{Response, Server, gzip};

fn config(uri: &str, options: serde_json::Value) -> SourceConfig {
    let options = options.as_object().unwrap().clone();
    SourceConfig::new("court", "hls", uri, Path::new("/"), &options).unwrap()
}

/// Everything up to the end or the error, each in short.
async fn all(source: &mut Source) -> Vec<String> {
    let mut items = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), source.next())
            .await
            .unwrap();
        match next {
            Ok(SourceItem::Chunk(chunk)) => items.push(short(&chunk)),
            Ok(SourceItem::Missing(missing)) => items.push(format!(
                "{}-{} {}",
                missing.position,
                missing.position.0 + missing.count - 1,
                missing.failure.message
            )),
            Ok(SourceItem::Notice(failure)) => items.push(format!("! {}", failure.message)),
            Ok(SourceItem::File(path)) => items.push(path.display().to_string()),
            Ok(SourceItem::End) => {
                items.push("end".into());
                return items;
            }
            Err(error) => {
                items.push(format!("error {error}"));
                assert_eq!(source.next().await, Ok(SourceItem::End));
                return items;
            }
        }
    }
}

fn short(chunk: &ChunkRef) -> String {
    let name = chunk.media.uri.rsplit('/').next().unwrap();
    let mark = if chunk.discontinuity { "|" } else { "" };
    format!("{} {mark}{name}", chunk.position)
}

const VOD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na 1.ts\n\
    #EXT-X-DISCONTINUITY\n#EXTINF:1.5,\nsub/b.ts?x=1\n#EXT-X-GAP\n#EXTINF:2,\nc.ts\n\
    #EXTINF:2,\nd.ts\n#EXT-X-ENDLIST\n";

#[tokio::test]
async fn a_recording_behind_a_master_and_a_redirect() {
    let server = Server::start(|request| match request.path.as_str() {
        "/master.m3u8" => Response::ok(
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",URI=\"en.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=10,RESOLUTION=640x360\nlow.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=90,RESOLUTION=1280x720,AUDIO=\"a\"\nhigh.m3u8\n",
        ),
        "/high.m3u8" => Response::status(302).with("Location", "/cdn/7/index.m3u8"),
        "/cdn/7/index.m3u8" => Response::ok(gzip(VOD.as_bytes())).with("Content-Encoding", "gzip"),
        _ => Response::status(404),
    })
    .await;
    let mut source = Source::new(&config(&format!("{}/master.m3u8", server.base), json!({})));
    let mut first = Vec::new();
    for _ in 0..2 {
        first.push(source.next().await.unwrap());
    }
    let SourceItem::Notice(notice) = &first[0] else {
        panic!("{first:?}")
    };
    assert!(
        notice
            .message
            .starts_with("the audio \"English\" cannot be loaded"),
        "{}",
        notice.message
    );
    let SourceItem::Chunk(chunk) = &first[1] else {
        panic!("{first:?}")
    };
    // Relative to where the redirect led.
    assert_eq!(chunk.media.uri, format!("{}/cdn/7/a%201.ts", server.base));
    assert_eq!(chunk.container, Container::MpegTs);
    assert_eq!(chunk.declared_duration, Some(MediaTime::from_seconds(2)));
    assert_eq!(
        (chunk.source.as_str(), chunk.position),
        ("court", Position(0))
    );
    let rest = all(&mut source).await;
    let gap = format!(
        "2-2 not read: the playlist says that it is missing (line 10 of {}/cdn/7/index.m3u8)",
        server.base
    );
    assert_eq!(rest, ["1 |b.ts?x=1", gap.as_str(), "3 d.ts", "end"]);
}

#[tokio::test]
async fn variants_by_size_and_none_of_it() {
    let server = Server::start(|request| match request.path.as_str() {
        "/low.m3u8" => Response::ok(VOD),
        "/high.m3u8" => Response::status(500),
        _ => Response::ok(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=10,RESOLUTION=640x360\nlow.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=90,RESOLUTION=1280x720\nhigh.m3u8\n",
        ),
    })
    .await;
    let uri = format!("{}/master.m3u8", server.base);
    let mut low = Source::new(&config(&uri, json!({"variant": "640x360"})));
    assert_eq!(all(&mut low).await[0], "0 a%201.ts");
    let mut none = Source::new(&config(&uri, json!({"variant": "1920x1080"})));
    let expected = format!(
        "error source \"court\": {uri} has no variant \"1920x1080\"; it has 640x360 (10 bit/s), \
         1280x720 (90 bit/s)"
    );
    assert_eq!(all(&mut none).await, [expected]);
    let mut high = Source::new(&config(&uri, json!({"retries": 0})));
    let error = high.next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "source \"court\": {}/high.m3u8: the server answered 500",
            server.base
        )
    );
    assert_eq!(
        (error.domain(), error.retry()),
        (Domain::External, Retry::WithBackoff)
    );
}

/// A live playlist: its n-th load shows `windows[n]`, the last one for ever.
async fn live(windows: Vec<(u64, &'static str)>, end: bool) -> Server {
    let loads = AtomicUsize::new(0);
    Server::start(move |_| {
        let load = loads.fetch_add(1, Ordering::SeqCst).min(windows.len() - 1);
        let (first, names) = windows[load];
        if names == "503" {
            return Response::status(503);
        }
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for name in names.split_whitespace() {
            if let Some(name) = name.strip_prefix('|') {
                text.push_str(&format!("#EXT-X-DISCONTINUITY\n#EXTINF:1,\n{name}.ts\n"));
            } else {
                text.push_str(&format!("#EXTINF:1,\n{name}.ts\n"));
            }
        }
        if end && load == windows.len() - 1 {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Response::ok(text)
    })
    .await
}

fn live_config(server: &Server, mut options: serde_json::Value) -> SourceConfig {
    options["reload"] = json!("30ms");
    options["retries"] = json!(0);
    config(&format!("{}/live.m3u8", server.base), options)
}

#[tokio::test]
async fn a_sliding_window_with_holes_failures_and_breaks() {
    let windows = vec![
        (5, "e f g"),
        (5, "e f g"),
        (6, "f g h"),
        (0, "503"),
        (5, "e f"),
        (11, "k |l"),
        (0, "x y"),
        (1, "y z"),
    ];
    let server = live(windows, true).await;
    let mut source = Source::new(&live_config(&server, json!({})));
    assert_eq!(
        all(&mut source).await,
        [
            "0 e.ts",
            "1 f.ts",
            "2 g.ts",
            "3 h.ts",
            "4-5 chunks number 9 to 10 left the live playlist before it was loaded (2)",
            "6 k.ts",
            "7 |l.ts",
            "! the playlist started anew at number 0 where 13 was expected: the stream was \
             restarted",
            "8 |x.ts",
            "9 y.ts",
            "10 z.ts",
            "end"
        ]
    );
}

/// What comes after each item, told by a source that goes on from there, is what the undisturbed
/// one tells.
#[tokio::test]
async fn a_recording_goes_on_behind_any_item() {
    let mut text = VOD.replace("#EXT-X-ENDLIST", "#EXT-X-PROGRAM-DATE-TIME:never");
    for number in 0..40 {
        text.push_str(&format!("#EXTINF:2,\nsame.ts?n={number}\n"));
    }
    text.push_str("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2024-05-01T10:00:00Z\n");
    text.push_str("#EXTINF:2,\ny.ts\n#EXTINF:2,\nz.ts\n#EXT-X-ENDLIST\n");
    let server = Server::start(move |_| Response::ok(text.clone())).await;
    let config = config(&format!("{}/a.m3u8", server.base), json!({}));
    let mut undisturbed = Source::new(&config);
    let mut whole = Vec::new();
    loop {
        let item = undisturbed.next().await.unwrap();
        whole.push((item.clone(), undisturbed.cursor()));
        if item == SourceItem::End {
            break;
        }
    }
    assert_eq!(whole.len(), 1 + 4 + 40 + 2 + 1);
    let mut cursors = vec![Source::new(&config).cursor()];
    cursors.extend(whole.iter().map(|(_, cursor)| cursor.clone()));
    let largest = cursors
        .iter()
        .map(|c| serde_json::to_string(c).unwrap().len());
    assert!(largest.max() < Some(6000));
    for (count, cursor) in cursors.into_iter().enumerate() {
        let text = serde_json::to_string(&cursor).unwrap();
        let mut second = Source::resume(&config, serde_json::from_str(&text).unwrap()).unwrap();
        for (item, cursor) in &whole[count..] {
            assert_eq!(second.next().await.as_ref(), Ok(item), "behind {count}");
            assert_eq!(&second.cursor(), cursor);
        }
        assert_eq!(second.next().await, Ok(SourceItem::End));
    }
}

#[tokio::test]
async fn a_live_stream_goes_on_where_it_stood() {
    let windows = vec![(5, "e f g"), (6, "f g h"), (9, "i j"), (9, "i j k")];
    let server = live(windows, true).await;
    let config = live_config(&server, json!({"start": "live"}));
    let mut first = Source::new(&config);
    assert_eq!(first.next().await.map(|_| ()), Ok(()));
    assert_eq!(first.next().await.map(|_| ()), Ok(()));
    let mut second = Source::resume(&config, first.cursor()).unwrap();
    assert_eq!(
        all(&mut second).await,
        ["2 g.ts", "3 h.ts", "4 i.ts", "5 j.ts", "6 k.ts", "end"]
    );
    // The end is part of the cursor: a finished source stays so.
    let mut third = Source::resume(&config, second.cursor()).unwrap();
    assert_eq!(all(&mut third).await, ["end"]);
    // While nobody read, chunks slid out.
    let late = live(vec![(9, "i j")], true).await;
    let mut fourth = Source::resume(&live_config(&late, json!({})), first.cursor()).unwrap();
    let slid = "2-3 chunks number 7 to 8 left the live playlist before it was loaded (2)";
    assert_eq!(all(&mut fourth).await, [slid, "4 i.ts", "5 j.ts", "end"]);
}

#[tokio::test]
async fn replaced_chunks_come_again_at_their_position() {
    let windows = vec![(5, "e f g"), (5, "e x g h"), (0, "q r")];
    let server = live(windows, true).await;
    let mut source = Source::new(&live_config(&server, json!({})));
    assert_eq!(
        all(&mut source).await,
        [
            "0 e.ts",
            "1 f.ts",
            "2 g.ts",
            "1 x.ts",
            "3 h.ts",
            "! the playlist started anew at number 0 where 9 was expected: the stream was \
             restarted",
            "4 |q.ts",
            "5 r.ts",
            "end"
        ]
    );
    let server = live(vec![(5, "e f g h"), (5, "x f g h")], true).await;
    let mut source = Source::new(&live_config(&server, json!({"late_window": 2})));
    let late = "! number 5 changed too late: more than 2 chunks were read after it";
    let items = all(&mut source).await;
    assert_eq!(items[4..], [late, "end"]);
}

#[tokio::test]
async fn a_stale_playlist_is_an_error_or_the_end() {
    let server = live(vec![(0, "a")], false).await;
    let mut source = Source::new(&live_config(&server, json!({"stale_after": "200ms"})));
    let stale = format!(
        "error source \"court\": {}/live.m3u8 got no new chunk for 0.200 s and does not say that \
         it ended; set \"finished_after\" if silence means the end",
        server.base
    );
    assert_eq!(all(&mut source).await, ["0 a.ts", stale.as_str()]);
    let mut source = Source::new(&live_config(&server, json!({"finished_after": "200ms"})));
    assert_eq!(all(&mut source).await, ["0 a.ts", "end"]);
    let server = live(vec![(0, "a"), (0, "503")], false).await;
    let mut source = Source::new(&live_config(&server, json!({"stale_after": "100ms"})));
    assert_eq!(source.next().await.map(|_| ()), Ok(()));
    let Err(SourceError::Stale {
        last_error: Some(last),
        ..
    }) = source.next().await
    else {
        panic!("not stale");
    };
    assert!(last.ends_with("the server answered 503"), "{last}");
}

#[tokio::test]
async fn entering_a_live_stream_near_its_end() {
    let server = live(vec![(0, "a b c d e f"), (1, "b c d e f g")], true).await;
    let mut source = Source::new(&live_config(&server, json!({"start": "live"})));
    assert_eq!(
        all(&mut source).await,
        ["0 d.ts", "1 e.ts", "2 f.ts", "3 g.ts", "end"]
    );
}

#[tokio::test]
async fn reloads_follow_the_target_duration() {
    let server = live(vec![(0, "a"), (0, "a b"), (0, "a b"), (0, "a b c")], true).await;
    let uri = format!("{}/live.m3u8", server.base);
    let mut source = Source::new(&config(&uri, json!({})));
    let begun = std::time::Instant::now();
    assert_eq!(
        all(&mut source).await,
        ["0 a.ts", "1 b.ts", "2 c.ts", "end"]
    );
    // A whole target duration after each change, half of it after none: 1 + 1 + 0.5 s.
    let took = begun.elapsed().as_secs_f64();
    assert!((2.4..4.0).contains(&took), "{took} s");
}

#[tokio::test]
async fn dropping_a_wait_loses_nothing() {
    let server = live(vec![(0, "a"), (0, "a b"), (0, "a b c")], true).await;
    let mut source = Source::new(&live_config(&server, json!({})));
    let mut names = Vec::new();
    for _ in 0..10_000 {
        let wait = tokio::time::timeout(Duration::from_millis(2), source.next()).await;
        match wait {
            Ok(Ok(SourceItem::Chunk(chunk))) => names.push(short(&chunk)),
            Ok(Ok(SourceItem::End)) => break,
            Ok(other) => panic!("{other:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    assert_eq!(names, ["0 a.ts", "1 b.ts", "2 c.ts"]);
}

#[tokio::test]
async fn bytes_whole_and_in_part_with_retries_and_limits() {
    let failures = AtomicUsize::new(0);
    let server = Server::start(
        move |request| match (request.path.as_str(), &request.range) {
            ("/ranges.ts", Some(range)) if range == "bytes=2-4" => Response {
                status: 206,
                ..Response::ok("234")
            },
            ("/ranges.ts", Some(_)) => Response::status(416).with("Content-Range", "bytes */10"),
            ("/whole.ts", _) => Response::ok("0123456789"),
            ("/flaky.ts", _) if failures.fetch_add(1, Ordering::SeqCst) < 2 => {
                Response::status(503)
            }
            ("/flaky.ts", _) => Response::ok("at last"),
            _ => Response::status(404),
        },
    )
    .await;
    let options = matchcut_ingest::FetchOptions {
        max_bytes: 10,
        ..Default::default()
    };
    let fetcher = Fetcher::new(options);
    let resource = |name: &str, range: Option<(u64, u64)>| Resource {
        range: range.map(|(offset, length)| ByteRange { offset, length }),
        ..Resource::whole(format!("{}/{name}", server.base))
    };
    let fetch = async |name: &str, range| fetcher.fetch(&resource(name, range)).await;
    assert_eq!(fetch("ranges.ts", Some((2, 3))).await.unwrap(), "234");
    // A server that ignores ranges.
    assert_eq!(fetch("whole.ts", Some((2, 3))).await.unwrap(), "234");
    assert_eq!(fetch("flaky.ts", None).await.unwrap(), "at last");
    let error = fetch("ranges.ts", Some((20, 3))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}/ranges.ts has no bytes 20 to 23: it has 10", server.base)
    );
    let error = fetch("gone.ts", None).await.unwrap_err();
    assert_eq!(
        (error.domain(), error.retry()),
        (Domain::External, Retry::No)
    );
    assert!(
        matches!(
            error,
            FetchError::NotFound {
                status: Some(404),
                ..
            }
        ),
        "{error:?}"
    );
    let asked = server
        .requests
        .lock()
        .unwrap()
        .iter()
        .filter(|r| r.path == "/gone.ts")
        .count();
    assert_eq!(asked, 1, "a missing chunk is not asked for again");
    let small = Fetcher::new(matchcut_ingest::FetchOptions {
        max_bytes: 9,
        ..options
    });
    let error = small.fetch(&resource("whole.ts", None)).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooLarge { limit: 9, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn silence_and_refusal_are_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let resource = Resource::whole(format!("http://{address}/a.ts"));
    let fetcher = Fetcher::new(matchcut_ingest::FetchOptions {
        timeout: matchcut_ingest::describe::TextDuration(MediaTime::from_millis(100)),
        retries: 1,
        backoff: matchcut_ingest::describe::TextDuration(MediaTime::from_millis(1)),
        ..Default::default()
    });
    // It accepts and never answers.
    let error = fetcher.fetch(&resource).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("http://{address}/a.ts did not come within 0.100 s")
    );
    assert_eq!(error.retry(), Retry::WithBackoff);
    drop(listener);
    let error = fetcher.fetch(&resource).await.unwrap_err();
    assert!(matches!(&error, FetchError::Transport { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .to_lowercase()
            .contains("connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn playlists_on_disk_with_difficult_names() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("match #1 100%");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("cut #1 50%.ts"), b"0123456789").unwrap();
    let text = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:4@3\n\
        cut #1 50%.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(folder.join("index.m3u8"), text).unwrap();
    let path = folder.join("index.m3u8");
    let mut source = Source::new(&config(path.to_str().unwrap(), json!({})));
    let SourceItem::Chunk(chunk) = source.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(chunk.container, Container::FragmentedMp4);
    assert!(
        chunk
            .media
            .uri
            .ends_with("match%20%231%20100%/cut%20%231%2050%25.ts")
            || chunk
                .media
                .uri
                .ends_with("match%20%231%20100%25/cut%20%231%2050%25.ts")
    );
    assert_eq!(source.fetcher().fetch(&chunk.media).await.unwrap(), "3456");
    let init = chunk.init.unwrap();
    let error = source.fetcher().fetch(&init).await.unwrap_err();
    let missing = folder.join("init.mp4");
    assert_eq!(
        error.to_string(),
        format!("{} does not exist", missing.display())
    );
    assert_eq!(error.domain(), Domain::User);
    let beyond = Resource {
        range: Some(ByteRange {
            offset: 8,
            length: 4,
        }),
        ..chunk.media
    };
    let error = source.fetcher().fetch(&beyond).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has no bytes 8 to 12: it has 10"),
        "{error}"
    );
}

#[tokio::test]
async fn a_playlist_on_disk_that_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.m3u8");
    std::fs::write(
        &path,
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXTINF:1,\nb",
    )
    .unwrap();
    let options = json!({"reload": "20ms"});
    let mut source = Source::new(&config(path.to_str().unwrap(), options));
    let SourceItem::Chunk(first) = source.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(short(&first), "0 a.ts");
    // The name of the second was only half there.
    let text =
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXTINF:1,\nbb.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(dir.path().join("new"), text).unwrap();
    std::fs::rename(dir.path().join("new"), &path).unwrap();
    assert_eq!(all(&mut source).await, ["1 bb.ts", "end"]);
}

#[tokio::test]
async fn nothing_usable_is_an_error_with_its_reason() {
    let server = Server::start(|request| match request.path.as_str() {
        "/key.m3u8" => Response::ok(
            "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n",
        ),
        "/aac.m3u8" => Response::ok("#EXTM3U\n#EXTINF:2,\na.aac\n#EXT-X-ENDLIST\n"),
        "/html.m3u8" => Response::ok("<html>not here</html>"),
        "/empty.m3u8" => Response::ok("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n"),
        _ => Response::status(404),
    })
    .await;
    let base = &server.base;
    for (name, expected) in [
        (
            "key",
            format!(
                "nothing in {base}/key.m3u8 can be read: it is encrypted with SAMPLE-AES (line 2)"
            ),
        ),
        (
            "aac",
            format!(
                "nothing in {base}/aac.m3u8 can be read: \"a.aac\" is packed audio, without video"
            ),
        ),
        (
            "html",
            format!(
                "{base}/html.m3u8:1: this is not an HLS playlist, which starts with #EXTM3U: \"<html>not here</html>\""
            ),
        ),
        (
            "empty",
            format!("nothing in {base}/empty.m3u8 can be read: it is complete and has no chunk"),
        ),
        (
            "none",
            format!("{base}/none.m3u8 does not exist (the server answered 404)"),
        ),
    ] {
        let mut source = Source::new(&config(&format!("{base}/{name}.m3u8"), json!({})));
        let error = format!("error source \"court\": {expected}");
        assert_eq!(all(&mut source).await, [error]);
    }
}
