//! `matchcut select`: answers one replay request from recorded segments and observations, without
//! decoding anything. Reads files, asks the model, prints one document.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_model::lines::{LineError, Recording, UnknownSegmenter, read_feedback};
use matchcut_model::replay::{
    Compat, Previous, ReplayDocument, ReplayRequest, RequestError, Selection, UnknownField,
};
use matchcut_model::time::MediaTime;

/// Select segments for one replay request from recorded observations.
#[derive(Args, Clone, Debug)]
pub struct SelectArgs {
    /// JSON lines with observations and segments; may be given several times.
    #[arg(long, value_name = "FILE.jsonl", required = true)]
    pub observations: Vec<PathBuf>,
    /// The replay request: the body of MRE's POST /replay.
    #[arg(long, value_name = "REQUEST.json")]
    pub request: PathBuf,
    /// JSON lines with feedback; of several on one clip the last counts. May be given several times.
    #[arg(long, value_name = "FILE.jsonl")]
    pub feedback: Vec<PathBuf>,
    /// Starts of the selection that was stored last, in seconds.
    #[arg(
        long,
        value_name = "START,START…",
        value_delimiter = ',',
        value_parser = previous_start,
        allow_hyphen_values = true
    )]
    pub previous: Vec<PreviousStart>,
    /// Whose segments, where the observations hold those of several segmenters.
    #[arg(long, value_name = "NAME")]
    pub segmenter: Option<String>,
    /// Whose rules hold; the request may say it too.
    #[arg(long, value_enum)]
    pub compat: Option<CompatArg>,
    /// How to print: one JSON document, or text with the reasons.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
}

/// Rules of selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompatArg {
    /// What MRE means to do.
    None,
    /// What MRE's code does.
    Mre,
}

