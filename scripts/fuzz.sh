#!/usr/bin/env bash
# Fuzzes: scripts/fuzz.sh SECONDS [TARGET…] replays the corpus of each target (all of them when
# none is named), then tries new inputs for so many seconds each. An input that breaks what must
# hold is kept, and told with the command that runs it again; every target has its turn first.
#
#   scripts/fuzz.sh 20                     as continuous integration does
#   scripts/fuzz.sh 300 probing            one target for longer
#   scripts/fuzz.sh FILE TARGET            one input again
#
# Inputs are tried from a seed, SEED, which is 1 unless told otherwise: a change that passes here
# passes elsewhere. SEED=0 draws one.
#
# Stable Rust does: libFuzzer without a sanitizer, see scripts/fuzz-rustc.sh. What is found on the
# way stays in target/fuzz/TARGET, from where the next run goes on; delete it to start anew.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

[ $# -ge 1 ] || usage
what=$1
shift
all=(playlist spec observations probing credentials requests)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
  [ -d "fuzz/corpus/$target" ] || {
    echo "there is no target \"$target\"; there are ${all[*]}" >&2
    exit 2
  }
done

directory=${CARGO_TARGET_DIR:-target}
# The libraries of the whole workspace decide the features of the dependencies, and a test that is named
# brings in those of tests, so that what `cargo test` has built serves here as well. It is one of a crate
# without coverage, since nobody else is linked with the engine.
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh \
  cargo build --quiet --locked --workspace --features matchcut-fuzz/engine --bin 'fuzz-*' --test store

# Runs a target: name, then options and files of libFuzzer. The limits are those of a target that
# hangs or takes memory by the gigabyte; the targets themselves are stricter.
engine() {
  local target=$1
  shift
  RUST_BACKTRACE=1 "$directory/debug/fuzz-$target" \
    -timeout=20 -rss_limit_mb=2048 -print_final_stats=0 "$@"
}

if [ -f "$what" ]; then
  engine "${targets[0]}" "$what"
  exit
fi
[[ $what =~ ^[0-9]+$ ]] || usage

# One target: its corpus, then new inputs.
fuzz() {
  local target=$1 found log options input
  found=$directory/fuzz/$target
  mkdir -p "$found"
  options=(-max_total_time="$what" -seed="${SEED:-1}" -max_len=32768 -artifact_prefix="$directory/fuzz/$target-")
  [ ! -f "fuzz/dictionaries/$target.dict" ] || options+=(-dict="fuzz/dictionaries/$target.dict")
  log=$directory/fuzz/$target.log
  echo "fuzz $target: $(find "fuzz/corpus/$target" -type f | wc -l) inputs of the corpus, then $what s"
  # Files that are named are replayed; a folder is where libFuzzer starts from and adds to.
  if engine "$target" -runs=1 fuzz/corpus/"$target"/* >"$log" 2>&1 &&
    engine "$target" "${options[@]}" "$found" "fuzz/corpus/$target" >"$log" 2>&1; then
    grep -E '^Done ' "$log" || true
    return
  fi
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  # An input of the corpus is not written again.
  [ -n "$input" ] || input=$(sed -n 's/^Running: //p' "$log" | tail -n 1)
  {
    grep -vE '^(INFO|WARNING|#[0-9])|^NEW_FUNC' "$log" | cut -c 1-400 | head -n 60
    echo
    echo "fuzz $target: this input breaks what must hold: $input"
    echo "    again: scripts/fuzz.sh $input $target"
    # Where only the log is left, as of continuous integration.
    [ "$(wc -c <"$input")" -gt 8192 ] || echo "    in base64: $(base64 -w 0 "$input")"
    echo "    mended: keep it as fuzz/corpus/$target/NAME, which the tests replay"
  } >&2
  return 1
}

# Two side by side, as a target keeps one core busy.
failed=()
for ((at = 0; at < ${#targets[@]}; at += 2)); do
  pids=()
  for target in "${targets[@]:at:2}"; do
    fuzz "$target" &
    pids+=("$!:$target")
  done
  for pid in "${pids[@]}"; do
    wait "${pid%%:*}" || failed+=("${pid#*:}")
  done
done
[ ${#failed[@]} -eq 0 ] || {
  echo "fuzz: ${failed[*]} failed" >&2
  exit 1
}
