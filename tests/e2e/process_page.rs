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
    // Navy and colours of a test picture are dark, twice. Five frames a second were looked at, so that a
    // night begins and ends up to a fifth of a second later than its frames.
    let dark: Vec<bool> = frames
        .iter()
        .map(|line| line["attributes"]["dark"].as_bool().unwrap())
        .collect();
    let changes = (1..dark.len()).filter(|at| dark[*at] != dark[at - 1]);
    let changes: Vec<f64> = changes.map(|at| at as f64 / 25.0).collect();
    assert_eq!(changes, [2.4, 4.8, 8.4, 10.8]);
    let nights = lines(&work.path("out/nights/segments.jsonl"));
    let marks: Vec<f64> = nights
        .iter()
        .flat_map(|line| ["start", "end"].map(|key| line[key].as_f64().unwrap()))
        .collect();
    assert_eq!(marks.len(), changes.len());
    for (mark, change) in marks.iter().zip(&changes) {
        assert!((*change..*change + 0.2).contains(mark), "{marks:?}");
    }
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
