//! Playlists: what is read is in the text, addresses resolve, a playlist that is written as it was
//! read reads the same, and the window of a live one goes forward.

use std::fmt::Write;

use matchcut_ingest::config::Variant;
use matchcut_ingest::playlist::{MasterPlaylist, MediaPlaylist, Playlist, Segment, parse};
use matchcut_ingest::{testing, uri};
use matchcut_model::chunk::ByteRange;
use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};
use url::Url;

use crate::parts;

pub(crate) fn run(data: &[u8]) {
    let mut loads = Vec::new();
    for load in parts(data, 5) {
        match parse("a.m3u8", load, true) {
            Ok(Playlist::Master(playlist)) => master(&playlist, load),
            Ok(Playlist::Media(playlist)) => {
                media(&playlist, load);
                loads.push(playlist);
            }
            Err(error) => assert!((1..=lines(load)).contains(&error.line), "{error}"),
        }
        half_written(load);
    }
    window(&loads);
}

fn lines(load: &[u8]) -> usize {
    load.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What comes after the last line end does not count.
fn half_written(load: &[u8]) {
    let whole = load.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.and_then(|last| load.get(..=last)).unwrap_or_default();
    assert_eq!(
        parse("a.m3u8", load, false),
        parse("a.m3u8", whole, true),
        "half written"
    );
}

fn resolves(reference: &str) {
    for base in [
        "https://cdn.example.com/a/live.m3u8?t=1",
        "file:///m/a.m3u8",
    ] {
        let base = Url::parse(base).expect("an address");
        if let Ok(url) = uri::resolve(&base, reference) {
            assert_eq!(uri::resolve(&base, url.as_str()), Ok(url));
        }
    }
}

fn master(playlist: &MasterPlaylist, load: &[u8]) {
    let lines = lines(load);
    for problem in &playlist.problems {
        assert!((1..=lines).contains(&problem.line), "{problem}");
    }
    for variant in &playlist.variants {
        assert!((1..=lines).contains(&variant.line), "{variant:?}");
        resolves(&variant.uri);
        if let Some((width, height)) = variant.size {
            assert!(playlist.choose(Variant::Size(width, height)).is_some());
        }
    }
    let some = !playlist.variants.is_empty();
    assert_eq!(playlist.choose(Variant::Highest).is_some(), some);
    assert_eq!(playlist.choose(Variant::Lowest).is_some(), some);
    assert_eq!(playlist.available().is_empty(), !some);
}

fn media(playlist: &MediaPlaylist, load: &[u8]) {
    let lines = lines(load);
    for problem in &playlist.problems {
        assert!((1..=lines).contains(&problem.line), "{problem}");
    }
    assert!(!playlist.target_duration.is_negative());
    for segment in &playlist.segments {
        assert!((1..=lines).contains(&segment.line), "{segment:?}");
        assert!(segment.duration.is_none_or(|time| !time.is_negative()));
        resolves(&segment.uri);
        if let Some(map) = &segment.map {
            resolves(&map.uri);
        }
    }
    for (before, after) in playlist
        .segments
        .iter()
        .zip(playlist.segments.iter().skip(1))
    {
        assert!(before.line < after.line);
        assert_eq!(before.sequence.saturating_add(1), after.sequence);
        assert!(before.discontinuity_sequence <= after.discontinuity_sequence);
    }
    written(playlist);
}

/// Writes the playlist with what can be used of it, reads it again and compares.
fn written(playlist: &MediaPlaylist) {
    // What has a complaint is not said in words that can be said again; neither is an address with
    // quotes, blanks, variables or line ends in it.
    let plain = |uri: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'#{}$,".contains(c);
        !uri.is_empty() && !uri.contains(odd)
    };
    let segments = || playlist.segments.iter();
    if !playlist.problems.is_empty()
        || segments().any(|segment| !plain(&segment.uri))
        || segments().any(|segment| segment.map.as_ref().is_some_and(|map| !plain(&map.uri)))
    {
        return;
    }
    let mut usable = playlist.clone();
    // A chunk without a duration was never right.
    usable
        .segments
        .retain(|segment| segment.unusable.is_none() && segment.duration.is_some());
    // Keys, marks of breaks and parts are not written here.
    for segment in &mut usable.segments {
        segment.key = None;
        segment.cues.clear();
        segment.parts.clear();
        if let Some(map) = &mut segment.map {
            map.key = None;
        }
    }
    let Some(first) = usable.segments.first() else {
        return;
    };
    // The next one has no number of its own at the end of all numbers.
    if first.sequence > u64::MAX / 2 || first.discontinuity_sequence > u64::MAX / 2 {
        return;
    }
    usable.media_sequence = first.sequence;
    let stretch = first.discontinuity_sequence - u64::from(first.discontinuity);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{stretch}\n",
        first.sequence
    );
    let mut map = None;
    for segment in &usable.segments {
        if segment.map != map && segment.map.is_none() {
            // Nothing takes a map back.
            return;
        }
        if segment.map != map {
            map.clone_from(&segment.map);
            let section = map.iter();
            for section in section {
                let range = section.range.map(range_text);
                let range = range.map_or(String::new(), |range| format!(",BYTERANGE=\"{range}\""));
                let _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"{range}", section.uri);
            }
        }
        write_segment(&mut text, segment);
    }
    let again = match parse("again.m3u8", text.as_bytes(), true) {
        Ok(Playlist::Media(again)) => again,
        other => panic!("{other:?}\n{text}"),
    };
    assert!(again.problems.is_empty(), "{:?}\n{text}", again.problems);
    let (mut sequence, mut discontinuity_sequence) = (usable.media_sequence, stretch);
    assert_eq!(again.segments.len(), usable.segments.len(), "{text}");
    for (was, is) in usable.segments.iter_mut().zip(&again.segments) {
        // The numbers of what was left out are gone.
        discontinuity_sequence += u64::from(was.discontinuity);
        was.discontinuity_sequence = discontinuity_sequence;
        was.sequence = sequence;
        was.line = is.line;
        sequence += 1;
        assert_eq!(was, is, "{text}");
    }
}

