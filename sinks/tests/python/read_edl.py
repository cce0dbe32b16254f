"""Reads an edit list with OpenTimelineIO and prints what it understood, as JSON."""
import json
import sys

import opentimelineio as otio

path, rate = sys.argv[1], int(sys.argv[2]) / int(sys.argv[3])
timeline = otio.adapters.read_from_file(path, "cmx_3600", rate=rate)
tracks = {}
for track in timeline.tracks:
    clips = []
    for clip in track.find_clips():
        source = clip.source_range
        place = clip.range_in_parent()
        clips.append({
            "name": clip.name,
            "in": source.start_time.to_frames(),
            "out": source.end_time_exclusive().to_frames(),
            "at": place.start_time.to_frames(),
            "reel": clip.metadata["cmx_3600"]["reel"],
        })
    tracks[track.name] = clips
# The adapter keeps the record time of the first event as a negative start of the track.
start = -timeline.tracks[0].source_range.start_time.to_frames() if timeline.tracks[0].source_range else 0
print(json.dumps({"title": timeline.name, "start": start, "tracks": tracks}))
