//! The page "Write an operator in ten minutes, in Python", done as it says: its files are saved, its
//! commands are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::python::{path, use_python};
use crate::support::stream::DATED;
use crate::support::stream::copy;
use crate::support::{Work, lines, repository};

/// A step of the page.
#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Save { name: String, text: String },
    Run(String),
}

/// The code blocks behind "Save as `NAME`:", and the lines of the blocks of `sh`.
fn doings(page: &str) -> Vec<Doing> {
    let mut doings = Vec::new();
    let mut save: Option<String> = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some((_, rest)) = line.split_once("ave as `")
            && let Some((name, _)) = rest.split_once('`')
        {
            save = Some(name.to_owned());
        }
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (save.take(), language) {
            (Some(name), _) => doings.push(Doing::Save {
                name,
                text: block.join("\n") + "\n",
            }),
            (None, "sh") => doings.extend(block.iter().map(|line| Doing::Run((*line).to_owned()))),
            (None, _) => {}
        }
    }
    doings
}

#[test]
fn what_the_page_says_works() {
    let page = repository().join("docs/src/how-to/write-an-operator.md");
    let doings = doings(&fs::read_to_string(page).unwrap());
    let saved = doings
        .iter()
        .filter(|doing| matches!(doing, Doing::Save { .. }));
    assert_eq!((saved.count(), doings.len()), (4, 10), "{doings:?}");
    let python = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();

    // A small stream stands where the programme is: the page is about operators.
    let stream = copy(DATED);
    let mut work = Work::new();
    if !use_python(&mut work) {
        return;
    }
    fs::create_dir(work.path("demo")).unwrap();
    symlink(stream.path(""), work.path("demo/programme")).unwrap();

    for doing in doings {
        match doing {
            Doing::Save { name, text } => {
                if name == "luma.py" {
                    assert!(python(&text) <= 20, "a small example");
                }
                drop(work.write(&name, text));
            }
            Doing::Run(line) => match line.strip_prefix("matchcut ") {
                Some(arguments) => {
                    let done = work.ok(arguments.split_whitespace());
                    done.check(done.stderr.matches("warning").count() == 0, "no warning");
                }
                None => {
                    let output = Command::new("sh")
                        .args(["-c", &line])
                        .current_dir(work.path(""))
                        .env("PATH", path().unwrap())
                        .env("PYTHONPATH", crate::support::python::package())
                        .output()
                        .unwrap();
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{line}: {said}");
                    let said = String::from_utf8_lossy(&output.stdout);
                    assert!(said.contains("Luma (featurer): good"), "{said}");
                }
            },
        }
    }
    let frames = lines(&work.path("out/luma/observations.jsonl"));
    assert_eq!(frames.len(), 300);
    // The navy shots are dark, the others are not: five shots of 1.2 s, twice over.
    let nights = lines(&work.path("out/nights/segments.jsonl"));
    let nights: Vec<(f64, f64)> = nights
        .iter()
        .map(|line| {
            (
                line["start"].as_f64().unwrap(),
                line["end"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(nights, [(2.4, 3.6), (8.4, 9.6)]);
}

#[test]
fn steps_are_found_in_a_page() {
    let page = "Save as `a.py`:\n\n```python\nx = 1\n```\n\n```console\n$ no\n```\n\n```sh\nmatchcut a\nmatchcut b\n```\n";
    let save = Doing::Save {
        name: "a.py".to_owned(),
        text: "x = 1\n".to_owned(),
    };
    let runs = ["matchcut a", "matchcut b"].map(|line| Doing::Run(line.to_owned()));
    assert_eq!(doings(page), [&[save][..], &runs[..]].concat());
}
