#!/usr/bin/env bash
# Looks whether this machine can build matchcut. Says everything that is missing, and how to mend
# it, at once; changes nothing. `scripts/check.sh test` looks at what the tests need, too.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

least_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
problems=()
problem() { problems+=("$1"$'\n'"    mend: $2"); }
have() { command -v "$1" >/dev/null 2>&1; }
# Whether version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

for tool in git make; do
  have "$tool" || problem "$tool is missing" "apt-get install $tool"
done

if ! have cargo || ! have rustc; then
  problem "Rust is missing (needed: $least_rust or later)" "install rustup, see https://rustup.rs"
else
  rust=$(rustc --version | cut -d ' ' -f 2)
  at_least "$rust" "$least_rust" ||
    problem "Rust $rust is too old (needed: $least_rust or later)" "rustup update stable"
fi

missing=$(missing_packages "$@")
if [ -n "$missing" ]; then
  if ! have apt-get; then
    problem "this is not Debian or Ubuntu, so packages cannot be installed for you" \
      "install what stands for these, then run with MATCHCUT_SKIP_SETUP=1: $(echo $missing)"
  else
    distribution=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
    case $distribution in
      "debian "*) at_least "${distribution#* }" 12 || [ "$distribution" = "debian " ] ||
        problem "Debian ${distribution#* } is too old: its GStreamer is before 1.22" \
          "Debian 12 or later" ;;
      "ubuntu "*) at_least "${distribution#* }" 24.04 ||
        problem "Ubuntu ${distribution#* } is too old: its GStreamer is before 1.22" \
          "Ubuntu 24.04 or later" ;;
    esac
    if [ "$(id -u)" != 0 ] && ! have sudo; then
      problem "packages are missing, and neither root nor sudo is at hand" \
        "as root: apt-get install --no-install-recommends $(echo $missing)"
    fi
  fi
fi

if [ ${#problems[@]} -gt 0 ]; then
  echo "matchcut cannot be built here yet:" >&2
  printf '  - %s\n' "${problems[@]}" >&2
  exit 1
fi
