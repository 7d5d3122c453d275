#!/bin/sh
# Install the broker and the store that tests of telemetry talk to, where they are missing and can be:
# Debian or Ubuntu, as root. Elsewhere those tests are skipped, and say so.
set -eu

missing=
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mosquitto_sub >/dev/null 2>&1 || missing="$missing mosquitto-clients"
command -v influxd >/dev/null 2>&1 || missing="$missing influxdb"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Tests at a broker or a store will be skipped: no$missing here, and no apt-get as root."
  exit 0
fi
echo "Installing a broker and a store for the tests (once):$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086
apt-get -qq install --no-install-recommends $missing >/dev/null
