"""Servers of S3 and SQS on the loopback, with a bucket that tells a queue of its objects. Says where they are
in a line of JSON, then does what lines on its stdin say."""

import json
import sys

import boto3
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

# moto 5 calls this answer by another name than AWS, and clients of AWS for Rust insist on it.
as_moto_says = S3Response.serialized


def as_aws_says(self, result):
    status, headers, body = as_moto_says(self, result)
    ours, theirs = "CompleteMultipartUploadResponse", "CompleteMultipartUploadResult"
    if isinstance(body, bytes):
        return status, headers, body.replace(ours.encode(), theirs.encode())
    return status, headers, body.replace(ours, theirs)


S3Response.serialized = as_aws_says

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
s3 = boto3.client("s3", endpoint_url=endpoint, **keys)
sqs = boto3.client("sqs", endpoint_url=endpoint, **keys)
s3.create_bucket(Bucket="media")
queue = sqs.create_queue(QueueName="chunks")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def notify(events):
    told = [{"QueueArn": arn, "Events": events}] if events else []
    s3.put_bucket_notification_configuration(
        Bucket="media", NotificationConfiguration={"QueueConfigurations": told}
    )


notify(["s3:ObjectCreated:*"])
print(json.dumps({"endpoint": endpoint, "queue": queue}), flush=True)
for line in sys.stdin:
    verb, _, rest = line.rstrip("\n").partition(" ")
    if verb == "put":
        key, _, text = rest.partition(" ")
        s3.put_object(Bucket="media", Key=key, Body=text.encode())
    elif verb == "delete":
        s3.delete_object(Bucket="media", Key=rest)
    elif verb == "message":
        sqs.send_message(QueueUrl=queue, MessageBody=rest)
    elif verb == "mute":
        notify([])
    elif verb == "about":
        found = s3.head_object(Bucket="media", Key=rest, ChecksumMode="ENABLED")
        names = [
            "ContentLength",
            "ContentType",
            "CacheControl",
            "StorageClass",
            "ServerSideEncryption",
            "SSEKMSKeyId",
            "ETag",
        ]
        about = {name: found.get(name) for name in names}
        tags = s3.get_object_tagging(Bucket="media", Key=rest)["TagSet"]
        about["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
        uploads = s3.list_multipart_uploads(Bucket="media").get("Uploads", [])
        about["Uploads"] = len(uploads)
        print(json.dumps(about), flush=True)
        continue
    elif verb == "left":
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        print(sum(int(found[name]) for name in names), flush=True)
        continue
    print("ok", flush=True)
