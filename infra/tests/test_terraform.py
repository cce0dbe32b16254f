"""infra/terraform, judged without AWS and without its provider, which cannot be had everywhere. Terraform itself validates
the configuration and runs its tests, with a provider that has the schemas alone (aws_provider.py; names and types are
those of hashicorp/aws 6.62.0); policies and blocks of a spec come out of modules that need no provider. moto says
what a policy lets through, and matchcut reads the blocks."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tomllib

import boto3
import hcl2
import pytest
from aws_provider import Provider
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODULE = HERE.parent / "terraform"
SCHEMA = json.loads((HERE / "aws_schema.json").read_text())

TERRAFORM = shutil.which("terraform") or shutil.which("tofu")
needs_terraform = pytest.mark.skipif(not TERRAFORM, reason="neither terraform nor tofu here")

ACCOUNT = "123456789012"
RIGHTS = {
    "partition": "aws",
    "region": "eu-central-1",
    "account": ACCOUNT,
    "runs_on": ["ec2.amazonaws.com"],
    "media_bucket": "cup-media",
    "results_bucket": "cup-results",
    "chunks_queue_arn": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:cup-chunks",
}
EVERYTHING = RIGHTS | {
    "kms_key_arn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/k",
    "channel_arns": [f"arn:aws:medialive:eu-central-1:{ACCOUNT}:channel:7"],
    "channel_role": "cup-channel",
    "convert_queue_arn": f"arn:aws:mediaconvert:eu-central-1:{ACCOUNT}:queues/cup",
    "convert_role": "cup-convert",
    "jobs_queue_arn": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:cup-jobs",
    "jobs_rule_arn": f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/cup-jobs",
    "kinesis_video_streams": [f"arn:aws:kinesisvideo:eu-central-1:{ACCOUNT}:stream/court/1"],
    "lambda_functions": [f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:Peaks"],
}


def terraform(dir, *command, provider=None):
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull, "TF_IN_AUTOMATION": "1"}
    if provider:
        environment["TF_REATTACH_PROVIDERS"] = provider.reattach
    return subprocess.run(
        [TERRAFORM, f"-chdir={dir}", *command], capture_output=True, text=True, env=environment, timeout=120
    )


def outputs(dir, module, variables):
    """What a module without a provider gives out."""
    if not dir.exists():
        shutil.copytree(MODULE / "modules" / module, dir)
        done = terraform(dir, "init", "-backend=false", "-input=false", "-no-color")
        assert done.returncode == 0, done.stderr
    (dir / "test.auto.tfvars.json").write_text(json.dumps(variables))
    done = terraform(dir, "apply", "-auto-approve", "-input=false", "-no-color")
    assert done.returncode == 0, done.stderr
    told = json.loads(terraform(dir, "output", "-json").stdout)
    return {name: output["value"] for name, output in told.items()}


@needs_terraform
def test_files_are_formatted():
    done = terraform(MODULE, "fmt", "-check", "-recursive", "-diff", "-no-color")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def copy(tmp_path):
    """The module, and what Terraform says of it."""
    dir = tmp_path / "terraform"
    shutil.copytree(MODULE, dir, ignore=shutil.ignore_patterns(".terraform*"))
    with Provider() as provider:

        def said(of, *command):
            for one in (["init", "-backend=false", "-input=false"], command):
                done = terraform(dir / of, *one, "-no-color", provider=provider)
            return done.returncode, " ".join((done.stdout + done.stderr).replace("│", " ").split())

        yield dir, said


@needs_terraform
@pytest.mark.parametrize("of", [".", "example"])
def test_terraform_finds_it_valid(copy, of):
    _, said = copy
    assert said(of, "validate") == (0, "Success! The configuration is valid.")


@needs_terraform
@pytest.mark.parametrize(
    "file, right, wrong, found",
    [
        ("kafka.tf", "latest_revision", "newest_revision", 'no argument, nested block, or exported attribute named "newest_revision"'),
        ("medialive.tf", "bitrate           = 128000", 'bitrate = "much"', "a number is required"),
        ("mediaconvert.tf", "name = var.name\n  tags", "tags", 'The argument "name" is required'),
        ("access.tf", "jobs_rule_arn ", "rule_arn ", 'An argument named "rule_arn" is not expected'),
    ],
)
def test_terraform_finds_a_mistake(copy, file, right, wrong, found):
    dir, said = copy
    text = (dir / file).read_text()
    assert right in text
    (dir / file).write_text(text.replace(right, wrong))
    status, told = said(".", "validate")
    assert status == 1 and found in told


@needs_terraform
def test_its_own_tests_pass(copy):
    dir, said = copy
    status, told = said(".", "test")
    assert status == 0, told
    assert f"{(dir / 'tests/module.tftest.hcl').read_text().count(chr(10) + 'run ')} passed, 0 failed" in told
    text = (dir / "storage.tf").read_text()
    (dir / "storage.tf").write_text(text.replace("days = rule.value", "days = 1"))
    status, told = said(".", "test")
    assert status == 1 and "a tag says its days" in told


# What a resource or block may have beside what the schema says.
META = {"count", "for_each", "depends_on", "lifecycle", "provider", "dynamic", "__is_block__", "__comments__"}


def bare(name):
    return name.strip('"')


def resources(text):
    for block in hcl2.loads(text).get("resource", []):
        for kind, named in block.items():
            for name, body in named.items():
                yield bare(kind), bare(name), body


def wrong(schema, body, path):
    """What the provider does not know, and what it would miss."""
    blocks, there = dict(schema["blocks"]), set()
    nested = []
    for name, value in body.items():
        if name == "dynamic":
            for one in value:
                for inner, dynamic in one.items():
                    nested += [(bare(inner), content) for content in dynamic["content"]]
        elif name in META:
            continue
        elif name in blocks:
            nested += [(name, one) for one in (value if isinstance(value, list) else [value])]
        elif name in schema["attributes"]:
            there.add(name)
        else:
            yield f"{path}: there is no {name}"
    for name, inner in nested:
        there.add(name)
        if name not in blocks:
            yield f"{path}: there is no {name}"
        elif blocks[name] is None:
            yield f"{path}: the schema of {name} has been left out of aws_schema.json"
        else:
            yield from wrong(blocks[name], inner, f"{path}.{name}")
    for name in schema["required"]:
        if name not in there:
            yield f"{path}: {name} is missing"


def all_wrong(text):
    for kind, name, body in resources(text):
        yield from wrong(SCHEMA[kind], body, f"{kind}.{name}") if kind in SCHEMA else [f"{kind} is not known"]


def test_the_provider_knows_every_argument():
    seen = set()
    for path in MODULE.glob("*.tf"):
        assert list(all_wrong(path.read_text())) == [], path
        seen |= {kind for kind, _, _ in resources(path.read_text())}
    assert seen == SCHEMA.keys()


@pytest.mark.parametrize(
    "right, wrong, found",
    [
        ("qvbr_quality_level", "qvbr_quality", "h264_settings: there is no qvbr_quality"),
        ("input_resolution = ", "resolution = ", "input_specification: input_resolution is missing"),
        ("hls_cdn_settings {", "cdn_settings {", "hls_group_settings: there is no cdn_settings"),
        ('content {\n      cidr ', 'content {\n      cdr ', "whitelist_rules: cidr is missing"),
        ('resource "aws_medialive_channel"', 'resource "aws_media_channel"', "aws_media_channel is not known"),
    ],
)
def test_an_argument_with_a_mistake_is_found(right, wrong, found):
    text = (MODULE / "medialive.tf").read_text()
    assert right in text
    assert found in "\n".join(all_wrong(text.replace(right, wrong)))


KAFKA = {
    "vpc_id": "vpc-1",
    "subnet_ids": ["subnet-1", "subnet-2"],
    "clients": ["sg-1"],
    "secret_arn": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:AmazonMSK_cup-1",
    "username": "matchcut",
}


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """The variables of the module, which can be checked without its resources."""
    dir = tmp_path_factory.mktemp("variables")
    shutil.copy(MODULE / "variables.tf", dir)
    assert terraform(dir, "init", "-backend=false", "-input=false").returncode == 0

    def check(**values):
        (dir / "test.auto.tfvars.json").write_text(json.dumps({"name": "cup"} | values))
        done = terraform(dir, "plan", "-input=false", "-no-color")
        return done.returncode, " ".join(done.stderr.replace("│", " ").split())

    return check


@needs_terraform
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"medialive": {"cidrs": ["192.0.2.0/24"]}},
        {"medialive": {"type": "URL_PULL", "urls": ["https://example.com/live.m3u8"], "class": "SINGLE_PIPELINE"}},
        {"medialive": {"type": "RTMP_PUSH", "cidrs": ["192.0.2.1/32"], "stream_names": ["cup/a", "cup/b"]}},
        {"kafka": KAFKA, "keep_days": [], "mediaconvert": False},
        {"kms_key_arn": EVERYTHING["kms_key_arn"], "runs_on": ["pods.eks.amazonaws.com"]},
        {"kinesis_video_streams": EVERYTHING["kinesis_video_streams"], "lambda_functions": EVERYTHING["lambda_functions"]},
    ],
)
def test_right_variables_are_taken(variables, values):
    assert variables(**values) == (0, "")


@needs_terraform
@pytest.mark.parametrize(
    "values, said",
    [
        ({"name": "Cup"}, "A name has 3 to 30 lower-case letters"),
        ({"name": "c" * 31}, "A name has 3 to 30 lower-case letters"),
        ({"kms_key_arn": "alias/cup"}, "an alias does not do for a policy"),
        ({"media_days": 0.5}, "media_days is a whole number"),
        ({"keep_days": [7, 0]}, "keep_days are whole numbers"),
        ({"chunks_prefix": "/chunks/"}, "A prefix ends with a slash"),
        ({"runs_on": ["lambda.amazonaws.com"]}, "One or several of ec2.amazonaws.com"),
        ({"runs_on": []}, "One or several of ec2.amazonaws.com"),
        ({"medialive": {}}, "An input that is pushed needs cidrs"),
        ({"medialive": {"type": "URL_PULL", "cidrs": ["192.0.2.0/24"]}}, "one of type URL_PULL needs urls"),
        ({"medialive": {"type": "RTMP_PUSH", "cidrs": ["192.0.2.0/24"]}}, "needs stream_names"),
        ({"medialive": {"cidrs": ["0.0.0.0/0"]}}, "not the whole internet"),
        ({"medialive": {"cidrs": ["court"]}}, "cidrs are networks"),
        ({"medialive": {"cidrs": ["192.0.2.0/24"], "class": "DOUBLE"}}, "The class of a channel"),
        ({"medialive": {"type": "SRT", "cidrs": ["192.0.2.0/24"]}}, "The type of an input"),
        ({"medialive": {"cidrs": ["192.0.2.0/24"], "segment_length": 0}}, "from 1 to 60 seconds"),
        ({"kafka": KAFKA | {"subnet_ids": ["subnet-1", "subnet-1"]}}, "two or three subnets"),
        ({"kafka": KAFKA | {"secret_arn": KAFKA["secret_arn"].replace("AmazonMSK_", "")}}, "begin with AmazonMSK_"),
        ({"kinesis_video_streams": [f"arn:aws:kinesisvideo:eu-central-1:{ACCOUNT}:stream/*"]}, "without wildcards"),
        ({"lambda_functions": ["*"]}, "without wildcards"),
    ],
)
def test_wrong_variables_are_refused(variables, values, said):
    status, error = variables(**values)
    assert status == 1 and said in error


@pytest.fixture(scope="module")
def rights(tmp_path_factory):
    """Policies for given names."""
    dir = tmp_path_factory.mktemp("rights") / "module"
    return lambda variables: {
        name: json.loads(value) if isinstance(value, str) else {key: json.loads(one) for key, one in value.items()}
        for name, value in outputs(dir, "rights", variables).items()
    }


# Operations of AWS that are not named as the permission which they need.
NAMED_OTHERWISE = {
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "lambda:Invoke": "lambda:InvokeFunction",
}
# What calls need that do not name it: tags of an object, roles that are handed on, a bucket's key.
NEEDED_TOO = {"s3:PutObjectTagging", "iam:PassRole", "kms:Decrypt", "kms:GenerateDataKey"}
SERVICES = {
    "s3": "s3",
    "sqs": "sqs",
    "medialive": "medialive",
    "mediaconvert": "mediaconvert",
    "kinesisvideo": "kinesisvideo",
    "kinesis-video-media": "kinesisvideo",
    "kinesis-video-archived-media": "kinesisvideo",
    "lambda": "lambda",
}


def permissions_that_the_program_needs():
    """What aws/, which alone knows the SDKs, asks AWS for."""
    text = "\n".join(path.read_text() for path in (ROOT / "aws/src").rglob("*.rs"))
    calls = set(re.findall(r"\.(\w+)\(\)", text))
    for service, prefix in SERVICES.items():
        for operation in get_session().get_service_model(service).operation_names:
            if xform_name(operation) in calls:
                action = f"{prefix}:{operation}"
                yield NAMED_OTHERWISE.get(action, action)


@needs_terraform
def test_matchcut_may_do_what_its_program_asks_for_and_nothing_else(rights):
    statements = rights(EVERYTHING)["matchcut"]["Statement"]
    allowed = [action for statement in statements for action in statement["Action"]]
    assert set(allowed) == set(permissions_that_the_program_needs()) | NEEDED_TOO
    for statement in statements:
        assert statement["Effect"] == "Allow"
        for resource in statement["Resource"]:
            # A wildcard is for objects and jobs, whose names nobody knows beforehand.
            assert "*" not in re.sub(r"(s3:::cup-(media|results)|:(jobs|queues))/\*$", "", resource), resource
    passed = [statement for statement in statements if statement["Action"] == ["iam:PassRole"]]
    assert [(one["Resource"], one["Condition"]["StringEquals"]["iam:PassedToService"]) for one in passed] == [
        ([f"arn:aws:iam::{ACCOUNT}:role/cup-channel"], "medialive.amazonaws.com"),
        ([f"arn:aws:iam::{ACCOUNT}:role/cup-convert"], "mediaconvert.amazonaws.com"),
    ]


@needs_terraform
def test_what_is_not_there_needs_no_rights(rights):
    statements = rights(RIGHTS)["matchcut"]["Statement"]
    services = {action.split(":")[0] for statement in statements for action in statement["Action"]}
    assert services == {"s3", "sqs"}


@needs_terraform
def test_roles_of_aws_reach_their_buckets_alone(rights):
    told = rights(EVERYTHING)
    objects = {
        name: {(action, resource) for one in told[name]["Statement"] for action in one["Action"] for resource in one["Resource"]}
        for name in ("channel", "convert")
    }
    key = {(action, EVERYTHING["kms_key_arn"]) for action in ("kms:Decrypt", "kms:GenerateDataKey")}
    assert objects["channel"] == {("s3:PutObject", "arn:aws:s3:::cup-media/*")} | key
    assert objects["convert"] == key | {
        ("s3:GetObject", "arn:aws:s3:::cup-media/*"),
        ("s3:GetObject", "arn:aws:s3:::cup-results/*"),
        ("s3:PutObject", "arn:aws:s3:::cup-results/*"),
    }
    trusted = {name: told[f"{name}_trust"]["Statement"][0]["Principal"]["Service"] for name in ("matchcut", *objects)}
    assert trusted == {
        "matchcut": ["ec2.amazonaws.com"],
        "channel": "medialive.amazonaws.com",
        "convert": "mediaconvert.amazonaws.com",
    }
    for name, source in (("chunks", "arn:aws:s3:::cup-media"), ("jobs", EVERYTHING["jobs_rule_arn"])):
        [statement] = told[f"{name}_queue"]["Statement"]
        assert statement["Action"] == "sqs:SendMessage" and statement["Resource"] == EVERYTHING[f"{name}_queue_arn"]
        assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": source}
    for name in ("media", "results"):
        [statement] = told["bucket"][name]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@needs_terraform
def test_the_policy_lets_through_what_a_run_does(rights, monkeypatch):
    document = json.dumps(rights(RIGHTS)["matchcut"])
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "root")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "root")
    region = {"region_name": "eu-central-1"}
    with mock_aws():
        iam, s3, sqs = (boto3.client(name, **region) for name in ("iam", "s3", "sqs"))
        for name in ("cup-media", "cup-results", "other"):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="cup-media", Key="live/0/index.m3u8", Body=b"#EXTM3U")
        queue = sqs.create_queue(QueueName="cup-chunks")["QueueUrl"]
        iam.create_user(UserName="matchcut")
        # moto's IAM refuses a document that is no policy.
        iam.put_user_policy(UserName="matchcut", PolicyName="events", PolicyDocument=document)
        key = iam.create_access_key(UserName="matchcut")["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        s3, sqs, iam = (boto3.client(name, **region, **keys) for name in ("s3", "sqs", "iam"))
        media = {"Bucket": "cup-media", "Key": "live/0/index.m3u8"}
        result = {"Bucket": "cup-results", "Key": "clips/a.mp4"}

        @set_initial_no_auth_action_count(0)
        def asked():
            assert s3.get_object(**media)["Body"].read() == b"#EXTM3U"
            assert s3.list_objects_v2(Bucket="cup-media", Prefix="live/")["KeyCount"] == 1
            s3.put_object(**result, Body=b"clip", Tagging="keep=30d")
            assert s3.head_object(**result)["ContentLength"] == 4
            s3.delete_object(**result)
            assert "Messages" not in sqs.receive_message(QueueUrl=queue)
            for refused in (
                lambda: s3.put_object(**media, Body=b""),
                lambda: s3.delete_object(**media),
                lambda: s3.get_object(Bucket="other", Key="a"),
                lambda: s3.delete_bucket(Bucket="cup-results"),
                lambda: s3.put_bucket_policy(Bucket="cup-results", Policy="{}"),
                lambda: sqs.send_message(QueueUrl=queue, MessageBody="x"),
                lambda: sqs.purge_queue(QueueUrl=queue),
                lambda: iam.create_user(UserName="other"),
            ):
                with pytest.raises(ClientError, match="AccessDenied"):
                    refused()

        asked()


SPEC = {
    "region": "eu-central-1",
    "media_bucket": "cup-media",
    "results_bucket": "cup-results",
    "chunks_prefix": "chunks/",
    "chunks_queue_url": f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/cup-chunks",
    "keep_days": [7, 30],
}
ALL_OF_SPEC = SPEC | {
    "channel_id": "1234567",
    "pipelines": 2,
    "convert_queue_arn": EVERYTHING["convert_queue_arn"],
    "convert_role_arn": f"arn:aws:iam::{ACCOUNT}:role/cup-convert",
    "jobs_queue_url": f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/cup-jobs",
    "kafka": {"brokers": ["b-1.cup:9096", "b-2.cup:9096"], "username": "matchcut", "prefix": "cup"},
}


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    dir = tmp_path_factory.mktemp("spec") / "module"
    return lambda variables: outputs(dir, "spec", variables)["blocks"]


@needs_terraform
def test_blocks_of_a_spec_name_what_is_there(blocks):
    told = blocks(SPEC | {"keep_days": []})
    assert set(told) == {"source_s3", "sink_s3"}
    assert "tags" not in tomllib.loads(told["sink_s3"])["sinks"]["bucket"]
    told = blocks(ALL_OF_SPEC | {"pipelines": 1})
    assert tomllib.loads(told["source_medialive"])["sources"]["channel"]["pipelines"] == "0"
    read = tomllib.loads("\n".join(blocks(ALL_OF_SPEC).values()))
    assert read["sinks"]["bucket"]["tags"] == {"keep": "30d"}
    assert read["sinks"]["topics"]["brokers"] == ALL_OF_SPEC["kafka"]["brokers"]
    # What the channel writes is what is read.
    assert 'live_uri  = "${local.buckets.media}/live"' in (MODULE / "medialive.tf").read_text()
    assert read["sources"]["channel"]["uri"] == "s3://cup-media/live/"


@needs_terraform
@pytest.mark.parametrize("source", ["chunks", "channel"])
def test_matchcut_takes_the_blocks(blocks, tmp_path, source, matchcut):
    told = blocks(ALL_OF_SPEC)
    del told["source_medialive" if source == "chunks" else "source_s3"]
    text = f"""
[pipeline]
name = "cup"
program = "cup"
event = "final"

[operators.cuts]
type = "scene_change"
inputs = ["{source}.video"]

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]
attribute = "hard_cut"

""" + "\n".join(told.values()).replace("inputs = []", 'inputs = ["shot"]')
    (tmp_path / "spec.toml").write_text(text)
    done = subprocess.run([matchcut, "validate", tmp_path / "spec.toml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "spec.toml").write_text(text.replace("queue_events", "queue_event"))
    done = subprocess.run([matchcut, "validate", tmp_path / "spec.toml"], capture_output=True, text=True)
    assert done.returncode != 0 and "queue_event" in done.stderr
