"""Prints the rows of tables and the cues of WebVTT files, as JSON: PATH…"""
import csv
import json
import sys

import webvtt

for path in sys.argv[1:]:
    if path.endswith(".vtt"):
        # As the form has it a blank line stands after the first one, where there are cues.
        rows = [[cue.start, cue.end, cue.text] for cue in webvtt.read(path)]
    else:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        assert text.count("\r\n") == text.count("\r"), "lines end with CR LF"
        rows = list(csv.DictReader(text.splitlines(keepends=True), strict=True))
        assert all(None not in row and None not in row.values() for row in rows)
    print(json.dumps(rows))
