# A small cluster of MSK. matchcut signs in with a password (SCRAM over TLS) and makes its topics itself; clusters without
# servers know IAM alone, which librdkafka does not.

locals {
  kafka   = var.kafka == null ? [] : [var.kafka]
  brokers = try(length(var.kafka.subnet_ids), 0)
}

resource "aws_security_group" "kafka" {
  count = length(local.kafka)

  name        = "${var.name}-kafka"
  description = "Brokers of ${var.name}"
  vpc_id      = var.kafka.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "kafka" {
  for_each = toset(try(var.kafka.clients, []))

  security_group_id            = aws_security_group.kafka[0].id
  description                  = "Clients, SCRAM over TLS"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 9096
  to_port                      = 9096
}

resource "aws_msk_configuration" "this" {
  count = length(local.kafka)

  name           = var.name
  kafka_versions = [var.kafka.version]
  # Exactly once needs every broker but one.
  server_properties = <<-EOT
    auto.create.topics.enable=false
    default.replication.factor=${local.brokers}
    min.insync.replicas=${max(1, local.brokers - 1)}
    offsets.topic.replication.factor=${local.brokers}
    transaction.state.log.replication.factor=${local.brokers}
    transaction.state.log.min.isr=${max(1, local.brokers - 1)}
    unclean.leader.election.enable=false
  EOT
}

resource "aws_cloudwatch_log_group" "kafka" {
  count = length(local.kafka)

  name              = "/${var.name}/kafka"
  retention_in_days = 14
  tags              = var.tags
}

resource "aws_msk_cluster" "this" {
  count = length(local.kafka)

  cluster_name           = var.name
  kafka_version          = var.kafka.version
  number_of_broker_nodes = local.brokers
  tags                   = var.tags

  broker_node_group_info {
    client_subnets  = var.kafka.subnet_ids
    instance_type   = var.kafka.instance_type
    security_groups = [aws_security_group.kafka[0].id]

    storage_info {
      ebs_storage_info {
        volume_size = var.kafka.volume_gib
      }
    }
  }

  client_authentication {
    unauthenticated = false

    sasl {
      scram = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this[0].arn
    revision = aws_msk_configuration.this[0].latest_revision
  }

  encryption_info {
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.kafka[0].name
      }
    }
  }
}

resource "aws_msk_scram_secret_association" "this" {
  count = length(local.kafka)

  cluster_arn     = aws_msk_cluster.this[0].arn
  secret_arn_list = [var.kafka.secret_arn]
}
