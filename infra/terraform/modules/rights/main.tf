# Policies as documents, out of names alone: no provider is needed to read or to test them.

locals {
  s3      = "arn:${var.partition}:s3:::"
  iam     = "arn:${var.partition}:iam::${var.account}:role/"
  jobs    = "arn:${var.partition}:mediaconvert:${var.region}:${var.account}:"
  media   = "${local.s3}${var.media_bucket}"
  results = "${local.s3}${var.results_bucket}"

  key = var.kms_key_arn == null ? [] : [{
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }]

  matchcut = concat(
    [
      {
        # Without it what is not there is "denied".
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.media, local.results]
      },
      {
        Sid      = "ReadMedia"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.media}/*"]
      },
      {
        Sid      = "WriteResults"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.results}/*"]
      },
      {
        Sid      = "HearOfChunksAndJobs"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
        Resource = concat([var.chunks_queue_arn], var.jobs_queue_arn[*])
      },
    ],
    local.key,
    [for statement in [
      {
        Sid    = "RunChannels"
        Effect = "Allow"
        Action = [
          "medialive:DescribeChannel",
          "medialive:ListAlerts",
          "medialive:StartChannel",
          "medialive:StopChannel",
          "medialive:UpdateChannel",
          "medialive:DescribeSchedule",
          "medialive:BatchUpdateSchedule",
        ]
        Resource = var.channel_arns
      },
      {
        Sid       = "LeaveChannelsTheirRole"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = ["${local.iam}${coalesce(var.channel_role, "none")}"]
        Condition = { StringEquals = { "iam:PassedToService" = "medialive.amazonaws.com" } }
      },
    ] : statement if length(var.channel_arns) > 0],
    [for statement in [
      {
        Sid      = "AskForJobs"
        Effect   = "Allow"
        Action   = ["mediaconvert:CreateJob"]
        Resource = [var.convert_queue_arn]
      },
      {
        Sid      = "FollowJobs"
        Effect   = "Allow"
        Action   = ["mediaconvert:GetJob", "mediaconvert:CancelJob"]
        Resource = ["${local.jobs}jobs/*"]
      },
      {
        Sid      = "FindJobs"
        Effect   = "Allow"
        Action   = ["mediaconvert:ListJobs"]
        Resource = ["${local.jobs}queues/*", "${local.jobs}jobs/*"]
      },
      {
        Sid       = "GiveJobsTheirRole"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = ["${local.iam}${coalesce(var.convert_role, "none")}"]
        Condition = { StringEquals = { "iam:PassedToService" = "mediaconvert.amazonaws.com" } }
      },
    ] : statement if var.convert_role != null],
    length(var.kinesis_video_streams) == 0 ? [] : [{
      Sid    = "ReadStreams"
      Effect = "Allow"
      Action = [
        "kinesisvideo:GetDataEndpoint",
        "kinesisvideo:GetHLSStreamingSessionURL",
        "kinesisvideo:GetMedia",
        "kinesisvideo:GetMediaForFragmentList",
      ]
      Resource = sort(var.kinesis_video_streams)
    }],
    length(var.lambda_functions) == 0 ? [] : [{
      Sid      = "InvokeFunctions"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = sort(var.lambda_functions)
    }],
  )

  channel = concat(
    [{
      Sid      = "WriteChunks"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${local.media}/*"]
    }],
    local.key,
  )

  convert = concat(
    [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.media}/*", "${local.results}/*"]
      },
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${local.results}/*"]
      },
    ],
    local.key,
  )

  queues = {
    chunks = { arn = var.chunks_queue_arn, service = "s3.amazonaws.com", source = local.media }
    jobs   = { arn = var.jobs_queue_arn, service = "events.amazonaws.com", source = var.jobs_rule_arn }
  }
}
