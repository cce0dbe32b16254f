//! One chat completion: what is sent, and the text of what comes back.

use serde_json::{Value as Json, json};

use super::client::{Client, quoted};

/// A question.
pub(super) struct Ask<'a> {
    pub(super) model: &'a str,
    /// What the model is told before it.
    pub(super) system: Option<&'a str>,
    /// Text, or parts (text and pictures).
    pub(super) content: Json,
    pub(super) max_tokens: u32,
    /// The schema of the answer, for servers that take one.
    pub(super) schema: Option<&'a Json>,
}

impl Ask<'_> {
    /// The body of the request.
    pub(super) fn body(self) -> Json {
        let mut messages = Vec::new();
        if let Some(system) = self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        messages.push(json!({"role": "user", "content": self.content}));
        let mut body = json!({
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self.max_tokens,
        });
        if let Some(schema) = self.schema {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": schema},
            });
        }
        body
    }
}

/// The text of an answer; its tokens are counted.
pub(super) fn text_of(client: &Client, body: &[u8]) -> Result<String, String> {
    let answer: Json =
        serde_json::from_slice(body).map_err(|error| format!("{error} in \"{}\"", quoted(body)))?;
    let tokens = |name: &str| {
        answer
            .pointer(name)
            .and_then(Json::as_u64)
            .unwrap_or_default()
    };
    client.counters.tokens(
        tokens("/usage/prompt_tokens"),
        tokens("/usage/completion_tokens"),
    );
    let message = answer.pointer("/choices/0/message");
    let part = |name: &str| message.and_then(|message| message.get(name)?.as_str());
    if let Some(refusal) = part("refusal") {
        let refusal = quoted(refusal.as_bytes());
        return Err(format!("the model refused: \"{refusal}\""));
    }
    let reason = answer.pointer("/choices/0/finish_reason");
    if reason.is_some_and(|reason| reason == "length") {
        return Err("it is longer than `max_tokens`".to_owned());
    }
    let text = part("content").ok_or_else(|| format!("no message in \"{}\"", quoted(body)))?;
    Ok(text.to_owned())
}
