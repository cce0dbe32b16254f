"""MediaLive and Kinesis Video for tests: moto where it has an operation, a double where it has none. Every request
is checked by botocore: its signature against the keys of the tests, its path, query and body against the model of
the service; and so is every answer of the double.

What the double adds: alerts and the schedule of a channel, sessions of HLS, GetMedia and GetMediaForFragmentList.
A test gives orders by POST /_tests and reads what was asked by GET /_tests."""

import datetime
import hashlib
import hmac
import io
import json
import pathlib
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.loaders
import botocore.model
import botocore.validate
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KEY, SECRET, REGION = "AKIATESTTESTTESTTEST", "the-secret-of-the-tests", "eu-central-1"

SERVICES = ("medialive", "kinesisvideo", "kinesis-video-media", "kinesis-video-archived-media")

# A producer that began at this time of day.
BEGIN = 1_780_754_400_000
# What each fragment lasts, in milliseconds.
EACH = 2000
FIRST = 91343852333181432392682062607743920146159169392


class Refused(Exception):
    """A request that is answered with an error of AWS."""

    def __init__(self, status, code, message=""):
        super().__init__(f"{status} {code} {message}")
        self.status, self.code, self.message = status, code, message


def load_operations():
    loader = botocore.loaders.Loader()
    for service in SERVICES:
        model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)
        for name in model.operation_names:
            operation = model.operation_model(name)
            path = operation.http["requestUri"].split("?")[0]
            path = re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", path)
            yield operation.http["method"], re.compile(f"{path}$"), operation


OPERATIONS = list(load_operations())


def from_wire(shape, value, where):
    """What stands in JSON, with the names of the model; what the model does not know is refused."""
    if value is None:
        return None
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            raise Refused(400, "SerializationException", f"{where} is no structure")
        names = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
        unknown = set(value) - set(names)
        if unknown:
            raise Refused(400, "SerializationException", f"{where} has no {sorted(unknown)}")
        read = {
            names[key][0]: from_wire(names[key][1], inner, f"{where}.{key}") for key, inner in value.items()
        }
        return {key: inner for key, inner in read.items() if inner is not None}
    if shape.type_name == "list":
        return [from_wire(shape.member, inner, f"{where}[]") for inner in value]
    if shape.type_name == "timestamp" and isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    if getattr(shape, "enum", None) and value not in shape.enum:
        raise Refused(400, "SerializationException", f"{where} cannot be {value}")
    return value


def to_wire(shape, value):
    if shape.type_name == "structure":
        members = shape.members
        return {members[n].serialization.get("name", n): to_wire(members[n], v) for n, v in value.items()}
    if shape.type_name == "list":
        return [to_wire(shape.member, inner) for inner in value]
    return value.timestamp() if isinstance(value, datetime.datetime) else value


def validate(shape, params, what):
    report = botocore.validate.ParamValidator().validate(params, shape)
    if report.has_errors():
        raise Refused(400, "ValidationException", f"{what}: {report.generate_report()}")


def check_signature(method, path, query, headers, body):
    """Signs the request once more, and compares."""
    given = headers.get("Authorization", "")
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/(\w+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)",
        given,
    )
    if not found:
        raise Refused(403, "MissingAuthenticationToken")
    key, region, service, names, signature = found.groups()
    if key != KEY or headers.get("X-Amz-Security-Token"):
        raise Refused(403, "UnrecognizedClientException")
    credentials = botocore.credentials.Credentials(KEY, SECRET)
    auth = botocore.auth.SigV4Auth(credentials, service, region)
    url = f"http://{headers['Host']}{path}" + (f"?{query}" if query else "")
    request = botocore.awsrequest.AWSRequest(method, url, data=body)
    for name in names.split(";"):
        request.headers[name] = headers.get(name)
    request.context["timestamp"] = headers["X-Amz-Date"]
    string = auth.string_to_sign(request, auth.canonical_request(request))
    if not hmac.compare_digest(auth.signature(string, request), signature):
        raise Refused(403, "SignatureDoesNotMatch")


