#!/bin/sh
# A real Apache IoTDB on loopback, for the tests that need one: fetched by Maven (Java 17 or later), started
# in build/iotdb, ended when the command that is given has ended.
#
#   sh scripts/iotdb.sh COMMAND...      COMMAND finds SWEETSPOT_IOTDB=127.0.0.1:6667 in its environment
#
# Where Maven reaches no repository, IOTDB_ZIP names the file: apache-iotdb-2.0.11-edge-bin.zip.
set -eu

version=2.0.11
folder=build/iotdb
home=$folder/apache-iotdb-$version-edge-bin
port=6667

if [ $# = 0 ]; then
  echo "usage: sh scripts/iotdb.sh COMMAND..." >&2
  exit 2
fi
listens() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1).close()" 2>/dev/null; }
if listens; then
  echo "127.0.0.1:$port is taken; end what listens there, or ask it: SWEETSPOT_IOTDB=127.0.0.1:$port" >&2
  exit 2
fi
command -v java >/dev/null 2>&1 || { echo "IoTDB $version needs Java 17 or later; there is no java" >&2; exit 2; }

if [ ! -d "$home" ]; then
  mkdir -p "$folder"
  zip=${IOTDB_ZIP:-}
  if [ -z "$zip" ]; then
    artifact=iotdb-distribution-$version-edge-bin.zip
    echo "Fetching Apache IoTDB $version (once)"
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
      "-Dartifact=org.apache.iotdb:iotdb-distribution:$version:zip:edge-bin" \
      "-DoutputDirectory=$folder" || {
      echo "Maven cannot fetch IoTDB; name a file that you have: IOTDB_ZIP=apache-iotdb-$version-edge-bin.zip" >&2
      exit 2
    }
    zip=$folder/$artifact
  fi
  rm -rf "$folder/new"
  python3 -m zipfile -e "$zip" "$folder/new"
  # the archive may hold the folder, or what is in it
  [ -d "$folder/new/sbin" ] && mv "$folder/new" "$home" || mv "$folder"/new/* "$home"
fi

pid=
ended() {
  [ -n "$pid" ] || pid=$(cat "$home/edge.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.2
  done
  kill -9 "$pid" 2>/dev/null || true
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$home/edge.pid"
bash "$home/sbin/start-edge.sh"
pid=$(cat "$home/edge.pid")

waited=0
until listens; do
  if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -ge 120 ]; then
    echo "IoTDB does not listen; see $home/logs" >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
SWEETSPOT_IOTDB=127.0.0.1:$port "$@"
