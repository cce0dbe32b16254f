# Which packages of packages.txt are missing. Sourced by check.sh and setup.sh.

# packages GROUP…: the names in these groups, optional ones with their question mark.
packages() {
  local group
  for group in "$@"; do
    awk -v group="$group" '$1 == group { print $2 }' scripts/packages.txt
  done
}

# missing_packages [test]: names that are not installed; nothing where the user takes care of it.
missing_packages() {
  [ -z "${MATCHCUT_SKIP_SETUP:-}" ] || return 0
  local installed='' name
  if command -v dpkg-query >/dev/null; then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  fi
  for name in $(packages build "$@"); do
    if grep -qxF "${name%\?}" <<<"$installed"; then continue; fi
    # An optional package counts only where there is one to install.
    case $name in
      *\?) apt-cache show "${name%\?}" >/dev/null 2>&1 || continue ;;
    esac
    echo "${name%\?}"
  done
}