class World:
    """What there is beside moto, and what tests have ordered."""

    def __init__(self, media):
        self.lock = threading.Lock()
        self.media = media
        self.asked = []
        self.alerts = []
        self.schedule = {}
        # Fragments that were ingested; those before `kept` are gone.
        self.fragments = 0
        self.ended = False
        # Sessions by token: what was asked for and when they end.
        self.sessions = {}
        self.lifetime = 3600.0
        # A stream of media breaks in the middle of the fragment that comes so many from now.
        self.breaks = 0
        # Errors that come before answers: [operation, times, status, code].
        self.faults = []

    def order(self, order):
        with self.lock:
            for name, value in order.items():
                if name == "expire":
                    for session in self.sessions.values():
                        session["ends"] = 0
                elif not hasattr(self, name):
                    raise ValueError(name)
                else:
                    setattr(self, name, value)

    def fault(self, operation):
        with self.lock:
            for fault in self.faults:
                if fault[0] in (operation, "*") and fault[1] > 0:
                    fault[1] -= 1
                    raise Refused(fault[2], fault[3])

    def numbers(self):
        with self.lock:
            return range(self.fragments)


WORLD = None


def fragment_number(index):
    # Numbers of fragments grow, and do not follow each other.
    return str(FIRST + index * 5_000_017)


def index_of(number):
    found = [n for n in range(1000) if fragment_number(n) == number]
    if not found:
        raise Refused(404, "ResourceNotFoundException", "no such fragment")
    return found[0]


# Kinesis Video: HLS

def start_session(params):
    mode = params.get("PlaybackMode", "LIVE")
    selector = params.get("HLSFragmentSelector", {})
    times = selector.get("TimestampRange")
    if (mode == "LIVE") == (times is not None):
        raise Refused(400, "InvalidArgumentException", "the range does not fit the mode")
    if mode == "ON_DEMAND" and "EndTimestamp" not in times:
        raise Refused(400, "InvalidArgumentException", "the range has no end")
    if not WORLD.numbers():
        raise Refused(404, "ResourceNotFoundException", "no fragment")
    with WORLD.lock:
        # Characters that mean something in a URL must come back as they are.
        token = "Secret_Token+" + hashlib.sha256(str(len(WORLD.sessions)).encode()).hexdigest() + "/=="
        WORLD.sessions[token] = {"params": params, "ends": time.time() + WORLD.lifetime}
    quoted = urllib.parse.quote(token, safe="")
    return {"HLSStreamingSessionURL": f"{WORLD.base}/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken={quoted}"}


def visible(session):
    """The fragments that a session shows."""
    params, numbers = session["params"], list(WORLD.numbers())
    mode = params.get("PlaybackMode", "LIVE")
    most = params.get("MaxMediaPlaylistFragmentResults", 1000 if mode == "ON_DEMAND" else 5)
    if mode == "LIVE":
        # Numbers of chunks count from the first one that the session has shown.
        session.setdefault("base", max(0, len(numbers) - most))
        return numbers[-most:], max(0, len(numbers) - most) - session["base"]
    times = params["HLSFragmentSelector"]["TimestampRange"]
    millis = lambda at: round(at.timestamp() * 1000)
    start = millis(times["StartTimestamp"])
    end = millis(times["EndTimestamp"]) if "EndTimestamp" in times else None
    at = lambda n: BEGIN + n * EACH
    inside = [n for n in numbers if at(n) >= start and (end is None or at(n) <= end)]
    if mode == "LIVE_REPLAY":
        # One more each time that somebody looks, as if their durations passed.
        session["looks"] = session.get("looks", 0) + 1
        inside = inside[: session["looks"]]
        return inside[-most:], max(0, len(inside) - most)
    return inside[:most], 0


