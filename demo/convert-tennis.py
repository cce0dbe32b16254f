#!/usr/bin/env python3
"""Converts a timeline of tennis points to recorded observations (JSON lines).

    demo/convert-tennis.py TIMELINE.csv > demo/usopen2019/observations.jsonl

The timeline has one point of the match a line: start and end in seconds of the broadcast, and the
serves, swings and bounces that were annotated frame by frame. Two operators speak in the result:

- `points`: a range for each point, with the number of strokes and how long that makes the rally;
- `strokes`: a point in time for each serve, swing and bounce, with the side of the court.
"""

import csv
import json
import sys

# Fewest strokes first: a rally is the last word whose number it reaches.
RALLIES = [(0, "short"), (5, "medium"), (9, "long"), (17, "very_long"), (25, "epic")]


def rally(strokes):
    return [word for least, word in RALLIES if strokes >= least][-1]


def observation(operator, start, end, attributes):
    return {
        "operator": operator,
        "class": "featurer",
        "start": round(start, 3),
        "end": round(end, 3),
        "track": None,
        "attributes": attributes,
    }


def of_point(row):
    """The observations of one line of the timeline, in order of time."""
    start, end = float(row["start_s"]), float(row["end_s"])
    strokes = []
    for event in row["events(offset_s:label)"].split():
        offset, label = event.split(":")
        side, _, kind = label.split("_")
        at = start + float(offset)
        strokes.append(observation("strokes", at, at, {kind: True, "side": side}))
    if len(strokes) != int(row["n_events"]):
        raise ValueError(f"point at {start}: {row['n_events']} events announced, {len(strokes)} found")
    struck = [s["attributes"] for s in strokes if "bounce" not in s["attributes"]]
    attributes = {"point": True, "strokes": len(struck), "rally": rally(len(struck))}
    # Where the serve was not annotated, it is not known who served.
    if struck and "serve" in struck[0]:
        attributes["server"] = struck[0]["side"]
    return [observation("points", start, end, attributes), *strokes]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], newline="") as file:
        for row in csv.DictReader(file):
            for line in of_point(row):
                print(json.dumps(line, separators=(",", ":")))


if __name__ == "__main__":
    main()
