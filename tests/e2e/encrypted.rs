//! AES-128: what comes of an encrypted stream is what comes of the same stream in the clear, to the
//! byte. Keys that are wrong or missing, and methods that cannot be read, are told as such.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::media::pictures;
use crate::support::server::{Answer, Server};
use crate::support::stream::{CHUNKS, SPEC, UNDATED, chunks, copy};
use crate::support::{Work, files, lines, same_text};

/// The number of the first chunk: where the playlist gives no vector, it is made of this.
const FIRST: u64 = 7;
const KEYS: [(&str, [u8; 16]); 2] = [("one.key", [0x11; 16]), ("two.key", [0xe2; 16])];
/// What stands in the playlist before a chunk, and how the chunk is encrypted: key and vector.
type Chunk = (&'static str, Option<(usize, u128)>);

/// The vector from the number of the chunk, then one that is said, then another key with each in
/// the middle of the stream, then none at all.
const MIXED: [Chunk; 6] = [
    ("METHOD=AES-128,URI=\"one.key\"", Some((0, 7))),
    ("", Some((0, 8))),
    (
        "METHOD=AES-128,URI=\"one.key\",IV=0x000102030405060708090A0B0C0D0E0F",
        Some((0, 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f)),
    ),
    ("METHOD=AES-128,URI=\"two.key\"", Some((1, 10))),
    (
        "METHOD=AES-128,URI=\"two.key\",IV=0xABC,KEYFORMAT=\"identity\"",
        Some((1, 0xabc)),
    ),
    ("METHOD=NONE", None),
];

/// AES-128 in CBC mode by an implementation that is not ours.
fn encrypt(plain: &[u8], key: [u8; 16], iv: u128) -> Vec<u8> {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut child = Command::new("openssl")
        .args(["enc", "-aes-128-cbc", "-K", &key])
        .args(["-iv", &format!("{iv:032x}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("this test needs openssl, of the package openssl (make setup-test): {error}")
        });
    let mut input = child.stdin.take().unwrap();
    let plain = plain.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&plain));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn playlist(chunks: &[Chunk]) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{FIRST}\n"
    );
    for ((key, _), name) in chunks.iter().zip(CHUNKS) {
        if !key.is_empty() {
            let _ = writeln!(text, "#EXT-X-KEY:{key}");
        }
        let _ = writeln!(text, "#EXTINF:2.000000,\n{name}");
    }
    text + "#EXT-X-ENDLIST\n"
}

/// Every file of an encrypted stream.
fn encrypted(all: &[Chunk]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("index.m3u8".to_owned(), playlist(all).into_bytes())];
    files.extend(KEYS.map(|(name, key)| (name.to_owned(), key.to_vec())));
    for ((_, how), name) in all.iter().zip(CHUNKS) {
        let plain = fs::read(chunks().join(name)).unwrap();
        let bytes = match how {
            Some((key, iv)) => encrypt(&plain, KEYS[*key].1, *iv),
            None => plain,
        };
        files.push((name.to_owned(), bytes));
    }
    files
}

fn serve(files: Vec<(String, Vec<u8>)>) -> Server {
    let server = Server::start();
    for (name, bytes) in files {
        server.serve(&name, bytes);
    }
    server
}

fn reading(server: &Server) -> Work {
    let work = Work::new();
    let url = format!("\"{}\"\nretries = 0", server.url("index.m3u8"));
    work.write("shots.toml", SPEC.replace("\"index.m3u8\"", &url));
    work
}

const RUN: [&str; 4] = ["run", "shots.toml", "--out", "out"];

/// Everything but the report and the logs, whose sizes are those of the encrypted chunks. `base` is
/// where the chunks of `one` come from, if not from its directory.
fn same_results(one: &Work, base: &str, other: &Work) {
    let compared = |work: &Work| {
        let mut names = files(&work.path("out"));
        names.retain(|name| {
            ["observations.jsonl", "segments.jsonl"].contains(&name.as_str())
                || ["clips/", "thumbnails/", "exports/"]
                    .iter()
                    .any(|dir| name.starts_with(dir))
                || (name.starts_with("replays/") && !name.ends_with(".m3u8"))
        });
        names
    };
    let names = compared(one);
    assert_eq!(names, compared(other));
    let clips = names.iter().filter(|name| name.starts_with("clips/"));
    assert_eq!(clips.count(), 11, "{names:?}");
    for name in names {
        let read = |work: &Work| fs::read(work.path("out").join(&name)).unwrap();
        if name.ends_with(".mp4") || name.ends_with(".jpg") {
            assert!(read(one) == read(other), "{name} differs");
        } else {
            let text = String::from_utf8(read(one)).unwrap();
            same_text(&name, text.replace(base, "").as_bytes(), &read(other));
        }
    }
}

