use matchcut_model::chunk::ByteRange;
use matchcut_model::time::MediaTime;

use super::*;
use crate::config::Variant;

fn media(text: &str) -> MediaPlaylist {
    match parse("a.m3u8", text.as_bytes(), true).unwrap() {
        Playlist::Media(playlist) => playlist,
        Playlist::Master(_) => panic!("a master playlist"),
    }
}

fn master(text: &str) -> MasterPlaylist {
    match parse("a.m3u8", text.as_bytes(), true).unwrap() {
        Playlist::Master(playlist) => playlist,
        Playlist::Media(_) => panic!("a media playlist"),
    }
}

fn problems(playlist: &MediaPlaylist) -> Vec<String> {
    playlist.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_of_a_chunk() {
    let text = "\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:7\r\n#EXT-X-MEDIA-SEQUENCE:41\r\n\
        #EXT-X-DISCONTINUITY-SEQUENCE:3\r\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"720@0\"\r\n\
        #EXTINF:6.006,Court 1, set 2\r\n#EXT-X-BYTERANGE:1000@720\r\nall.mp4\r\n\
        #EXTINF:6.006,\r\n#EXT-X-BYTERANGE:500\r\nall.mp4\r\n\
        #EXT-X-DISCONTINUITY\r\n#EXT-X-MAP:URI=\"other.mp4\"\r\n\
        #EXT-X-PROGRAM-DATE-TIME:2019-09-08T22:00:00.5+02:00\r\n#EXTINF:.5\r\nb c.mp4\r\n\
        #EXT-X-ENDLIST\r\n";
    let playlist = media(text);
    assert_eq!(problems(&playlist), [""; 0]);
    assert!(playlist.complete);
    assert_eq!(playlist.target_duration, MediaTime::from_seconds(7));
    assert_eq!(playlist.media_sequence, 41);
    let [a, b, c] = playlist.segments.as_slice() else {
        panic!("{playlist:?}")
    };
    assert_eq!((a.line, a.sequence, a.discontinuity_sequence), (8, 41, 3));
    assert_eq!(a.duration, Some(MediaTime::from_ticks(6006, 1000)));
    assert_eq!(
        a.range,
        Some(ByteRange {
            offset: 720,
            length: 1000
        })
    );
    let init = MapSection {
        uri: "init.mp4".into(),
        range: Some(ByteRange {
            offset: 0,
            length: 720,
        }),
        key: None,
    };
    assert_eq!(a.map.as_ref(), Some(&init));
    assert_eq!(
        b.range,
        Some(ByteRange {
            offset: 1720,
            length: 500
        })
    );
    assert_eq!(b.map.as_ref(), Some(&init));
    assert!(!b.discontinuity && c.discontinuity);
    assert_eq!((c.sequence, c.discontinuity_sequence), (43, 4));
    assert_eq!(c.uri, "b c.mp4");
    assert_eq!(
        c.map,
        Some(MapSection {
            uri: "other.mp4".into(),
            range: None,
            key: None,
        })
    );
    assert_eq!(c.program_date_time, Some(1_567_972_800_500_000));
    assert_eq!(c.duration, Some(MediaTime::from_millis(500)));
}

#[test]
fn bad_lines_are_named_and_the_rest_is_kept() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:abc\n#EXTINF:;asl,\n1.ts\n#EXTINF:4,\n\
        #EXT-X-BYTERANGE:x@y\n2.ts\n#EXT-X-PROGRAM-DATE-TIME:yesterday\n#EXTINF:4,\n3.ts\n\
        stray\n#EXT-X-MAP:BYTERANGE=\"1@2\"\n#EXTINF:4,\n4.mp4\n";
    let playlist = media(text);
    assert_eq!(
        problems(&playlist),
        [
            "line 2: not a number of seconds: \"#EXT-X-TARGETDURATION:abc\"",
            "line 3: not a duration in seconds: \"#EXTINF:;asl,\"",
            "line 6: not a byte range, which is LENGTH or LENGTH@OFFSET: \"#EXT-X-BYTERANGE:x@y\"",
            "line 8: not a date with time and zone (2024-05-01T10:00:00Z): \
             \"#EXT-X-PROGRAM-DATE-TIME:yesterday\"",
            "line 11: neither a tag nor a URI after EXTINF; taken as a chunk: \"stray\"",
            "line 12: an initialization section without URI: \"#EXT-X-MAP:BYTERANGE=\"1@2\"\"",
        ]
    );
    let short: Vec<_> = playlist
        .segments
        .iter()
        .map(|s| {
            (
                s.uri.as_str(),
                s.duration.map(MediaTime::to_millis),
                s.unusable.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            ("1.ts", None, None),
            ("2.ts", Some(4000), Some("its byte range cannot be read")),
            ("3.ts", Some(4000), None),
            ("stray", None, None),
            (
                "4.mp4",
                Some(4000),
                Some("its initialization section cannot be read (line 12)")
            ),
        ]
    );
    assert_eq!(playlist.target_duration, MediaTime::from_seconds(4));
    assert!(!playlist.complete);
}

#[test]
fn keys_apply_until_the_next_one() {
    let text = "#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n1.ts\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:4,\n2.ts\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"l\",IV=0x0102\n#EXTINF:4,\n3.ts\n\
        #EXT-X-KEY:METHOD=NONE\n#EXT-X-GAP\n#EXTINF:4,\n4.ts\n#EXTINF:4,\n5.ts\n\
        #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"x\",KEYFORMAT=\"com.apple\"\n#EXTINF:4,\n6.ts\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"m\"\n#EXTINF:4,\n7.ts\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"m\",IV=0x00000000000000000000000000000000f\n#EXTINF:4,\n8.ts\n";
    let playlist = media(text);
    let keys: Vec<_> = playlist
        .segments
        .iter()
        .map(|s| {
            (
                s.unusable.as_deref(),
                s.key.as_ref().map(|k| (k.uri.as_str(), k.iv)),
            )
        })
        .collect();
    let mut iv = [0; 16];
    iv[14..].copy_from_slice(&[1, 2]);
    assert_eq!(
        keys,
        [
            (None, None),
            (None, Some(("k", None))),
            (None, Some(("l", Some(iv)))),
            (Some("the playlist says that it is missing"), None),
            (None, None),
            (Some("it is encrypted with SAMPLE-AES (line 18)"), None),
            (None, Some(("m", None))),
            (Some("the IV of its key cannot be read (line 24)"), None),
        ]
    );
    assert_eq!(playlist.problems.len(), 1);
    let map = playlist.segments[2].map.as_ref().unwrap();
    assert_eq!(map.key.as_ref().map(|key| key.uri.as_str()), Some("k"));
}

#[test]
fn variables_stand_for_their_values() {
    let text = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"a/b\"\n\
        #EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-DEFINE:IMPORT=\"host\"\n\
        #EXT-X-DEFINE:IMPORT=\"none\"\n#EXT-X-MAP:URI=\"{$dir}/i.mp4\"\n\
        #EXTINF:4,\n{$host}/{$dir}/1.ts?t={$token}\n#EXTINF:4,\n{$none}/2.ts\n";
    let imports = [("host".to_owned(), "//cdn".to_owned())].into();
    let parsed = parse_with(
        "http://x/a.m3u8?token=7%208",
        text.as_bytes(),
        true,
        &imports,
    );
    let Ok(Playlist::Media(playlist)) = parsed else {
        panic!("{parsed:?}")
    };
    assert_eq!(playlist.segments[0].uri, "//cdn/a/b/1.ts?t=7 8");
    assert_eq!(playlist.segments[0].map.as_ref().unwrap().uri, "a/b/i.mp4");
    let reason = "its URI has the variable \"none\", which is not defined";
    assert_eq!(playlist.segments[1].unusable.as_deref(), Some(reason));
    assert_eq!(
        problems(&playlist),
        [
            "line 5: a variable that the master playlist does not define: \
          \"#EXT-X-DEFINE:IMPORT=\"none\"\""
        ]
    );
}

#[test]
fn parts_belong_to_the_chunk_after_them() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0\n\
        #EXT-X-PART-INF:PART-TARGET=1.0\n#EXTINF:2,\n7.ts\n\
        #EXT-X-PART:DURATION=1.0,URI=\"8.ts\",BYTERANGE=\"100@0\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=1.0,URI=\"8.ts\",BYTERANGE=\"50\"\n#EXTINF:2,\n8.ts\n\
        #EXT-X-PART:DURATION=0.9,URI=\"9.0.ts\",GAP=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.1.ts\"\n";
    let playlist = media(text);
    assert_eq!(problems(&playlist), [""; 0]);
    assert!(playlist.can_block_reload);
    assert_eq!(playlist.part_target, Some(MediaTime::from_seconds(1)));
    let counts: Vec<_> = playlist.segments.iter().map(|s| s.parts.len()).collect();
    assert_eq!(counts, [0, 2]);
    let second = &playlist.segments[1].parts[1];
    assert_eq!(
        second.range,
        Some(ByteRange {
            offset: 100,
            length: 50
        })
    );
    let open = playlist.open.unwrap();
    assert_eq!(
        (open.sequence, open.parts.len(), open.parts[0].gap),
        (9, 1, true)
    );
}

