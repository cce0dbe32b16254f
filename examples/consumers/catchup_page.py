#!/usr/bin/env python3
"""A page with the clips of every replay, kept up to date from Kafka.

    pip install confluent-kafka
    ./catchup_page.py localhost:9092 --media out/live --listen 127.0.0.1:8000

The topic PREFIX.replays.state.v1 holds what each replay shows now: it is read from its beginning, the last
value of each key stands, and a key without value is gone. PREFIX.clips.v1 says which clips can be played.
Browsers are told of changes by server-sent events. --media is the directory of results that clips lie in.
"""

import argparse
import json
import queue
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("brokers")
parser.add_argument("--prefix", default="matchcut")
parser.add_argument("--media", required=True)
parser.add_argument("--listen", default="127.0.0.1:8000")
args = parser.parse_args()

lock = threading.Lock()
replays = {}  # by key of the message: EVENT/REPLAY
ready = {}  # clips that can be played, with their pictures
viewers = set()  # a queue for each browser


def state():
    """What browsers are told: every replay with the clips that can be played already."""
    with lock:
        told = []
        for key, replay in sorted(replays.items()):
            clips = [
                {**piece, "thumbnail": ready[piece["clip"]]}
                for piece in replay["selected"]
                if piece["clip"] in ready
            ]
            waiting = len(replay["selected"]) - len(clips)
            told.append({**replay, "key": key, "selected": clips, "waiting": waiting})
        return json.dumps(told)


def follow():
    consumer = Consumer(
        {
            "bootstrap.servers": args.brokers,
            "group.id": "catchup-page",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )

    # All partitions from their beginning, without a group: the state is what the topics hold, not what
    # this page or another one has seen.
    topics = [f"{args.prefix}.replays.state.v1", f"{args.prefix}.clips.v1"]
    partitions = []
    while not partitions:
        try:
            known = consumer.list_topics(timeout=5).topics
        except KafkaException as error:
            print(f"waiting: {error}", flush=True)
            time.sleep(1)
            continue
        if all(topic in known for topic in topics):
            partitions = [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in topics
                for partition in known[topic].partitions
            ]
        else:
            time.sleep(1)  # nothing was published yet
    consumer.assign(partitions)
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        value = json.loads(message.value()) if message.value() else None
        with lock:
            if message.topic().endswith(".replays.state.v1"):
                key = message.key().decode()
                if value is None:
                    replays.pop(key, None)
                else:
                    replays[key] = value
            elif value["change"] == "ready":
                ready[value["clip"]["path"]] = value["thumbnail"]
            elif value["change"] == "gone":
                ready.pop(value["path"], None)
        for viewer in list(viewers):
            viewer.put(True)


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=args.media)

    def do_GET(self):
        if self.path == "/":
            self.answer("text/html; charset=utf-8", PAGE.encode())
        elif self.path == "/state":
            self.answer("application/json", state().encode())
        elif self.path == "/changes":
            self.changes()
        else:
            super().do_GET()

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def changes(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        viewer = queue.Queue()
        viewers.add(viewer)
        try:
            while True:
                self.wfile.write(f"data: {state()}\n\n".encode())
                self.wfile.flush()
                try:
                    viewer.get(timeout=10)
                    while not viewer.empty():
                        viewer.get_nowait()
                except queue.Empty:
                    pass  # telling the state again keeps the connection alive
        except OSError:
            pass  # the browser went away
        finally:
            viewers.discard(viewer)

    def log_message(self, *_):
        pass


PAGE = Path(__file__).with_name("catchup_page.html").read_text()

threading.Thread(target=follow, daemon=True).start()
host, port = args.listen.rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Handler)
print(f"http://{host}:{server.server_port}/", flush=True)
server.serve_forever()
