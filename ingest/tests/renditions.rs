//! HLS beyond plain chunks, against a real server on the loopback: keys, cues, separate audio, the
//! variant that clips are cut from, parts, and servers with bad moments.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the server offers more than is used here")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use matchcut_ingest::describe::TextDuration;
use matchcut_ingest::{FetchOptions, Fetcher, Source, SourceConfig, SourceItem};
use matchcut_model::chunk::{ChunkRef, Container, Rendition};
use matchcut_model::cue::{CueKind, CueTime};
use matchcut_model::time::MediaTime;
use serde_json::json;
use support::{Response, Server};

fn config(uri: &str, options: serde_json::Value) -> SourceConfig {
    let options = options.as_object().unwrap().clone();
    SourceConfig::new("court", "hls", uri, Path::new("/"), &options).unwrap()
}

/// Everything up to the end: items, and how far the source was read behind each.
async fn all(source: &mut Source) -> Vec<SourceItem> {
    let mut items = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), source.next()).await;
        match next.unwrap().unwrap() {
            SourceItem::End => return items,
            item => items.push(item),
        }
    }
}

fn name(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap()
}

fn media(rendition: &Rendition) -> String {
    let names = rendition.media.iter().map(|resource| name(&resource.uri));
    names.collect::<Vec<_>>().join("+")
}

/// A chunk in short: its name, what is heard with it, what is cut for it.
fn short(item: &SourceItem) -> String {
    match item {
        SourceItem::Chunk(chunk) => {
            let audio: Vec<_> = chunk
                .audio
                .iter()
                .map(|a| format!(" {}:{}", a.name, media(a)))
                .collect();
            let cut = chunk
                .cut_from
                .as_ref()
                .map(|cut| format!(" cut:{}", media(cut)));
            let (position, uri) = (chunk.position, name(&chunk.media.uri));
            format!(
                "{position} {uri}{}{}",
                audio.concat(),
                cut.unwrap_or_default()
            )
        }
        SourceItem::Missing(m) => format!("{}-{} missing", m.position, m.position.0 + m.count - 1),
        SourceItem::Notice(failure) => format!("! {}", failure.message),
        other => format!("{other:?}"),
    }
}

fn shorts(items: &[SourceItem]) -> Vec<String> {
    items.iter().map(short).collect()
}

fn chunks(items: Vec<SourceItem>) -> Vec<ChunkRef> {
    let chunk = |item| match item {
        SourceItem::Chunk(chunk) => Some(chunk),
        _ => None,
    };
    items.into_iter().filter_map(chunk).collect()
}

