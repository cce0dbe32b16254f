"""Plugins as they are written for AWS Media Replay Engine, and the program that runs them for a server: it fetches the
work of an event, calls the plugin with what MRE would invoke it with, and hands back what that returns. The plugins
ask and tell as those do that use MRE's helper library: where the data plane is says SSM, requests are signed by
requests_aws4auth, paths begin with a slash behind an address that ends with one.

    python3 mre_plugins.py URI_OF_A_PLAYLIST

Takes keys and region from the environment, asserts what it is told, and prints the Id of the event.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import requests
from requests.adapters import HTTPAdapter
from requests_aws4auth import AWS4Auth
from urllib3.util.retry import Retry

KEY, SECRET, REGION = (os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"))
BASE = os.environ["AWS_ENDPOINT_URL"]
PROGRAM, EVENT = "Open", "Final"


def plane(name):
    """Where a plane is; MRE's libraries take nothing else for one."""
    found = boto3.client("ssm", region_name=REGION).get_parameter(
        Name=f"/MRE/{name}/EndpointURL", WithDecryption=True)
    url = found["Parameter"]["Value"]
    assert re.match(f".*.execute-api.{REGION}.amazonaws.com/api/.*", url), url
    return url


def auth():
    return AWS4Auth(KEY, SECRET, REGION, "execute-api", session_token=None)


def ask(url, method, path, body=None, status=200):
    headers = {"Content-Type": "application/json"} if body is not None else None
    data = json.dumps(body) if body is not None else None
    response = requests.request(method, url + path, headers=headers, data=data, verify=False, auth=auth())
    assert response.status_code == status, (method, path, response.status_code, response.text)
    return response


class DataPlane:
    """What a plugin asks and tells, in the requests that MRE's helper makes."""

    def __init__(self, event):
        self.url = plane("DataPlane")
        self.event, self.input, self.plugin = event, event["Input"], event["Plugin"]
        self.names = {"Program": event["Event"]["Program"], "Event": event["Event"]["Name"]}
        self.profile = event["Profile"]
        self.media = self.input["Media"]
        self.filename = os.path.split(self.media["S3Key"])[-1]
        self.hls = self.input["Metadata"]["HLSSegment"]
        self.track = event.get("TrackNumber")
        self.chunk = int(os.path.splitext(self.filename)[0].split("_")[-1].lstrip("0"))

    def post(self, path, body):
        return ask(self.url, "POST", path, {**self.names, **body}).json()

    def download_media(self):
        key = quote(self.media["S3Key"], safe="")
        url = ask(self.url, "GET", f"/media/{self.media['S3Bucket']}/{key}").text
        session = requests.Session()
        session.mount("https://", HTTPAdapter(max_retries=Retry(total=5, backoff_factor=0.3)))
        response = session.get(url=url)
        response.raise_for_status()
        path = os.path.join(tempfile.mkdtemp(), self.filename)
        with open(path, "wb") as out:
            out.write(response.content)
        return path

    def get_frame_timecode(self, frame):
        names = f"{self.names['Program']}/{self.names['Event']}"
        return float(ask(self.url, "GET", f"/metadata/timecode/{names}/{self.filename}/{frame}?pts=false").text)

    def save_plugin_results(self, results):
        if not results:
            return
        body = {
            "ProfileName": self.profile["Name"],
            "ChunkSize": self.profile["ChunkSize"],
            "ProcessingFrameRate": self.profile["ProcessingFrameRate"],
            "Classifier": self.profile["Classifier"]["Name"],
            "ExecutionId": self.input["ExecutionId"],
            "Filename": self.filename,
            "ChunkNumber": self.chunk,
            "PluginName": self.plugin["Name"],
            "PluginClass": self.plugin["Class"],
            "ModelEndpoint": "",
            "Configuration": self.plugin["Configuration"],
            "OutputAttributesNameList": [*self.plugin["OutputAttributes"]],
            "Location": self.media,
            "Results": results,
        }
        if self.track:
            body["AudioTrack"] = self.track
        assert self.post("/plugin/result", body) == {}

    def get_segment_state(self):
        state = self.post("/workflow/segment/state", {
            "PluginName": self.plugin["Name"],
            "DependentPlugins": self.plugin["DependentPlugins"],
            "ChunkNumber": self.chunk,
            "ChunkStart": self.hls["StartTime"],
            "MaxSegmentLength": self.profile["MaxSegmentLengthSeconds"],
        })
        rows = {name: found["Items"] for name, found in state.get("DependentPluginResults", {}).items()}
        return state.get("State"), state.get("PriorSegment", {}), rows

    def paged(self, path, body):
        """Segments come one by one, each with what is said of it."""
        keys = {}
        while True:
            page = self.post(path, {**body, **({"LastEvaluatedKeys": keys} if keys else {})})
            if not page:
                return
            yield page["Segment"]["Item"], page
            if "LastEvaluatedKey" not in page["Segment"]:
                return
            keys = {self.profile["Classifier"]["Name"]: page["Segment"]["LastEvaluatedKey"]}

    def get_segment_state_for_labeling(self):
        return self.paged("/workflow/labeling/segment/state", {
            "Classifier": self.profile["Classifier"]["Name"],
            "DependentPlugins": self.plugin["DependentPlugins"],
            "ChunkNumber": self.chunk,
        })

    def dependents(self, slot):
        return [
            {"Name": one["Name"], "SupportedMediaType": one["SupportedMediaType"]}
            for one in self.profile[slot]["DependentPlugins"] if one["Name"] in self.plugin["DependentPlugins"]]

    def get_segment_state_for_optimization(self, search_window_sec):
        return self.paged("/workflow/optimization/segment/state", {
            "ChunkNumber": self.chunk,
            "Classifier": self.profile["Classifier"]["Name"],
            "Detectors": self.dependents("Optimizer"),
            "SearchWindowSeconds": int(search_window_sec),
        })

    def get_dependent_plugins_output(self, slot):
        return self.post("/plugin/dependentplugins/output", {
            "ChunkNumber": self.chunk,
            "DependentPlugins": self.dependents(slot),
            "AudioTrack": 1,
        })


