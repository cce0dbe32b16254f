//! Directories of numbered files, finished and growing, and single files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use matchcut_ingest::{Source, SourceConfig, SourceItem};
use matchcut_model::chunk::Container;
use matchcut_model::time::MediaTime;
use serde_json::json;

fn config(kind: &str, path: &Path, options: serde_json::Value) -> SourceConfig {
    let options = options.as_object().unwrap().clone();
    let uri = path.to_str().unwrap();
    SourceConfig::new("court", kind, uri, Path::new("/"), &options).unwrap()
}

fn source(kind: &str, path: &Path, options: serde_json::Value) -> Source {
    Source::new(&config(kind, path, options))
}

async fn next(source: &mut Source) -> String {
    match tokio::time::timeout(Duration::from_secs(10), source.next())
        .await
        .unwrap()
    {
        Ok(SourceItem::Chunk(chunk)) => {
            let name = chunk.media.uri.rsplit('/').next().unwrap();
            let mark = if chunk.discontinuity { "|" } else { "" };
            format!("{} {mark}{name}", chunk.position)
        }
        Ok(SourceItem::Missing(m)) => {
            format!(
                "{}-{} {}",
                m.position,
                m.position.0 + m.count - 1,
                m.failure.message
            )
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
async fn a_finished_directory_in_natural_order() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "m a_9.ts",
        "m a_10.ts",
        "m a_13.ts",
        "m a_00011.ts",
        "notes.ts",
        "x.txt",
    ] {
        std::fs::write(dir.path().join(name), b"x").unwrap();
    }
    std::fs::write(dir.path().join("m a_14.ts"), b"").unwrap();
    let mut source = source("directory", dir.path(), json!({}));
    assert_eq!(
        all(&mut source).await,
        [
            "! \"notes.ts\" is not one of the numbered files; it is left out",
            "0 m%20a_9.ts",
            "1 m%20a_10.ts",
            "2 m%20a_00011.ts",
            "3-3 file number 12 is missing",
            "4 m%20a_13.ts",
            "5-5 the file is empty",
            "end"
        ]
    );
    assert_eq!(next(&mut source).await, "end");
}

#[tokio::test]
async fn a_playlist_beside_the_files_says_more_of_them() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["c_1.ts", "c_2.ts", "c_3.ts"] {
        std::fs::write(dir.path().join(name), b"x").unwrap();
    }
    let text = "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:6.006,\nc_1.ts\n\
        #EXTINF:6,\nc_2.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:6,\nc_3.ts\n";
    std::fs::write(dir.path().join("c.m3u8"), text).unwrap();
    let mut source = source("directory", dir.path(), json!({}));
    let mut said = Vec::new();
    for _ in 0..3 {
        let SourceItem::Chunk(chunk) = source.next().await.unwrap() else {
            panic!()
        };
        let duration = chunk.declared_duration.map(MediaTime::to_millis);
        said.push((duration, chunk.program_date_time, chunk.discontinuity));
    }
    assert_eq!(
        said,
        [
            (Some(6006), Some(10_000_000), false),
            (Some(6000), Some(16_006_000), false),
            (Some(6000), None, true)
        ]
    );
}