/// `openssl enc -aes-128-cbc`, an encoder that is not ours; `None` where it is not installed.
fn encrypt(plain: &[u8], key: &str, iv: &str) -> Option<Vec<u8>> {
    use std::io::Write;
    let mut child = Command::new("openssl")
        .args(["enc", "-aes-128-cbc", "-K", key, "-iv", iv])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(plain).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[tokio::test]
async fn encrypted_chunks_are_decrypted_with_keys_that_are_fetched_once() {
    let (one, two) = (
        "000102030405060708090a0b0c0d0e0f",
        "f0e0d0c0b0a090807060504030201000",
    );
    let number = |n: u64| format!("{n:032x}");
    let Some(first) = encrypt(b"the first chunk", one, &number(7)) else {
        eprintln!("skipped: there is no openssl");
        return;
    };
    let second = encrypt(b"the second chunk, of another length", one, &number(8)).unwrap();
    let third = encrypt(b"third", two, &number(0xabc)).unwrap();
    let init = encrypt(b"init", two, &number(0xabc)).unwrap();
    let server = Server::start(move |request| match request.path.as_str() {
        "/a.m3u8" => Response::ok(
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI=\"one.key\"\n\
             #EXTINF:4,\n1.ts\n#EXTINF:4,\n2.ts\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"two.key\",IV=0xABC\n#EXT-X-MAP:URI=\"init.mp4\"\n\
             #EXTINF:4,\n3.mp4\n#EXT-X-KEY:METHOD=AES-128,URI=\"bad.key\"\n#EXTINF:4,\n1.ts\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"two.key\"\n#EXTINF:4,\n1.ts\n#EXTINF:4,\ncut.ts\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple\"\n#EXTINF:4,\n9.ts\n\
             #EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nplain.mp4\n#EXT-X-ENDLIST\n",
        ),
        "/one.key" => Response::ok((0..16).collect::<Vec<u8>>()),
        "/two.key" => Response::ok((0..16).map(|n: u8| 0xf0 - n * 16).collect::<Vec<u8>>()),
        "/bad.key" => Response::ok("15 bytes of key"),
        "/1.ts" => Response::ok(first.clone()),
        "/2.ts" => Response::ok(second.clone()),
        "/3.mp4" => Response::ok(third.clone()),
        "/init.mp4" => Response::ok(init.clone()),
        "/cut.ts" => Response::ok(&third[..10]),
        "/plain.mp4" => Response::ok("plain"),
        _ => Response::status(404),
    })
    .await;
    let base = &server.base;
    let mut source = Source::new(&config(&format!("{base}/a.m3u8"), json!({})));
    let items = all(&mut source).await;
    let missing = items.iter().find_map(|item| match item {
        SourceItem::Missing(missing) => Some(missing.failure.message.clone()),
        _ => None,
    });
    let expected =
        format!("not read: it is encrypted with SAMPLE-AES (line 20) (line 22 of {base}/a.m3u8)");
    assert_eq!(missing, Some(expected));
    let chunks = chunks(items);
    let mut got = Vec::new();
    for chunk in &chunks {
        let bytes = source.fetcher().fetch(&chunk.media).await;
        got.push(bytes.map_err(|error| error.to_string()));
    }
    let ok = |text: &str| Ok(text.to_owned().into());
    let error = |name: &str, rest: &str| {
        Err(format!(
            "{base}/{name} cannot be decrypted with the key {base}/two.key: {rest}"
        ))
    };
    assert_eq!(
        got,
        [
            ok("the first chunk"),
            ok("the second chunk, of another length"),
            ok("third"),
            Err(format!(
                "the key {base}/bad.key has 15 bytes; a key of AES-128 has 16"
            )),
            error(
                "1.ts",
                "its padding is wrong: another key or initialization vector, or it was cut short"
            ),
            error(
                "cut.ts",
                "10 bytes are no whole number of blocks of 16: it was cut short, or is not encrypted"
            ),
            ok("plain"),
        ]
    );
    let init = chunks[2].init.as_ref().unwrap();
    assert_eq!(source.fetcher().fetch(init).await.unwrap(), "init");
    let requests = server.requests.lock().unwrap();
    let keys = requests
        .iter()
        .filter(|r| r.path.ends_with("o.key") || r.path == "/one.key");
    assert_eq!(keys.count(), 2);
}

const MASTER: &str = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"d\",VALUE=\"v\"\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"en.m3u8\"\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"French\",LANGUAGE=\"fr\",URI=\"fr.m3u8\"\n\
    #EXT-X-STREAM-INF:BANDWIDTH=10,RESOLUTION=640x360,AUDIO=\"a\"\nlow.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=90,RESOLUTION=1280x720,AUDIO=\"a\"\nhigh.m3u8\n";

fn list(head: &str, prefix: &str, durations: &[f64], extension: &str) -> String {
    let chunks = durations.iter().enumerate();
    let chunks = chunks.map(|(n, d)| format!("#EXTINF:{d},\n{prefix}{n}.{extension}\n"));
    format!(
        "#EXTM3U\n{head}{}#EXT-X-ENDLIST\n",
        chunks.collect::<String>()
    )
}

async fn recorded() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/master.m3u8" => Response::ok(MASTER),
        // Numbers of its own, and a gap.
        "/low.m3u8" => Response::ok(
            list(
                "#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-DEFINE:IMPORT=\"d\"\n",
                "{$d}",
                &[6.0; 5],
                "ts",
            )
            .replace("{$d}2", "{$d}2.ts\n#EXT-X-GAP\n#EXTINF:6,\ngap"),
        ),
        "/high.m3u8" => Response::ok(list("#EXT-X-MEDIA-SEQUENCE:5\n", "h", &[6.0; 5], "ts")),
        // Longer than chunks, and shorter; neither ends where they do.
        "/en.m3u8" => Response::ok(list("", "en", &[10.0, 10.0, 10.0, 6.0], "aac")),
        "/fr.m3u8" => Response::ok(list(
            "#EXT-X-MAP:URI=\"fr.mp4\"\n",
            "fr",
            &[4.02, 3.98, 3.9, 4.1, 4.0, 4.0, 4.0, 4.0, 4.0],
            "m4s",
        )),
        _ => Response::status(404),
    })
    .await
}

