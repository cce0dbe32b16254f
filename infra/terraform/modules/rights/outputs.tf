output "matchcut" {
  description = "What matchcut may."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.matchcut })
}

output "channel" {
  description = "What a channel of MediaLive may."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.channel })
}

output "convert" {
  description = "What MediaConvert may."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.convert })
}

output "matchcut_trust" {
  description = "Who is matchcut."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = sort(var.runs_on) }
      Action    = contains(var.runs_on, "pods.eks.amazonaws.com") ? ["sts:AssumeRole", "sts:TagSession"] : ["sts:AssumeRole"]
    }]
  })
}

output "channel_trust" {
  description = "MediaLive."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "medialive.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

output "convert_trust" {
  description = "MediaConvert, for jobs of this account."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "mediaconvert.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

output "bucket" {
  description = "Of each bucket: nothing without TLS."
  value = {
    for name, arn in { media = local.media, results = local.results } : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "OnlyWithTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [arn, "${arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

output "chunks_queue" {
  description = "The bucket for media tells the queue of chunks."
  value       = jsonencode(local.queue_policies.chunks)
}

output "jobs_queue" {
  description = "The rule of EventBridge tells the queue of jobs."
  value       = jsonencode(local.queue_policies.jobs)
}

locals {
  queue_policies = {
    for name, queue in local.queues : name => {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = queue.service }
        Action    = "sqs:SendMessage"
        Resource  = queue.arn
        Condition = { ArnEquals = { "aws:SourceArn" = queue.source } }
      }]
    }
  }
}
