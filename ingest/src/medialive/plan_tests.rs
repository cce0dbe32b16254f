use super::*;
use proptest::prelude::*;

fn wanted() -> Wanted {
    Wanted {
        name: "matchcut".to_owned(),
        urls: ["s3ssl://media/cup/0/index", "s3ssl://media/cup/1/index"].map(str::to_owned),
        segment_length: 6,
        video: None,
    }
}

/// A channel with an output of somebody else, with settings that nobody here knows.
fn channel() -> Json {
    json!({
        "id": "1234567",
        "arn": "arn:aws:medialive:eu-central-1:123456789012:channel:1234567",
        "name": "court",
        "state": "IDLE",
        "channelClass": "STANDARD",
        "pipelinesRunningCount": 0,
        "destinations": [{"id": "cdn", "settings": [
            {"url": "https://cdn.example.com/a", "passwordParam": "/cdn/a", "username": "u"},
            {"url": "https://cdn.example.com/b", "fromTheFuture": [1, {"x": null}]},
        ]}],
        "encoderSettings": {
            "audioDescriptions": [{"name": "eng", "audioSelectorName": "a"}, {"name": "crowd"}],
            "videoDescriptions": [{"name": "v1080", "height": 1080}],
            "outputGroups": [{
                "name": "to the CDN",
                "outputGroupSettings": {"hlsGroupSettings": {"destination": {"destinationRefId": "cdn"}}},
                "outputs": [{"outputName": "a", "videoDescriptionName": "v1080"}],
                "anotherThing": {"deep": 1.5},
            }],
            "timecodeConfig": {"source": "SYSTEMCLOCK"},
        },
        "inputAttachments": [
            {"inputAttachmentName": "camera", "inputId": "1"},
            {"inputAttachmentName": "file", "inputId": "2"},
        ],
        "inputSpecification": {"codec": "AVC"},
        "logLevel": "ERROR",
        "roleArn": "arn:aws:iam::123456789012:role/live",
        "maintenance": {"maintenanceDay": "MONDAY"},
        "tags": {"a": "b"},
    })
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

/// The channel after an update.
fn updated(channel: &Json, plan: &Plan) -> Json {
    let mut after = channel.clone();
    for (key, value) in plan.body.as_object().unwrap() {
        after[key] = value.clone();
    }
    after
}

/// Lists of a channel without what bears our name.
fn of_others(channel: &Json) -> Json {
    let mut rest = channel.clone();
    for place in &PLACES {
        let list = rest
            .pointer_mut(place.path)
            .unwrap()
            .as_array_mut()
            .unwrap();
        list.retain(|one| !text(one, place.key).starts_with("matchcut"));
    }
    rest
}

#[test]
fn a_plan_reads_like_this() {
    let plan = attach(&channel(), &wanted()).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "+ destination \"matchcut\": s3ssl://media/cup/0/index, s3ssl://media/cup/1/index",
            "+ video description \"matchcut_video\": H.264, QVBR 8 up to 5 Mbit/s, a key frame each second",
            "+ output group \"matchcut\": HLS, chunks of 6 s, video matchcut_video, sound eng, crowd",
        ]
    );
    let told = serde_json::to_value(&plan.changes[0]).unwrap();
    assert_eq!(
        told,
        json!({
            "action": "add", "part": "destination", "name": "matchcut",
            "says": "s3ssl://media/cup/0/index, s3ssl://media/cup/1/index",
        })
    );
    let keys: Vec<&String> = plan.body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "destinations",
            "encoderSettings",
            "inputAttachments",
            "inputSpecification",
            "logLevel",
            "name",
            "roleArn"
        ]
    );
    let group = &plan.body["encoderSettings"]["outputGroups"][1];
    assert_eq!(
        group["outputs"][0]["audioDescriptionNames"],
        json!(["eng", "crowd"])
    );
    assert_eq!(
        group["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"],
        6
    );
}

#[test]
fn attaching_twice_changes_nothing_and_detaching_leaves_what_was_there() {
    let before = channel();
    let mut after = updated(&before, &attach(&before, &wanted()).unwrap());
    assert_eq!(of_others(&after), before);
    // The service adds what it takes for granted, and writes numbers in its own way.
    let ours = &mut after["encoderSettings"]["outputGroups"][1];
    ours["outputGroupSettings"]["hlsGroupSettings"]["keepSegments"] = json!(21);
    ours["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = json!(6.0);
    ours["outputs"][0]["captionDescriptionNames"] = Json::Null;
    assert_eq!(attach(&after, &wanted()).unwrap().changes, []);

    let gone = detach(&after, &wanted()).unwrap();
    assert_eq!(
        lines(&gone),
        [
            "- output group \"matchcut\"",
            "- video description \"matchcut_video\"",
            "- destination \"matchcut\"",
        ]
    );
    assert_eq!(updated(&after, &gone), before);
    assert_eq!(detach(&before, &wanted()).unwrap().changes, []);
}

#[test]
fn what_has_changed_is_replaced() {
    let before = channel();
    let first = updated(&before, &attach(&before, &wanted()).unwrap());
    let other = Wanted {
        urls: ["s3ssl://b/0/index", "s3ssl://b/1/index"].map(str::to_owned),
        segment_length: 10,
        video: Some("v1080".to_owned()),
        ..wanted()
    };
    let plan = attach(&first, &other).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "~ destination \"matchcut\": s3ssl://b/0/index, s3ssl://b/1/index",
            "- video description \"matchcut_video\"",
            "~ output group \"matchcut\": HLS, chunks of 10 s, video v1080, sound eng, crowd",
        ]
    );
    let second = updated(&first, &plan);
    assert_eq!(of_others(&second), before);
    assert_eq!(attach(&second, &other).unwrap().changes, []);
}