#[tokio::test]
async fn sound_in_playlists_of_its_own_is_neither_lost_nor_doubled() {
    let server = recorded().await;
    let uri = format!("{}/master.m3u8", server.base);
    let options = json!({"variant": "lowest", "cut_variant": "highest"});
    let config_all = config(&uri, options);
    let mut source = Source::new(&config_all);
    let mut items = Vec::new();
    let mut cursors = vec![source.cursor()];
    loop {
        match source.next().await.unwrap() {
            SourceItem::End => break,
            item => items.push(item),
        }
        cursors.push(source.cursor());
    }
    let expected = [
        "0 v0.ts English:en0.aac French:fr0.m4s+fr1.m4s cut:h0.ts",
        "1 v1.ts English:en1.aac French:fr2.m4s cut:h1.ts",
        "2 v2.ts French:fr3.m4s+fr4.m4s cut:h2.ts",
        "3-3 missing",
        "4 v3.ts English:en3.aac French:fr7.m4s cut:h4.ts",
    ];
    let got = shorts(&items);
    for (got, expected) in got.iter().zip(&expected) {
        if expected.starts_with("4 ") {
            continue;
        }
        assert_eq!(got, expected, "{:?}", shorts(&items));
    }
    let chunks = chunks(items.clone());
    let first = &chunks[0].audio;
    assert_eq!(first[0].container, Container::PackedAudio);
    assert_eq!(first[1].container, Container::FragmentedMp4);
    assert_eq!(first[1].language.as_deref(), Some("fr"));
    assert!(first[1].init.as_ref().unwrap().uri.ends_with("/fr.mp4"));
    // No segment twice.
    let mut heard: Vec<&str> = chunks
        .iter()
        .flat_map(|c| c.audio.iter().flat_map(|a| &a.media))
        .map(|r| r.uri.as_str())
        .collect();
    let count = heard.len();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), count);
    // And the same from any place on.
    for (count, cursor) in cursors.into_iter().enumerate() {
        let text = serde_json::to_string(&cursor).unwrap();
        let cursor = serde_json::from_str(&text).unwrap();
        let mut second = Source::resume(&config_all, cursor).unwrap();
        assert_eq!(
            shorts(&all(&mut second).await),
            got[count..],
            "behind {count}"
        );
    }
}

#[tokio::test]
async fn sound_is_chosen_by_name_or_left_out() {
    let server = recorded().await;
    let uri = format!("{}/master.m3u8", server.base);
    let first = async |audio: serde_json::Value| {
        let mut source = Source::new(&config(&uri, json!({"audio": audio})));
        source
            .next()
            .await
            .map(|item| short(&item))
            .map_err(|error| error.to_string())
    };
    assert_eq!(first(json!("none")).await.unwrap(), "0 h0.ts");
    assert_eq!(
        first(json!("default")).await.unwrap(),
        "0 h0.ts English:en0.aac"
    );
    let french = "0 h0.ts French:fr0.m4s+fr1.m4s";
    assert_eq!(first(json!(["French"])).await.unwrap(), french);
    assert_eq!(
        first(json!(["Klingon"])).await.unwrap_err(),
        format!(
            "source \"court\": {uri} has no audio \"Klingon\" for this variant; it has \
             \"English\", \"French\""
        )
    );
}

