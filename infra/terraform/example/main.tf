# A channel, clips by MediaConvert, and results that expire after a week or a month:
#
#   terraform init && terraform apply
#   terraform output -json spec | jq -r 'add'

terraform {
  required_version = ">= 1.6"
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where everything is."
  type        = string
  default     = "eu-central-1"
}

variable "encoder" {
  description = "The network that the encoder pushes from."
  type        = string
}

module "replays" {
  source = "../"

  name      = "replays"
  keep_days = [7, 30]

  medialive = {
    type  = "RTP_PUSH"
    cidrs = [var.encoder]
  }
}

output "spec" {
  value = module.replays.spec
}

output "instance_profile" {
  value = module.replays.instance_profile
}
