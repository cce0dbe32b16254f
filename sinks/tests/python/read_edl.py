"""Reads an edit list with OpenTimelineIO and prints what it understood, as JSON.

With "labels" as fourth argument the events alone are read, label by label: the adapter refuses source
times that start again at midnight.
"""
import json
import re
import sys

import opentimelineio as otio
from opentimelineio import opentime

path, rate = sys.argv[1], int(sys.argv[2]) / int(sys.argv[3])
if sys.argv[4:] == ["labels"]:
    label = r"\d\d:\d\d:\d\d[:;]\d\d"
    events = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if re.match(r"\d{3} ", line):
                labels = re.findall(label, line)
                events.append([opentime.from_timecode(text, rate).to_frames() for text in labels])
    print(json.dumps(events))
    sys.exit()

timeline = otio.adapters.read_from_file(path, "cmx_3600", rate=rate)
tracks = {}
for track in timeline.tracks:
    clips = []
    for clip in track.find_clips():
        source = clip.source_range
        place = clip.range_in_parent()
        about = clip.metadata.get("cmx_3600", {})
        clips.append({
            "name": clip.name,
            "in": source.start_time.to_frames(),
            "out": source.end_time_exclusive().to_frames(),
            "at": place.start_time.to_frames(),
            "reel": about.get("reel"),
            "comments": list(about.get("comments", [])),
            "markers": [
                [marker.name, marker.color, marker.marked_range.start_time.to_frames()]
                for marker in clip.markers
            ],
        })
    tracks[track.name] = clips
# The adapter keeps the record time of the first event as a negative start of the track.
first = timeline.tracks[0].source_range if len(timeline.tracks) else None
start = -first.start_time.to_frames() if first else 0
print(json.dumps({"title": timeline.name, "start": start, "tracks": tracks}))
