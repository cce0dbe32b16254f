#!/usr/bin/env python3
"""Follows the segments of events, as they come, change and go.

    pip install confluent-kafka
    ./follow.py localhost:9092 --prefix matchcut

Reads what was committed and nothing else, so that every change is seen once, also when matchcut
or a broker dies. With --until-complete it ends when an event is complete.
"""

import argparse
import json

from confluent_kafka import Consumer

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("brokers")
parser.add_argument("--prefix", default="matchcut")
parser.add_argument("--group", default="follow")
parser.add_argument("--until-complete", action="store_true")
args = parser.parse_args()

consumer = Consumer(
    {
        "bootstrap.servers": args.brokers,
        "group.id": args.group,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    }
)
consumer.subscribe([f"{args.prefix}.segments.v1", f"{args.prefix}.events.v1"])

try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print(f"waiting: {message.error()}", flush=True)
            continue
        value = json.loads(message.value())
        if message.topic().endswith(".events.v1"):
            if value["State"] == "EVENT_COMPLETE":
                print(f"{value['Event']} is complete", flush=True)
                if args.until_complete:
                    break
            continue
        segment = value["segment"]
        end = "…" if segment["end"] is None else f"{segment['end']:.3f}"
        print(
            f"{value['event']}  {segment['operator']} {segment['start']:.3f} - {end}  "
            f"{', '.join(value['changes'])}  {segment['label'] or ''}".rstrip(),
            flush=True,
        )
finally:
    consumer.close()
