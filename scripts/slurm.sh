#!/bin/sh
# Install what the tests' SLURM needs, where it is missing and can be: Debian or Ubuntu, as root.
# Elsewhere those tests are skipped, and say so.
set -eu

missing=
for program in slurmctld slurmd sbatch munged slurmdbd mariadbd setpriv; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Tests on a SLURM will be skipped: no$missing here, and no apt-get as root to install them."
  exit 0
fi
echo "Installing SLURM for the tests (once):$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends \
  slurmctld slurmd slurm-client munge slurmdbd mariadb-server util-linux >/dev/null
