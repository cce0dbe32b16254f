variable "name" {
  description = "What everything is named by; buckets have the number of the account behind it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 30 lower-case letters, digits and hyphens, the first a letter, the last no hyphen."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

variable "kms_key_arn" {
  description = "The key that buckets are encrypted with; without one it is that of S3 (AES256)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "A key is named by its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID; an alias does not do for a policy."
  }
}

variable "media_days" {
  description = "After how many days chunks expire."
  type        = number
  default     = 30

  validation {
    condition     = var.media_days >= 1 && floor(var.media_days) == var.media_days
    error_message = "media_days is a whole number from 1 on."
  }
}

variable "keep_days" {
  description = "For each number of days, results that a sink tags with keep = \"30d\" expire after it. Others stay."
  type        = set(number)
  default     = [7, 30]

  validation {
    condition     = alltrue([for days in var.keep_days : days >= 1 && floor(days) == days])
    error_message = "keep_days are whole numbers from 1 on."
  }
}

variable "chunks_prefix" {
  description = "Where other encoders than MediaLive write chunks into the bucket for media; a queue hears of each."
  type        = string
  default     = "chunks/"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/$", var.chunks_prefix))
    error_message = "A prefix ends with a slash and does not begin with one."
  }
}

variable "runs_on" {
  description = "Who is matchcut: services that may take its role (ec2.amazonaws.com, ecs-tasks.amazonaws.com, pods.eks.amazonaws.com)."
  type        = set(string)
  default     = ["ec2.amazonaws.com"]

  validation {
    condition = length(var.runs_on) > 0 && alltrue([
      for service in var.runs_on :
      contains(["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com"], service)
    ])
    error_message = "One or several of ec2.amazonaws.com, ecs-tasks.amazonaws.com and pods.eks.amazonaws.com."
  }
}

variable "medialive" {
  description = "A channel of MediaLive with an input, from which HLS comes into the bucket; null: none."
  type = object({
    type           = optional(string, "RTP_PUSH")
    cidrs          = optional(list(string), [])
    urls           = optional(list(string), [])
    stream_names   = optional(list(string), [])
    class          = optional(string, "STANDARD")
    segment_length = optional(number, 6)
    width          = optional(number, 1920)
    height         = optional(number, 1080)
  })
  default = null

  validation {
    condition     = var.medialive == null || contains(["RTP_PUSH", "RTMP_PUSH", "URL_PULL"], try(var.medialive.type, ""))
    error_message = "The type of an input is RTP_PUSH, RTMP_PUSH or URL_PULL."
  }
  validation {
    condition     = var.medialive == null || contains(["STANDARD", "SINGLE_PIPELINE"], try(var.medialive.class, ""))
    error_message = "The class of a channel is STANDARD or SINGLE_PIPELINE."
  }
  validation {
    condition = var.medialive == null || (
      try(var.medialive.type, "") == "URL_PULL" ? try(length(var.medialive.urls), 0) > 0 : try(length(var.medialive.cidrs), 0) > 0
    )
    error_message = "An input that is pushed needs cidrs, from where; one of type URL_PULL needs urls."
  }
  validation {
    condition     = var.medialive == null || try(var.medialive.type, "") != "RTMP_PUSH" || try(length(var.medialive.stream_names), 0) > 0
    error_message = "An input of type RTMP_PUSH needs stream_names, two for a STANDARD channel."
  }
  validation {
    condition     = var.medialive == null || alltrue([for cidr in try(var.medialive.cidrs, []) : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "cidrs are networks, such as 192.0.2.0/24, and not the whole internet."
  }
  validation {
    condition     = var.medialive == null || try(var.medialive.segment_length >= 1 && var.medialive.segment_length <= 60, false)
    error_message = "segment_length is from 1 to 60 seconds."
  }
}

variable "mediaconvert" {
  description = "Whether MediaConvert makes clips and replays: a queue of it, its role, and a queue of SQS that hears of jobs."
  type        = bool
  default     = true
}

variable "kafka" {
  description = "A cluster of MSK, one broker in each subnet; null: none. `secret_arn` names a secret of Secrets Manager, AmazonMSK_…, with the user and the password, encrypted with a key of your own."
  type = object({
    vpc_id        = string
    subnet_ids    = list(string)
    clients       = set(string)
    secret_arn    = string
    username      = string
    version       = optional(string, "3.8.x")
    instance_type = optional(string, "kafka.t3.small")
    volume_gib    = optional(number, 100)
    prefix        = optional(string, "matchcut")
  })
  default = null

  validation {
    condition     = var.kafka == null || contains([2, 3], try(length(distinct(var.kafka.subnet_ids)), 0))
    error_message = "A cluster needs two or three subnets, each in another zone."
  }
  validation {
    condition     = var.kafka == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:AmazonMSK_", try(var.kafka.secret_arn, "")))
    error_message = "MSK reads secrets whose names begin with AmazonMSK_; secret_arn is the ARN of one."
  }
  validation {
    condition     = var.kafka == null || try(var.kafka.volume_gib >= 1 && var.kafka.volume_gib <= 16384, false)
    error_message = "volume_gib is from 1 to 16384."
  }
}

variable "kinesis_video_streams" {
  description = "ARNs of streams of Kinesis Video that matchcut may read."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.kinesis_video_streams : can(regex("^arn:[a-z-]+:kinesisvideo:[a-z0-9-]+:[0-9]{12}:stream/[^*]+$", arn))])
    error_message = "A stream is named by its ARN, without wildcards."
  }
}

variable "lambda_functions" {
  description = "ARNs of functions of Lambda that operators may invoke; with a version or alias where specs name one."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.lambda_functions : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[^*]+$", arn))])
    error_message = "A function is named by its ARN, without wildcards."
  }
}