#[test]
fn breaks_in_the_dialects_of_packagers() {
    let insert = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=";
    let text = format!(
        "#EXTM3U\n#EXT-OATCLS-SCTE35:{insert}\n#EXT-X-CUE-OUT:30.5\n#EXTINF:4,\n1.ts\n\
         #EXT-X-CUE-OUT-CONT:4/30.5\n#EXTINF:4,\n2.ts\n#EXT-X-CUE-IN\n#EXTINF:4,\n3.ts\n\
         #EXT-X-CUE-OUT:DURATION=12,ID=x\n#EXTINF:4,\n4.ts\n\
         #EXT-X-CUE-OUT-CONT:ElapsedTime=5.9,Duration=201.4,SCTE35={insert}\n#EXTINF:4,\n5.ts\n\
         #EXT-X-SCTE35:TYPE=0x34,CUE-IN=YES,CUE=\"nonsense!\"\n#EXTINF:4,\n6.ts\n\
         #EXT-OATCLS-SCTE35:{insert}\n#EXTINF:4,\n7.ts\n#EXT-X-CUE-OUT\n#EXTINF:4,\n8.ts\n"
    );
    let playlist = media(&text);
    let cues: Vec<_> = playlist
        .segments
        .iter()
        .flat_map(|segment| &segment.cues)
        .map(|cue| {
            let scte35 = cue.attributes.get("command").map(|c| c.plain_text());
            let duration = cue.duration.map(MediaTime::to_millis);
            let continued = cue.attributes.contains_key(cues::CONTINUED);
            (cue.kind, duration, scte35, continued)
        })
        .collect();
    use matchcut_model::cue::CueKind::{In, Out};
    let insert = Some("splice_insert".to_owned());
    assert_eq!(
        cues,
        [
            (Out, Some(30_500), insert.clone(), false),
            (Out, Some(30_500), None, true),
            (In, None, None, false),
            (Out, Some(12_000), None, false),
            (Out, Some(201_400), insert.clone(), true),
            (In, None, None, false),
            (Out, Some(60_294), insert, false),
            (Out, None, None, false),
        ]
    );
    assert_eq!(
        problems(&playlist),
        ["line 18: not SCTE-35 in hexadecimal or base64: \
          \"#EXT-X-SCTE35:TYPE=0x34,CUE-IN=YES,CUE=\"nonsense!\"\""]
    );
    let elapsed = &playlist.segments[1].cues[0].attributes["elapsed"];
    assert_eq!(elapsed.as_f64(), Some(4.0));
}

