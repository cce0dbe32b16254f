# A channel that writes chunks below live/ of the bucket for media, its second pipeline beside the first. matchcut starts
# and stops it. Options of a source may attach an output of its own for each event; it takes that away again, so plan
# changes of the channel while no event runs.

locals {
  live      = var.medialive == null ? [] : [var.medialive]
  live_uri  = "${local.buckets.media}/live"
  pipelines = var.medialive == null ? 0 : var.medialive.class == "STANDARD" ? 2 : 1
  pushed    = var.medialive != null && try(var.medialive.type, "") != "URL_PULL"
}

resource "aws_iam_role" "channel" {
  count = length(local.live)

  name               = "${var.name}-channel"
  assume_role_policy = module.rights.channel_trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "channel" {
  count = length(local.live)

  name   = "write-chunks"
  role   = aws_iam_role.channel[0].id
  policy = module.rights.channel
}

resource "aws_medialive_input_security_group" "this" {
  count = local.pushed ? 1 : 0

  tags = var.tags

  dynamic "whitelist_rules" {
    for_each = var.medialive.cidrs

    content {
      cidr = whitelist_rules.value
    }
  }
}

resource "aws_medialive_input" "this" {
  count = length(local.live)

  name                  = var.name
  type                  = var.medialive.type
  input_security_groups = aws_medialive_input_security_group.this[*].id
  tags                  = var.tags

  dynamic "sources" {
    for_each = var.medialive.type == "URL_PULL" ? var.medialive.urls : []

    content {
      url            = sources.value
      username       = ""
      password_param = ""
    }
  }

  dynamic "destinations" {
    for_each = var.medialive.type == "RTMP_PUSH" ? var.medialive.stream_names : []

    content {
      stream_name = destinations.value
    }
  }
}

resource "aws_medialive_channel" "this" {
  count = length(local.live)

  name          = var.name
  channel_class = var.medialive.class
  role_arn      = aws_iam_role.channel[0].arn
  tags          = var.tags

  input_specification {
    codec            = "AVC"
    input_resolution = "HD"
    maximum_bitrate  = "MAX_20_MBPS"
  }

  input_attachments {
    input_attachment_name = "input"
    input_id              = aws_medialive_input.this[0].id
  }

  destinations {
    id = "bucket"

    dynamic "settings" {
      for_each = range(local.pipelines)

      content {
        url = "s3ssl://${local.live_uri}/${settings.value}/index"
      }
    }
  }

  encoder_settings {
    timecode_config {
      source = "EMBEDDED"
    }

    audio_descriptions {
      name                = "audio"
      audio_selector_name = "default"

      codec_settings {
        aac_settings {
          bitrate           = 128000
          coding_mode       = "CODING_MODE_2_0"
          rate_control_mode = "CBR"
          sample_rate       = 48000
        }
      }
    }

    video_descriptions {
      name   = "video"
      width  = var.medialive.width
      height = var.medialive.height

      codec_settings {
        h264_settings {
          framerate_control  = "INITIALIZE_FROM_SOURCE"
          gop_size           = 1
          gop_size_units     = "SECONDS"
          max_bitrate        = 5000000
          par_control        = "INITIALIZE_FROM_SOURCE"
          qvbr_quality_level = 8
          rate_control_mode  = "QVBR"
        }
      }
    }

    output_groups {
      name = "bucket"

      output_group_settings {
        hls_group_settings {
          mode               = "VOD"
          segment_length     = var.medialive.segment_length
          program_date_time  = "INCLUDE"
          ad_markers         = ["ELEMENTAL_SCTE35"]
          input_loss_action  = "PAUSE_OUTPUT"
          redundant_manifest = "DISABLED"
          hls_cdn_settings {
            hls_s3_settings {}
          }

          destination {
            destination_ref_id = "bucket"
          }
        }
      }

      outputs {
        output_name             = "main"
        video_description_name  = "video"
        audio_description_names = ["audio"]

        output_settings {
          hls_output_settings {
            name_modifier = "_main"

            hls_settings {
              standard_hls_settings {
                m3u8_settings {
                  scte35_behavior = "PASSTHROUGH"
                }
              }
            }
          }
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.channel]
}