#[tokio::test]
async fn a_growing_directory_reads_whole_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("c_00001.ts", b"whole");
    write("c_00002.ts", b"ha");
    let options = json!({
        "follow": true, "poll": "10ms", "stable_for": "300ms", "missing_after": "150ms",
        "finished_after": "5s",
    });
    let mut source = source("directory", dir.path(), options);
    assert_eq!(next(&mut source).await, "0 c_00001.ts");
    // The second is still growing: it is not given away.
    for length in 3..9 {
        let waiting = tokio::time::timeout(Duration::from_millis(100), source.next()).await;
        assert!(waiting.is_err(), "{waiting:?}");
        write("c_00002.ts", &b"half more"[..length]);
    }
    // The writer went on to the third: the second is whole at once.
    write("c_00003.ts", b"x");
    let begun = std::time::Instant::now();
    assert_eq!(next(&mut source).await, "1 c_00002.ts");
    assert!(
        begun.elapsed() < Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
    // The third stands still for long enough.
    assert_eq!(next(&mut source).await, "2 c_00003.ts");
    assert!(
        begun.elapsed() >= Duration::from_millis(280),
        "{:?}",
        begun.elapsed()
    );
    // Number 4 was passed over; it is awaited, then given up. It comes too late.
    write("c_00005.ts", b"x");
    write("c_00006.ts", b"x");
    assert_eq!(next(&mut source).await, "3-3 file number 4 is missing");
    assert_eq!(next(&mut source).await, "4 c_00005.ts");
    // It comes after all, and fills its place when it is whole.
    write("c_00004.ts", b"ha");
    assert_eq!(next(&mut source).await, "5 c_00006.ts");
    write("c_00004.ts", b"whole");
    assert_eq!(next(&mut source).await, "3 c_00004.ts");
    // Another file takes the place of one that was read.
    write("c_00002.ts", b"uploaded again");
    assert_eq!(next(&mut source).await, "1 c_00002.ts");
    // Before the first one there is no place.
    write("c_00000.ts", b"x");
    assert_eq!(
        next(&mut source).await,
        "! number 0 came too late: later files were read before it"
    );
    // A playlist says that it is over, and that number 7 is the last.
    write("c_00007.ts", b"x");
    write(
        "c.m3u8",
        b"#EXTM3U\n#EXTINF:6,\nc_00007.ts\n#EXT-X-ENDLIST\n",
    );
    let begun = std::time::Instant::now();
    assert_eq!(next(&mut source).await, "6 c_00007.ts");
    assert_eq!(next(&mut source).await, "end");
    assert!(
        begun.elapsed() < Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn silence_ends_a_growing_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("1.ts"), b"x").unwrap();
    std::fs::write(dir.path().join("3.ts"), b"x").unwrap();
    let options = json!({"follow": true, "poll": "10ms", "finished_after": "200ms"});
    let mut growing = source("directory", dir.path(), options.clone());
    let expected = ["0 1.ts", "1-1 file number 2 is missing", "2 3.ts", "end"];
    assert_eq!(all(&mut growing).await, expected);
    let empty = tempfile::tempdir().unwrap();
    let mut nothing = source("directory", empty.path(), options);
    let path = empty.path().display();
    let expected =
        format!("error source \"court\": nothing in {path} can be read: it has no .ts file");
    assert_eq!(all(&mut nothing).await, [expected]);
}

#[tokio::test]
async fn what_a_playlist_lists_is_missing_when_it_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["c_3.ts", "c_5.ts"] {
        std::fs::write(dir.path().join(name), b"x").unwrap();
    }
    let text = "#EXTM3U\n#EXTINF:6,\nc_1.ts\n#EXTINF:6,\nc_2.ts\n#EXTINF:6,\nc_3.ts\n\
        #EXTINF:5,\nc_4.ts\n#EXTINF:6,\nc_5.ts\n#EXTINF:3,\nc_6.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(dir.path().join("c.m3u8"), text).unwrap();
    for options in [json!({}), json!({"follow": true, "poll": "10ms"})] {
        let mut source = source("directory", dir.path(), options);
        let mut items = Vec::new();
        let mut each = Vec::new();
        loop {
            match source.next().await.unwrap() {
                SourceItem::Missing(missing) => {
                    each.push(missing.each.map(MediaTime::to_millis));
                    items.push((missing.position.0, missing.count));
                }
                SourceItem::Chunk(chunk) => items.push((chunk.position.0, 1)),
                SourceItem::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(items, [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1)]);
        assert_eq!(each, [Some(6000), Some(5000), Some(3000)]);
    }
}

#[tokio::test]
async fn late_and_changed_files_beyond_the_window_are_only_told() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    for number in [1, 2, 4, 5, 6, 7, 8] {
        write(&format!("{number}.ts"), b"x");
    }
    let options = json!({
        "follow": true, "poll": "10ms", "stable_for": "50ms", "missing_after": "20ms",
        "late_window": 3, "finished_after": "5s",
    });
    let mut source = source("directory", dir.path(), options);
    let mut items = Vec::new();
    for _ in 0..8 {
        items.push(next(&mut source).await);
    }
    assert_eq!(items[2], "2-2 file number 3 is missing");
    write("3.ts", b"x");
    assert_eq!(
        next(&mut source).await,
        "! number 3 came too late: more than 3 chunks were read after it"
    );
    write("2.ts", b"other bytes");
    write("6.ts", b"other bytes");
    assert_eq!(next(&mut source).await, "5 6.ts");
    write("9.ts", b"x");
    assert_eq!(next(&mut source).await, "8 9.ts");
}

