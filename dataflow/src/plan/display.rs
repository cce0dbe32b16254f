//! A plan as text: what runs, in which order, on what.

use std::fmt;

use matchcut_model::replay::Mode;

use super::{Plan, PlanInput};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pipeline {}", self.pipeline.name)?;
        for source in &self.sources {
            writeln!(
                f,
                "source {} ({}): {}",
                source.name, source.kind, source.uri
            )?;
        }
        for (at, view) in self.views.iter().enumerate() {
            let source = self.name_of(PlanInput::Video(view.source));
            let rate = view
                .view
                .rate
                .map_or("every frame".to_owned(), |r| format!("{r} fps"));
            writeln!(
                f,
                "view {at}: {source} {}x{} {:?}, {rate}, for {}",
                view.view.width,
                view.view.height,
                view.view.format,
                self.listed(view.operators.iter().map(|at| PlanInput::Operator(*at)))
            )?;
        }
        for operator in &self.operators {
            let inputs = self.listed(operator.inputs.iter().copied());
            write!(
                f,
                "operator {} {} ({}, {}) <- {inputs}",
                operator.index, operator.name, operator.class, operator.kind
            )?;
            if let Some(view) = operator.view {
                write!(f, " (view {view})")?;
            }
            writeln!(f)?;
        }
        for chain in &self.chains {
            let all = std::iter::once(&chain.segmenter).chain(&chain.updates);
            let names: Vec<String> = all
                .map(|at| self.name_of(PlanInput::Operator(*at)))
                .collect();
            writeln!(f, "segments {}", names.join(" -> "))?;
        }
        for replay in &self.replays {
            let inputs = self.listed(replay.inputs.iter().copied());
            write!(f, "replay {} <- {inputs}: ", replay.name)?;
            let request = &replay.request;
            match request.mode {
                Mode::Duration => {
                    write!(
                        f,
                        "{} s, at most {} s more",
                        request.duration, request.tolerance
                    )?;
                }
                Mode::Features => f.write_str("by features")?,
                Mode::Timestamps => write!(f, "{} given ranges", request.timestamps.len())?,
            }
            for feature in &replay.features {
                match feature.weight {
                    Some(weight) => write!(f, ", {} = {weight}", feature.feature)?,
                    None => write!(f, ", {}", feature.feature)?,
                }
            }
            if let Some(render) = &replay.render {
                match render.resolution {
                    Some(resolution) => write!(f, ", rendered as {}", resolution.name)?,
                    None => f.write_str(", rendered")?,
                }
            }
            writeln!(f)?;
        }
        for sink in &self.sinks {
            let inputs = self.listed(sink.inputs.iter().copied());
            writeln!(f, "sink {} ({}) <- {inputs}", sink.name, sink.kind)?;
        }
        for feed in &self.feeds {
            writeln!(f, "feed {} ({})", feed.name, feed.kind)?;
        }
        Ok(())
    }
}

impl Plan {
    fn listed(&self, inputs: impl Iterator<Item = PlanInput>) -> String {
        let names: Vec<String> = inputs.map(|input| self.name_of(input)).collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