#[test]
fn ranges_of_dates_say_all_that_their_tags_say() {
    let text = "#EXTM3U\n#EXT-X-DATERANGE:ID=\"a\",CLASS=\"ad\",START-DATE=\"2024-05-01T10:00:00Z\",\
        PLANNED-DURATION=30,X-COM-AD=\"7\",X-WEIGHT=0.5,SCTE35-OUT=0xFC302F000000000000FFFFF0140548\
        00008F7FEFFE7369C02EFE0052CCF500000000000A0008435545490000013562DBA30A\n#EXTINF:4,\n1.ts\n\
        #EXT-X-DATERANGE:ID=\"a\",END-DATE=\"2024-05-01T10:00:31Z\"\n\
        #EXT-X-DATERANGE:START-DATE=\"2024-05-01T10:00:00Z\"\n\
        #EXT-X-DATERANGE:ID=\"b\",START-DATE=\"soon\"\n#EXTINF:4,\n2.ts\n";
    let playlist = media(text);
    let [range] = playlist.date_ranges.as_slice() else {
        panic!("{playlist:?}")
    };
    use matchcut_model::cue::CueTime;
    assert_eq!((range.id.as_str(), range.before), ("a", 0));
    assert_eq!(range.cue.at, CueTime::Utc(1_714_557_600_000_000));
    assert_eq!(range.cue.duration, Some(MediaTime::from_seconds(31)));
    let said = |name: &str| range.cue.attributes[name].plain_text();
    assert_eq!(said("class"), "ad");
    assert_eq!(said("x_com_ad"), "7");
    assert_eq!(range.cue.attributes["x_weight"].as_f64(), Some(0.5));
    assert_eq!(said("out_of_network"), "true");
    let lines: Vec<_> = playlist
        .problems
        .iter()
        .map(|p| (p.line, p.message.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (6, "a range of dates without ID"),
            (7, "a range of dates without a START-DATE that is one")
        ]
    );
}

