//! Pictures as files in an address: `data:image/png;base64,…`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The form of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ImageFormat {
    /// Small, with loss.
    #[default]
    Jpeg,
    /// Without loss.
    Png,
}

/// A picture in RGB as a data URL. `quality` (1 to 100) is that of JPEG.
pub(super) fn data_url(
    rgb: &[u8],
    width: u32,
    height: u32,
    format: ImageFormat,
    quality: u8,
) -> Result<String, String> {
    let (kind, file) = match format {
        ImageFormat::Png => ("png", png(rgb, width, height)?),
        ImageFormat::Jpeg => ("jpeg", jpeg(rgb, width, height, quality)?),
    };
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(file)
    ))
}

fn png(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(rgb));
    written.map_err(|error| format!("a picture cannot be written as PNG: {error}"))?;
    Ok(file)
}

fn jpeg(rgb: &[u8], width: u32, height: u32, quality: u8) -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    let side =
        |side: u32| u16::try_from(side).map_err(|_| format!("{side} pixels are too many for JPEG"));
    jpeg_encoder::Encoder::new(&mut file, quality.clamp(1, 100))
        .encode(
            rgb,
            side(width)?,
            side(height)?,
            jpeg_encoder::ColorType::Rgb,
        )
        .map_err(|error| format!("a picture cannot be written as JPEG: {error}"))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_what_they_say() {
        let rgb = [200, 100, 50].repeat(4);
        let decoded = |format| {
            let url = data_url(&rgb, 2, 2, format, 90).unwrap();
            let (kind, text) = url.split_once(";base64,").unwrap();
            (kind.to_owned(), STANDARD.decode(text).unwrap())
        };
        let (kind, file) = decoded(ImageFormat::Png);
        assert_eq!(kind, "data:image/png");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, rgb);
        let (kind, file) = decoded(ImageFormat::Jpeg);
        assert_eq!(kind, "data:image/jpeg");
        assert_eq!(file[..3], [0xff, 0xd8, 0xff]);
        assert!(data_url(&rgb, 3, 3, ImageFormat::Png, 90).is_err());
    }
}
