//! What a program is, as it says itself: asked once for each command and options, checked, and kept.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use matchcut_model::frame::ViewSpec;
use matchcut_model::observation::Class;

use super::launch::Launch;
use super::message::{Order, PROTOCOL, Ready};
use super::program::{Greeting, Program};
use super::schema;
use crate::sdk::{AttributeKind, AttributeSpec, EdgeKind, InputRule, OptionError, intern};

/// What a program looks at or listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Frames(ViewSpec),
    Samples,
    None,
}

/// What a program is.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) summary: &'static str,
    pub(super) inputs: Vec<InputRule>,
    pub(super) media: Media,
    pub(super) ordered: bool,
    pub(super) attributes: Vec<AttributeSpec>,
    /// As it was said: a program must say the same whenever it is started.
    pub(super) ready: Ready,
}

type Answer = Result<Arc<Described>, Vec<OptionError>>;

/// What the program of `launch` is. It is asked once while it can be asked at all.
pub(super) fn described(launch: &Launch) -> Answer {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<OnceLock<Answer>>>>> =
        LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = launch.key();
    let cell = Arc::clone(known().entry(key.clone()).or_default());
    // Others ask meanwhile for other programs, and wait for this one.
    let answer = cell.get_or_init(|| ask(launch)).clone();
    if answer.is_err() {
        known().remove(&key);
    }
    answer
}

fn ask(launch: &Launch) -> Answer {
    let at_command = |message: String| vec![OptionError::new("command", message)];
    let (program, greeting) = Program::start(launch).map_err(at_command)?;
    drop(program);
    match greeting {
        Greeting::Ready(ready) => {
            let schema = ready.options.clone().unwrap_or_else(none);
            let errors = schema::check(&schema, &launch.options).map_err(at_command)?;
            if !errors.is_empty() {
                return Err(errors);
            }
            read(*ready).map(Arc::new).map_err(|message| {
                at_command(format!(
                    "what the program says of itself is wrong: {message}"
                ))
            })
        }
        Greeting::Refused(refused) => {
            let schema = refused.options.clone().unwrap_or_default();
            let mut errors = match schema.is_object() {
                true => schema::check(&schema, &launch.options).map_err(at_command)?,
                false => Vec::new(),
            };
            for refusal in refused.errors {
                let option = match &refusal.option {
                    Some(option) => format!("options.{option}"),
                    None => "options".to_owned(),
                };
                let said = |error: &OptionError| error.option.as_deref() == Some(&option);
                if !errors.iter().any(said) {
                    errors.push(OptionError::new(&option, refusal.message));
                }
            }
            if errors.is_empty() {
                errors =
                    at_command("the program refuses its options and does not say why".to_owned());
            }
            Err(errors)
        }
    }
}

/// The schema of a program without options.
fn none() -> serde_json::Value {
    serde_json::json!({ "type": "object", "additionalProperties": false })
}

/// Checks what a program says of itself.
fn read(ready: Ready) -> Result<Described, String> {
    if ready.protocol != PROTOCOL {
        let theirs = ready.protocol;
        return Err(format!(
            "it speaks version {theirs} of the protocol, this is version {PROTOCOL}"
        ));
    }
    if ready.name.trim().is_empty() {
        return Err("its name is empty".to_owned());
    }
    let media = match (&ready.view, ready.audio) {
        (Some(view), false) => Media::Frames(view.read()?),
        (None, true) => Media::Samples,
        (None, false) => Media::None,
        (Some(_), true) => {
            return Err("it wants both frames and samples; write two operators".to_owned());
        }
    };
    let ordered = match (ready.order, ready.class, media) {
        // Without media there is nothing that could be looked at by chunk.
        (Order::Ordered, ..) | (Order::Stateless, _, Media::None) => true,
        (Order::Stateless, Class::Featurer, _) => false,
        (Order::Stateless, class, _) => {
            return Err(format!(
                "a {class} decides in order: \"order\": \"ordered\""
            ));
        }
    };
    let mut attributes: Vec<AttributeSpec> = Vec::new();
    for declared in &ready.attributes {
        let name = declared.name.as_str();
        let fits = |c: char| c.is_alphanumeric() || "_-".contains(c);
        if name != "*" && (name.is_empty() || !name.chars().all(fits)) {
            return Err(format!(
                "{name:?} cannot be a name of an attribute (letters, digits, _ and -)"
            ));
        }
        if attributes.iter().any(|spec| spec.name == name) {
            return Err(format!("attribute \"{name}\" is declared twice"));
        }
        attributes.push(AttributeSpec {
            name: intern(name),
            kind: AttributeKind::from(declared.kind),
            description: intern(&declared.description),
        });
    }
    let inputs = inputs(&ready, media)?;
    let summary = match ready.summary.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => intern(line),
        _ => intern(&format!("The program \"{}\".", ready.name)),
    };
    Ok(Described {
        name: ready.name.clone(),
        class: ready.class,
        summary,
        inputs,
        media,
        ordered,
        attributes,
        ready,
    })
}