#[test]
fn a_channel_of_one_pipeline_has_one_destination() {
    let mut single = channel();
    single["channelClass"] = json!("SINGLE_PIPELINE");
    single["encoderSettings"]["audioDescriptions"] = Json::Null;
    single["destinations"] = Json::Null;
    let plan = attach(&single, &wanted()).unwrap();
    assert_eq!(
        lines(&plan)[0],
        "+ destination \"matchcut\": s3ssl://media/cup/0/index"
    );
    assert!(lines(&plan)[2].ends_with("no sound"));
}

#[test]
fn what_belongs_to_others_is_left_to_them() {
    let with = |pointer: &str, value: Json| {
        let mut channel = channel();
        *channel.pointer_mut(pointer).unwrap() = value;
        channel
    };
    let refused = |channel: &Json| {
        let (a, d) = (attach(channel, &wanted()), detach(channel, &wanted()));
        assert_eq!(a.as_ref().unwrap_err(), d.as_ref().unwrap_err());
        a.unwrap_err()
    };
    let group = "/encoderSettings/outputGroups/0";
    let text = refused(&with(&format!("{group}/name"), json!("matchcut")));
    assert!(
        text.contains("\"matchcut\" that matchcut did not make"),
        "{text}"
    );
    let at = format!("{group}/outputGroupSettings/hlsGroupSettings/destination/destinationRefId");
    let text = refused(&with(&at, json!("matchcut")));
    assert!(
        text.starts_with("the output group \"to the CDN\" of the channel writes to"),
        "{text}"
    );
    let at = format!("{group}/outputs/0/videoDescriptionName");
    let text = refused(&with(&at, json!("matchcut_video")));
    assert!(
        text.contains("uses the video description \"matchcut_video\""),
        "{text}"
    );
    let error = attach(
        &channel(),
        &Wanted {
            video: Some("v720".into()),
            ..wanted()
        },
    );
    assert_eq!(
        error.unwrap_err(),
        "the channel has no video description \"v720\"; it has v1080"
    );
    assert_eq!(
        attach(&json!({}), &wanted()).unwrap_err(),
        "the channel has no encoder settings"
    );

    let mut alone = updated(&channel(), &attach(&channel(), &wanted()).unwrap());
    alone["encoderSettings"]["outputGroups"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    assert!(
        detach(&alone, &wanted())
            .unwrap_err()
            .contains("no output left")
    );
}

#[test]
fn a_switch_replaces_the_one_before() {
    let first = switch("matchcut", "file", None, &["other".to_owned()]);
    let action = &first["creates"]["scheduleActions"][0];
    let settings = &action["scheduleActionSettings"]["inputSwitchSettings"];
    assert_eq!(settings, &json!({"inputAttachmentNameReference": "file"}));
    assert_eq!(first.get("deletes"), None);
    let known = ["matchcut-input".to_owned()];
    let again = switch("matchcut", "file", Some("cup/final.mp4"), &known);
    assert_eq!(again["deletes"], json!({"actionNames": ["matchcut-input"]}));
    let action = &again["creates"]["scheduleActions"][0];
    let path = &action["scheduleActionSettings"]["inputSwitchSettings"]["urlPath"];
    assert_eq!(path, &json!(["cup/final.mp4"]));
}

fn others() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-z]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// Whatever stands in a channel, attaching and detaching give back what was there.
    #[test]
    fn nothing_of_others_is_lost(
        parts in prop::collection::vec(("[a-z]{1,8}", others()), 1..4),
        length in 1i64..20,
    ) {
        let mut before = channel();
        for (name, more) in parts {
            for place in &PLACES {
                let mut part = json!({"more": more});
                part[place.key] = name.clone().into();
                before.pointer_mut(place.path).unwrap().as_array_mut().unwrap().push(part);
            }
        }
        before = of_others(&before);
        let wanted = Wanted { segment_length: length, ..wanted() };
        let attached = updated(&before, &attach(&before, &wanted).unwrap());
        prop_assert_eq!(&of_others(&attached), &before);
        prop_assert_eq!(attach(&attached, &wanted).unwrap().changes, vec![]);
        let detached = updated(&attached, &detach(&attached, &wanted).unwrap());
        prop_assert_eq!(detached, before);
    }
}
