# Blocks of a pipeline spec, out of names alone.

variable "region" {
  type = string
}

variable "media_bucket" {
  type = string
}

variable "results_bucket" {
  type = string
}

variable "chunks_prefix" {
  type = string
}

variable "chunks_queue_url" {
  type = string
}

variable "keep_days" {
  type = set(number)
}

variable "channel_id" {
  type    = string
  default = null
}

variable "pipelines" {
  description = "How many pipelines the channel has."
  type        = number
  default     = 0
}

variable "convert_queue_arn" {
  type    = string
  default = null
}

variable "convert_role_arn" {
  type    = string
  default = null
}

variable "jobs_queue_url" {
  type    = string
  default = null
}

variable "kafka" {
  type = object({
    brokers  = list(string)
    username = string
    prefix   = string
  })
  default = null
}

locals {
  keep = length(var.keep_days) == 0 ? "" : "tags = { keep = \"${max(var.keep_days...)}d\" }"

  # Says of chunks of the channel that they lie in S3.
  live = "s3://${var.media_bucket}/live/"

  # One after the other: `inputs` are yours to fill in.
  blocks = {
    source_s3 = <<-EOT
      [sources.chunks]
      type = "s3"
      uri = "s3://${var.media_bucket}/${var.chunks_prefix}"
      follow = true
      queue = "${var.chunks_queue_url}"
      region = "${var.region}"
    EOT

    source_medialive = var.channel_id == null ? "" : <<-EOT
      [sources.channel]
      type = "medialive"
      channel = "${var.channel_id}"
      uri = "${local.live}"
      region = "${var.region}"
      start = true
      stop = true
      pipelines = "${var.pipelines == 1 ? "0" : "both"}"
    EOT

    sink_s3 = <<-EOT
      [sinks.bucket]
      type = "s3"
      inputs = []
      uri = "s3://${var.results_bucket}/{program}/{event}"
      region = "${var.region}"
      ${local.keep}
    EOT

    sink_mediaconvert = var.convert_role_arn == null ? "" : <<-EOT
      [sinks.cloud]
      type = "mediaconvert"
      inputs = []
      destination = "s3://${var.results_bucket}/mediaconvert/"
      role = "${var.convert_role_arn}"
      queue = "${var.convert_queue_arn}"
      queue_events = "${var.jobs_queue_url}"
      region = "${var.region}"
      ${var.channel_id == null ? "" : "media = { \"${local.live}\" = \"${local.live}\" }"}
    EOT

    sink_kafka = var.kafka == null ? "" : <<-EOT
      [sinks.topics]
      type = "kafka"
      inputs = []
      brokers = ${jsonencode(var.kafka.brokers)}
      prefix = "${var.kafka.prefix}"
      security = "sasl_ssl"
      mechanism = "scram-sha-512"
      username = "${var.kafka.username}"
      password_env = "KAFKA_PASSWORD"
    EOT
  }
}

output "blocks" {
  description = "By name, without those of what is not there."
  value       = { for name, block in local.blocks : name => block if block != "" }
}
