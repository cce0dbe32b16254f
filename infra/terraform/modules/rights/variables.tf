variable "partition" {
  type = string
}

variable "region" {
  type = string
}

variable "account" {
  type = string
}

variable "runs_on" {
  description = "Services that may take the role of matchcut."
  type        = set(string)
}

variable "media_bucket" {
  type = string
}

variable "results_bucket" {
  type = string
}

variable "kms_key_arn" {
  type    = string
  default = null
}

variable "chunks_queue_arn" {
  type = string
}

variable "channel_arns" {
  description = "Channels of MediaLive that matchcut may look at, start, stop and attach an output to."
  type        = list(string)
  default     = []
}

variable "channel_role" {
  description = "The name of the role of those channels."
  type        = string
  default     = null
}

variable "convert_queue_arn" {
  type    = string
  default = null
}

variable "convert_role" {
  description = "The name of the role that MediaConvert takes."
  type        = string
  default     = null
}

variable "jobs_queue_arn" {
  type    = string
  default = null
}

variable "jobs_rule_arn" {
  type    = string
  default = null
}

variable "kinesis_video_streams" {
  type    = set(string)
  default = []
}

variable "lambda_functions" {
  type    = set(string)
  default = []
}
