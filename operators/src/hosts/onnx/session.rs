//! A model that is loaded, several times if need be: a session computes one batch at a time, so sessions
//! stand in a pool and are made when all that there are compute.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};

use super::super::tensor::{Pixels, Shape, Tensor, TensorInfo};
use super::library;
use crate::sdk::OptionError;

/// More copies of a model, or threads, are taken for a mistake.
const MOST: usize = 64;

/// Which model, and how it is run.
pub(crate) struct ModelFile<'a> {
    pub(crate) path: &'a Path,
    pub(crate) library: Option<&'a Path>,
    pub(crate) threads: Option<usize>,
    pub(crate) instances: Option<usize>,
}

/// A tensor that a model is given.
pub(crate) enum Given<'a> {
    Pixels(&'a [usize], &'a Pixels),
    Floats(&'a [usize], &'a [f32]),
    Integer(i64),
}

/// Sessions with one model.
pub(crate) struct Sessions {
    path: PathBuf,
    environment: Environment,
    threads: usize,
    most: usize,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    pool: Mutex<Pooled>,
    given_back: Condvar,
}

struct Pooled {
    idle: Vec<Session>,
    /// How many there are, idle or not.
    made: usize,
}

impl Sessions {
    /// Loads a model once, to see what it takes and gives.
    pub(crate) fn open(file: &ModelFile<'_>) -> Result<Sessions, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut count = |name: &str, given: Option<usize>, usual: usize| match given {
            Some(count) if !(1..=MOST).contains(&count) => {
                errors.push(OptionError::new(name, format!("not between 1 and {MOST}")));
                usual
            }
            given => given.unwrap_or(usual),
        };
        let threads = count("threads", file.threads, 1);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let most = count("instances", file.instances, processors.min(MOST));
        let path = file.path;
        if path.as_os_str().is_empty() {
            errors.push(OptionError::new("model", "missing: the path of a model"));
        } else if !path.is_file() {
            let message = format!("there is no file \"{}\"", path.display());
            errors.push(OptionError::new("model", message));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let environment = library::environment(file.library).map_err(|error| vec![error])?;
        let session = session(&environment, path, threads)
            .map_err(|message| vec![OptionError::new("model", message)])?;
        Ok(Sessions {
            path: path.to_owned(),
            environment,
            threads,
            most,
            inputs: session.inputs().iter().map(info).collect(),
            outputs: session.outputs().iter().map(info).collect(),
            pool: Mutex::new(Pooled {
                idle: vec![session],
                made: 1,
            }),
            given_back: Condvar::new(),
        })
    }

    pub(crate) fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    pub(crate) fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Runs the model; waits while all its copies compute.
    pub(crate) fn run(&self, inputs: &[(&str, Given<'_>)]) -> Result<Vec<Tensor>, String> {
        let mut session = self.take()?;
        let outcome = run(&mut session, inputs);
        self.give_back(session);
        outcome.map_err(|error| format!("\"{}\" cannot be run: {error}", self.path.display()))
    }

    fn take(&self) -> Result<Session, String> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(session) = pool.idle.pop() {
                return Ok(session);
            }
            if pool.made < self.most {
                pool.made += 1;
                break;
            }
            let waited = self.given_back.wait(pool);
            pool = waited.unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        session(&self.environment, &self.path, self.threads).inspect_err(|_| {
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            pool.made -= 1;
            self.given_back.notify_one();
        })
    }

    fn give_back(&self, session: Session) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.idle.push(session);
        self.given_back.notify_one();
    }
}

fn session(environment: &Environment, path: &Path, threads: usize) -> Result<Session, String> {
    let made = Session::builder(environment)
        .and_then(|builder| Ok(builder.with_intra_threads(threads)?))
        .and_then(|mut builder| builder.commit_from_file(path));
    made.map_err(|error| format!("\"{}\" cannot be loaded: {error}", path.display()))
}

fn info(outlet: &Outlet) -> TensorInfo {
    let (kind, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let sizes = shape.iter().map(|size| usize::try_from(*size).ok());
            (element(*ty), sizes.collect())
        }
        other => (format!("{other}"), Vec::new()),
    };
    TensorInfo {
        name: outlet.name().to_owned(),
        kind,
        shape: Shape(shape),
    }
}

fn element(kind: TensorElementType) -> String {
    match kind {
        TensorElementType::Float32 => "float32".to_owned(),
        TensorElementType::Uint8 => "uint8".to_owned(),
        TensorElementType::Int64 => "int64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn run(session: &mut Session, inputs: &[(&str, Given<'_>)]) -> ort::Result<Vec<Tensor>> {
    let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
    for (name, given) in inputs {
        let value = match given {
            Given::Pixels(shape, Pixels::F32(data)) => {
                TensorRef::from_array_view((*shape, data.as_slice()))?.into()
            }
            Given::Pixels(shape, Pixels::U8(data)) => {
                TensorRef::from_array_view((*shape, data.as_slice()))?.into()
            }
            Given::Floats(shape, data) => TensorRef::from_array_view((*shape, *data))?.into(),
            Given::Integer(number) => ort::value::Tensor::from_array(((), vec![*number]))?.into(),
        };
        values.push((name, value));
    }
    let outputs = session.run(values)?;
    let tensors = outputs.iter().map(|(name, value)| tensor(name, &value));
    tensors.collect()
}

/// Numbers of any type that a model gives, as the rest of the program reads them.
fn tensor(name: &str, value: &DynValue) -> ort::Result<Tensor> {
    let tensor = |shape: &ort::value::Shape, data: Vec<f32>| Tensor {
        name: name.to_owned(),
        shape: shape
            .iter()
            .map(|size| usize::try_from(*size).unwrap_or_default())
            .collect(),
        data,
    };
    if let Ok((shape, data)) = value.try_extract_tensor::<f32>() {
        return Ok(tensor(shape, data.to_vec()));
    }
    if let Ok((shape, data)) = value.try_extract_tensor::<i64>() {
        return Ok(tensor(shape, data.iter().map(|n| *n as f32).collect()));
    }
    if let Ok((shape, data)) = value.try_extract_tensor::<i32>() {
        return Ok(tensor(shape, data.iter().map(|n| *n as f32).collect()));
    }
    if let Ok((shape, data)) = value.try_extract_tensor::<u8>() {
        return Ok(tensor(shape, data.iter().map(|n| f32::from(*n)).collect()));
    }
    let (shape, data) = value.try_extract_tensor::<f64>().map_err(|error| {
        ort::Error::new(format!("the output \"{name}\" is read in vain: {error}"))
    })?;
    Ok(tensor(shape, data.iter().map(|n| *n as f32).collect()))
}