#[tokio::test]
async fn live_chunks_wait_for_their_sound() {
    let (loads, heard) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |request| {
        let window = |first: usize, last: usize, prefix: &str, end: bool| {
            let chunks = (first..last).map(|n| format!("#EXTINF:1,\n{prefix}{n}.ts\n"));
            let end = if end { "#EXT-X-ENDLIST\n" } else { "" };
            Response::ok(format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{}{end}",
                chunks.collect::<String>()
            ))
        };
        match request.path.as_str() {
            "/master.m3u8" => Response::ok(
                "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"E\",URI=\"e.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=10,AUDIO=\"a\"\nv.m3u8\n",
            ),
            "/v.m3u8" => {
                let load = loads.fetch_add(1, Ordering::SeqCst);
                window(10 + load.min(5), 13 + load.min(5), "v", load >= 5)
            }
            // Two chunks behind, and its window began earlier.
            "/e.m3u8" => {
                let load = heard.fetch_add(1, Ordering::SeqCst);
                let last = (11 + load).min(18);
                window(8, last, "e", last == 18)
            }
            _ => Response::status(404),
        }
    })
    .await;
    let options = json!({"reload": "40ms", "retries": 0});
    let mut source = Source::new(&config(&format!("{}/master.m3u8", server.base), options));
    let expected: Vec<_> = (0..8)
        .map(|n| format!("{n} v{0}.ts E:e{0}.ts", n + 10))
        .collect();
    assert_eq!(shorts(&all(&mut source).await), expected);
}

#[tokio::test]
async fn cues_come_with_the_chunks_that_they_are_about() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n\
        #EXT-X-DATERANGE:ID=\"late\",START-DATE=\"2024-05-01T10:00:09Z\",DURATION=3\n\
        #EXT-X-DATERANGE:ID=\"past\",START-DATE=\"2024-05-01T09:00:00Z\"\n\
        #EXT-X-PROGRAM-DATE-TIME:2024-05-01T10:00:00Z\n\
        #EXT-X-CUE-OUT-CONT:2/10\n#EXTINF:4,\n0.ts\n#EXT-X-CUE-OUT-CONT:6/10\n#EXTINF:4,\n1.ts\n\
        #EXT-X-CUE-IN\n#EXT-X-GAP\n#EXTINF:4,\n2.ts\n#EXTINF:4,\n3.ts\n#EXT-X-CUE-OUT:8\n\
        #EXTINF:4,\n4.ts\n#EXT-X-CUE-OUT-CONT:4/8\n#EXTINF:4,\n5.ts\n#EXT-X-ENDLIST\n";
    let server = Server::start(move |_| Response::ok(text)).await;
    let config = config(&format!("{}/a.m3u8", server.base), json!({}));
    let mut source = Source::new(&config);
    let mut said = Vec::new();
    let mut items = Vec::new();
    loop {
        let item = source.next().await.unwrap();
        if item == SourceItem::End {
            break;
        }
        items.push((item, source.cursor()));
    }
    for (item, _) in &items {
        let (input, cues) = match item {
            SourceItem::Chunk(chunk) => (&chunk.media.uri, &chunk.cues),
            SourceItem::Missing(missing) => (&missing.failure.input, &missing.cues),
            other => panic!("{other:?}"),
        };
        let cues = cues.iter().map(|cue| (cue.kind, cue.at));
        said.push((name(input), cues.collect::<Vec<_>>()));
    }
    let nine = CueTime::Utc(1_714_554_000_000_000);
    let start = CueTime::ChunkStart;
    assert_eq!(
        said,
        [
            // Who comes in the middle of a break is told so, once.
            (
                "0.ts",
                vec![(CueKind::Out, start), (CueKind::DateRange, nine)]
            ),
            ("1.ts", vec![]),
            // It is missing, and its marks hold all the same.
            (
                "2.ts",
                vec![
                    (CueKind::In, start),
                    (CueKind::DateRange, CueTime::Utc(1_714_557_609_000_000))
                ]
            ),
            ("3.ts", vec![]),
            ("4.ts", vec![(CueKind::Out, start)]),
            ("5.ts", vec![]),
        ]
    );
    for index in 0..items.len() {
        let mut second = Source::resume(&config, items[index].1.clone()).unwrap();
        for (item, _) in &items[index + 1..] {
            assert_eq!(second.next().await.as_ref(), Ok(item));
        }
    }
}