impl From<CompatArg> for Compat {
    fn from(arg: CompatArg) -> Self {
        match arg {
            CompatArg::None => Compat::None,
            CompatArg::Mre => Compat::Mre,
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// One entry of `--previous`; an empty list is written as an empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousStart(Option<MediaTime>);

fn previous_start(text: &str) -> Result<PreviousStart, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(PreviousStart(None));
    }
    let seconds = text
        .parse::<f64>()
        .ok()
        .and_then(MediaTime::from_seconds_f64);
    match seconds {
        Some(start) => Ok(PreviousStart(Some(start))),
        None => Err(format!("\"{text}\" is not a start in seconds")),
    }
}

/// Why a request could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Lines that cannot be read.
    #[error("{}", listed(.0))]
    Lines(Vec<LineError>),
    /// The request is wrong.
    #[error("{}:{separator}{source}", path.display(), separator = if matches!(source, RequestError::Json { .. }) { "" } else { " " })]
    Request {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: RequestError,
    },
    /// The segmenter asked for said nothing.
    #[error("--segmenter: {0}")]
    Segmenter(#[from] UnknownSegmenter),
    /// Which of several segmenters is not said.
    #[error("the observations hold segments of {0}; choose one with --segmenter NAME")]
    SeveralSegmenters(String),
    /// The result cannot be printed.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

impl SelectError {
    /// 2 where the command line has to change, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            SelectError::Segmenter(_) | SelectError::SeveralSegmenters(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The first errors of many; the rest is most often the same mistake again.
fn listed(errors: &[LineError]) -> String {
    const SHOWN: usize = 20;
    let mut text: Vec<String> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
    if errors.len() > SHOWN {
        text.push(format!("and {} more", errors.len() - SHOWN));
    }
    text.join("\n")
}

/// A request evaluated.
#[derive(Debug)]
pub struct Evaluated {
    /// What is chosen, and why.
    pub selection: Selection,
    /// Fields of the request that mean nothing, perhaps mistyped.
    pub unknown: Vec<UnknownField>,
}

/// Reads the files and evaluates the request.
pub fn evaluate(args: &SelectArgs) -> Result<Evaluated, SelectError> {
    let (mut request, unknown) = read_request(&args.request)?;
    if let Some(compat) = args.compat {
        request.compat = compat.into();
    }
    let mut errors = Vec::new();
    let mut recording = Recording::default();
    for path in &args.observations {
        let bytes = read(path)?;
        errors.extend(
            recording
                .read(&path.display().to_string(), &bytes)
                .err()
                .unwrap_or_default(),
        );
    }
    let mut feedback = Vec::new();
    for path in &args.feedback {
        match read_feedback(&path.display().to_string(), &read(path)?) {
            Ok(rows) => feedback.extend(rows),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(SelectError::Lines(errors));
    }
    match &args.segmenter {
        Some(name) => recording.keep_segmenter(name)?,
        None => {
            let names = recording.segmenters();
            if names.len() > 1 {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                return Err(SelectError::SeveralSegmenters(names.join(", ")));
            }
        }
    }
    let previous: Vec<Previous> = args
        .previous
        .iter()
        .filter_map(|entry| entry.0)
        .map(Previous::start)
        .collect();
    Ok(Evaluated {
        selection: recording.select(&request, &feedback, &previous),
        unknown,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SelectError> {
    std::fs::read(path).map_err(|source| SelectError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read_request(path: &Path) -> Result<(ReplayRequest, Vec<UnknownField>), SelectError> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).map_err(|error| SelectError::Read {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()),
    })?;
    ReplayRequest::from_json(&text).map_err(|source| SelectError::Request {
        path: path.to_owned(),
        source,
    })
}

/// Runs the command. The result goes to stdout, hints to stderr; an error is for the caller to
/// print, and says its exit code.
pub fn run(args: &SelectArgs) -> Result<ExitCode, SelectError> {
    let Evaluated { selection, unknown } = evaluate(args)?;
    for UnknownField(name) in unknown {
        eprintln!(
            "warning: {}: field \"{name}\" is not known and ignored",
            args.request.display()
        );
    }
    match print(&selection, args.format, &mut io::stdout().lock()) {
        // A reader that has seen enough, such as `head`, is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(selection: &Selection, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, &ReplayDocument::brief(selection))?;
            writeln!(out)
        }
        Format::Text => text(selection, out),
    }
}

fn text(selection: &Selection, out: &mut impl Write) -> io::Result<()> {
    let length: MediaTime = selection
        .selected
        .iter()
        .map(|entry| entry.effective.duration())
        .sum();
    let news = if selection.processed {
        ""
    } else {
        ", nothing new to store"
    };
    writeln!(
        out,
        "{} selected, {length} s{news}",
        selection.selected.len()
    )?;
    for entry in &selection.selected {
        let score = entry
            .score
            .map_or("-".to_owned(), |score| score.to_string());
        write!(out, "  {}  {score}  {}", entry.range, entry.reason)?;
        for feature in &entry.features {
            write!(out, "  {}@{}", feature.key, feature.at)?;
        }
        writeln!(out)?;
    }
    if !selection.left_out.is_empty() {
        writeln!(out, "{} left out", selection.left_out.len())?;
    }
    for entry in &selection.left_out {
        let end = entry.end.map_or("…".to_owned(), |end| end.to_string());
        writeln!(out, "  {}..{end}  {}", entry.start, entry.reason)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::{Value, json};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: SelectArgs,
    }

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(records: &str, request: &Value, feedback: &str) -> Self {
            let files = Files(tempfile::tempdir().unwrap());
            files.write("o.jsonl", records);
            files.write("r.json", &request.to_string());
            files.write("f.jsonl", feedback);
            files
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        fn args(&self, more: &[&str]) -> SelectArgs {
            let path = |name: &str| self.0.path().join(name).display().to_string();
            let (o, r, f) = (path("o.jsonl"), path("r.json"), path("f.jsonl"));
            let mut words = vec![
                "select",
                "--observations",
                &o,
                "--request",
                &r,
                "--feedback",
                &f,
            ];
            words.extend(more);
            Cli::try_parse_from(words).unwrap().args
        }

        fn document(&self, more: &[&str]) -> Value {
            let evaluated = evaluate(&self.args(more)).unwrap();
            let mut out = Vec::new();
            print(&evaluated.selection, Format::Json, &mut out).unwrap();
            assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1);
            serde_json::from_slice(&out).unwrap()
        }

        fn error(&self, more: &[&str]) -> String {
            let dir = format!("{}/", self.0.path().display());
            evaluate(&self.args(more))
                .unwrap_err()
                .to_string()
                .replace(&dir, "")
        }
    }

    const RECORDS: &str = r#"
{"operator":"rally","class":"segmenter","start":0,"end":20}
{"operator":"P","class":"featurer","start":0,"attributes":{"A":true}}
{"operator":"rally","class":"segmenter","start":30,"end":50,"opto":{"1":[30,49]}}
{"operator":"P","class":"featurer","start":50,"attributes":{"B":true}}
{"operator":"rally","class":"segmenter","start":50,"end":80}
"#;

    fn request() -> Value {
        json!({
            "DurationbasedSummarization": {"Duration": 20, "ToleranceMaxLimitInSecs": 0},
            "Priorities": {"Clips": [
                {"Name": "P | A | true", "AttribName": "A", "Weight": 90},
                {"Name": "P | B | true", "AttribName": "B", "Weight": 40}
            ]}
        })
    }

    fn entry(start: f64, end: f64, score: Value) -> Value {
        json!({"start": start, "end": end, "score": score})
    }

    #[test]
    fn prints_one_document() {
        let files = Files::new(RECORDS, &request(), "");
        let best = json!({
            "processed": true, "selected": [entry(0.0, 20.0, json!(90))], "total_score": 90
        });
        assert_eq!(files.document(&[]), best);
        assert_eq!(files.document(&["--compat", "mre"]), best);
        let nothing = json!({"processed": false, "selected": [], "total_score": 0});
        assert_eq!(files.document(&["--previous", "0.000"]), nothing);
        assert_eq!(files.document(&["--previous", "0,50"]), best);
        assert_eq!(files.document(&["--previous", ""]), best);
        // The border at 50 belongs to one segment only; MRE gives it to both.
        let mut long = request();
        long["DurationbasedSummarization"] = json!({"Duration": 50});
        files.write("r.json", &long.to_string());
        let dash = || json!("-");
        let (first, second, third) = (
            entry(0.0, 20.0, dash()),
            entry(30.0, 50.0, dash()),
            entry(50.0, 80.0, dash()),
        );
        assert_eq!(files.document(&[])["selected"], json!([first, third]));
        assert_eq!(
            files.document(&["--compat", "mre"])["selected"],
            json!([first, second, third])
        );
        long["compat"] = json!("mre");
        files.write("r.json", &long.to_string());
        assert_eq!(
            files.document(&[])["selected"],
            json!([first, second, third])
        );
        assert_eq!(
            files.document(&["--compat", "none"])["selected"],
            json!([first, third])
        );
    }

    #[test]
    fn the_last_feedback_on_the_clip_that_exists_counts() {
        let mut body = request();
        body["IncludeLikedSegments"] = json!(true);
        let line = |side: &str, word: &str| {
            format!("{{\"start\":30.0,\"track\":1,\"side\":\"{side}\",\"feedback\":\"{word}\"}}\n")
        };
        let files = Files::new(RECORDS, &body, &line("original", "like"));
        assert_eq!(
            files.document(&[])["selected"],
            json!([entry(0.0, 20.0, json!(90))])
        );
        let all = line("optimized", "dislike") + &line("optimized", "like");
        files.write("f.jsonl", &all);
        let liked = json!([entry(30.0, 50.0, json!(1_000_000_029))]);
        assert_eq!(files.document(&[])["selected"], liked);
        files.write("f.jsonl", &(all + &line("optimized", "-")));
        assert_eq!(
            files.document(&[])["selected"],
            json!([entry(0.0, 20.0, json!(90))])
        );
    }

    #[test]
    fn bad_files_are_named_with_the_line() {
        let files = Files::new(
            "\n{\"operator\":\"x\"}\n{]\n",
            &request(),
            "{\"start\":true}\n",
        );
        assert_eq!(
            files.error(&[]),
            "o.jsonl:2: class: is missing\n\
             o.jsonl:3: not JSON, column 2: key must be a string\n\
             f.jsonl:1: start: is a boolean, expected a number of seconds"
        );
        files.write("r.json", "{\n  \"AudioTrack\": 1,\n}");
        assert_eq!(files.error(&[]), "r.json:3:1: trailing comma");
        files.write(
            "r.json",
            "{\"DurationbasedSummarization\": {\"Duration\": \"20\"}}",
        );
        assert_eq!(
            files.error(&[]),
            "r.json: DurationbasedSummarization.Duration: is a string, expected a number of seconds"
        );
        std::fs::remove_file(files.0.path().join("r.json")).unwrap();
        assert_eq!(
            files.error(&[]),
            "r.json: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn one_of_several_segmenters_is_chosen() {
        let records = "{\"operator\":\"a\",\"class\":\"segmenter\",\"start\":0,\"end\":20}\n\
                       {\"operator\":\"b\",\"class\":\"segmenter\",\"start\":1,\"end\":20}\n\
                       {\"operator\":\"P\",\"class\":\"featurer\",\"start\":5,\"attributes\":{\"A\":true}}\n";
        let files = Files::new(records, &request(), "");
        assert_eq!(
            files.error(&[]),
            "the observations hold segments of \"a\", \"b\"; choose one with --segmenter NAME"
        );
        assert_eq!(
            files.document(&["--segmenter", "b"])["selected"],
            json!([entry(1.0, 20.0, json!("-"))])
        );
        assert_eq!(
            files.error(&["--segmenter", "c"]),
            "--segmenter: no segment is of \"c\"; there are segments of \"a\", \"b\""
        );
    }

    #[test]
    fn text_says_why() {
        let files = Files::new(RECORDS, &request(), "");
        let mut out = Vec::new();
        let evaluated = evaluate(&files.args(&[])).unwrap();
        print(&evaluated.selection, Format::Text, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1 selected, 20.000 s\n\
             \x20 0.000..20.000  90  number 1 by score  P.A@0.000\n\
             2 left out\n\
             \x20 30.000..50.000  no wanted feature\n\
             \x20 50.000..80.000  does not fit: needs 30.000 s, 0.000 s left\n"
        );
    }
}
