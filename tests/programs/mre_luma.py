"""A featurer as it is written for MRE: a Lambda function that fetches its chunk from S3, looks at it with
FFmpeg, and returns what it found. The few functions of MRE's helper that it needs stand here too."""

import json
import os
import subprocess
import tempfile
import time

import boto3
import jsonschema

with open(os.path.join(os.path.dirname(__file__), "mre_payload.schema.json")) as schema:
    PAYLOAD = jsonschema.Draft202012Validator(json.load(schema))

# The pictures that it is made for.
WIDTH, HEIGHT = 320, 180


class Helper:
    """What a plugin is told, and what it returns."""

    def __init__(self, event):
        self.event = event
        self.segment = event["Input"]["Metadata"]["HLSSegment"]
        self.results = []

    def download_media(self):
        media = self.event["Input"]["Media"]
        s3 = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3"))
        path = os.path.join(tempfile.mkdtemp(), os.path.basename(media["S3Key"]))
        s3.download_file(media["S3Bucket"], media["S3Key"], path)
        return path

    def get_segment_absolute_time(self, seconds, pts=False):
        start = self.segment["StartPtsTime" if pts else "StartTime"]
        return round(start + seconds, 3)

    def output(self, status):
        plugin = self.event["Plugin"]
        output = {
            "PluginName": plugin["Name"],
            "PluginClass": plugin["Class"],
            "ExecutionType": plugin["ExecutionType"],
            "DependentPlugins": plugin["DependentPlugins"],
            "ModelEndpoint": plugin.get("ModelEndpoint", ""),
            "Configuration": plugin["Configuration"],
            "OutputAttributes": plugin["OutputAttributes"],
            "Status": status,
            "Results": self.results,
        }
        return {"Event": self.event["Event"], "Input": self.event["Input"], "Output": output}


def handler(event, context):
    PAYLOAD.validate(event)
    helper = Helper(event)
    note(event)
    configuration = event["Plugin"]["Configuration"]
    trouble = configuration.get("trouble", {}).get(event["Input"]["Media"]["S3Key"].rsplit("_", 1)[-1][:-3])
    if trouble == "raise":
        raise ValueError("the picture upset me")
    if trouble == "slow":
        time.sleep(30)
    if trouble == "shape":
        return {"results": []}
    if trouble == "status":
        return helper.output("Error")
    if trouble == "exit":
        os._exit(3)
    if trouble == "time":
        helper.results.append({"Start": helper.get_segment_absolute_time(3600)})
        return helper.output("Complete")
    path = helper.download_media()
    rate = helper.segment["FrameRate"]
    step = int(rate / event["Profile"]["ProcessingFrameRate"])
    based = configuration.get("pts") == "true"
    for number, luma in enumerate(lumas(path)):
        if number % step:
            continue
        at = helper.get_segment_absolute_time(number / rate, based)
        bright = "True" if luma >= float(configuration["bright"]) else "False"
        helper.results.append({"Start": at, "Luma": luma, "Bright": bright, "Frame": number})
    return helper.output("Complete")


def lumas(path):
    """The mean luma of each frame."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf", "extractplanes=y", "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-"]
    pixels = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    size = WIDTH * HEIGHT
    frames = (pixels[at : at + size] for at in range(0, len(pixels), size))
    return [round(sum(frame) / size, 2) for frame in frames]


def note(event):
    """What it was asked, for the test."""
    asked = os.environ.get("ASKED")
    if asked:
        with open(asked, "a") as file:
            print(json.dumps(event), file=file)
