#!/usr/bin/env bash
# Builds the WebAssembly components that the tests run, from their sources. Needs the target
# wasm32-unknown-unknown (rustup target add wasm32-unknown-unknown).
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}/guests
guests=operators/tests/guests
for guest in examples/wasm-brightness $guests/unruly; do
  env -u RUSTC_WORKSPACE_WRAPPER cargo build --release --locked --target wasm32-unknown-unknown --target-dir "$target" \
    --manifest-path "$guest/Cargo.toml"
done
for name in brightness unruly; do
  cp "$target/wasm32-unknown-unknown/release/wasm_$name.wasm" "$guests/$name.wasm"
done
