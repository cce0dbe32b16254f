//! A component with its limits: each call may take so many instructions and so much time, and all of it
//! so much memory.

use std::fs;
use std::path::Path;

use wasmtime::component::Linker;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, Trap};

use super::bindings::{Operator, OperatorPre};
use super::engine::{TICK, compiled, engine};
use super::wit;

/// Larger files are taken for a mistake.
const LARGEST_FILE: u64 = 256 << 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Instructions of a call.
    pub(super) fuel: u64,
    /// Bytes of memory.
    pub(super) memory: usize,
    /// Time of a call.
    pub(super) milliseconds: u64,
}

/// A component that can be made to run.
pub(super) struct Sandbox {
    component: OperatorPre<StoreLimits>,
    /// What it is told, a JSON object.
    options: String,
    limits: Limits,
}

/// A component that looks at one chunk.
pub(super) struct Running {
    operator: Operator,
    store: Store<StoreLimits>,
    limits: Limits,
}

impl Sandbox {
    pub(super) fn open(path: &Path, options: String, limits: Limits) -> Result<Sandbox, String> {
        let shown = path.display();
        let size =
            fs::metadata(path).map_err(|error| format!("cannot read \"{shown}\": {error}"))?;
        if size.len() > LARGEST_FILE {
            return Err(format!("\"{shown}\" is larger than {LARGEST_FILE} bytes"));
        }
        let bytes = fs::read(path).map_err(|error| format!("cannot read \"{shown}\": {error}"))?;
        let component = compiled(bytes).map_err(|message| format!("\"{shown}\": {message}"))?;
        // Nothing is linked: there is nothing that a component may import.
        let linker: Linker<StoreLimits> = Linker::new(engine()?);
        let component = linker
            .instantiate_pre(&component)
            .and_then(OperatorPre::new)
            .map_err(|error| {
                format!(
                    "\"{shown}\" is not an operator as wit/operator.wit has it, which imports nothing: \
                     {error:#}"
                )
            })?;
        Ok(Sandbox {
            component,
            options,
            limits,
        })
    }

    /// What the component is.
    pub(super) fn describe(&self) -> Result<wit::Description, String> {
        let mut running = self.running()?;
        let options = self.options.clone();
        running.call(|operator, store| operator.call_describe(store, &options))
    }

    /// The component, made anew for a chunk.
    pub(super) fn start(&self, chunk: wit::Chunk) -> Result<Running, String> {
        let mut running = self.running()?;
        let options = self.options.clone();
        running.call(|operator, store| operator.call_start(store, &options, chunk))?;
        Ok(running)
    }

    fn running(&self) -> Result<Running, String> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory)
            .instances(64)
            .tables(64)
            .table_elements(100_000)
            .memories(4)
            .trap_on_grow_failure(true)
            .build();
        let mut store = Store::new(engine()?, limits);
        store.limiter(|limits| limits);
        allow(&mut store, &self.limits)?;
        let operator = self
            .component
            .instantiate(&mut store)
            .map_err(|error| said(&error, &self.limits))?;
        Ok(Running {
            operator,
            store,
            limits: self.limits,
        })
    }
}

impl Running {
    pub(super) fn process_frame(
        &mut self,
        frame: &wit::Frame,
    ) -> Result<Vec<wit::Observation>, String> {
        self.call(|operator, store| operator.call_process_frame(store, frame))
    }

    pub(super) fn finish(&mut self) -> Result<Vec<wit::Observation>, String> {
        self.call(|operator, store| operator.call_finish(store))
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&Operator, &mut Store<StoreLimits>) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, String> {
        allow(&mut self.store, &self.limits)?;
        call(&self.operator, &mut self.store).map_err(|error| said(&error, &self.limits))?
    }
}

/// Gives a call what it may use.
fn allow(store: &mut Store<StoreLimits>, limits: &Limits) -> Result<(), String> {
    let tick = TICK.as_millis() as u64;
    store.set_epoch_deadline(limits.milliseconds.div_ceil(tick) + 1);
    store
        .set_fuel(limits.fuel)
        .map_err(|error| format!("{error:#}"))
}

/// What stopped a component, in plain words.
fn said(error: &wasmtime::Error, limits: &Limits) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => format!(
            "the component took more than {} instructions for one call (option `fuel`)",
            limits.fuel
        ),
        Some(Trap::Interrupt) => format!(
            "the component took longer than {} ms for one call (option `timeout`)",
            limits.milliseconds
        ),
        Some(trap) => format!("the component broke down: {trap}"),
        None => {
            let cause = error.root_cause().to_string();
            match cause.contains("growing memory") {
                true => format!(
                    "the component wants more than {} MiB of memory (option `memory`)",
                    limits.memory >> 20
                ),
                false => format!("the component broke down: {cause}"),
            }
        }
    }
}
