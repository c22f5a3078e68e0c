# Sourced by quickstart and test: makes .venv hold exactly requirements.lock and this project, once per lock file.
# Leaves the caller in the project's root folder with the environment's programs first on PATH.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

fail() { printf 'error: %s\nfix: %s\n' "$1" "$2" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${OSTINATO_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v "$candidate"; return; }
  done
  fail "no Python 3.11 or later was found" "install Python 3.11+, or set OSTINATO_PYTHON to one"
}

# Only what decides the environment's content counts: the lock file, and the project's part of pyproject.toml.
checksum() { { cat requirements.lock; sed '/^\[tool\./,$d' pyproject.toml; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-64; }

prepare() {
  local want log=.venv.log
  want=$(checksum)
  [ "$(cat .venv/.ready 2>/dev/null)" = "$want $PWD" ] && return
  local python
  python=$(find_python) || exit 1
  echo "set-up: installing the pinned dependencies into .venv (about a minute, once; log in $log)"
  # A half-made environment of an interrupted set-up is never reused: the .ready mark is written last.
  rm -rf .venv
  "$python" -m venv .venv >"$log" 2>&1 || fail "could not create a virtual environment, see $log" "install the venv module (Debian: apt-get install python3-venv)"
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock >>"$log" 2>&1 ||
    fail "could not install requirements.lock, see $log" "check the network and the package index settings of pip, then run this again"
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . >>"$log" 2>&1 ||
    fail "could not install the project, see $log" "read the end of $log"
  echo "$want $PWD" >.venv/.ready
}

prepare
export PATH="$PWD/.venv/bin:$PATH" VIRTUAL_ENV="$PWD/.venv"
