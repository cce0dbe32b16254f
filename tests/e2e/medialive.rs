//! A channel of MediaLive in whole runs: made ready, read from both pipelines, given back as it was. The channel
//! is moto's, whose chunks the test writes.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::s3_server::{Fault, S3Server};
use crate::support::aws_media::{Services, refused};
use crate::support::stream::{CHUNKS, DATED, SPEC, chunks, copy};
use crate::support::{Done, Work, lines, same_findings};

/// The chunks that a pipeline has written so far, and whether it has ended.
fn write(s3: &S3Server, pipeline: usize, which: &[usize], ended: bool) {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n\
                    #EXT-X-PLAYLIST-TYPE:EVENT\n"
        .to_owned();
    for index in which {
        let name = format!("index_1_{:05}.ts", index + 1);
        let key = format!("cup/{pipeline}/{name}");
        // One object never comes.
        if !s3.path("media", &key).exists() && (pipeline, *index) != (0, 0) {
            let bytes = fs::read(chunks().join(CHUNKS[*index])).unwrap();
            s3.put("media", &key, bytes);
        }
        let second = index * 2;
        text += &format!(
            "#EXT-X-PROGRAM-DATE-TIME:2026-06-06T14:00:{second:02}.000Z\n#EXTINF:2.000,\n{name}\n"
        );
    }
    if ended {
        text = text.replace("EVENT", "VOD") + "#EXT-X-ENDLIST\n";
    }
    s3.put("media", &format!("cup/{pipeline}/index_1.m3u8"), text);
}

fn spec(services: &Services, options: &str) -> String {
    let source = format!(
        "type = \"medialive\"\nuri = \"s3://media/cup\"\nchannel = \"{}\"\nsegment_length = 2\nwatch = \"200ms\"\n\
         reload = \"100ms\"\n{options}",
        services.channel
    );
    SPEC.replace("type = \"hls\"\nuri = \"index.m3u8\"", &source)
}

/// A directory with the spec, the services and a bucket; `None` where there is no moto.
fn ready(options: &str) -> Option<(Work, Services, S3Server)> {
    let mut work = copy(DATED);
    let services = Services::start(work.path("").as_path())?;
    let s3 = S3Server::start(&["media"]);
    services.with_keys(&mut work);
    work.set_env("AWS_ENDPOINT_URL_S3", s3.endpoint.as_str());
    work.write("live.toml", spec(&services, options));
    Some((work, services, s3))
}

/// What the run gives is what the same chunks on disk give.
fn as_from_disk(work: &Work, out: &str) {
    work.ok(["run", "shots.toml", "--out", "disk"]);
    same_findings(work, "disk", out);
}

fn printed(done: &Done) -> Vec<&str> {
    done.stdout.lines().collect()
}

/// The channel without its state.
fn stateless(mut channel: Json) -> Json {
    channel.as_object_mut().unwrap().remove("State");
    channel
}

fn chunks_read(work: &Work, out: &str) -> usize {
    let log = work.path(out).join("log.jsonl");
    match log.exists() {
        true => lines(&log)
            .iter()
            .filter(|line| line["kind"] == "chunk")
            .count(),
        false => 0,
    }
}

#[test]
fn a_channel_is_made_ready_and_given_back() {
    let options = "attach = true\nstart = true\nstop = true\ndetach = true\ntake_over = \"1s\"\ninput = \"file\"\n";
    let Some((work, services, s3)) = ready(options) else {
        return;
    };
    let before = stateless(services.channel());

    // The dry run.
    let done = work.ok(["medialive", "plan", "live.toml"]);
    let plan = [
        "channel \"court\" is IDLE",
        "  + destination \"matchcut\": s3ssl://media/cup/0/index, s3ssl://media/cup/1/index",
        "  + video description \"matchcut_video\": H.264, QVBR 8 up to 5 Mbit/s, a key frame each second",
        "  + output group \"matchcut\": HLS, chunks of 2 s, video matchcut_video, sound eng",
        "output groups now: 1; nothing was changed",
    ];
    assert_eq!(printed(&done), plan);
    let told = work
        .ok(["medialive", "plan", "live.toml", "--format", "json"])
        .json();
    assert_eq!(told["changes"].as_array().unwrap().len(), 3);
    assert_eq!(services.asked(), ["DescribeChannel", "DescribeChannel"]);
    assert_eq!(stateless(services.channel()), before);

    // Throttled all the way.
    services.order(json!({"faults": [["*", 2, 429, "TooManyRequestsException"]]}));
    let mut run = work.matchcut(["run", "live.toml", "--out", "live"]);
    while services.channel()["State"] != "RUNNING" {
        sleep(Duration::from_millis(50));
    }
    let running = services.channel();
    let settings = &running["Destinations"][1]["Settings"];
    assert_eq!(settings[1], json!({"Url": "s3ssl://media/cup/1/index"}));
    let groups = running["EncoderSettings"]["OutputGroups"]
        .as_array()
        .unwrap();
    assert_eq!(groups[0], before["EncoderSettings"]["OutputGroups"][0]);
    let hls = &groups[1]["OutputGroupSettings"]["HlsGroupSettings"];
    assert_eq!(
        (&hls["SegmentLength"], &hls["Mode"]),
        (&json!(2), &json!("VOD"))
    );
    let alert = json!({
        "AlertType": "Video Not Detected", "Id": "1", "PipelineId": "0", "Message": "no video",
    });
    let other = json!({"AlertType": "Input Loss", "Id": "2", "Message": "none"});
    services.order(json!({"alerts": [alert, other]}));
    // The first pipeline begins, though its first chunk was not written, loses a chunk and breaks down.
    write(&s3, 1, &[0], false);
    write(&s3, 0, &[0], false);
    run.until("live/log.jsonl", |log| log.contains("\"chunk\""));
    write(&s3, 0, &[0, 2], false);
    write(&s3, 1, &[0, 1, 2, 3], false);
    while chunks_read(&work, "live") < 4 {
        sleep(Duration::from_millis(50));
    }
    services.order(json!({"alerts": []}));
    write(&s3, 1, &[0, 1, 2, 3, 4, 5], true);
    let done = run.wait().exits(0);
    done.says("channel")
        .says("pipeline 0: alert: Video Not Detected: no video")
        .says("alert: Input Loss: none")
        .says("it is RUNNING")
        .says_times(1, "pipeline 1 takes over");
    as_from_disk(&work, "live");

    // All is as it was.
    let after = services.channel();
    assert_eq!(after["State"], "IDLE");
    assert_eq!(stateless(after), before);
    let asked = services.asked();
    let count = |name: &str| asked.iter().filter(|asked| *asked == name).count();
    assert_eq!(
        [
            count("StartChannel"),
            count("StopChannel"),
            count("UpdateChannel")
        ],
        [1, 1, 2]
    );
    assert_eq!(count("BatchUpdateSchedule"), 1);
    assert_eq!(refused(&asked), 2, "{asked:?}");
}

