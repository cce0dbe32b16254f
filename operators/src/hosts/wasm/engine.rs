//! The engine that runs components, one for the process, and components that were compiled. A component is
//! asked about several times before it runs, and is compiled once.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Config, Engine};
use wit_component::ComponentEncoder;

/// The unit in which time limits are counted.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// The stack of a component, in bytes.
const STACK: usize = 512 << 10;

/// So many components stay compiled.
const KEPT: usize = 8;

/// How a module begins that is not a component.
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

pub(super) fn engine() -> Result<&'static Engine, String> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    ENGINE.get_or_init(start).as_ref().map_err(Clone::clone)
}

fn start() -> Result<Engine, String> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        // The same numbers on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false);
    let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    let ticking = engine.clone();
    let clock = thread::Builder::new().name("wasm-clock".to_owned());
    let clock = clock.spawn(move || {
        loop {
            thread::sleep(TICK);
            ticking.increment_epoch();
        }
    });
    clock.map_err(|error| error.to_string())?;
    Ok(engine)
}

/// A component of these bytes.
pub(super) fn compiled(bytes: Vec<u8>) -> Result<Component, String> {
    static COMPILED: Mutex<Vec<(Vec<u8>, Component)>> = Mutex::new(Vec::new());
    let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, component)) = all.iter().find(|(known, _)| *known == bytes) {
        return Ok(component.clone());
    }
    let made = match bytes.starts_with(&MODULE) {
        true => Component::new(engine()?, component_of(&bytes)?),
        false => Component::new(engine()?, &bytes),
    };
    let component =
        made.map_err(|error| format!("this is not a component that can run: {error:#}"))?;
    if all.len() >= KEPT {
        all.remove(0);
    }
    all.push((bytes, component.clone()));
    Ok(component)
}

/// Compilers make modules; those that were made with the interface carry what a component needs.
fn component_of(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("no component can be made of this module: {error:#}"))
}
