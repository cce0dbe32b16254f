"""Reads edit lists with OpenTimelineIO and prints what it understood, as a line of JSON each:
NUM DEN PATH…

After "labels" in place of a path the events alone are read, label by label: the adapter refuses source
times that start again at midnight.
"""
import json
import re
import sys

import opentimelineio as otio
from opentimelineio import opentime

rate = int(sys.argv[1]) / int(sys.argv[2])


def labels(path):
    label = r"\d\d:\d\d:\d\d[:;]\d\d"
    with open(path, encoding="utf-8") as file:
        events = [re.findall(label, line) for line in file if re.match(r"\d{3} ", line)]
    return [[opentime.from_timecode(text, rate).to_frames() for text in event] for event in events]


def told(clip):
    source = clip.source_range
    about = clip.metadata.get("cmx_3600", {})
    return {
        "name": clip.name,
        "in": source.start_time.to_frames(),
        "out": source.end_time_exclusive().to_frames(),
        "at": clip.range_in_parent().start_time.to_frames(),
        "reel": about.get("reel"),
        "comments": list(about.get("comments", [])),
        "markers": [
            [marker.name, marker.color, marker.marked_range.start_time.to_frames()]
            for marker in clip.markers
        ],
    }


def edits(path):
    timeline = otio.adapters.read_from_file(path, "cmx_3600", rate=rate)
    # The adapter keeps the record time of the first event as a negative start of the track.
    first = timeline.tracks[0].source_range if len(timeline.tracks) else None
    return {
        "title": timeline.name,
        "start": -first.start_time.to_frames() if first else 0,
        "tracks": {
            track.name: [told(clip) for clip in track.find_clips()] for track in timeline.tracks
        },
    }


read, paths = (labels, sys.argv[4:]) if sys.argv[3] == "labels" else (edits, sys.argv[3:])
for path in paths:
    print(json.dumps(read(path)))
