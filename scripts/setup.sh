#!/bin/sh
# Make .venv from a lock file: with uv where it is installed, else with venv and pip.
set -eu
lock=$1

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  found=$("$PYTHON" --version 2>&1 || true)
  echo "sweetspot needs Python 3.11 or newer; '$PYTHON' is ${found:-not there}." >&2
  echo "Name another one: make PYTHON=/path/to/python3.12 ..." >&2
  exit 2
fi

if ! [ -w . ] || { [ -e .venv ] && ! [ -w .venv ]; }; then
  echo "cannot write .venv in $PWD: the folder is read-only; work in a copy of your own." >&2
  exit 2
fi

echo "Setting up .venv from $lock (once; a minute or two)"
if command -v uv >/dev/null 2>&1; then
  [ -x .venv/bin/python ] || uv venv --quiet --python "$PYTHON" .venv
  uv pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode "$lock"
  uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
else
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation -e .
fi
