"""Reads OpenTimelineIO documents and prints what it understood, as a line of JSON each: NUM DEN PATH…"""
import json
import sys

import opentimelineio as otio

rate = int(sys.argv[1]) / int(sys.argv[2])


def frames(time):
    """The count of frames, which has to be whole, at the rate that was asked for."""
    assert time.rate == rate, (time.rate, rate)
    assert time.value == int(time.value), time.value
    return int(time.value)


def span(time_range):
    first = frames(time_range.start_time)
    return [first, first + frames(time_range.duration)]


def markers(item):
    return [[m.name, m.color, *span(m.marked_range), m.comment] for m in item.markers]


def child(item):
    told = {
        "kind": type(item).__name__,
        "name": item.name,
        "source": span(item.trimmed_range()),
        "place": span(item.range_in_parent()),
        "markers": markers(item),
    }
    if isinstance(item, otio.schema.Clip):
        media = item.media_reference
        told["url"] = getattr(media, "target_url", None)
        told["available"] = span(media.available_range) if media.available_range else None
        if media.available_range:
            assert told["available"][0] <= told["source"][0], item.name
            assert told["source"][1] <= told["available"][1], item.name
        told["about"] = json.loads(otio.core.serialize_json_to_string(item.metadata["matchcut"]))
    return told


def document(path):
    timeline = otio.adapters.read_from_file(path, "otio_json")
    # Written again it is what it was: nothing was dropped, nothing had to be guessed.
    again = otio.adapters.read_from_string(
        otio.adapters.write_to_string(timeline, "otio_json"), "otio_json")
    assert again.is_equivalent_to(timeline)
    return {
        "name": timeline.name,
        "start": frames(timeline.global_start_time),
        "about": json.loads(otio.core.serialize_json_to_string(timeline.metadata["matchcut"])),
        "markers": markers(timeline.tracks),
        "tracks": [
            {
                "name": track.name,
                "kind": track.kind,
                "enabled": track.enabled,
                "children": [child(item) for item in track],
            }
            for track in timeline.tracks
        ],
    }


for path in sys.argv[3:]:
    print(json.dumps(document(path)))
