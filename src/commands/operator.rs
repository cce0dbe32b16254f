//! `matchcut operator check`: tries operators of a spec on a made-up event, whatever they are made of.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use matchcut_dataflow::spec::{self, Catalog, OperatorSpec, Override, Spec, suggest};
use matchcut_model::observation::Class;
use matchcut_operators::kit;

use crate::render::CommandError;

/// Try operators.
#[derive(Args, Clone, Debug)]
pub struct OperatorArgs {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum OperatorCommand {
    Check(CheckArgs),
}

/// Check that operators of a spec keep the rules that results depend on.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The pipeline spec.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// Operators to check; without any, all are.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Set a value of the spec: operators.x.options={…}; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// Prints a line for each operator; exit code 1 when one breaks a rule.
pub fn run(args: &OperatorArgs) -> Result<ExitCode, CommandError> {
    let OperatorCommand::Check(args) = &args.command;
    let catalog = Catalog::built_in();
    let overrides: Vec<Override> = args.set.iter().cloned().map(Override).collect();
    let spec = spec::load(&args.spec, &overrides, &catalog)?;
    for name in &args.names {
        if !spec
            .operators
            .iter()
            .any(|operator| operator.name == *name.as_str())
        {
            let names = spec.operators.iter().map(|operator| operator.name.as_str());
            let near = suggest::nearest(name, names);
            return Err(CommandError::Usage {
                message: format!("the spec has no operator \"{name}\""),
                hint: near.map(|near| format!("did you mean \"{near}\"?")),
            });
        }
    }
    let chosen = |operator: &&OperatorSpec| {
        args.names.is_empty()
            || args
                .names
                .iter()
                .any(|name| operator.name == *name.as_str())
    };
    let mut code = ExitCode::SUCCESS;
    for operator in spec.operators.iter().filter(chosen) {
        let Some((kind, _)) = catalog.operator(&operator.kind) else {
            continue;
        };
        let description = kind.describe_with(&operator.options);
        // A spec that was read has operators that can be built.
        let Ok(built) = kind.build(&operator.options) else {
            continue;
        };
        let inputs = inputs(operator, &spec, &catalog);
        let findings = kit::conformance_behind(&inputs, &description, &built);
        let (name, class) = (&operator.name, description.class);
        if findings.is_empty() {
            println!("{name} ({class}): keeps all rules");
            continue;
        }
        code = ExitCode::FAILURE;
        for finding in findings {
            println!(
                "{name} ({class}): breaks the rule \"{}\": {}",
                finding.rule, finding.message
            );
        }
    }
    Ok(code)
}

/// The featurers that an operator reads, with what they emit.
fn inputs(operator: &OperatorSpec, spec: &Spec, catalog: &Catalog) -> Vec<kit::Input> {
    let of_input = |input: &spec::Input| {
        let spec::Input::Operator(name) = input else {
            return None;
        };
        let featurer = spec.operators.iter().find(|other| other.name == *name)?;
        let (kind, _) = catalog.operator(&featurer.kind)?;
        let description = kind.describe_with(&featurer.options);
        (description.class == Class::Featurer).then(|| kit::Input {
            name: name.clone(),
            attributes: description.attributes,
        })
    };
    operator.inputs.iter().filter_map(of_input).collect()
}