def done(event, results):
    """What a plugin returns."""
    output = {"PluginName": event["Plugin"]["Name"], "PluginClass": event["Plugin"]["Class"],
              "Status": "Complete", "Results": results}
    return {"Event": event["Event"], "Input": event["Input"], "Output": output}


def detect_luma(event, context):
    """A featurer: how bright the picture is, five times a second."""
    plane = DataPlane(event)
    chunk = plane.download_media()
    command = ["ffmpeg", "-v", "error", "-i", chunk, "-vf", "scale=16:9,format=gray", "-f", "rawvideo", "-"]
    pictures = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    every = event["Input"]["Metadata"]["HLSSegment"]["FrameRate"] // event["Profile"]["ProcessingFrameRate"]
    results = []
    for frame in range(0, len(pictures) // 144, every):
        luma = sum(pictures[frame * 144:(frame + 1) * 144]) // 144
        start = plane.get_frame_timecode(frame)
        results.append({"Start": start, "Label": "bright" if luma > 100 else "dark", "Luma": luma})
    plane.save_plugin_results(results)
    return done(event, results)


def segment_by_cut(event, context):
    """A segmenter: from cut to cut."""
    plane = DataPlane(event)
    state, prior, rows = plane.get_segment_state()
    start = {None: 0.0, "Start": prior.get("Start"), "End": prior.get("End")}[state]
    results = []
    for row in rows["SceneChange"]:
        if row.get("hard_cut") and row["Start"] > start:
            results.append({"Start": start, "End": row["Start"]})
            start = row["Start"]
    results.append({"Start": start})
    plane.save_plugin_results(results)
    return done(event, results)


def trim(event, context):
    """An optimizer: the last 0.2 seconds go, where something was seen there."""
    plane = DataPlane(event)
    results = []
    for segment, found in plane.get_segment_state_for_optimization(1):
        ends = [one["End"] for one in found["DependentDetectorsOutput"] if "End" in one]
        assert [one["DependentDetector"] for one in found["DependentDetectorsOutput"]] == ["DetectLuma"] * 2, found
        if ends[0]:
            results.append({
                "Start": segment["Start"], "OptoStart": segment["Start"], "OptoStartCode": "Opto succeeded",
                "OptoEnd": round(segment["End"] - 0.2, 3), "OptoEndCode": "Opto succeeded"})
    plane.save_plugin_results(results)
    return done(event, results)


def name_light(event, context):
    """A labeler: what the light is like."""
    plane = DataPlane(event)
    results = []
    for segment, found in plane.get_segment_state_for_labeling():
        rows = found["DependentPluginsOutput"]["DetectLuma"]["Items"]
        lumas = [row["Luma"] for row in rows if row["Start"] < segment["End"]]
        assert len(lumas) == 6, (segment, rows)
        label = "bright" if sum(lumas) / len(lumas) > 100 else "dark"
        results.append({"Start": segment["Start"], "LabelCode": "Success", "Label": label, "Lumas": len(lumas)})
    plane.save_plugin_results(results)
    return done(event, results)


def count_bright(event, context):
    """A featurer that reads another."""
    plane = DataPlane(event)
    rows = plane.get_dependent_plugins_output("Classifier")["DetectLuma"]["Items"]
    assert len(rows) == 10 and {row["ChunkNumber"] for row in rows} == {plane.chunk}, rows
    bright = sum(row["Label"] == "bright" for row in rows)
    results = [{"Start": event["Input"]["Metadata"]["HLSSegment"]["StartTime"], "Bright": bright}]
    # It says nothing on its way: what it returns is what counts.
    return done(event, results)


PLUGINS = {"DetectLuma": detect_luma, "SegmentByCut": segment_by_cut, "Trim": trim, "NameLight": name_light,
           "CountBright": count_bright}


def work(own, over, seen):
    """Does what an event waits for, until it is over."""
    while not over.is_set():
        url = f"{own}/work?wait=2"
        response = requests.get(url, auth=auth())
        if response.status_code in (204, 404):
            time.sleep(0.05)
            continue
        assert response.status_code == 200, response.text
        event = response.json()
        plugin = event["Plugin"]["Name"]
        seen.append((plugin, event["Input"]["Media"]["S3Key"]))
        try:
            returned = PLUGINS[plugin](event, None)
        except Exception as error:  # As Lambda tells it.
            returned = {"errorMessage": str(error), "errorType": type(error).__name__}
        place = response.headers["Location"]
        assert place.endswith(response.headers["Matchcut-Task"]), response.headers
        finished = requests.post(BASE + place, json=returned, auth=auth())
        assert finished.status_code == 204, finished.text


def register(control, uri):
    def plugin(name, class_, **more):
        # A function of no account: somebody fetches its work.
        arn = f"arn:aws:lambda:{REGION}:000000000000:function:{name}:$LATEST"
        ask(control, "POST", "plugin", {
            "Name": name, "Class": class_, "ExecutionType": "Sync", "SupportedMediaType": "Video",
            "ContentGroups": ["Tests"], "ExecuteLambdaQualifiedARN": arn, **more})

    lumas = {"Label": {"Description": "dark or bright"}, "Luma": {"Description": "0 to 255"}}
    plugin("SceneChange", "Featurer")
    plugin("DetectLuma", "Featurer", OutputAttributes=lumas)
    plugin("CountBright", "Featurer", DependentPlugins=["DetectLuma"])
    plugin("SegmentByCut", "Classifier", DependentPlugins=["SceneChange", "CountBright"])
    plugin("Trim", "Optimizer", DependentPlugins=["DetectLuma"])
    plugin("NameLight", "Labeler", DependentPlugins=["DetectLuma"], OutputAttributes={"Lumas": {"Description": "number"}})

    def dependent(name, *readers, **more):
        return {"Name": name, "DependentFor": list(readers), **more}

    ask(control, "POST", "profile", {
        "Name": "Light", "ContentGroups": ["Tests"], "ChunkSize": 2, "MaxSegmentLengthSeconds": 300,
        "ProcessingFrameRate": 5,
        "Classifier": {"Name": "SegmentByCut", "Configuration": {"wait": "30s", "padding": "1"}, "DependentPlugins": [
            dependent("SceneChange", "SegmentByCut", Configuration={"threshold": "21.5"}),
            dependent("CountBright", "SegmentByCut"),
            dependent("DetectLuma", "CountBright")]},
        "Optimizer": {"Name": "Trim", "Configuration": {"look_ahead": "1s"}, "DependentPlugins": [
            dependent("DetectLuma", "Trim")]},
        "Labeler": {"Name": "NameLight", "DependentPlugins": [dependent("DetectLuma", "NameLight")]}})
    ask(control, "POST", "event", event(uri))
    return ask(control, "GET", f"event/{EVENT}/program/{PROGRAM}").json()["Id"]


def event(uri, start="2020-01-01T00:00:00Z"):
    return {
        "Name": EVENT, "Program": PROGRAM, "Profile": "Light", "ContentGroup": "Tests", "Start": start,
        "DurationMinutes": 60, "Archive": False, "SourceVideoUrl": uri}


def run(control, uri):
    id_ = register(control, uri)
    own = f"{BASE}/api/v1/events/{id_}"
    over, seen = threading.Event(), []
    workers = [threading.Thread(target=work, args=(own, over, seen)) for _ in range(3)]
    for worker in workers:
        worker.start()
    begun = time.monotonic()
    try:
        while True:
            status = ask(control, "GET", f"event/{EVENT}/program/{PROGRAM}/status").text
            if status == "Complete":
                break
            told = requests.get(own, auth=auth())
            failed = told.status_code == 200 and told.json()["state"] == "failed"
            assert time.monotonic() - begun < 150 and not failed, (status, told.text)
            time.sleep(0.1)
    finally:
        over.set()
        for worker in workers:
            worker.join()
    for name in ("DetectLuma", "SegmentByCut", "CountBright"):
        chunks = sorted(key for plugin, key in seen if plugin == name)
        assert chunks == [f"chunks/chunk_{number:05}.ts" for number in range(1, 7)], (name, chunks)
    assert {plugin for plugin, _ in seen} == set(PLUGINS), seen
    log = requests.get(f"{own}/files/log.jsonl", auth=auth()).text.splitlines()
    failed = [row for row in map(json.loads, log) if row["kind"] == "error"]
    assert not failed, failed
    return id_


def reads(data, id_):
    """What the data plane tells of it."""
    names = f"event/{EVENT}/program/{PROGRAM}"
    cards = ask(data, "GET", f"{names}/profileClassifier/SegmentByCut/track/1/segments").json()["Segments"]
    assert len(cards) == 10, cards
    first = cards[-1]
    assert (first["StartTime"], first["OrigLength"], first["OptoLength"], first["OptoEndCode"]) == (
        0.0, 1.2, 1.0, "Opto succeeded"), first
    assert {card["Label"] for card in cards} == {"dark", "bright"}, cards
    body = {"Program": PROGRAM, "Event": EVENT}
    state = ask(data, "POST", "/workflow/segment/state", {
        **body, "PluginName": "SegmentByCut", "DependentPlugins": ["DetectLuma"], "ChunkNumber": 4, "ChunkStart": 6.0,
        "MaxSegmentLength": 300}).json()
    assert (state["State"], state["PriorSegment"]["Start"], state["PriorSegment"]["End"]) == ("End", 4.8, 6.0), state
    starts = [row["Start"] for row in state["DependentPluginResults"]["DetectLuma"]["Items"]]
    assert starts == [round(6.2 + number * 0.2, 3) for number in range(9)], starts
    segments = ask(data, "POST", "/workflow/engine/clipgen/segments", {**body, "Classifier": "SegmentByCut"}).json()
    assert [row["OptoEnd"] for row in segments["Items"]][:2] == [{"1": 1.0}, {"1": 2.2}], segments
    chunks = ask(data, "POST", "/workflow/engine/clipgen/chunks", {
        **body, "Profile": "Light", "Start": 1.5, "End": 4.2}).json()
    assert [chunk["Filename"] for chunk in chunks] == [f"chunk_0000{number}.ts" for number in (1, 2, 3)], chunks
    assert ask(data, "GET", f"/metadata/chunk/start/{PROGRAM}/{EVENT}/Light/5.9?pts=false").json() == 4.0
    assert ask(data, "GET", f"/metadata/chunk/start/{PROGRAM}/{EVENT}/Other/5.9").text == "null"
    found = ask(data, "POST", "/replay/feature/in/segment", {
        **body, "PluginName": "DetectLuma", "Start": 2.4, "End": 2.6, "OutputAttributes": ["Label"]}).json()
    assert found == [{"Start": time_, "End": time_, "Label": "dark"} for time_ in (2.4, 2.6)], found
    values = ask(data, "GET", f"/replay/feature/program/{PROGRAM}/event/{EVENT}/outputattribute/Label/plugin/DetectLuma")
    assert sorted(values.json()["DetectLuma | Label"]) == ["bright", "dark"], values.text
    feature = f"/feature/in/segment/program/{PROGRAM}/event/{EVENT}/plugin/SceneChange/attrn/hard_cut"
    assert ask(data, "GET", f"{feature}/attrv/True/start/2.3/end/2.5").json()["Start"] == 2.4
    assert ask(data, "GET", f"{feature}/attrv/True/start/2.5/end/2.6").json() == {}
    outputs = ask(data, "POST", f"/program/{PROGRAM}/event/{EVENT}/start/2.4/end/2.4/plugins/output/attributes", {
        "pluginAttributes": ["Label"]}).json()
    assert outputs["DetectLuma"] == [{"Start": 2.4, "Label": "dark"}], outputs
    info = f"{names}/clipstart/2.4/clipduration/1.2/track/1/classifier/SegmentByCut/opt/previewinfo"
    info = ask(data, "GET", info).json()
    assert "SegmentByCut" in info["RangeLabels"] and "DetectLuma-dark" in info["FeatureLabels"], info
    assert {"DetectLuma-dark": 1, "featureAt": 0.2} in info["Features"], info
    ask(data, "PUT", f"{names}/classifier/SegmentByCut/start/2.4/attrName/HourElapsed/attrVal/1")
    like = {**body, "Classifier": "SegmentByCut", "StartTime": 2.4, "AudioTrack": 1, "ActionSource": "Optimized",
            "IsOptimizerConfiguredInProfile": True, "OptimizedFeedback": {"Feedback": "Like", "FeedbackDetail": ""}}
    assert ask(data, "POST", "/clip/preview/feedback", like).json() == {}
    told = f"/clip/preview/program/{PROGRAM}/event/{EVENT}"
    row = ask(data, "GET", f"{told}/classifier/SegmentByCut/start/2.40/track/1/feedback").json()
    assert row["OptimizedFeedback"]["Feedback"] == "Like", row
    assert ask(data, "GET", f"{told}/track/1/feedback").json() == [row]
    export = ask(data, "PUT", "/event/program/export/all/segments", {
        "Name": EVENT, "Program": PROGRAM, "Classifier": "SegmentByCut", "OutputAttributes": ["hard_cut", "Nothing"],
        "PluginsInProfile": ["SceneChange"], "Limit": 3}).json()
    assert ([row["Start"] for row in export["Segments"]], export["LastStartValue"]) == (
        [0.0, 1.2, 2.4], {"Start": 2.4}), export
    third = export["Segments"][2]
    assert (third["FeaturesFound"], third["Feedback"], third["HourElapsed"]) == (
        ["hard_cut"], [{"1": {"OptimizedFeedback": "Like"}}], "1"), third
    return cards


def writes(control, data, id_):
    """What the workflow keeps there."""
    body = {"Program": PROGRAM, "Event": EVENT}
    frames = [{"FrameNumber": number, "FrameTime": 10 + number / 25, "FramePtsTime": 20 + number / 25,
               "DurationTime": 0.04, "KeyFrame": 1, "PictType": "I"} for number in (0, 50)]
    assert ask(data, "POST", "/metadata/frame", {**body, "Filename": "cam_00007.ts", "Frames": frames}).json() == {}
    timecode = f"/metadata/timecode/{PROGRAM}/{EVENT}/cam_00007.ts"
    assert ask(data, "GET", f"{timecode}/53?pts=false").json() == 12.12
    assert ask(data, "GET", f"{timecode}/49").json() == 21.96
    missing = ask(data, "GET", f"/metadata/timecode/{PROGRAM}/{EVENT}/other_1.ts/3", status=404).json()
    assert missing["Code"] == "NotFoundError", missing
    refused = ask(data, "POST", "/metadata/frame", {**body, "Filename": "a_1.ts", "Frames": []}, status=400).json()
    assert refused == {"Code": "BadRequestError", "Message": "[] should be non-empty"}, refused
    for start in (0, 2.0):
        ask(data, "POST", "/metadata/chunk", {
            **body, "Profile": "Other", "Filename": f"cam_{start}.ts", "Start": start, "StartPts": start + 10,
            "Duration": 2, "S3Bucket": "b", "S3Key": "k"})
    assert ask(data, "GET", f"/metadata/chunk/start/{PROGRAM}/{EVENT}/Other/13.9").json() == 12.0
    for number in (1, 2):
        ask(control, "POST", "workflow/execution", {
            **body, "ExecutionId": "x", "ChunkNumber": number, "Filename": f"cam_{number}.ts"})
    path = f"workflow/execution/program/{PROGRAM}/event/{EVENT}/chunk"
    assert ask(control, "GET", f"{path}/2/plugin/SegmentByCut/status").text == "null"
    open_ = ask(control, "GET", f"{path}/2/plugin/SegmentByCut/status/incomplete").json()
    assert open_ == [{"PK": f"{PROGRAM}#{EVENT}", "ChunkNumber": 1}], open_
    ask(control, "PUT", f"{path}/1/plugin/SegmentByCut/status/Complete")
    assert ask(control, "GET", f"{path}/1/plugin/SegmentByCut/status").text == "Complete"
    assert ask(control, "GET", f"{path}/2/plugin/SegmentByCut/status/incomplete").json() == []
    clip = {"Start": 1.2, "OriginalClipStatus": "Success", "OriginalClipLocation": "s3://b/clip.mp4", "AudioTrack": 2}
    ask(data, "POST", "/clip/result", {**body, "Classifier": "SegmentByCut", "Results": [clip]})
    result = {**body, "ReplayId": "r1", "ReplayResults": [{"Start": 1.2, "End": 2.4}], "LastSegmentStartTime": 1.2}
    assert ask(data, "POST", "/replay/result", result).json() is True
    assert ask(data, "POST", "/replay/result", {**result, "LastSegmentStartTime": 1.0}).json() is False
    names = f"event/{EVENT}/program/{PROGRAM}"
    assert ask(data, "GET", f"{names}/replay/r1/segments").json() == result["ReplayResults"]
    page = ask(data, "GET", f"{names}/profileClassifier/SegmentByCut/track/1/replay/r1/segments/v2").json()
    assert [card["StartTime"] for card in page["Items"]] == [1.2] and page["LastEvaluatedKey"] == "", page
    ask(data, "POST", "/job/create/j1")
    ask(data, "POST", "/job/update/j1/COMPLETE")
    assert ask(data, "GET", "/job/status/j1").json() == [{"JobId": "j1", "Status": "COMPLETE"}]
    wrong = {**body, "ProfileName": "Light", "ChunkSize": 2, "ProcessingFrameRate": 5, "Classifier": "SegmentByCut",
             "ExecutionId": "x", "Filename": "cam_1.ts", "ChunkNumber": 1, "PluginName": "P", "PluginClass": "Judge",
             "Location": {"S3Bucket": "b", "S3Key": "k"}, "Results": [{"Start": 1}]}
    refused = ask(data, "POST", "/plugin/result", wrong, status=400).json()
    assert refused["Message"] == "'Judge' is not one of ['Classifier', 'Optimizer', 'Featurer', 'Labeler']", refused
    refused = ask(data, "POST", "/plugin/dependentplugins/output", {
        **body, "ChunkNumber": 1, "DependentPlugins": [{"Name": "Ears", "SupportedMediaType": "Audio"}]}, status=400)
    assert refused.json()["Message"] == (
        "Unable to get the output of dependent plugin 'Ears' with an audio track of 'None'"), refused.text
    unknown = ask(data, "POST", "/plugin/result", {**wrong, "PluginClass": "Featurer", "Event": "Nobody"}, status=404)
    assert unknown.json()["Code"] == "NotFoundError", unknown.text


def addresses(data, id_, cards):
    """Addresses open one file, for a while, for whoever has them."""
    url = cards[-1]["OptimizedClipLocation"]
    clip = requests.get(url)
    assert clip.status_code == 200 and clip.headers["content-type"] == "video/mp4", (url, clip.status_code)
    part = requests.get(url, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, clip.content[4:8]), part.headers
    assert requests.head(url).status_code == 200

    def refused(response, detail):
        told = response.json() if response.request.method != "HEAD" else None
        assert response.status_code == 403 and told["detail"] == detail, response.text

    wrong = "The signature of the address does not match: it is of another file or time"
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    expires, signature = query["expires"][0], query["signature"][0]
    refused(requests.get(url.replace("expires=" + expires, f"expires={int(expires) + 1}")), wrong)
    refused(requests.get(url.replace(signature, signature[::-1])), wrong)
    refused(requests.get(f"{BASE}/api/v1/events/{id_}/files/segments.jsonl?{parts.query}"), wrong)
    refused(requests.delete(url), "An address reads, and DELETE does not")
    bare = requests.get(url.split("?")[0])
    assert (bare.status_code, bare.json()["detail"]) == (403, "Missing Authentication Token"), bare.text
    assert requests.delete(f"{BASE}/api/v1/events/{id_}?{parts.query}").status_code == 403
    own = f"{BASE}/api/v1/events/{id_}/urls"
    asked = requests.post(own, json={"path": "chunks/chunk_00002.ts", "lifetime": 2}, auth=auth()).json()
    chunk = requests.get(asked["url"])
    assert chunk.status_code == 200 and chunk.content[0] == 0x47, chunk.status_code
    time.sleep(2.1)
    refused(requests.get(asked["url"]), "The address has expired: ask for a new one")
    for body, status in (({"path": "files/../service.sqlite"}, 404), ({"path": "files/.matchcut/said.jsonl"}, 404),
                         ({"path": "chunks/none.ts"}, 404), ({"path": "files/segments.jsonl", "lifetime": 700000}, 400)):
        assert requests.post(own, json=body, auth=auth()).status_code == status, body
    assert requests.post(own, json={"path": "files/segments.jsonl"}).status_code == 403
    manifest = ask(data, "GET", f"/manifest/{id_}/files%2Fsegments.jsonl/null").text
    assert json.loads(manifest.splitlines()[0])["operator"] == "SegmentByCut", manifest
    for key in ("chunks%2Fnone.ts", "files%2F..%2Fservice.sqlite", "service.sqlite"):
        ask(data, "GET", f"/media/{id_}/{key}", status=404)
    ask(data, "GET", "/media/nobody/chunks%2Fchunk_00001.ts", status=404)


def gone(control, data, uri):
    """What belongs to an event goes with it."""
    names = f"event/{EVENT}/program/{PROGRAM}"
    ask(control, "DELETE", names)
    ask(data, "GET", f"/metadata/timecode/{PROGRAM}/{EVENT}/cam_00007.ts/53", status=404)
    ask(control, "POST", "event", event(uri, "2099-01-01T00:00:00Z"))
    missing = ask(data, "GET", f"/metadata/timecode/{PROGRAM}/{EVENT}/cam_00007.ts/53", status=404).json()
    assert missing["Message"].startswith("No key frame"), missing
    told = f"/clip/preview/program/{PROGRAM}/event/{EVENT}/track/1/feedback"
    assert ask(data, "GET", told).json() == []


def main():
    control, data = plane("ControlPlane"), plane("DataPlane")
    if sys.argv[1] == "gone":
        return gone(control, data, sys.argv[2])
    id_ = run(control, sys.argv[1])
    cards = reads(data, id_)
    writes(control, data, id_)
    addresses(data, id_, cards)
    print(id_)


main()
