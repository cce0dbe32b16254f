//! One phrase goes out as a WAV file in a form, and comes back as text with times.

use serde_json::Value as Json;

use super::heard::{Hears, Part, Transcript};
use crate::hosts::http::{Client, quoted};
use crate::hosts::speech::resample::RATE;

/// Parts the fields of a form; no text and hardly any sound contains it.
const BOUNDARY: &str = "matchcut-3f0c86d1e7b24a59";

pub(super) struct Request {
    pub(super) client: Client,
    pub(super) model: String,
    pub(super) language: Option<String>,
    pub(super) prompt: Option<String>,
}

impl Hears for Request {
    fn transcribe(&self, samples: &[i16]) -> Result<Transcript, String> {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("Content-Type", kind.as_str())];
        let body = self.form(samples);
        let answer = self.client.post("/audio/transcriptions", &body, &headers)?;
        read(&answer.body).map_err(|message| {
            self.client.counters.failure();
            format!("the answer of \"{}\" cannot be used: {message}", self.model)
        })
    }
}

impl Request {
    fn form(&self, samples: &[i16]) -> Vec<u8> {
        let mut form = Vec::new();
        let mut field = |head: &str, value: &[u8]| {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(value);
            form.extend_from_slice(b"\r\n");
        };
        field("name=\"model\"", self.model.as_bytes());
        field("name=\"response_format\"", b"verbose_json");
        field("name=\"timestamp_granularities[]\"", b"segment");
        field("name=\"temperature\"", b"0");
        for (name, value) in [("language", &self.language), ("prompt", &self.prompt)] {
            if let Some(value) = value {
                field(&format!("name=\"{name}\""), value.as_bytes());
            }
        }
        let head = "name=\"file\"; filename=\"phrase.wav\"\r\nContent-Type: audio/wav";
        field(head, &wav(samples));
        form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        form
    }
}

/// A WAV file: one channel, 16 bits.
fn wav(samples: &[i16]) -> Vec<u8> {
    let length = (samples.len() * 2) as u32;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    for value in [1_u16, 1] {
        file.extend_from_slice(&value.to_le_bytes());
    }
    for value in [RATE, RATE * 2] {
        file.extend_from_slice(&value.to_le_bytes());
    }
    for value in [2_u16, 16] {
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

fn read(body: &[u8]) -> Result<Transcript, String> {
    let answer: Json =
        serde_json::from_slice(body).map_err(|error| format!("{error} in \"{}\"", quoted(body)))?;
    let text = |json: &Json| {
        json.get("text")?
            .as_str()
            .map(|text| text.trim().to_owned())
    };
    let whole = text(&answer).ok_or_else(|| format!("no \"text\" in \"{}\"", quoted(body)))?;
    let number = |json: &Json, name: &str| json.get(name)?.as_f64();
    let part = |json: &Json| {
        Some(Part {
            span: Some((number(json, "start")?, number(json, "end")?)),
            text: text(json)?,
            confidence: number(json, "avg_logprob").map(|log| log.exp().clamp(0.0, 1.0)),
        })
    };
    let parts = match answer.get("segments").and_then(Json::as_array) {
        Some(segments) => segments
            .iter()
            .map(|segment| part(segment).ok_or_else(|| format!("a segment is {segment}")))
            .collect::<Result<Vec<Part>, String>>()?,
        None => vec![Part {
            span: None,
            text: whole,
            confidence: None,
        }],
    };
    let language = answer.get("language").and_then(Json::as_str);
    Ok(Transcript {
        language: language.map(str::to_owned),
        parts: parts
            .into_iter()
            .filter(|part| !part.text.is_empty())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_and_without_times() {
        let answer = br#"{"text": " Hello. You. ", "language": "english", "segments": [
            {"start": 0.0, "end": 1.5, "text": " Hello.", "avg_logprob": 0.0},
            {"start": 1.5, "end": 2, "text": " "},
            {"start": 2, "end": 2.5, "text": "You."}]}"#;
        let transcript = read(answer).unwrap();
        assert_eq!(transcript.language.as_deref(), Some("english"));
        let part = |start, end, text: &str, confidence| Part {
            span: Some((start, end)),
            text: text.to_owned(),
            confidence,
        };
        assert_eq!(
            transcript.parts,
            [
                part(0.0, 1.5, "Hello.", Some(1.0)),
                part(2.0, 2.5, "You.", None)
            ]
        );
        let plain = read(br#"{"text": "Hi"}"#).unwrap();
        assert_eq!(
            (plain.parts[0].span, plain.parts[0].text.as_str()),
            (None, "Hi")
        );
        assert!(read(br#"{"text": ""}"#).unwrap().parts.is_empty());
        assert_eq!(read(b"{}"), Err("no \"text\" in \"{}\"".to_owned()));
        let broken = read(br#"{"text": "a", "segments": [{"start": 1}]}"#);
        assert_eq!(broken, Err("a segment is {\"start\":1}".to_owned()));
    }
}