def hls(path, query):
    token = query.get("SessionToken", [""])[0]
    with WORLD.lock:
        session = WORLD.sessions.get(token)
        if session is None or session["ends"] < time.time():
            return 403, "application/json", b'{"message": "the session has expired"}'
    quoted = urllib.parse.quote(token, safe="")
    params = session["params"]
    mp4 = params.get("ContainerFormat", "FRAGMENTED_MP4") == "FRAGMENTED_MP4"
    name = path.rsplit("/", 1)[1]
    playlist = "application/x-mpegURL"
    if name == "getHLSMasterPlaylist.m3u8":
        text = (
            "#EXTM3U\n#EXT-X-VERSION:1\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180,CODECS=\"avc1.42c00d,mp4a.40.2\"\n"
            f"getHLSMediaPlaylist.m3u8?SessionToken={quoted}&TrackNumber=1\n"
        )
        return 200, playlist, text.encode()
    if name == "getHLSMediaPlaylist.m3u8":
        shown, sequence = visible(session)
        dated = params.get("DisplayFragmentTimestamp") == "ALWAYS"
        lines = ["#EXTM3U", f"#EXT-X-VERSION:{7 if mp4 else 3}", "#EXT-X-TARGETDURATION:2"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{sequence + 1}")
        if mp4:
            lines.append(f'#EXT-X-MAP:URI="getMP4InitFragment.mp4?SessionToken={quoted}&TrackNumber=1"')
        for n in shown:
            if dated:
                at = datetime.datetime.fromtimestamp((BEGIN + n * EACH) / 1000, datetime.timezone.utc)
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at:%Y-%m-%dT%H:%M:%S.}{at.microsecond // 1000:03}Z")
            lines.append("#EXTINF:2.0,")
            kind = "getMP4MediaFragment.mp4" if mp4 else "getTSFragment.ts"
            number = fragment_number(n)
            lines.append(f"{kind}?FragmentNumber={number}&SessionToken={quoted}&TrackNumber=1")
        if params.get("PlaybackMode", "LIVE") == "ON_DEMAND":
            lines.append("#EXT-X-ENDLIST")
        return 200, playlist, ("\n".join(lines) + "\n").encode()
    if name == "getMP4InitFragment.mp4":
        return 200, "video/mp4", (WORLD.media / "init.mp4").read_bytes()
    n = index_of(query["FragmentNumber"][0])
    file = f"f{n}.m4s" if mp4 else f"c{n:02}.ts"
    return 200, "video/mp4" if mp4 else "video/mp2t", (WORLD.media / file).read_bytes()


# Kinesis Video: Matroska

def element(number, body, unknown=False):
    head = bytes.fromhex(number)
    size = b"\x01" + b"\xff" * 7 if unknown else struct.pack(">Q", len(body) | 1 << 56)
    return head + size + body


def tags(pairs):
    simple = b"".join(
        element("67c8", element("45a3", name.encode()) + element("4487", value.encode())) for name, value in pairs
    )
    return element("1254c367", element("7373", element("63c0", b"") + simple))


def children(data):
    """The elements of a Matroska segment as FFmpeg writes it, with their bytes."""
    at = 0
    while at < len(data):
        length = 9 - data[at].bit_length()
        number = data[at : at + length]
        size_length = 9 - data[at + length].bit_length()
        size = int.from_bytes(data[at + length : at + length + size_length]) & ((1 << 7 * size_length) - 1)
        body = at + length + size_length
        if size == (1 << 7 * size_length) - 1:
            size = len(data) - body
        yield number.hex(), data[at : body + size], data[body : body + size]
        at = body + size


def chunk(n, behind=None):
    """A fragment as the service sends it: one segment, with tags."""
    file = (WORLD.media / f"c{n:02}.mkv").read_bytes()
    top = {number: (whole, body) for number, whole, body in children(file)}
    inner = list(children(top["18538067"][1]))
    pick = lambda number: b"".join(whole for found, whole, _ in inner if found == number)
    at = f"{(BEGIN + n * EACH) / 1000:.3f}"
    pairs = [
        ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", fragment_number(n)),
        ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", f"{(BEGIN + n * EACH + 700) / 1000:.3f}"),
        ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", at),
    ]
    after = []
    if behind is not None:
        after = [
            ("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", str(behind)),
            ("AWS_KINESISVIDEO_CONTINUATION_TOKEN", token_of(n)),
        ]
    body = pick("1549a966") + pick("1654ae6b") + tags(pairs) + pick("1f43b675") + (tags(after) if after else b"")
    return top["1a45dfa3"][0] + element("18538067", body, unknown=True)


def token_of(n):
    return f"Secret_Token_of_{fragment_number(n)}"


def media(params, connection):
    """Fragments from the selector on, as they are ingested."""
    selector = params["StartSelector"]
    kind = selector["StartSelectorType"]
    if kind == "NOW":
        first = max(0, len(WORLD.numbers()) - 1)
    elif kind == "EARLIEST":
        first = 0
    elif kind == "FRAGMENT_NUMBER":
        first = index_of(selector["AfterFragmentNumber"]) + 1
    elif kind == "CONTINUATION_TOKEN":
        last = selector["ContinuationToken"].removeprefix("Secret_Token_of_")
        first = index_of(last) + 1
    else:
        at = round(selector["StartTimestamp"].timestamp() * 1000)
        first = max(0, -(-(at - BEGIN) // EACH))

    def send():
        n, sent = first, 0
        while True:
            if n < len(WORLD.numbers()):
                data = chunk(n, behind=(len(WORLD.numbers()) - 1 - n) * EACH)
                with WORLD.lock:
                    breaks, WORLD.breaks = (WORLD.breaks, WORLD.breaks - 1) if WORLD.breaks else (0, 0)
                if breaks == 1:
                    # The connection breaks in the middle of a fragment.
                    yield data[: len(data) // 2]
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                # Pieces end where no element ends.
                for at in range(0, len(data), 10_007):
                    yield data[at : at + 10_007]
                n, sent = n + 1, sent + 1
            elif WORLD.ended:
                return
            else:
                time.sleep(0.05)

    return send()


def fragment_list(params, _):
    chunks = [chunk(index_of(number)) for number in params["Fragments"]]
    return iter(chunks)


# Operations that moto has not.

def list_alerts(params):
    alerts = [{**alert, "State": "SET"} for alert in WORLD.alerts]
    # Page by page.
    first = int(params.get("NextToken", "0"))
    page = {"Alerts": alerts[first : first + 1]}
    return page | ({"NextToken": str(first + 1)} if first + 1 < len(alerts) else {})


def describe_schedule(params):
    return {"ScheduleActions": list(WORLD.schedule.values())}


def batch_update_schedule(params):
    for name in params.get("Deletes", {}).get("ActionNames", []):
        if WORLD.schedule.pop(name, None) is None:
            raise Refused(422, "UnprocessableEntityException", f"no action {name}")
    actions = params.get("Creates", {}).get("ScheduleActions", [])
    for action in actions:
        if action["ActionName"] in WORLD.schedule:
            raise Refused(422, "UnprocessableEntityException", f"{action['ActionName']} exists")
        WORLD.schedule[action["ActionName"]] = action
    return {"Creates": {"ScheduleActions": actions}}


def data_endpoint(params):
    """Where media are asked for: here. moto names a host of AWS."""
    if params.get("StreamName", "court") != "court":
        raise Refused(404, "ResourceNotFoundException", "no such stream")
    return {"DataEndpoint": WORLD.base}


OWN = {
    "GetDataEndpoint": data_endpoint,
    "ListAlerts": list_alerts,
    "DescribeSchedule": describe_schedule,
    "BatchUpdateSchedule": batch_update_schedule,
    "GetHLSStreamingSessionURL": start_session,
}

STREAMS = {"GetMedia": media, "GetMediaForFragmentList": fragment_list}


def operation_of(method, path):
    for own, pattern, operation in OPERATIONS:
        found = pattern.match(path)
        if own == method and found:
            return operation, found.groupdict()
    raise Refused(404, "UnknownOperationException", f"{method} {path}")


def read_request(operation, in_path, query, body):
    shape = operation.input_shape
    params = {}
    if body:
        params = from_wire(shape, json.loads(body), operation.name)
    for name, member in shape.members.items():
        where = member.serialization
        if where.get("location") == "uri":
            params[name] = in_path[where["name"]]
        elif where.get("location") == "querystring" and where["name"] in query:
            params[name] = query.pop(where["name"])[0]
    if query:
        raise Refused(400, "SerializationException", f"{operation.name} has no {sorted(query)}")
    validate(shape, params, operation.name)
    return params


def checked(operation, answer):
    validate(operation.output_shape, answer, f"the answer of {operation.name}")
    return json.dumps(to_wire(operation.output_shape, answer)).encode()


class Application:
    """In front of moto."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        query = environ.get("QUERY_STRING", "")

        def answer(status, kind, data):
            start_response(f"{status} .", [("Content-Type", kind), ("Content-Length", str(len(data)))])
            return [data]

        parsed = urllib.parse.parse_qs(query, keep_blank_values=True)
        if path == "/_tests":
            if method == "POST":
                WORLD.order(json.loads(body))
                return answer(200, "application/json", b"{}")
            return answer(200, "application/json", json.dumps(WORLD.asked).encode())
        if path.startswith("/_channel/"):
            channel = CLIENT.describe_channel(ChannelId=path.rsplit("/", 1)[1])
            del channel["ResponseMetadata"]
            return answer(200, "application/json", json.dumps(channel).encode())
        if path.startswith("/hls/v1/"):
            WORLD.asked.append(path.rsplit("/", 1)[1])
            return answer(*hls(path, parsed))
        headers = {
            name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        headers["Content-Length"] = environ.get("CONTENT_LENGTH", "")
        fetch = {name.lower(): value for name, value in headers.items()}
        lookup = type("Headers", (), {"get": lambda _, n, d=None: fetch.get(n.lower(), d),
                                      "__getitem__": lambda _, n: fetch[n.lower()]})()
        try:
            check_signature(method, path, query, lookup, body)
            operation, in_path = operation_of(method, path)
            own = fetch.get("user-agent", "").startswith("Boto3")
            params = read_request(operation, in_path, parsed, body)
            if not own:
                WORLD.asked.append(operation.name)
                WORLD.fault(operation.name)
            if operation.name in STREAMS:
                data = STREAMS[operation.name](params, environ["werkzeug.socket"])
                start_response("200 .", [("Content-Type", "video/webm")])
                return data
            if operation.name in OWN:
                return answer(200, "application/json", checked(operation, OWN[operation.name](params)))
        except Refused as refused:
            WORLD.asked.append(f"refused: {refused}")
            data = json.dumps({"message": refused.message}).encode()
            start_response(
                f"{refused.status} .",
                [("Content-Type", "application/json"), ("Content-Length", str(len(data))),
                 ("x-amzn-ErrorType", f"{refused.code}:http://internal.amazon.com/")],
            )
            return [data]
        environ["wsgi.input"] = io.BytesIO(body)
        return self.moto(environ, start_response)


def set_up():
    """A channel with an output of somebody else, and a stream."""
    stream = boto3.client("kinesisvideo", **CONNECTION).create_stream(StreamName="court", DataRetentionInHours=24)
    hls_group = {"Destination": {"DestinationRefId": "cdn"}, "Mode": "LIVE", "SegmentLength": 4, "KeepSegments": 21}
    channel = CLIENT.create_channel(
        Name="court",
        ChannelClass="STANDARD",
        LogLevel="WARNING",
        RoleArn="arn:aws:iam::123456789012:role/live",
        InputSpecification={"Codec": "AVC", "Resolution": "HD"},
        InputAttachments=[
            {"InputAttachmentName": "camera", "InputId": "1"},
            {"InputAttachmentName": "file", "InputId": "2", "InputSettings": {"SourceEndBehavior": "CONTINUE"}},
        ],
        Destinations=[{"Id": "cdn", "Settings": [
            {"Url": "https://cdn.example.com/a", "Username": "u", "PasswordParam": "/cdn/a"},
            {"Url": "https://cdn.example.com/b"},
        ]}],
        EncoderSettings={
            "TimecodeConfig": {"Source": "SYSTEMCLOCK"},
            "AudioDescriptions": [{"Name": "eng", "AudioSelectorName": "default"}],
            "VideoDescriptions": [{"Name": "v1080", "Height": 1080, "Width": 1920}],
            "OutputGroups": [{
                "Name": "to the CDN",
                "OutputGroupSettings": {"HlsGroupSettings": hls_group},
                "Outputs": [{
                    "OutputName": "a",
                    "VideoDescriptionName": "v1080",
                    "AudioDescriptionNames": ["eng"],
                    "OutputSettings": {"HlsOutputSettings": {"NameModifier": "_a", "HlsSettings": {
                        "StandardHlsSettings": {"M3u8Settings": {"PcrPeriod": 40}}}}},
                }],
            }],
        },
    )["Channel"]["Id"]
    return {"channel": channel, "arn": stream["StreamARN"]}


if __name__ == "__main__":
    WORLD = World(pathlib.Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, Application(), threaded=True)
    WORLD.base = f"http://127.0.0.1:{server.server_port}"
    CONNECTION = {
        "endpoint_url": WORLD.base, "region_name": REGION,
        "aws_access_key_id": KEY, "aws_secret_access_key": SECRET,
    }
    CLIENT = boto3.client("medialive", **CONNECTION)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"endpoint": WORLD.base, **set_up()}), flush=True)
    sys.stdin.read()
