# MediaConvert makes clips and replays of chunks in the bucket for media, into the bucket for results.

resource "aws_media_convert_queue" "this" {
  count = var.mediaconvert ? 1 : 0

  name = var.name
  tags = var.tags
}

resource "aws_iam_role" "convert" {
  count = var.mediaconvert ? 1 : 0

  name               = "${var.name}-convert"
  assume_role_policy = module.rights.convert_trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "convert" {
  count = var.mediaconvert ? 1 : 0

  name   = "read-media-write-results"
  role   = aws_iam_role.convert[0].id
  policy = module.rights.convert
}

# When something has become of a job.
resource "aws_sqs_queue" "jobs" {
  count = var.mediaconvert ? 1 : 0

  name                      = "${var.name}-jobs"
  message_retention_seconds = 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "jobs" {
  count = var.mediaconvert ? 1 : 0

  queue_url = aws_sqs_queue.jobs[0].id
  policy    = module.rights.jobs_queue
}

resource "aws_cloudwatch_event_rule" "jobs" {
  count = var.mediaconvert ? 1 : 0

  name = "${var.name}-jobs"
  tags = var.tags
  event_pattern = jsonencode({
    source        = ["aws.mediaconvert"]
    "detail-type" = ["MediaConvert Job State Change"]
    detail        = { queue = [aws_media_convert_queue.this[0].arn] }
  })
}

resource "aws_cloudwatch_event_target" "jobs" {
  count = var.mediaconvert ? 1 : 0

  rule = aws_cloudwatch_event_rule.jobs[0].name
  arn  = aws_sqs_queue.jobs[0].arn
}
