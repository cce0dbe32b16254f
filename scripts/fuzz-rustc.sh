#!/usr/bin/env bash
# The compiler of the workspace's own crates while scripts/fuzz.sh builds: cargo calls it with the
# compiler and its arguments. It adds what libFuzzer needs, which is coverage and no sanitizer, so
# that stable Rust does. Dependencies are built without it and shared with `cargo build`.
set -euo pipefail

flags=(--cfg fuzzing --cap-lints allow -Cdebug-assertions=on -Coverflow-checks=on)
coverage=(
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=3
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
)
case "${CARGO_PKG_NAME:-}" in
  # Nothing of it is reached.
  matchcut-sinks | matchcut-kafka | matchcut-store | matchcut-aws) flags+=(-Copt-level=0) ;;
  # Large, and quick enough: what they do takes no loops over the input.
  matchcut-dataflow | matchcut-operators | matchcut-service) flags+=("${coverage[@]}" -Copt-level=1) ;;
  *) flags+=("${coverage[@]}" -Copt-level=2) ;;
esac
exec "$@" "${flags[@]}"
