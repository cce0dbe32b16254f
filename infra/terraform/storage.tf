# Two buckets: `media` has what encoders write, `results` what matchcut and MediaConvert make of it.

locals {
  buckets = {
    media   = "${var.name}-media-${data.aws_caller_identity.here.account_id}"
    results = "${var.name}-results-${data.aws_caller_identity.here.account_id}"
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  bucket = each.value
  tags   = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = module.rights.bucket[each.key]

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "media" {
  bucket = aws_s3_bucket.this["media"].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.media_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.this["results"].id

  # What a crash leaves of an upload.
  rule {
    id     = "unfinished"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = var.keep_days

    content {
      id     = "keep-${rule.value}d"
      status = "Enabled"

      filter {
        tag {
          key   = "keep"
          value = "${rule.value}d"
        }
      }

      expiration {
        days = rule.value
      }
    }
  }
}

# Of each chunk that another encoder writes: for one source of type `s3`.
resource "aws_sqs_queue" "chunks" {
  name                      = "${var.name}-chunks"
  message_retention_seconds = 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "chunks" {
  queue_url = aws_sqs_queue.chunks.id
  policy    = module.rights.chunks_queue
}

resource "aws_s3_bucket_notification" "media" {
  bucket = aws_s3_bucket.this["media"].id

  queue {
    id            = "chunks"
    queue_arn     = aws_sqs_queue.chunks.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.chunks_prefix
  }

  depends_on = [aws_sqs_queue_policy.chunks]
}
