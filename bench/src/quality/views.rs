//! The camera's view against what was read by eye: the share of looks that agree.

use std::collections::BTreeMap;
use std::path::Path;

use super::annotations::Clip;
use super::found;
use crate::Error;
use crate::report::Section;

const OPERATOR: &str = "type = \"dominant_color\"";

pub(super) fn measure(clips: &[Clip], out: &Path) -> Result<Section, Error> {
    let about = "View of `dominant_color` with its defaults, 5 looks a second, where the view can be \
        told by eye.";
    let head = ["", "looks", "right", "share", "told instead"];
    let mut section = Section::new("Quality: camera view", about, &head);
    let (mut looks, mut right) = (0, 0);
    for clip in clips
        .iter()
        .filter(|clip| !clip.annotation.views.is_empty())
    {
        let found = found::observe(OPERATOR, &clip.path, out)?;
        let (mut here, mut agree) = (0, 0);
        let mut instead: BTreeMap<String, usize> = BTreeMap::new();
        for look in &found {
            let views = &clip.annotation.views;
            let expected = views.iter().find(|view| {
                let [from, to] = view.frames;
                (from..to).contains(&look.frames[0])
            });
            let told = look.attributes.get("view").and_then(|view| view.as_str());
            let (Some(expected), Some(told)) = (expected, told) else {
                continue;
            };
            here += 1;
            if expected.view == told {
                agree += 1;
            } else {
                *instead
                    .entry(format!("{} for {}", told, expected.view))
                    .or_default() += 1;
            }
        }
        let instead: Vec<String> = instead
            .iter()
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        section.row(row(clip.name(), here, agree, instead.join(", ")));
        looks += here;
        right += agree;
    }
    if looks > 0 {
        section.row(row("all", looks, right, String::new()));
    } else {
        section.row(["no clip with views is there".to_owned()]);
    }
    Ok(section)
}

fn row(name: &str, looks: usize, right: usize, instead: String) -> Vec<String> {
    let share = right as f64 / looks.max(1) as f64;
    vec![
        name.to_owned(),
        looks.to_string(),
        right.to_string(),
        format!("**{share:.3}**"),
        instead,
    ]
}
