#!/bin/sh
# Build an image of an engine with this workflow beside it, for nodes where nothing else can be
# installed and for pods; of the last commit, as nothing else is in `git archive`:
#
#   sh envs/build.sh docker NAME         image sweetspot:NAME
#   sh envs/build.sh apptainer NAME      file sweetspot-NAME.sif
#
# Inside, /opt/sweetspot/.venv/bin comes first in PATH, and the engine's Python is
# /opt/sweetspot/engine-python (section node of the experiment, python). The pipeline's recipe was built
# by buildah on a bare Debian 12, and simulates there; images of engines have not been built yet. A tag can
# be moved: BASE=name@sha256:... in the environment names one by its digest.
#
# Where sweetspot runs outside, an engine's plain image is enough (docs/measuring.md).
set -eu

python=docker.io/library/python:3.12.11-slim-bookworm
packages=
case ${2-} in
  pipeline)            base=$python ;;
  tensorrt-llm-0.21.0) base=nvcr.io/nvidia/tensorrt-llm/release:0.21.0 ;;
  tensorrt-llm-1.2.1)  base=nvcr.io/nvidia/tensorrt-llm/release:1.2.1 ;; # has its PyTorch backend, too
  vllm)                base=docker.io/vllm/vllm-openai:v0.24.0 ;;
  transformers)        base=$python packages="torch==2.13.0 transformers==5.17.0" ;;
  deepspeed)           base=$python packages="torch==2.13.0 transformers==5.17.0 deepspeed==0.19.8" ;;
  *)
    echo "usage: sh envs/build.sh docker|apptainer NAME, with NAME one of" \
      "pipeline, tensorrt-llm-0.21.0, tensorrt-llm-1.2.1, vllm, transformers, deepspeed" >&2
    exit 2
    ;;
esac
base=${BASE:-$base}

cd "$(dirname "$0")/.."
mkdir -p build
case $1 in
  docker)
    git archive HEAD | docker build --file envs/Dockerfile --tag "sweetspot:$2" \
      --build-arg "BASE=$base" --build-arg "PACKAGES=$packages" -
    ;;
  apptainer)
    git archive --output build/sweetspot.tar HEAD
    apptainer build --build-arg "BASE=$base" --build-arg "PACKAGES=$packages" \
      "sweetspot-$2.sif" envs/sweetspot.def
    ;;
  *)
    echo "'$1' builds no images here: docker, apptainer" >&2
    exit 2
    ;;
esac