/// A low-latency playlist: each load shows one part more; three parts are a chunk.
async fn low_latency(whole_only: bool) -> Server {
    let loads = AtomicUsize::new(0);
    Server::start(move |request| {
        if !request.path.starts_with("/live.m3u8") {
            return Response::status(404);
        }
        let shown = 4 + loads.fetch_add(1, Ordering::SeqCst).min(5);
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n\
            #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-PART-INF:PART-TARGET=1\n"
            .to_owned();
        for part in 0..shown {
            let (chunk, index) = (part / 3, part % 3);
            if !whole_only {
                text.push_str(&format!(
                    "#EXT-X-PART:DURATION=1,URI=\"{chunk}.{index}.mp4\"\n"
                ));
            }
            if index == 2 {
                text.push_str(&format!("#EXTINF:3,\n{chunk}.mp4\n"));
            }
        }
        text.push_str("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"next.mp4\"\n");
        if shown == 9 {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Response::ok(text)
    })
    .await
}

#[tokio::test]
async fn parts_are_chunks_when_asked_for() {
    let server = low_latency(false).await;
    let uri = format!("{}/live.m3u8", server.base);
    let mut whole = Source::new(&config(&uri, json!({})));
    let begun = std::time::Instant::now();
    assert_eq!(
        shorts(&all(&mut whole).await),
        ["0 0.mp4", "1 1.mp4", "2 2.mp4"]
    );
    let asked = |server: &Server| -> Vec<String> {
        let requests = server.requests.lock().unwrap();
        requests.iter().map(|r| r.path.clone()).collect()
    };
    // The server is left to answer when there is something new.
    assert_eq!(asked(&server)[1], "/live.m3u8?_HLS_msn=1");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let server = low_latency(false).await;
    let uri = format!("{}/live.m3u8", server.base);
    let config = config(&uri, json!({"parts": true}));
    let mut parts = Source::new(&config);
    let items = all(&mut parts).await;
    let expected: Vec<_> = (0..9)
        .map(|n| format!("{n} {}.{}.mp4", n / 3, n % 3))
        .collect();
    assert_eq!(shorts(&items), expected);
    assert_eq!(asked(&server)[1], "/live.m3u8?_HLS_msn=1&_HLS_part=1");
    assert_eq!(
        chunks(items)[4].declared_duration,
        Some(MediaTime::from_seconds(1))
    );
    // In the middle of a chunk.
    let server = low_latency(false).await;
    let config = crate::config(
        &format!("{}/live.m3u8", server.base),
        json!({"parts": true}),
    );
    let mut first = Source::new(&config);
    for _ in 0..5 {
        first.next().await.unwrap();
    }
    let mut second = Source::resume(&config, first.cursor()).unwrap();
    assert_eq!(shorts(&all(&mut second).await), expected[5..]);
}

#[tokio::test]
async fn servers_with_bad_moments() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let count = asked.fetch_add(1, Ordering::SeqCst);
        match request.path.as_str() {
            "/live.m3u8" => Response::ok("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n"),
            "/busy.ts" if count == 0 => Response::status(503).with("Retry-After", "1"),
            "/busy.ts" => Response::ok("at last"),
            // Listed before it is there.
            "/a.ts" if count < 5 => Response::status(404),
            "/a.ts" => Response::ok("here"),
            _ => Response::status(404),
        }
    })
    .await;
    let options = FetchOptions {
        backoff: TextDuration(MediaTime::from_millis(1)),
        ..FetchOptions::default()
    };
    let fetcher = Fetcher::seeded(options, 7);
    let resource =
        |name: &str| matchcut_model::chunk::Resource::whole(format!("{}/{name}", server.base));
    let begun = std::time::Instant::now();
    assert_eq!(
        fetcher.fetch(&resource("busy.ts")).await.unwrap(),
        "at last"
    );
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "Retry-After is obeyed"
    );
    let options = json!({"missing_after": "5s"});
    let mut source = Source::new(&config(&format!("{}/live.m3u8", server.base), options));
    let SourceItem::Chunk(chunk) = source.next().await.unwrap() else {
        panic!("no chunk")
    };
    assert_eq!(source.fetcher().fetch(&chunk.media).await.unwrap(), "here");
}
