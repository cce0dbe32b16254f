# `terraform test`: what the module comes to, without AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }
  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }
  mock_data "aws_region" {
    defaults = {
      region = "eu-central-1"
    }
  }
  mock_resource "aws_medialive_channel" {
    defaults = {
      arn        = "arn:aws:medialive:eu-central-1:123456789012:channel:7"
      channel_id = "7"
    }
  }
  mock_resource "aws_msk_cluster" {
    defaults = {
      bootstrap_brokers_sasl_scram = "b-2.cup:9096,b-1.cup:9096"
    }
  }
}

variables {
  name = "cup"
}

run "alone" {
  assert {
    condition     = output.buckets == { media = "cup-media-123456789012", results = "cup-results-123456789012" }
    error_message = "buckets have the number of the account"
  }
  assert {
    condition     = toset(keys(output.spec)) == toset(["source_s3", "sink_s3", "sink_mediaconvert"])
    error_message = "without a channel and brokers no block names them"
  }
  assert {
    condition     = length(aws_medialive_channel.this) + length(aws_msk_cluster.this) == 0
    error_message = "nothing that costs is made unasked"
  }
  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_policy && block.restrict_public_buckets])
    error_message = "buckets are private"
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.results.rule) == 3
    error_message = "results expire by their tag, and unfinished uploads"
  }
  assert {
    condition = toset(flatten([
      for rule in aws_s3_bucket_lifecycle_configuration.results.rule :
      [for filter in rule.filter : [for tag in filter.tag : [for after in rule.expiration : "${tag.key}=${tag.value}: ${after.days}"]]]
    ])) == toset(["keep=7d: 7", "keep=30d: 30"])
    error_message = "a tag says its days"
  }
}

run "live" {
  variables {
    medialive = {
      cidrs = ["192.0.2.0/24"]
    }
    mediaconvert = false
    runs_on      = ["pods.eks.amazonaws.com"]
    kms_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/k"
  }

  assert {
    condition = toset(flatten([for place in aws_medialive_channel.this[0].destinations : [for one in place.settings : one.url]])) == toset([
      "s3ssl://cup-media-123456789012/live/0/index",
      "s3ssl://cup-media-123456789012/live/1/index",
    ])
    error_message = "each pipeline writes beside the other"
  }
  assert {
    condition     = strcontains(output.spec.source_medialive, "channel = \"7\"") && strcontains(output.spec.source_medialive, "s3://cup-media-123456789012/live/")
    error_message = "the spec reads what the channel writes"
  }
  assert {
    condition     = strcontains(aws_iam_role_policy.matchcut.policy, "channel:7") && !strcontains(aws_iam_role_policy.matchcut.policy, "mediaconvert:")
    error_message = "rights are for what is there"
  }
  assert {
    condition     = output.instance_profile == null && length(aws_media_convert_queue.this) == 0
    error_message = "pods need no instance profile"
  }
  assert {
    condition     = alltrue(flatten([for one in aws_s3_bucket_server_side_encryption_configuration.this : [for rule in one.rule : [for by in rule.apply_server_side_encryption_by_default : by.sse_algorithm == "aws:kms"]]]))
    error_message = "with a key buckets are encrypted with it"
  }
}

run "one_pipeline_that_pulls" {
  variables {
    medialive = {
      type  = "URL_PULL"
      urls  = ["https://example.com/live.m3u8"]
      class = "SINGLE_PIPELINE"
    }
  }

  assert {
    condition     = length(flatten([for place in aws_medialive_channel.this[0].destinations : [for one in place.settings : one.url]])) == 1 && length(aws_medialive_input_security_group.this) == 0
    error_message = "one pipeline writes once, and nobody pushes"
  }
  assert {
    condition     = [for source in aws_medialive_input.this[0].sources : source.url] == ["https://example.com/live.m3u8"]
    error_message = "the input pulls from the address"
  }
}

run "brokers" {
  variables {
    kafka = {
      vpc_id     = "vpc-1"
      subnet_ids = ["subnet-1", "subnet-2", "subnet-3"]
      clients    = ["sg-1"]
      secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_cup-1"
      username   = "matchcut"
    }
  }

  assert {
    condition     = strcontains(output.spec.sink_kafka, "brokers = [\"b-1.cup:9096\",\"b-2.cup:9096\"]")
    error_message = "the spec names the brokers"
  }
  assert {
    condition     = strcontains(aws_msk_configuration.this[0].server_properties, "transaction.state.log.min.isr=2\n")
    error_message = "transactions outlive a broker"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.kafka["sg-1"].from_port == 9096
    error_message = "clients alone reach the brokers"
  }
}

run "a_wrong_name" {
  command = plan

  variables {
    name = "Cup"
  }

  expect_failures = [var.name]
}
