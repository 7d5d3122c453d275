#!/bin/sh
# The same four without Docker and without root: sh envs/telemetry/apptainer.sh start|stop FOLDER
# UNTESTED, as compose.yaml is. FOLDER keeps their data and, in FOLDER/secrets, what secrets.sh made.
set -eu
what=${1:?usage: sh apptainer.sh start|stop FOLDER}
folder=$(mkdir -p "${2:?usage: sh apptainer.sh start|stop FOLDER}" && cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

if [ "$what" = stop ]; then
  for name in grafana prometheus iotdb mosquitto; do
    apptainer instance stop "sweetspot-$name" || true
  done
  exit 0
fi

for name in mosquitto iotdb/data iotdb/logs prometheus grafana; do mkdir -p "$folder/$name"; done
apptainer instance run \
  --bind "$here/mosquitto:/mosquitto/config,$folder/secrets:/mosquitto/secrets,$folder/mosquitto:/mosquitto/data" \
  docker://eclipse-mosquitto:2.0.20 sweetspot-mosquitto
apptainer instance run --env enable_rest_service=true \
  --bind "$folder/iotdb/data:/iotdb/data,$folder/iotdb/logs:/iotdb/logs" \
  docker://apache/iotdb:2.0.5-standalone sweetspot-iotdb
apptainer instance run \
  --bind "$here/prometheus.yml:/etc/prometheus/prometheus.yml,$folder/prometheus:/prometheus" \
  docker://prom/prometheus:v3.5.0 sweetspot-prometheus
# without a container each is found at localhost
mkdir -p "$folder/datasources"
sed -e 's|//prometheus:|//localhost:|' -e 's|//iotdb:|//localhost:|' \
  "$here/grafana/datasources/sweetspot.yaml" >"$folder/datasources/sweetspot.yaml"
apptainer instance run \
  --env "GF_SECURITY_ADMIN_PASSWORD__FILE=/secrets/grafana.password" \
  --env GF_INSTALL_PLUGINS=apache-iotdb-datasource \
  --bind "$folder/datasources:/etc/grafana/provisioning/datasources" \
  --bind "$here/grafana/dashboards:/etc/grafana/provisioning/dashboards" \
  --bind "$folder/secrets:/secrets,$folder/grafana:/var/lib/grafana" \
  docker://grafana/grafana:12.1.0 sweetspot-grafana
