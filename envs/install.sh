#!/bin/sh
# What both recipes do inside of an image: packages of the engine that the base lacks go into its own
# Python, this workflow into .venv, as the packages of both exclude each other.
set -eu
cd "$(dirname "$0")/.."

PYTHON=$(command -v python3)
if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then # Debian and Ubuntu pack it by itself
  apt-get -qq update
  apt-get -qq install --no-install-recommends python3-venv
fi
ln -sf "$PYTHON" engine-python
[ -z "${PACKAGES-}" ] || "$PYTHON" -m pip install --no-cache-dir $PACKAGES

export PYTHON
sh scripts/setup.sh requirements.lock
.venv/bin/sweetspot --version