/// What it can be wired to: what it says, or what its class and media need.
fn inputs(ready: &Ready, media: Media) -> Result<Vec<InputRule>, String> {
    let of_media = match media {
        Media::Frames(_) => Some(EdgeKind::Video),
        Media::Samples => Some(EdgeKind::Audio),
        Media::None => None,
    };
    let updates = matches!(ready.class, Class::Optimizer | Class::Labeler);
    let Some(rules) = &ready.inputs else {
        let mut rules: Vec<InputRule> = of_media.map(InputRule::one).into_iter().collect();
        if updates {
            rules.push(InputRule::one(EdgeKind::Segments));
        }
        rules.push(match of_media.is_none() && !updates {
            true => InputRule::some(EdgeKind::Observations),
            false => InputRule::any(EdgeKind::Observations),
        });
        return Ok(rules);
    };
    let rules: Vec<InputRule> = rules
        .iter()
        .map(|rule| InputRule {
            kind: EdgeKind::from(rule.kind),
            min: rule.min,
            max: rule.max,
        })
        .collect();
    let has = |kind| {
        rules
            .iter()
            .any(|rule| rule.kind == kind && rule.min == 1 && rule.max == Some(1))
    };
    if let Some(kind) = of_media.filter(|kind| !has(*kind)) {
        return Err(format!(
            "its inputs must name {kind}, with \"min\" and \"max\" 1"
        ));
    }
    if updates && !has(EdgeKind::Segments) {
        let class = ready.class;
        return Err(format!(
            "the inputs of a {class} must name segments, with \"min\" and \"max\" 1"
        ));
    }
    for (at, rule) in rules.iter().enumerate() {
        let kind = rule.kind;
        if rule.max.is_some_and(|max| max < rule.min) {
            return Err(format!(
                "of its inputs, {kind} has less at most than at least"
            ));
        }
        if rules.iter().take(at).any(|earlier| earlier.kind == kind) {
            return Err(format!("its inputs name {kind} twice"));
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(change: serde_json::Value) -> Result<Described, String> {
        let mut ready = json!({
            "protocol": 1, "name": "luma", "class": "featurer",
            "view": { "width": 64, "height": 36, "format": "gray8" },
            "attributes": [{ "name": "luma", "kind": "number" }],
        });
        for (key, value) in change.as_object().unwrap() {
            ready[key] = value.clone();
        }
        let ready: Ready = serde_json::from_value(ready).map_err(|error| error.to_string())?;
        read(ready)
    }

    #[test]
    fn a_featurer_needs_little() {
        let luma = said(json!({})).unwrap();
        assert!(!luma.ordered);
        assert_eq!(luma.summary, "The program \"luma\".");
        assert_eq!(
            luma.inputs,
            [
                InputRule::one(EdgeKind::Video),
                InputRule::any(EdgeKind::Observations)
            ]
        );
        assert_eq!(
            (luma.attributes[0].name, luma.attributes[0].kind),
            ("luma", AttributeKind::Number)
        );
        let segmenter =
            said(json!({"class": "segmenter", "view": null, "attributes": []})).unwrap();
        assert!(segmenter.ordered);
        assert_eq!(segmenter.inputs, [InputRule::some(EdgeKind::Observations)]);
        let labeler = said(json!({"class": "labeler", "view": null})).unwrap();
        assert_eq!(labeler.inputs[0], InputRule::one(EdgeKind::Segments));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (change, text) in [
            (json!({"protocol": 2}), "speaks version 2"),
            (json!({"name": " "}), "name is empty"),
            (json!({"audio": true}), "both frames and samples"),
            (json!({"class": "segmenter"}), "decides in order"),
            (json!({"class": "painter"}), "unknown variant"),
            (
                json!({"attributes": [{"name": "a.b", "kind": "number"}]}),
                "cannot be a name",
            ),
            (
                json!({"attributes": [{"name": "a", "kind": "int"}]}),
                "unknown variant",
            ),
            (
                json!({"attributes": [{"name": "a", "kind": "any"}, {"name": "a", "kind": "any"}]}),
                "declared twice",
            ),
            (json!({"inputs": []}), "must name video"),
            (
                json!({"inputs": [{"kind": "video", "min": 1, "max": 1}, {"kind": "audio", "min": 2, "max": 1}]}),
                "less at most",
            ),
            (
                json!({"view": {"width": 0, "height": 1, "format": "rgb24"}}),
                "a view of 0 x 1",
            ),
        ] {
            let error = said(change.clone()).unwrap_err();
            assert!(error.contains(text), "{change}: {error}");
        }
    }
}
