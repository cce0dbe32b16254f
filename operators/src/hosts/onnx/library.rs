//! Finds and loads the library of ONNX Runtime. A process can hold one, so the first that is asked for
//! stays.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;

use crate::sdk::OptionError;

/// What a user does who has none.
const REMEDY: &str = "install it with `pip install onnxruntime` into the Python environment that is first in PATH, \
     or name libonnxruntime.so in `library` or in ORT_DYLIB_PATH";

struct Loaded {
    path: PathBuf,
    environment: Environment,
}

/// The environment of ONNX Runtime, with the library that is asked for.
pub(super) fn environment(wanted: Option<&Path>) -> Result<Environment, OptionError> {
    static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = &*loaded {
        return match wanted {
            Some(wanted) if real(wanted) != real(&loaded.path) => Err(OptionError::new(
                "library",
                format!(
                    "\"{}\" cannot be loaded as well as \"{}\", which is in use: name the same library \
                     everywhere",
                    wanted.display(),
                    loaded.path.display()
                ),
            )),
            _ => Ok(loaded.environment.clone()),
        };
    }
    let path = match wanted {
        Some(path) => path.to_owned(),
        None => find().ok_or_else(|| {
            OptionError::new(
                "library",
                format!("ONNX Runtime runs the model and was not found: {REMEDY}"),
            )
        })?,
    };
    let environment = load(&path).map_err(|message| {
        let path = path.display();
        OptionError::new(
            "library",
            format!("cannot load \"{path}\": {message}; {REMEDY}"),
        )
    })?;
    *loaded = Some(Loaded {
        path,
        environment: environment.clone(),
    });
    Ok(environment)
}

fn load(path: &Path) -> Result<Environment, String> {
    if !path.is_file() {
        return Err("there is no such file".to_owned());
    }
    // What is found wrong with the library after it was loaded is told by a panic.
    let made = catch_unwind(AssertUnwindSafe(|| {
        let builder = ort::init_from(path).map_err(|error| error.to_string())?;
        // What fails is told where it fails; everything else is noise.
        let quiet = Arc::new(|_: ort::logging::LogLevel, _: &str, _: &str, _: &str, _: &str| ());
        let builder = builder.with_name("matchcut").with_telemetry(false);
        builder
            .with_logger(quiet)
            .build()
            .map_err(|error| error.to_string())
    }));
    made.unwrap_or_else(|_| {
        Err("this is not ONNX Runtime, or it is too old (1.17 or later)".to_owned())
    })
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// What the environment says, else the package of a Python environment.
fn find() -> Option<PathBuf> {
    let named = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    if let Some(path) = named {
        return Some(path.into());
    }
    let active = env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let with_python = env::split_paths(&path)
        .filter(|bin| bin.join("python3").exists())
        .filter_map(|bin| bin.parent().map(Path::to_owned))
        .collect::<Vec<_>>();
    let user = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    active
        .into_iter()
        .chain(with_python)
        .chain(["/usr/local".into(), "/usr".into()])
        .chain(user)
        .find_map(|prefix| in_python(&prefix))
}

/// The library in the Python packages below `prefix`.
fn in_python(prefix: &Path) -> Option<PathBuf> {
    let mut versions = entries(&prefix.join("lib"), "python3");
    versions.reverse();
    let packages = versions
        .iter()
        .flat_map(|version| ["site-packages", "dist-packages"].map(|name| version.join(name)));
    packages
        .map(|packages| packages.join("onnxruntime").join("capi"))
        .find_map(|capi| entries(&capi, "libonnxruntime.so").pop())
}

/// What lies in a directory under a name that begins so, sorted.
fn entries(directory: &Path, begin: &str) -> Vec<PathBuf> {
    let begins = |name: &OsStr| name.to_string_lossy().starts_with(begin);
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| begins(&entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// What tests need to find the library, also where nobody put it into PATH.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The library, or `None` where there is none: the test says so and passes.
    pub(crate) fn library() -> Option<PathBuf> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let found = in_python(&repository.join(".venv")).or_else(find);
        if found.is_none() {
            eprintln!("skipped: no ONNX Runtime here (make setup-test)");
        }
        found
    }

    /// A file of a Python package of the tests.
    pub(crate) fn of_package(path: &str) -> Option<PathBuf> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let versions = entries(&repository.join(".venv/lib"), "python3");
        let mut files = versions
            .iter()
            .map(|lib| lib.join("site-packages").join(path));
        let found = files.find(|file| file.is_file());
        if found.is_none() {
            eprintln!("skipped: no {path} here (make setup-test)");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_a_python_environment_is_found() {
        let directory = env::temp_dir().join(format!("matchcut-onnx-{}", std::process::id()));
        let capi = directory.join("lib/python3.12/site-packages/onnxruntime/capi");
        fs::create_dir_all(&capi).unwrap();
        fs::create_dir_all(directory.join("lib/python3.11/site-packages")).unwrap();
        assert_eq!(in_python(&directory), None);
        let library = capi.join("libonnxruntime.so.1.31.1");
        fs::write(&library, "").unwrap();
        fs::write(capi.join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert_eq!(in_python(&directory), Some(library));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_library_that_is_none_is_told() {
        assert_eq!(
            load(Path::new("/no/such.so")).err().unwrap(),
            "there is no such file"
        );
    }
}