#[tokio::test]
async fn fragments_come_with_the_section_that_a_playlist_names() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("s1.m4s", b"x");
    write("init.mp4", b"x");
    let text = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\ns1.m4s\n#EXT-X-ENDLIST\n";
    write("a.m3u8", text.as_bytes());
    let mut source = source("directory", dir.path(), json!({"extension": "m4s"}));
    let SourceItem::Chunk(chunk) = source.next().await.unwrap() else {
        panic!("no chunk")
    };
    assert_eq!(chunk.container, Container::FragmentedMp4);
    assert!(chunk.init.unwrap().uri.ends_with("/init.mp4"));
    assert_eq!(next(&mut source).await, "end");
}

/// What comes after each item, told by a source that goes on from there, is what the undisturbed
/// one tells.
#[tokio::test]
async fn a_directory_goes_on_behind_any_item() {
    let numbered = [
        "a_9.ts", "a_10.ts", "a_13.ts", "a_14.ts", "a_15.ts", "notes.ts", "a_20.ts",
    ];
    for names in [&numbered[..], &["one.ts", "three.ts", "two.ts"]] {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let bytes: &[u8] = if *name == "a_14.ts" { b"" } else { b"x" };
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        for options in [json!({}), json!({"late_window": 1})] {
            let whole = all(&mut source("directory", dir.path(), options.clone())).await;
            for count in 0..=whole.len() {
                let mut first = source("directory", dir.path(), options.clone());
                for _ in 0..count {
                    next(&mut first).await;
                }
                let text = serde_json::to_string(&first.cursor()).unwrap();
                let cursor = serde_json::from_str(&text).unwrap();
                let config = config("directory", dir.path(), options.clone());
                let mut second = Source::resume(&config, cursor).unwrap();
                let rest = whole.get(count..).filter(|rest| !rest.is_empty());
                let end = ["end".to_owned()];
                assert_eq!(
                    all(&mut second).await,
                    rest.unwrap_or(&end),
                    "behind {count}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_growing_directory_goes_on_with_what_changed_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    for number in [1, 3, 4] {
        write(&format!("{number}.ts"), b"x");
    }
    let options = json!({
        "follow": true, "poll": "10ms", "stable_for": "30ms", "missing_after": "20ms",
        "finished_after": "300ms",
    });
    let mut first = source("directory", dir.path(), options.clone());
    for expected in ["0 1.ts", "1-1 file number 2 is missing", "2 3.ts"] {
        assert_eq!(next(&mut first).await, expected);
    }
    let cursor = first.cursor();
    drop(first);
    write("2.ts", b"x");
    write("1.ts", b"other");
    let config = config("directory", dir.path(), options.clone());
    let mut second = Source::resume(&config, cursor.clone()).unwrap();
    let mut rest = all(&mut second).await;
    rest.sort();
    assert_eq!(rest, ["0 1.ts", "1 2.ts", "3 4.ts", "end"]);
    let hls = SourceConfig::new(
        "court",
        "hls",
        "a.m3u8",
        Path::new("/"),
        &Default::default(),
    );
    let error = Source::resume(&hls.unwrap(), cursor).unwrap_err();
    assert_eq!(
        error.to_string(),
        "source \"court\" is of type hls now and was of type directory: it cannot go on where it \
         stood"
    );
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let mut directory = source("directory", Path::new("/no/such/dir"), json!({}));
    let expected = "error source \"court\": /no/such/dir: No such file or directory (os error 2)";
    assert_eq!(next(&mut directory).await, expected);
    assert_eq!(next(&mut directory).await, "end");
    let mut file = source("file", Path::new("/no/such.mp4"), json!({}));
    assert!(
        next(&mut file)
            .await
            .starts_with("error source \"court\": /no/such.mp4: No such")
    );
}

#[tokio::test]
async fn a_file_is_given_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a #1.mp4");
    std::fs::write(&path, b"x").unwrap();
    let mut source = source("file", &path, json!({}));
    assert_eq!(next(&mut source).await, path.display().to_string());
    assert_eq!(next(&mut source).await, "end");
    let mut wrong = crate::source("file", dir.path(), json!({}));
    assert!(next(&mut wrong).await.ends_with(": not a file"));
}
