"""A double of AWS Elemental MediaConvert, which has no emulator: a few routes whose requests and answers are as the
service model says, and jobs that are really cut, with FFmpeg, without loss, from objects in S3 and into them.

    mediaconvert.py                  listens, until its standard input ends
    mediaconvert.py --events         tells a queue of SQS what becomes of jobs, as EventBridge does; moto is the queue
    mediaconvert.py --check FILE…    looks through bodies of CreateJob

Its first line says where it is. Each line on its standard input is an object with what is to happen from now on,
and is answered with what has happened.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from service_model import Model

MODEL = Model("mediaconvert")
JOBS = "/2017-08-29/jobs"
# As long as the real one remembers client request tokens.
TOKENS_LAST = 60
# Samples a second.
SAMPLES = 48_000


def client(service):
    return botocore.session.get_session().create_client(
        service, config=Config(s3={"addressing_style": "path"}), region_name=os.environ.get("AWS_REGION", "eu-central-1")
    )


def seconds(value):
    return f"{value:.9f}"


class Failed(Exception):
    """A job cannot be done: code and message."""


class Cutter:
    """One job that is being cut, in a directory of its own."""

    def __init__(self, job, directory, s3):
        self.settings = job["settings"]
        self.dir = Path(directory)
        self.s3 = s3
        self.made = []

    def fetch(self, address):
        bucket, key = re.fullmatch(r"s3://([^/]+)/(.+)", address).groups()
        path = self.dir / (hashlib.sha1(address.encode()).hexdigest() + os.path.splitext(key)[1])
        if not path.exists():
            try:
                path.write_bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            except Exception as error:
                raise Failed(1401, f"Unable to open input file [{address}]: [{type(error).__name__}]") from error
        return path

    def store(self, address, path):
        bucket, key = re.fullmatch(r"s3://([^/]+)/(.+)", address).groups()
        self.s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        self.made.append(address)

    def run(self):
        details = []
        self.files, self.rate, self.size, self.frames = {}, None, None, 0
        self.pictures, self.sound = self.dir / "all.yuv", self.dir / "all.pcm"
        with self.pictures.open("wb") as pictures, self.sound.open("wb") as sound:
            for given in self.settings["inputs"]:
                self.add(given, pictures, sound)
        for group in self.settings["outputGroups"]:
            details.append({"outputDetails": [self.output(group, output) for output in group["outputs"]]})
            if "hlsGroupSettings" in group["outputGroupSettings"]:
                self.master(group)
        return details

    def decoded(self, address):
        """All frames of a file, and what is known of it; each file is decoded once."""
        if address not in self.files:
            path = self.fetch(address)
            told = json.loads(tool("ffprobe", "-v", "error", "-show_streams", "-of", "json", path))
            video = next(s for s in told["streams"] if s["codec_type"] == "video")
            sounds = [s for s in told["streams"] if s["codec_type"] == "audio"]
            self.size = self.size or (video["width"], video["height"])
            scale = f"scale={self.size[0]}:{self.size[1]},setsar=1,format=yuv420p"
            raw = self.dir / f"{path.name}.yuv"
            tool("ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
                 "-vf", scale, "-f", "rawvideo", raw)
            rate = tuple(int(n) for n in video["r_frame_rate"].split("/"))
            self.files[address] = (path, raw.read_bytes(), rate, float(video.get("start_time", 0)), sounds, {})
        return self.files[address]

    def heard(self, address, track):
        """The samples of an audio track, and when the first is heard."""
        path, _, _, _, sounds, tracks = self.decoded(address)
        if track not in tracks:
            raw = self.dir / f"{path.name}.{track}.pcm"
            tool("ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", f"0:a:{track}", "-ac", "2", "-ar",
                 str(SAMPLES), "-f", "s16le", raw)
            tracks[track] = (raw.read_bytes(), float(sounds[track]["start_time"]))
        return tracks[track]

    def add(self, given, pictures, sound):
        if "videoGenerator" in given:
            generator = given["videoGenerator"]
            rate = (generator["framerateNumerator"], generator["framerateDenominator"])
            count = round(generator["duration"] / 1000 * rate[0] / rate[1])
            pictures.write(self.decoded(generator["imageInput"])[1] * count)
            return self.lay(count, rate, b"", sound)
        if given.get("timecodeSource") != "ZEROBASED":
            raise Failed(1040, "this double counts from zero only")
        address = given["fileInput"]
        _, raw, rate, begin, sounds, _ = self.decoded(address)
        self.rate = self.rate or rate
        picture = self.size[0] * self.size[1] * 3 // 2
        all_of_it = len(raw) // picture
        for clip in given.get("inputClippings") or [{}]:
            first = frame(clip.get("startTimecode"), rate, 0)
            last = frame(clip.get("endTimecode"), rate, all_of_it - 1)
            if not 0 <= first <= last < all_of_it:
                raise Failed(1040, f"no frames {first} to {last} of {all_of_it} in {address}")
            pictures.write(raw[first * picture : (last + 1) * picture])
            selector = (given.get("audioSelectors") or {}).get("Audio Selector 1", {})
            tracks = selector.get("tracks", [1])
            samples = b""
            if len(tracks) == 1 and tracks[0] <= len(sounds):
                heard, start = self.heard(address, tracks[0] - 1)
                at = round((begin + first * rate[1] / rate[0] - start) * SAMPLES)
                samples = b"\0" * (-at * 4) + heard[max(at, 0) * 4 :]
            self.lay(last + 1 - first, rate, samples, sound)

    def lay(self, frames, rate, samples, sound):
        """As much sound as there are pictures."""
        before, self.frames = self.frames, self.frames + frames
        length = 4 * (round(self.frames * rate[1] * SAMPLES / rate[0]) - round(before * rate[1] * SAMPLES / rate[0]))
        sound.write(samples[:length].ljust(length, b"\0"))

    def output(self, group, output):
        description = output["videoDescription"]
        codec = description["codecSettings"]
        own = codec.get("h264Settings") or codec.get("proresSettings") or {}
        rate = (own.get("framerateNumerator", self.rate[0]), own.get("framerateDenominator", self.rate[1]))
        inputs = [
            ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "{}x{}".format(*self.size),
             "-r", "{}/{}".format(*self.rate), "-i", str(self.pictures)],
            ["-f", "s16le", "-ar", str(SAMPLES), "-ac", "2", "-i", str(self.sound)],
        ]
        graph, last, chain = [], "0:v:0", []
        if rate != self.rate:
            chain.append(f"fps={rate[0]}/{rate[1]}")
        size = self.size
        if "width" in description:
            size = (description["width"], description["height"])
            fill = description.get("scalingBehavior") == "FILL"
            chain.append(f"scale={size[0]}:{size[1]}:force_original_aspect_ratio={'increase' if fill else 'decrease'}")
            chain.append(f"crop={size[0]}:{size[1]}" if fill else f"pad={size[0]}:{size[1]}:-1:-1")
        if chain:
            graph.append(f"[{last}]{','.join(chain)}[sized]")
            last = "sized"
        images = description.get("videoPreprocessors", {}).get("imageInserter", {}).get("insertableImages", [])
        for number, image in enumerate(images):
            if image["startTime"] is None or image.get("opacity") != 100:
                raise Failed(1040, "this double inserts opaque images only")
            start = frame(image["startTime"], rate, 0) * rate[1] / rate[0]
            grow, stay, go = (image.get(key, 0) / 1000 for key in ("fadeIn", "duration", "fadeOut"))
            graph.append(
                f"[{len(inputs)}:v:0]scale={size[0]}:{size[1]},format=rgba,"
                f"fade=t=in:st={seconds(start)}:d={seconds(grow)}:alpha=1,"
                f"fade=t=out:st={seconds(start + stay)}:d={seconds(go)}:alpha=1[i{number}]"
            )
            inputs.append(["-loop", "1", "-framerate", f"{rate[0]}/{rate[1]}", "-i", str(self.fetch(image["imageInserterInput"]))])
            end = start + stay + go
            graph.append(
                f"[{last}][i{number}]overlay=shortest=1:enable='between(t,{seconds(start)},{seconds(end)})',"
                f"format=yuv420p[o{number}]"
            )
            last = f"o{number}"
        settings = group["outputGroupSettings"]
        file_group = settings.get("fileGroupSettings") or settings["hlsGroupSettings"]
        base = file_group["destination"] + output.get("nameModifier", "")
        name = base.rsplit("/", 1)[1]
        kind = codec["codec"]
        told = {"durationInMs": round(self.frames * self.rate[1] * 1000 / self.rate[0])}
        told["videoDetails"] = {"widthInPx": size[0], "heightInPx": size[1]}
        if kind == "FRAME_CAPTURE":
            capture = codec["frameCaptureSettings"]
            every = round(capture["framerateDenominator"] / capture["framerateNumerator"] * self.rate[0] / self.rate[1])
            graph.append(f"[{last}]select='not(mod(n,{max(every, 1)}))'[picked]")
            target = self.dir / f"{name}.%07d.jpg"
            ffmpeg(inputs, graph, ["-map", "[picked]", "-fps_mode", "passthrough", "-frames:v",
                                   str(capture["maxCaptures"]), "-start_number", "0", "-q:v", "2", target])
            for path in sorted(self.dir.glob(f"{glob(name)}.*.jpg")):
                self.store(f"{base}{path.name.removeprefix(name)}", path)
            return told
        codecs = {
            "H_264": ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p"],
            "PRORES": ["-c:v", "prores_ks", "-profile:v", "2", "-pix_fmt", "yuv422p10le"],
        }[kind]
        args = ["-map", f"[{last}]" if graph else last, *codecs, "-r", f"{rate[0]}/{rate[1]}"]
        if output.get("audioDescriptions"):
            audio = output["audioDescriptions"][0]["codecSettings"]["codec"]
            args += ["-map", "1:a:0", *{"AAC": ["-c:a", "aac", "-b:a", "96k"], "WAV": ["-c:a", "pcm_s24le"]}[audio]]
        container = output["containerSettings"]["container"]
        if container == "M3U8":
            length = file_group["segmentLength"]
            keys = f"expr:gte(t,n_forced*{length})"
            args += ["-force_key_frames", keys, "-f", "hls", "-hls_time", str(length), "-hls_playlist_type", "vod"]
            args += ["-hls_segment_filename", self.dir / f"{name}_%05d.ts", self.dir / f"{name}.m3u8"]
            ffmpeg(inputs, graph, args)
            for path in sorted(self.dir.glob(f"{glob(name)}_*.ts")) + [self.dir / f"{name}.m3u8"]:
                self.store(f"{base}{path.name.removeprefix(name)}", path)
            return told
        path = self.dir / f"{name}.{container.lower()}"
        ffmpeg(inputs, graph, [*args, path])
        self.store(f"{base}.{container.lower()}", path)
        return told

    def master(self, group):
        destination = group["outputGroupSettings"]["hlsGroupSettings"]["destination"]
        name = destination.rsplit("/", 1)[1]
        lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
        for output in group["outputs"]:
            video = output["videoDescription"]
            size = (video.get("width", self.size[0]), video.get("height", self.size[1]))
            rate = video["codecSettings"]["h264Settings"]["maxBitrate"]
            lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={rate},RESOLUTION={size[0]}x{size[1]}")
            lines.append(f"{name}{output['nameModifier']}.m3u8")
        path = self.dir / f"{name}.m3u8"
        path.write_text("\n".join(lines) + "\n")
        self.store(f"{destination}.m3u8", path)


def glob(name):
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def frame(timecode, rate, otherwise):
    """The number of a frame, counted from zero without dropping labels."""
    if timecode is None:
        return otherwise
    hours, minutes, secs, frames = (int(n) for n in re.split("[:;]", timecode))
    nominal = round(rate[0] / rate[1])
    if frames >= nominal:
        raise Failed(1040, f"{timecode} does not exist at {nominal} frames a second")
    return ((hours * 60 + minutes) * 60 + secs) * nominal + frames


def tool(*args):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True)
    if done.returncode:
        raise Failed(1999, done.stderr[-2000:])
    return done.stdout


def ffmpeg(inputs, graph, args):
    given = [arg for one in inputs for arg in one]
    filters = ["-filter_complex", ";".join(graph)] if graph else []
    tool("ffmpeg", "-v", "error", "-nostdin", "-y", *given, *filters, *args)


class Service:
    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.jobs, self.made, self.wrong, self.asked = [], {}, [], []
        # Requests that are still to be refused; a pattern of subjects that fail; jobs wait.
        self.control = {"throttle": 0, "fail": None, "hold": False}
        self.queue = None
        self.pool = ThreadPoolExecutor(2)
        self.s3 = client("s3")

    def say(self, operation, status, body):
        """An answer, which must be as the model says."""
        self.wrong += MODEL.answer(operation, body)
        return status, body

    def refuse(self, status, code, message):
        return status, {"__type": code, "message": message}

    def create(self, body):
        wrong = MODEL.request("CreateJob", body)
        if wrong:
            self.wrong += wrong
            return self.refuse(400, "BadRequestException", "; ".join(wrong))
        if len(body["settings"]["inputs"]) > 150:
            return self.refuse(400, "BadRequestException", "more than 150 inputs")
        with self.lock:
            token, now = body.get("clientRequestToken"), time.time()
            for job in self.jobs:
                if token == job["clientRequestToken"] and now - job["createdAt"] < TOKENS_LAST:
                    return self.say("CreateJob", 201, {"job": job})
            number = len(self.jobs) + 1
            job = {
                "id": f"{int(now * 1000)}-{number:06}",
                "arn": f"arn:aws:mediaconvert:eu-central-1:123456789012:jobs/{number}",
                "status": "SUBMITTED",
                "createdAt": now,
                "clientRequestToken": token,
                **{key: body[key] for key in ("role", "settings", "queue", "userMetadata", "priority") if key in body},
                "timing": {"submitTime": now},
            }
            self.jobs.append(job)
            self.pool.submit(self.work, job)
            return self.say("CreateJob", 201, {"job": dict(job)})

    def tell(self, job):
        """As EventBridge brings it to a queue."""
        if not self.queue:
            return
        detail = {
            "timestamp": int(time.time() * 1000),
            "accountId": "123456789012",
            "queue": "arn:aws:mediaconvert:eu-central-1:123456789012:queues/Default",
            "jobId": job["id"],
            "status": job["status"],
            "userMetadata": job.get("userMetadata", {}),
        }
        if "errorCode" in job:
            detail |= {"errorCode": job["errorCode"], "errorMessage": job["errorMessage"]}
        event = {
            "version": "0",
            "id": f"{job['id']}-{job['status']}",
            "detail-type": "MediaConvert Job State Change",
            "source": "aws.mediaconvert",
            "account": "123456789012",
            "region": "eu-central-1",
            "detail": detail,
        }
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(event))

    def turn(self, job, status, **more):
        with self.lock:
            if job["status"] in ("CANCELED", "COMPLETE", "ERROR"):
                return False
            job.update(status=status, **more)
            self.changed.notify_all()
        self.tell(job)
        return True

    def work(self, job):
        try:
            self.turn(job, "PROGRESSING", jobPercentComplete=0, currentPhase="TRANSCODING")
            with self.lock:
                self.changed.wait_for(lambda: not self.control["hold"] or job["status"] == "CANCELED")
            fails = self.control["fail"]
            if fails and re.search(fails, job.get("userMetadata", {}).get("subject", "")):
                raise Failed(1404, "as the test wants")
            with tempfile.TemporaryDirectory() as directory:
                cutter = Cutter(job, directory, self.s3)
                details = cutter.run()
            if self.turn(job, "COMPLETE", jobPercentComplete=100, outputGroupDetails=details):
                self.made[job["id"]] = cutter.made
        except Failed as failed:
            self.turn(job, "ERROR", errorCode=failed.args[0], errorMessage=failed.args[1])
        except Exception as error:  # what is wrong with the double is told to the test
            self.wrong.append(f"{type(error).__name__}: {error}")
            self.turn(job, "ERROR", errorCode=1999, errorMessage=str(error))

    def list(self, query):
        jobs = self.jobs if query.get("order", ["DESCENDING"])[0] == "ASCENDING" else self.jobs[::-1]
        if "queue" in query:
            jobs = [job for job in jobs if job.get("queue") == query["queue"][0]]
        if "status" in query:
            jobs = [job for job in jobs if job["status"] == query["status"][0]]
        most, start = int(query.get("maxResults", ["20"])[0]), int(query.get("nextToken", ["0"])[0])
        answer = {"jobs": jobs[start : start + most]}
        if start + most < len(jobs):
            answer["nextToken"] = str(start + most)
        return self.say("ListJobs", 200, answer)

    def answer(self, method, path, query, body):
        with self.lock:
            if self.control["throttle"] > 0:
                self.control["throttle"] -= 1
                return self.refuse(429, "TooManyRequestsException", "Too Many Requests")
        name = path.removeprefix(JOBS).strip("/")
        if method == "POST" and not name:
            return self.create(json.loads(body))
        with self.lock:
            if method == "GET" and not name:
                return self.list(query)
            job = next((job for job in self.jobs if job["id"] == name), None)
            if job is None:
                return self.refuse(404, "NotFoundException", "Job not found")
            if method == "GET":
                return self.say("GetJob", 200, {"job": dict(job)})
            if job["status"] in ("COMPLETE", "ERROR", "CANCELED"):
                return self.refuse(409, "ConflictException", "Job is over")
            self.turn(job, "CANCELED")
            return self.say("CancelJob", 202, {})


def signed(method, handler, body):
    """Whether a request is signed with the keys of the environment, as AWS checks it."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/mediaconvert/aws4_request, *"
        r"SignedHeaders=([^,]+), *Signature=([0-9a-f]+)",
        handler.headers.get("Authorization", ""),
    )
    if not found:
        return False
    _, _, region, names, signature = found.groups()
    keys = botocore.session.get_session().get_credentials()
    headers = {name: handler.headers[name] for name in names.split(";")}
    request = AWSRequest(method, f"http://{handler.headers['Host']}{handler.path}", headers=headers, data=body)
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    auth = SigV4Auth(keys, "mediaconvert", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(text, request) == signature


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        service.asked.append(f"{self.command} {url.path}")
        if not signed(self.command, self, body):
            service.wrong.append(f"{self.command} {self.path}: the signature is wrong")
            return self.send(*service.refuse(403, "InvalidSignatureException", "The signature does not match"))
        self.send(*service.answer(self.command, url.path, parse_qs(url.query), body))

    do_GET = do_POST = do_DELETE = handle_any

    def send(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if "__type" in value:
            self.send_header("x-amzn-ErrorType", value["__type"])
        self.end_headers()
        self.wfile.write(data)


def check(paths):
    wrong = {path: MODEL.request("CreateJob", json.loads(Path(path).read_text())) for path in paths}
    for path, lines in wrong.items():
        for line in lines:
            print(f"{path}: {line}")
    return 1 if any(wrong.values()) else 0


def main():
    if sys.argv[1:2] == ["--check"]:
        sys.exit(check(sys.argv[2:]))
    service = Service()
    told = {}
    if sys.argv[1:2] == ["--events"]:
        from moto.server import ThreadedMotoServer

        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        os.environ["AWS_ENDPOINT_URL_SQS"] = told["sqs"] = "http://{}:{}".format(*moto.get_host_and_port())
        service.sqs = client("sqs")
        service.queue = told["queue"] = service.sqs.create_queue(QueueName="jobs")["QueueUrl"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.service = service
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"endpoint": f"http://127.0.0.1:{server.server_port}", **told}), flush=True)
    for line in sys.stdin:
        with service.lock:
            service.control.update(json.loads(line))
            service.changed.notify_all()
            happened = {name: getattr(service, name) for name in ("jobs", "made", "wrong", "asked")}
            print(json.dumps(happened), flush=True)
    # Whoever waits in a job is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
