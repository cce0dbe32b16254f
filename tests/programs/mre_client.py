"""A client as those of AWS Media Replay Engine are: finds both planes in SSM by AWS_ENDPOINT_URL alone, then asks with
`requests`, signed by requests_aws4auth (as MRE's libraries do) and by botocore.

    python3 mre_client.py

Takes keys and region from the environment, asserts what it is told, and prints what it has seen.
"""

import json
import os
import re

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from requests_aws4auth import AWS4Auth

KEY, SECRET, REGION = (os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"))
NAMES = ["/MRE/ControlPlane/EndpointURL", "/MRE/DataPlane/EndpointURL"]


class Botocore(requests.auth.AuthBase):
    """Signs as botocore does."""

    def __init__(self, key=KEY, secret=SECRET, service="execute-api"):
        self.signer = SigV4Auth(Credentials(key, secret), service, REGION)

    def __call__(self, request):
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        signed = AWSRequest(request.method, request.url, headers=headers, data=request.body)
        self.signer.add_auth(signed)
        request.headers.update(signed.headers.items())
        return request


def aws4auth(key=KEY, secret=SECRET, **more):
    return AWS4Auth(key, secret, REGION, "execute-api", **more)


def planes():
    found = boto3.client("ssm").get_parameters(Names=NAMES + ["/MRE/Other"], WithDecryption=True)
    assert found["InvalidParameters"] == ["/MRE/Other"], found
    urls = {parameter["Name"]: parameter["Value"] for parameter in found["Parameters"]}
    base = os.environ["AWS_ENDPOINT_URL"]
    gateway = f".execute-api.{REGION}.amazonaws.com/api/"
    assert urls == {NAMES[0]: f"{base}/controlplane{gateway}", NAMES[1]: f"{base}/dataplane{gateway}"}, urls
    one = boto3.client("ssm").get_parameter(Name=NAMES[0])
    assert one["Parameter"]["Value"] == urls[NAMES[0]], one
    return urls[NAMES[0]]


CONTROL = planes()


def ask(method, path, body=None, auth=None):
    data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
    return requests.request(
        method, CONTROL + path, data=data, headers={"Content-Type": "application/json"}, auth=auth or aws4auth())


def ok(method, path, body=None, auth=None):
    response = ask(method, path, body, auth)
    assert response.status_code == 200, (method, path, response.status_code, response.text)
    return response.json()


def refused(status, code, message, method, path, body=None, auth=None):
    response = ask(method, path, body, auth)
    told = response.json()
    assert (response.status_code, told["Code"]) == (status, code), (method, path, response.status_code, told)
    assert set(told) == {"Code", "Message"}, told
    if isinstance(message, re.Pattern):
        assert message.fullmatch(told["Message"]), told
    else:
        assert told["Message"] == message, told


def arn(name):
    return f"arn:aws:lambda:{REGION}:123456789012:function:{name}:$LATEST"


def plugin(name, class_, **more):
    return {
        "Name": name, "Class": class_, "ExecutionType": "Sync", "SupportedMediaType": "Video",
        "ContentGroups": ["Tennis"], "ExecuteLambdaQualifiedARN": arn(name), **more}


def models():
    model = {"Name": "Ball Model", "Description": "finds\nthe ball", "ContentGroups": ["Tennis"],
             "Endpoint": "endpoint-one", "PluginClass": "Featurer"}
    assert ok("POST", "model", model) == {"Name": "Ball Model", "Version": "v1"}
    model["Endpoint"] = "endpoint-two"
    assert ok("POST", "model", model, Botocore()) == {"Name": "Ball Model", "Version": "v2"}
    for auth in (aws4auth(), Botocore(), aws4auth(session_token="a/token+of=a session")):
        latest = ok("GET", "model/Ball%20Model", auth=auth)
        assert (latest["Version"], latest["Latest"], latest["Endpoint"]) == ("v0", 2, "endpoint-two"), latest
    assert ok("GET", "model/Ball Model/version/v1")["Endpoint"] == "endpoint-one"
    assert [row["Version"] for row in ok("GET", "model/Ball Model/version/all")] == ["v1", "v2"]
    listed = ok("GET", "model/pluginclass/Featurer/contentgroup/Tennis/all?include_disabled=true&a=b+c%20d")
    assert [row["Name"] for row in listed] == ["Ball Model"], listed
    bad = {"Name": 123, "Description": True, "ContentGroups": "NotAList", "Endpoint": 456, "PluginClass": "Wrong"}
    refused(400, "BadRequestError", "123 is not of type 'string'", "POST", "model", bad)
    del model["Name"]
    refused(400, "BadRequestError", "'Name' is a required property", "POST", "model", model)
    unable = "Unable to register or publish a new version of the Machine Learning model endpoint: "
    refused(500, "ChaliceViewError", re.compile(re.escape(unable) + ".+"), "POST", "model", '{"Name": "x" "y"}')
    huge = {"Name": "Huge", "ContentGroups": [f"Group{number}" for number in range(900_000)]}
    refused(413, "PayloadTooLargeError", re.compile("Payload Too Large.*"), "POST", "model", huge)


def plugins():
    ok("POST", "plugin", plugin("DetectBall", "Featurer", ExecutionType="SyncModel",
                                ModelEndpoints=[{"Name": "Ball Model", "Version": "v2"}]))
    first = ok("POST", "plugin", plugin("SegmentRally", "Classifier", DependentPlugins=["DetectBall"],
                                        Configuration={"padding": "1"}))
    again = ok("POST", "plugin", plugin("SegmentRally", "Classifier", DependentPlugins=["DetectBall"],
                                        Configuration={"padding": "2"}))
    assert (first["Version"], again) == ("v1", {"Id": first["Id"], "Version": "v2"}), (first, again)
    assert ok("GET", "plugin/SegmentRally")["Configuration"] == {"padding": "2"}
    assert ok("GET", "plugin/SegmentRally/version/v1")["Configuration"] == {"padding": "1"}
    (below,) = ok("GET", "plugin/SegmentRally/dependentplugins/all")
    assert (below["Name"], below["pluginData"]["Version"], below["DependentFor"]) == (
        "DetectBall", "v0", ["SegmentRally"]), below
    refused(400, "BadRequestError", "Missing required key 'ModelEndpoints' in the input",
            "POST", "plugin", plugin("Other", "Featurer", ExecutionType="SyncModel"))
    refused(404, "NotFoundError", "Model endpoint 'Ball Model' with version 'v9' not found", "POST", "plugin",
            plugin("Other", "Featurer", ExecutionType="SyncModel",
                   ModelEndpoints=[{"Name": "Ball Model", "Version": "v9"}]))
    refused(404, "NotFoundError", "Dependent plugin 'Nothing' not found",
            "POST", "plugin", plugin("Other", "Featurer", DependentPlugins=["Nothing"]))
    refused(400, "BadRequestError", "Found Circular Dependency between plugin: 'SegmentRally' and 'DetectBall'",
            "POST", "plugin", plugin("DetectBall", "Featurer", DependentPlugins=["SegmentRally"]))
    refused(500, "InternalServerError", "An internal server error occurred.", "POST", "plugin", "{")


def profiles():
    profile = {
        "Name": "Tennis Profile", "ContentGroups": ["Tennis", "Live"], "ChunkSize": 20,
        "MaxSegmentLengthSeconds": 120, "ProcessingFrameRate": 5,
        "Classifier": {"Name": "SegmentRally", "DependentPlugins": [
            {"Name": "DetectBall", "DependentFor": ["SegmentRally"],
             "ModelEndpoint": {"Name": "Ball Model", "Version": "v2"}}]},
        "Variables": {"court": "centre"}}
    assert ok("POST", "profile", profile) == {}
    kept = ok("GET", "profile/Tennis Profile")
    assert kept["Classifier"] == {
        "Name": "SegmentRally", "Version": "v2", "Configuration": {"padding": "2"}, "DependentPlugins": [
            {"Name": "DetectBall", "Version": "v1", "DependentFor": ["SegmentRally"], "Configuration": {},
             "ModelEndpoint": {"Name": "Ball Model", "Version": "v2"}}]}, kept
    assert "Variables" not in kept and kept["Enabled"] is True, kept
    assert ok("GET", "profile/Tennis Profile/context-variables") == {"court": "centre"}
    refused(409, "ConflictError", "Profile 'Tennis Profile' already exists", "POST", "profile", profile)
    refused(400, "BadRequestError", "'120' is not of type 'integer'", "POST", "profile", {
        **profile, "ChunkSize": "120", "Optimizer": {"Name": "x", "ModelEndpoint": {"Name": "m", "Version": "1.0"}}})
    unable = "Unable to create profile 'Other'"
    refused(404, "NotFoundError", f"{unable}: Plugin 'Nothing' not found in the system",
            "POST", "profile", {**profile, "Name": "Other", "Classifier": {"Name": "Nothing"}})
    refused(400, "BadRequestError",
            f"{unable}: Required Dependent plugin 'DetectBall' for plugin 'SegmentRally' not present in the request",
            "POST", "profile", {**profile, "Name": "Other", "Classifier": {"Name": "SegmentRally"}})
    refused(500, "InternalServerError", "An internal server error occurred.", "POST", "profile", "not json")
    assert ok("PUT", "profile/Tennis Profile", {"ChunkSize": 10, "Labeler": {}}) == {}
    changed = ok("GET", "profile/Tennis Profile")
    assert (changed["ChunkSize"], "Labeler" in changed) == (10, False), changed
    assert ok("PUT", "profile/Tennis Profile/status", {"Enabled": False}) == {}
    assert ok("GET", "profile/all") == []
    assert [row["Name"] for row in ok("GET", "profile/contentgroup/Live/all?include_disabled=true")] == [
        "Tennis Profile"]
    assert ok("DELETE", "profile/Tennis Profile") == {}
    refused(404, "NotFoundError", "Profile 'Tennis Profile' not found", "GET", "profile/Tennis Profile")


def others():
    prompt = {"Name": "Summary", "ContentGroups": ["News"], "Template": "Say in a word:\n{text}"}
    assert ok("POST", "prompt", prompt) == {"Name": "Summary", "Version": "v1"}
    assert ok("GET", "prompt/Summary/version/v1")["Template"] == prompt["Template"]
    assert [group["Name"] for group in ok("GET", "contentgroup/all")] == ["Live", "News", "Tennis"]
    assert ok("PUT", "system/configuration", {"Name": "MaxConcurrentWorkflows", "Value": 3}) == {}
    assert ok("GET", "system/configuration/MaxConcurrentWorkflows") == 3
    refused(400, "BadRequestError", "MaxConcurrentWorkflows must have a value greater than 0",
            "PUT", "system/configuration", {"Name": "MaxConcurrentWorkflows", "Value": 0})
    assert ok("GET", "system/version")["api_version"] == "1.0.0"
    assert re.fullmatch("[0-9a-f-]{36}", ask("GET", "system/uuid").text)


def strangers():
    mismatch = re.compile("The request signature we calculated does not match.*")
    unknown = "The security token included in the request is invalid."
    for sign in (aws4auth, Botocore):
        refused(403, "ForbiddenError", mismatch, "GET", "model/all", auth=sign(secret=SECRET[:-1] + "x"))
        refused(403, "ForbiddenError", unknown, "POST", "model", {"Name": 1}, auth=sign(key=KEY[:-1]))
    refused(403, "ForbiddenError", re.compile(".*for the service s3.*"), "GET", "model/all", auth=Botocore(service="s3"))
    bare = requests.get(CONTROL + "model/all")
    told = {"Code": "ForbiddenError", "Message": "Missing Authentication Token"}
    assert (bare.status_code, bare.json()) == (403, told), bare.text
    refused(404, "NotFoundError", "There is no such path", "GET", "workflow/executions")
    try:
        boto3.client("ssm", aws_secret_access_key=SECRET + "x", aws_access_key_id=KEY).get_parameters(Names=NAMES)
        raise AssertionError("a wrong secret was served")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException", error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error.response


for part in (models, plugins, profiles, others, strangers):
    part()
    print(part.__name__)
