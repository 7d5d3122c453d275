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
secrets=
for name in ca.crt server.crt server.key passwords; do
  secrets="$secrets,$folder/secrets/$name:/mosquitto/secrets/$name"
done
# These containers have the machine's own network: all but the broker listens to this machine alone.
apptainer instance run \
  --bind "$here/mosquitto:/mosquitto/config,$folder/mosquitto:/mosquitto/data$secrets" \
  docker://eclipse-mosquitto:2.0.20 sweetspot-mosquitto
# Its REST service, which Grafana's plugin asks, knows no address to listen at, and stays off. Settings
# are taken from the environment into a file of the image, so that it has to be written to.
apptainer instance run --cleanenv --writable-tmpfs --env dn_rpc_address=127.0.0.1 \
  --env dn_internal_address=127.0.0.1 --env cn_internal_address=127.0.0.1 \
  --env cn_seed_config_node=127.0.0.1:10710 --env dn_seed_config_node=127.0.0.1:10710 \
  --bind "$folder/iotdb/data:/iotdb/data,$folder/iotdb/logs:/iotdb/logs" \
  docker://apache/iotdb:2.0.11-standalone sweetspot-iotdb
apptainer instance run \
  --bind "$here/prometheus.yml:/etc/prometheus/prometheus.yml,$folder/prometheus:/prometheus" \
  docker://prom/prometheus:v3.5.0 sweetspot-prometheus \
  --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus \
  --web.listen-address=127.0.0.1:9090
# without a container each is found at localhost
mkdir -p "$folder/datasources"
sed -e 's|//prometheus:|//localhost:|' -e 's|//iotdb:|//localhost:|' \
  "$here/grafana/datasources/sweetspot.yaml" >"$folder/datasources/sweetspot.yaml"
apptainer instance run \
  --env GF_SERVER_HTTP_ADDR=127.0.0.1 \
  --env "GF_SECURITY_ADMIN_PASSWORD__FILE=/secrets/grafana.password" \
  --env GF_INSTALL_PLUGINS=apache-iotdb-datasource \
  --bind "$folder/datasources:/etc/grafana/provisioning/datasources" \
  --bind "$here/grafana/dashboards:/etc/grafana/provisioning/dashboards" \
  --bind "$folder/secrets/grafana.password:/secrets/grafana.password" \
  --bind "$folder/grafana:/var/lib/grafana" \
  docker://grafana/grafana:12.1.0 sweetspot-grafana
