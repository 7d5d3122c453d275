#!/bin/sh
# Make the passwords and certificates of envs/telemetry in a folder that only you can read:
#     sh envs/telemetry/secrets.sh FOLDER [HOST...]
# HOST are the names that nodes call the broker by; default: localhost. Needs openssl and, for the
# broker's passwords, mosquitto_passwd (Debian: openssl, mosquitto). What is there already stays.
set -eu
umask 077
folder=${1:?usage: sh secrets.sh FOLDER [HOST...]}
shift
mkdir -p "$folder"
cd "$folder"

names=
for host in "${@:-localhost}"; do
  case $host in
    *[!0-9.]*) names="$names,DNS:$host" ;;
    *) names="$names,IP:$host" ;;
  esac
done

if [ ! -e ca.crt ]; then
  openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=sweetspot telemetry CA" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout ca.key -out ca.crt 2>/dev/null
  openssl req -newkey rsa:3072 -nodes -subj "/CN=sweetspot telemetry broker" \
    -keyout server.key -out server.csr 2>/dev/null
  printf 'subjectAltName=%s\n' "${names#,}" >server.ext
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial 1 -days 825 \
    -extfile server.ext -out server.crt 2>/dev/null
  rm server.csr server.ext
  chmod 644 ca.crt server.crt # public, and read under other users' ids, too
fi

[ -e passwords ] || : >passwords
for user in sweetspot reader; do
  if [ ! -e "$user.password" ]; then
    openssl rand -hex 24 >"$user.new"
    # by standard input, twice: a command line is seen by everybody on the machine
    { cat "$user.new"; cat "$user.new"; } | mosquitto_passwd passwords "$user" >/dev/null
    mv "$user.new" "$user.password" # only once the broker knows it: what is there stays
  fi
done
[ -e grafana.password ] || openssl rand -hex 24 >grafana.password

# what mosquitto_sub reads where XDG_CONFIG_HOME is this folder
printf -- '-u reader\n-P %s\n--cafile %s/ca.crt\n' "$(cat reader.password)" "$PWD" >mosquitto_sub