#[test]
fn a_channel_is_handled_by_hand() {
    let Some((mut work, services, _s3)) = ready("input = \"camera\"\n") else {
        return;
    };
    let before = stateless(services.channel());
    let medialive = |command: &str| work.ok(["medialive", command, "live.toml"]);
    assert_eq!(printed(&medialive("attach")).len(), 3);
    assert_eq!(printed(&medialive("attach")), ["nothing was to be changed"]);
    let attached = stateless(services.channel());
    assert_eq!(
        attached["EncoderSettings"]["OutputGroups"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let started = [
        "switched to the input \"camera\"",
        "the channel was started",
    ];
    assert_eq!(printed(&medialive("start")), started);
    let again = [
        "switched to the input \"camera\"",
        "the channel runs already",
    ];
    assert_eq!(printed(&medialive("start")), again);
    // What runs is not changed; what is there already may be asked for.
    assert_eq!(printed(&medialive("attach")), ["nothing was to be changed"]);
    let done = work.fails(1, ["medialive", "detach", "live.toml"]);
    done.says("it is RUNNING and can only be changed when it is idle; stop it first (matchcut medialive stop)");
    let done = work.ok(["medialive", "watch", "live.toml", "--once"]);
    assert_eq!(printed(&done), ["it is RUNNING"]);
    assert_eq!(printed(&medialive("stop")), ["the channel was stopped"]);
    assert_eq!(printed(&medialive("stop")), ["the channel is idle already"]);
    assert_eq!(stateless(services.channel()), attached);
    assert_eq!(printed(&medialive("detach")).len(), 3);
    assert_eq!(printed(&medialive("detach")), ["nothing was to be changed"]);
    assert_eq!(stateless(services.channel()), before);

    let set = [
        "medialive",
        "start",
        "live.toml",
        "--set",
        "sources.tv.input=nobody",
    ];
    work.fails(1, set)
        .says("it has no input attachment \"nobody\"; it has camera, file");
    work.set_env("AWS_SECRET_ACCESS_KEY", "another-secret");
    let done = work.fails(1, ["medialive", "plan", "live.toml"]);
    done.says("AWS does not take the credentials (SignatureDoesNotMatch)")
        .says_times(0, "another-secret");
    work.fails(2, ["medialive", "plan", "shots.toml"])
        .says("the spec needs one source of type \"medialive\"");
    let bad = spec(&services, "secnd = \"s3://b\"\noutput = \"a b\"\n");
    work.write("bad.toml", bad);
    work.fails(78, ["validate", "bad.toml"])
        .says("did you mean \"second\"?")
        .says("1 to 24 letters, digits and hyphens expected");
}

#[test]
fn credentials_that_expire_cost_nothing() {
    let options = "start = true\nstop = true\nduration = \"12s\"\ntake_over = \"1s\"\n";
    let Some((work, services, s3)) = ready(options) else {
        return;
    };
    let mut run = work.matchcut(["run", "live.toml", "--out", "live"]);
    write(&s3, 0, &[0], false);
    write(&s3, 1, &[0], false);
    run.until("live/log.jsonl", |log| log.contains("\"chunk\""));
    // The playlists can still be read, and then nothing can.
    s3.fault(|line| match line.contains(".ts") {
        true => Fault::Error(403, "ExpiredToken"),
        false => Fault::None,
    });
    services.order(json!({"faults": [["*", 4, 403, "ExpiredTokenException"]]}));
    write(&s3, 0, &[0, 1, 2], false);
    run.until("live/log.jsonl", |log| log.contains("\"gap\""));
    s3.fault(|_| Fault::Error(403, "ExpiredToken"));
    sleep(Duration::from_millis(500));
    s3.fault(|_| Fault::None);
    write(&s3, 0, &[0, 1, 2, 3], false);
    // What could not be had is asked for again after two seconds.
    while chunks_read(&work, "live") < 4 {
        sleep(Duration::from_millis(50));
    }
    // Nobody says that it ends: it is over when so much of it was read.
    write(&s3, 0, &[0, 1, 2, 3, 4, 5], false);
    let done = run.wait().exits(0);
    done.says("AWS does not take the credentials (ExpiredToken); they have expired: get new ones");
    assert_eq!(services.channel()["State"], "IDLE");
    as_from_disk(&work, "live");
}
