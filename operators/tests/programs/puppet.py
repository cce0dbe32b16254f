"""A program that speaks the protocol with nothing but the standard library, and misbehaves as it is told.

Its option "act" says how: crash, hang, garbage, huge, undeclared, wrong_type, seconds, error, stale, silent
(which closes stdout); "at" in which chunk. As "segmenter" it marks a segment from each observation to the
next one.
"""

import json
import os
import sys
import time

def send(message, body=b""):
    message["bytes"] = len(body)
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


def receive():
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    message = json.loads(line)
    return message, sys.stdin.buffer.read(message.get("bytes", 0))


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "act": {"type": "string"},
        "at": {"type": "integer", "minimum": 0},
        "class": {"enum": ["featurer", "segmenter"]},
        "audio": {"type": "boolean"},
        "ready": {"type": "object"},
    },
}


def ready(options):
    kind = options.get("class", "featurer")
    message = {
        "type": "ready",
        "protocol": 1,
        "name": "puppet",
        "class": kind,
        "attributes": [{"name": "sum", "kind": "number", "description": "of all bytes"}],
        "options": SCHEMA,
    }
    if kind == "featurer" and options.get("audio"):
        message["audio"] = True
    elif kind == "featurer":
        message["view"] = {"width": 16, "height": 9, "format": "gray8"}
    else:
        message["order"] = "ordered"
    return message | options.get("ready", {})


def misbehave(act, number):
    if act == "crash":
        print("I cannot go on", file=sys.stderr)
        sys.stderr.flush()
        os._exit(3)
    if act == "hang":
        time.sleep(3600)
    if act == "garbage":
        print("hello, I am a print")
        sys.stdout.flush()
    if act == "huge":
        sys.stdout.buffer.write(b"x" * (40 << 20))
        sys.stdout.buffer.flush()
    if act == "stale":
        send({"type": "result", "id": number - 1})
    if act == "silent":
        os.close(1)
        time.sleep(3600)


def scan(options, message):
    number, position, act = message["id"], message["position"], None
    if position == options.get("at"):
        act = options.get("act")
    total, first = 0, None
    while True:
        header, body = receive()
        if header["type"] == "end_chunk":
            break
        if first is None:
            first = header["time"]
        if len(body) != header["bytes"]:
            sys.exit(4)
        total += sum(body)
        misbehave(act, number)
    first = message["start"] if first is None else first
    said = {"start": first, "end": message["end"], "attributes": {"sum": total}}
    if act == "undeclared":
        said["attributes"]["other"] = 1
    if act == "wrong_type":
        said["attributes"]["sum"] = str(total)
    if act == "seconds":
        said["start"] = message["start_seconds"] + 0.5
    if act == "error":
        send({"type": "error", "id": number, "message": "no picture to speak of"})
    else:
        send({"type": "result", "id": number, "observations": [said]})


def step(options, message, state):
    at = options.get("at")
    if at is not None and message["position"] == at:
        misbehave(options.get("act"), message["id"])
    start = json.loads(state) if state else None
    segments = []
    for observation in message["observations"]:
        if start is not None:
            segments.append({"start": start, "end": observation["start"], "attributes": {}})
        start = observation["start"]
    tail = {} if start is None else {"segments": [{"start": start, "end": None}]}
    send({"type": "result", "id": message["id"], "segments": segments, "tail": tail}, json.dumps(start).encode())


def main():
    options = {}
    while True:
        message, body = receive()
        kind = message["type"]
        if kind == "hello":
            options = message["options"]
            if options.get("act") == "mute":
                time.sleep(3600)
            send(ready(options))
        elif kind == "start":
            send({"type": "started"})
        elif kind == "chunk":
            scan(options, message)
        elif kind == "step":
            step(options, message, body)


main()
