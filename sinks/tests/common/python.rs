//! A Python with the programs that results are read back by: `MATCHCUT_TEST_PYTHON`, or an
//! environment of its own under the target directory, made on first use.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/requirements.txt");

/// The interpreter; `None`, with a line said, where none can be had. In CI that is a failure.
pub fn python() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("MATCHCUT_TEST_PYTHON") {
        return Some(given.into());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(dir).unwrap();
    // Tests run at the same time; one of them makes the environment.
    let lock = File::create(dir.join("python.lock")).unwrap();
    lock.lock().unwrap();
    let made = make(&dir.join("python"));
    if let Err(problem) = &made {
        let help = format!(
            "no Python with OpenTimelineIO ({problem}); run: python3 -m venv DIR && \
             DIR/bin/pip install -r {REQUIREMENTS}, and set MATCHCUT_TEST_PYTHON=DIR/bin/python"
        );
        assert!(std::env::var_os("CI").is_none(), "{help}");
        eprintln!("skipped: {help}");
    }
    made.ok()
}

fn make(venv: &Path) -> Result<PathBuf, String> {
    let python = venv.join("bin/python");
    let stamp = venv.join("requirements.txt");
    let wanted = fs::read(REQUIREMENTS).map_err(|error| error.to_string())?;
    if fs::read(&stamp).is_ok_and(|made_for| made_for == wanted) {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(venv))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(REQUIREMENTS))?;
    fs::write(stamp, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

/// Runs a script of `tests/python` with `input`; what it printed.
pub fn run(python: &Path, script: &str, arguments: &[&str], input: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(script);
    let mut child = Command::new(python)
        .arg(script)
        .args(arguments)
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
