output "role_arn" {
  description = "The role that matchcut runs as."
  value       = aws_iam_role.matchcut.arn
}

output "instance_profile" {
  description = "The same for a machine of EC2; null where it runs elsewhere."
  value       = one(aws_iam_instance_profile.matchcut[*].name)
}

output "buckets" {
  description = "The names of the buckets, `media` and `results`."
  value       = local.buckets
}

output "input_id" {
  description = "The input of MediaLive, which says where an encoder pushes to; null without a channel."
  value       = one(aws_medialive_input.this[*].id)
}

output "spec" {
  description = "Blocks for a pipeline spec in TOML, by name: `terraform output -json spec | jq -r 'add'`."
  value       = module.spec.blocks
}

module "spec" {
  source = "./modules/spec"

  region            = data.aws_region.here.region
  media_bucket      = local.buckets.media
  results_bucket    = local.buckets.results
  chunks_prefix     = var.chunks_prefix
  chunks_queue_url  = aws_sqs_queue.chunks.url
  keep_days         = var.keep_days
  channel_id        = one(aws_medialive_channel.this[*].channel_id)
  pipelines         = local.pipelines
  convert_queue_arn = one(aws_media_convert_queue.this[*].arn)
  convert_role_arn  = one(aws_iam_role.convert[*].arn)
  jobs_queue_url    = one(aws_sqs_queue.jobs[*].url)
  kafka = var.kafka == null ? null : {
    brokers  = sort(split(",", aws_msk_cluster.this[0].bootstrap_brokers_sasl_scram))
    username = var.kafka.username
    prefix   = var.kafka.prefix
  }
}