#[test]
fn a_half_written_playlist_keeps_its_whole_lines() {
    let text = b"#EXTM3U\n#EXTINF:4,\n1.ts\n#EXTINF:4,\nname_0000";
    let count = |whole| match parse("a", text, whole).unwrap() {
        Playlist::Media(playlist) => playlist.segments.len(),
        Playlist::Master(_) => 0,
    };
    assert_eq!((count(false), count(true)), (1, 2));
}

#[test]
fn what_is_no_playlist_is_refused_with_its_line() {
    let refused = |bytes: &[u8]| {
        parse("http://x/a.m3u8", bytes, true)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(b""), "http://x/a.m3u8:1: the playlist is empty");
    assert_eq!(
        refused(b"\n<html>\n<body>"),
        "http://x/a.m3u8:2: this is not an HLS playlist, which starts with #EXTM3U: \"<html>\""
    );
    assert_eq!(
        refused(b"\x47\x40\x00\x10\x00"),
        "http://x/a.m3u8:1: this is not an HLS playlist, which starts with #EXTM3U: \"G@\u{fffd}\u{fffd}\u{fffd}\""
    );
    assert_eq!(
        refused(b"#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-I-FRAMES-ONLY\n#EXTINF:1,\na.ts\n"),
        "http://x/a.m3u8:3: this playlist has key frames only; give the playlist of the stream: \
         \"#EXT-X-I-FRAMES-ONLY\""
    );
    assert_eq!(
        refused(b"#EXTM3U\n# nothing\n"),
        "http://x/a.m3u8:1: the playlist has no content"
    );
}

#[test]
fn variants_are_chosen_by_bandwidth_or_size() {
    let text = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"English\",URI=\"en.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"mux\",NAME=\"English\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"mux\",NAME=\"French\",URI=\"fr.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.5\"\naudio.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,AUDIO=\"mux\"\nlow.m3u8\n\
        #EXT-X-STREAM-INF:RESOLUTION=1x1\nbroken.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1280x720,AUDIO=\"aac\"\nhigh.m3u8\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,URI=\"keys.m3u8\"\n";
    let playlist = master(text);
    let chosen = |wanted| playlist.choose(wanted).map(|variant| variant.uri.as_str());
    assert_eq!(chosen(Variant::Highest), Some("high.m3u8"));
    assert_eq!(chosen(Variant::Lowest), Some("low.m3u8"));
    assert_eq!(chosen(Variant::Size(640, 360)), Some("low.m3u8"));
    assert_eq!(chosen(Variant::Size(1920, 1080)), None);
    let separate = |index: usize| -> Vec<&str> {
        let audio = playlist.separate_audio(&playlist.variants[index]);
        audio.iter().map(|audio| audio.name.as_str()).collect()
    };
    assert_eq!(separate(1), ["French"]);
    assert_eq!(separate(2), ["English"]);
    assert_eq!(
        playlist
            .problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["line 9: a variant without BANDWIDTH: \"#EXT-X-STREAM-INF:RESOLUTION=1x1\""]
    );
}

proptest::proptest! {
    /// Whatever comes, it is read or refused; never a panic.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let mut playlist = b"#EXTM3U\n".to_vec();
        playlist.extend(&bytes);
        let _ = parse("a", &bytes, true);
        let _ = parse("a", &playlist, false);
    }

    /// Tags with any values, in any order.
    #[test]
    fn any_tags(
        lines in proptest::collection::vec(
            "(#EXTINF:|#EXT-X-(BYTERANGE|MAP|KEY|MEDIA|STREAM-INF|TARGETDURATION|MEDIA-SEQUENCE|\
              DISCONTINUITY-SEQUENCE|PROGRAM-DATE-TIME|PART|DATERANGE|DEFINE|CUE-OUT|CUE-OUT-CONT|SCTE35):|#EXT-X-DISCONTINUITY|)\
             ([0-9]{1,22}|URI=\"[a-z]{0,3}\"?|METHOD=|BANDWIDTH=[0-9]{1,22}|[ -~]{0,12})",
            0..30,
        ),
    ) {
        let text = format!("#EXTM3U\n{}", lines.join("\n"));
        if let Ok(Playlist::Media(playlist)) = parse("a", text.as_bytes(), true) {
            let uris = text.lines().filter(|line| {
                !line.trim().is_empty() && !line.trim().starts_with('#')
            });
            proptest::prop_assert_eq!(playlist.segments.len(), uris.count());
        }
    }
}