fn write_segment(text: &mut String, segment: &Segment) {
    if segment.discontinuity {
        text.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if let Some(date) = segment.program_date_time {
        let date = jiff::Timestamp::from_microsecond(date).expect("a date that was read");
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}");
    }
    if let Some(duration) = segment.duration {
        let _ = writeln!(text, "#EXTINF:{},", decimal(duration));
    }
    if let Some(range) = segment.range {
        let _ = writeln!(text, "#EXT-X-BYTERANGE:{}", range_text(range));
    }
    let _ = writeln!(text, "{}", segment.uri);
}

fn range_text(range: ByteRange) -> String {
    format!("{}@{}", range.length, range.offset)
}

/// Seconds with so many decimals that every flick has its own text.
fn decimal(time: MediaTime) -> String {
    let (flicks, second) = (i128::from(time.flicks()), i128::from(FLICKS_PER_SECOND));
    let fraction = flicks % second * 1_000_000_000_000 / second;
    let up = i128::from(flicks % second * 1_000_000_000_000 % second != 0);
    format!("{}.{:012}", flicks / second, fraction + up)
}

/// A load of what is known already brings nothing, and numbers grow within a load.
fn window(loads: &[MediaPlaylist]) {
    let each_twice: Vec<MediaPlaylist> = loads
        .iter()
        .flat_map(|load| [load.clone(), load.clone()])
        .collect();
    let news = testing::follow(&each_twice);
    assert_eq!(news.len(), each_twice.len());
    for (load, new) in each_twice.iter().zip(&news) {
        assert!(new.len() <= load.segments.len());
        assert!(new.is_sorted(), "{new:?}");
    }
}
