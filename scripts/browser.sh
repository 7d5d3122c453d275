#!/bin/sh
# Install what the tests of pages need, where it is missing and can be: Debian's Chromium, as root, and
# axe-core by npm. Elsewhere those tests are skipped, and say so.
set -eu

if ! command -v chromium >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the tests (once)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install --no-install-recommends chromium fonts-dejavu-core >/dev/null
  else
    echo "Tests in a browser will be skipped: no chromium here, and no apt-get as root to install it."
  fi
fi

axe=axe-core@4.14.1
if ! grep -qs '"version": "4.14.1"' build/node_modules/axe-core/package.json; then
  if command -v npm >/dev/null 2>&1; then
    npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix build "$axe" >/dev/null
  else
    echo "Tests of accessibility will be skipped: no npm here to fetch axe-core."
  fi
fi