#[test]
fn results_are_those_of_the_stream_in_the_clear() {
    let plain = copy(UNDATED);
    plain.ok(RUN);

    let server = serve(encrypted(&MIXED));
    let served = reading(&server);
    served.ok(RUN).says_times(0, "warning");
    same_results(&served, &server.url(""), &plain);
    for (key, _) in KEYS {
        assert_eq!(server.asked(key), 1, "{key} is fetched once");
    }

    // The same from a directory; and a replay over the chunks names their keys.
    let local = Work::new();
    for (name, bytes) in encrypted(&MIXED) {
        local.write(&name, bytes);
    }
    local.write("shots.toml", SPEC);
    local.ok(RUN).says_times(0, "warning");
    same_results(&local, "http://", &plain);
    let replay = "out/replays/all/index.m3u8";
    let list = fs::read_to_string(local.path(replay)).unwrap();
    assert!(list.contains("METHOD=AES-128"), "{list}");
    let shown = pictures(&local.path(replay));
    assert!(!shown.is_empty() && shown == pictures(&plain.path(replay)));

    // Chunks that are copied stay as they are, and play with the keys that lie where they lay.
    let sink =
        "\n[sinks.copy]\ntype = \"file\"\ninputs = [\"all\"]\ndir = \"copy\"\ncopy_chunks = true\n";
    local.write("shots.toml", format!("{SPEC}{sink}"));
    local.ok(["run", "shots.toml"]);
    let (copies, encrypted) = (local.path("copy/chunks"), encrypted(&MIXED));
    let mut copied = 0;
    for entry in fs::read_dir(copies).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(encrypted.iter().any(|(_, lies)| *lies == bytes));
        copied += 1;
    }
    assert_eq!(copied, 2);
    let replay = local.path("copy/replays/all/index.m3u8");
    let list = fs::read_to_string(&replay).unwrap();
    let named = list.lines().filter(|line| line.ends_with(".ts"));
    let named: std::collections::BTreeSet<&str> = named.collect();
    assert_eq!(named.len(), 2, "{list}");
    assert!(named.iter().all(|name| name.starts_with("../../chunks/")));
    assert_eq!(pictures(&replay), shown);
}

fn messages(work: &Work) -> Vec<(u64, String)> {
    let all = lines(&work.path("out/log.jsonl"));
    let errors = all.iter().filter(|line| line["kind"] == "error");
    errors
        .map(|line| {
            let value = &line["value"];
            (
                value["position"].as_u64().unwrap(),
                value["message"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// The frames at which cuts were found.
fn cuts(work: &Work) -> Vec<u64> {
    let all = lines(&work.path("out/observations.jsonl"));
    let cuts = all
        .iter()
        .filter(|line| line["attributes"]["hard_cut"] == true);
    cuts.map(|line| line["frame"].as_u64().unwrap()).collect()
}

#[test]
fn a_wrong_key_loses_the_chunks_that_it_is_for() {
    let server = serve(encrypted(&MIXED));
    server.serve("two.key", [9; 16]);
    let work = reading(&server);
    let done = work.ok(RUN);
    let key = server.url("two.key");
    done.says("warning: chunk 3 (").says("warning: chunk 4 (");
    let told = messages(&work);
    let chunks: Vec<u64> = told.iter().map(|(chunk, _)| *chunk).collect();
    assert_eq!(chunks, [3, 4], "{told:?}");
    for (_, message) in &told {
        assert!(
            // One wrong key in 256 leaves something like padding.
            message.contains(&format!(
                "cannot be decrypted with the key {key}: its padding is wrong"
            )) || message.contains("not an MPEG transport stream"),
            "{message}"
        );
    }
    // From 6 to 10 s nothing is seen.
    assert_eq!(cuts(&work), [30, 60, 90, 120, 270]);
}

#[test]
fn a_key_that_is_no_key_or_not_there() {
    for (answer, message) in [
        (
            Answer::Status(404),
            "does not exist (the server answered 404)",
        ),
        (Answer::Status(403), "the server answered 403"),
        (
            Answer::Bytes(b"15 bytes of key".to_vec()),
            "has 15 bytes; a key of AES-128 has 16",
        ),
    ] {
        let server = serve(encrypted(&MIXED));
        server.set("two.key", answer);
        let work = reading(&server);
        let done = work.ok(RUN);
        done.says("warning: chunk 3 (").says(message);
        let told = messages(&work);
        let chunks: Vec<u64> = told.iter().map(|(chunk, _)| *chunk).collect();
        assert_eq!(chunks, [3, 4], "{told:?}");
        for (_, text) in &told {
            assert!(
                text.contains(message)
                    && text.contains(&server.url("two.key"))
                    && text.contains("key"),
                "{text}"
            );
        }
        assert_eq!(cuts(&work), [30, 60, 90, 120, 270]);
    }
}

#[test]
fn methods_that_cannot_be_read() {
    // All of it: the source is refused.
    let sample = "METHOD=SAMPLE-AES,URI=\"skd://one\",KEYFORMAT=\"com.apple.streamingkeydelivery\"";
    let mut all = MIXED;
    all.iter_mut().for_each(|chunk| *chunk = ("", None));
    all[0].0 = sample;
    let server = serve(encrypted(&all));
    let work = reading(&server);
    let done = work.fails(1, RUN);
    done.says(&format!(
        "error: source \"tv\": nothing in {} can be read: it is encrypted with SAMPLE-AES (line 5)",
        server.url("index.m3u8")
    ));

    // From the middle on: what is before is kept, and each chunk says why it is not.
    let mut rest = MIXED;
    rest[4].0 = sample;
    rest[5].0 = "";
    let server = serve(encrypted(&rest));
    let work = reading(&server);
    work.ok(RUN)
        .says("it is encrypted with SAMPLE-AES (line 16)");
    let told = messages(&work);
    let chunks: Vec<u64> = told.iter().map(|(chunk, _)| *chunk).collect();
    assert_eq!(chunks, [4, 5], "{told:?}");
    assert_eq!(cuts(&work), [30, 60, 90, 120, 150, 180]);
    assert_eq!(server.asked(CHUNKS[4]), 0, "it is not even fetched");
}
