"""Reads Final Cut Pro XML with OpenTimelineIO's adapter and prints what it understood, as a line of JSON
each: NUM DEN PATH…

The adapter goes through floating-point seconds, cuts fractions of frames off (29 frames of 1/25 s become
28) and takes 29.97 for 29. Its arithmetic is replaced by exact fractions; what belongs to what, and what
is counted from where, is its own.
"""
import json
import sys
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio
from otio_fcpx_xml_adapter import fcpx_xml


def seconds(text):
    assert text is None or text.endswith("s"), text
    return Fraction(text[:-1]) if text else Fraction(0)


def count(text, rate):
    frames = seconds(text) * rate
    assert frames.denominator == 1, (text, rate)
    return int(frames)


def rate_of(self, format_id):
    return 1 / seconds(self._format_by_id(format_id).get("frameDuration"))


fcpx_xml.to_rational_time = lambda text, rate: otio.opentime.RationalTime(count(text, rate), float(rate))
fcpx_xml.FcpxXml._format_frame_rate = rate_of
fcpx_xml.FcpxXml._number_of_frames = lambda self, text, form: count(text, rate_of(self, form))


def gap(self, start, number, form):
    rate = float(rate_of(self, form))
    time = otio.opentime.RationalTime
    return otio.schema.Gap(source_range=otio.opentime.TimeRange(time(start, rate), time(number, rate)))


fcpx_xml.FcpxXml._create_gap = gap


def span(time_range):
    first, length = time_range.start_time.value, time_range.duration.value
    assert first == int(first) and length == int(length)
    return [int(first), int(first + length)]


def document(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    (project,) = fcpx_xml.read_from_string(text)
    root = ElementTree.fromstring(text)
    sequence = root.find("./library/event/project/sequence")
    tracks = []
    for track in project.tracks:
        tracks.append({
            "kind": track.kind,
            "children": [
                {
                    "kind": type(item).__name__,
                    "name": item.name,
                    "source": span(item.trimmed_range()),
                    "place": span(item.range_in_parent()),
                    "markers": [[m.name, *span(m.marked_range)] for m in getattr(item, "markers", [])],
                }
                for item in track
            ],
        })
    rate = 1 / seconds(root.find("./resources/format").get("frameDuration"))
    return {
        "name": project.name,
        "rate": [rate.numerator, rate.denominator],
        "version": root.get("version"),
        "tc": [sequence.get("tcFormat"), count(sequence.get("tcStart"), rate)],
        "duration": count(sequence.get("duration"), rate),
        "assets": {
            asset.get("id"): [
                asset.find("./media-rep").get("src"),
                count(asset.get("start"), rate),
                count(asset.get("duration"), rate),
            ]
            for asset in root.findall("./resources/asset")
        },
        "refs": [clip.get("ref") for clip in sequence.findall("./spine/asset-clip")],
        "tracks": tracks,
    }


for path in sys.argv[3:]:
    print(json.dumps(document(path)))
