# Who matchcut is, and what it may: what its program asks AWS for, on what this module makes, and nothing else.

module "rights" {
  source = "./modules/rights"

  partition        = data.aws_partition.here.partition
  region           = data.aws_region.here.region
  account          = data.aws_caller_identity.here.account_id
  runs_on          = var.runs_on
  media_bucket     = local.buckets.media
  results_bucket   = local.buckets.results
  kms_key_arn      = var.kms_key_arn
  chunks_queue_arn = aws_sqs_queue.chunks.arn
  channel_arns     = aws_medialive_channel.this[*].arn
  # By its name: the channel that the policy is about needs the role first.
  channel_role          = var.medialive == null ? null : "${var.name}-channel"
  convert_queue_arn     = one(aws_media_convert_queue.this[*].arn)
  convert_role          = var.mediaconvert ? "${var.name}-convert" : null
  jobs_queue_arn        = one(aws_sqs_queue.jobs[*].arn)
  jobs_rule_arn         = one(aws_cloudwatch_event_rule.jobs[*].arn)
  kinesis_video_streams = var.kinesis_video_streams
  lambda_functions      = var.lambda_functions
}

resource "aws_iam_role" "matchcut" {
  name               = "${var.name}-matchcut"
  assume_role_policy = module.rights.matchcut_trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "matchcut" {
  name   = "events"
  role   = aws_iam_role.matchcut.id
  policy = module.rights.matchcut
}

resource "aws_iam_instance_profile" "matchcut" {
  count = contains(var.runs_on, "ec2.amazonaws.com") ? 1 : 0

  name = "${var.name}-matchcut"
  role = aws_iam_role.matchcut.name
  tags = var.tags
}
