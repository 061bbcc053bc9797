# Needs make and Python 3.11 to 3.13 with venv; everything else is installed into .venv.
# `make` lists the targets. ARGS passes arguments to a tool: make test ARGS="-k audio".

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --quiet --disable-pip-version-check
ARGS ?=
PYTHON ?=

SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
LOCK := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header
OURS := pyproject.toml requirements/build.in

# A .venv contains its own path, so a moved or copied clone makes it again.
ifneq ($(wildcard $(VENV)/made),)
ifneq ($(shell cat $(VENV)/made),$(CURDIR))
$(shell rm -f $(VENV)/made $(VENV)/runtime $(VENV)/dev $(VENV)/peers)
endif
endif

.PHONY: help
help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
	  printf 'make %-7s  %s\n' "$$target" "$$text"; done

.PHONY: setup
setup: $(VENV)/runtime ## create .venv with the runtime dependencies
	@echo "Ready: make demo, or make run."

.PHONY: run
run: $(VENV)/runtime ## start the bot (settings from the environment or .env)
	@$(VENV)/bin/genrec run $(ARGS)

.PHONY: demo
demo: $(VENV)/runtime ## show a conversation on a local Discord: an upload, /recommend, Details
	@$(VENV)/bin/genrec demo $(ARGS)

.PHONY: bots
bots: $(VENV)/dev ## start two bots and a spare on PostgreSQL and a local Discord (docs/scale.md)
	@$(PY) -m tests.shared_bots $(ARGS)

.PHONY: check
check: $(VENV)/dev ## run linter, formatter, type checker and import rules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

.PHONY: test
test: $(VENV)/dev ## run all tests, and each benchmark once without timing
	$(PY) -m pytest $(ARGS)

# A path under tests/ in ARGS replaces the folder of all benchmarks.
BENCHMARKS = $(if $(filter tests/% ./tests/%,$(ARGS)),,tests/benchmarks)

.PHONY: bench
bench: $(VENV)/dev ## time each stage, write artefacts/benchmarks.json (ARGS="-k people")
	@mkdir -p artefacts
	$(PY) -m pytest $(BENCHMARKS) --benchmark-enable \
	  --benchmark-json=artefacts/benchmarks.json $(ARGS)

.PHONY: attack
attack: $(VENV)/dev ## attack files, links, frames and a running bot (ARGS="--minutes 10 --seed 3")
	$(PY) -m pytest tests/attacks -s --timeout 0 $(ARGS)

.PHONY: mutants
mutants: $(VENV)/dev ## change single lines and report changes that no test detects (20 minutes)
	$(PY) -m tests.mutants.run $(ARGS)

.PHONY: docs
docs: $(VENV)/dev ## build the site of the documentation in artefacts/docs (ARGS="--repository URL")
	@$(PY) -m tests.site.build $(ARGS)

.PHONY: peers
peers: $(VENV)/peers ## install the libraries that the benchmarks compare genrec with
	@echo "Ready: make bench compares with faiss, usearch, sqlite-vec, OpenVINO, ONNX Runtime, bliss, UMAP and PaCMAP."

.PHONY: lock
lock: $(VENV)/dev ## update the lock files (ARGS=--upgrade: newest versions)
	$(LOCK) $(OURS) $(ARGS) --output-file requirements/runtime.lock --extra map --extra postgres --extra cluster
	$(LOCK) $(OURS) $(ARGS) --output-file requirements/dev.lock --extra map --extra postgres --extra cluster \
	  --extra onnxruntime --extra train --extra dev --constraint requirements/runtime.lock
	$(LOCK) requirements/peers.in $(ARGS) --output-file requirements/peers.lock \
	  --constraint requirements/dev.lock

.PHONY: clean
clean: ## remove .venv, caches and artefacts, but no presets, data, runs or databases
	rm -rf $(VENV) build dist artefacts *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .benchmarks
	find bot db genrec tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files. Each is written last, so an interrupted target is made again.
$(VENV)/made:
	@found=; for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if "$$python" -c '$(SUITABLE)' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 with the venv module was found." >&2; \
	  echo "Install one (Debian: apt-get install python3-venv), or give its path: make setup PYTHON=PATH" >&2; \
	  exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv --clear $(VENV)
	@echo "$(CURDIR)" > $@

$(VENV)/runtime: requirements/runtime.lock pyproject.toml | $(VENV)/made
	@echo "Installing genrec's libraries into $(VENV) (about 600 MB; 1 to 3 minutes the first time) ..."
	@$(PIP) install --require-hashes -r requirements/runtime.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.lock $(VENV)/runtime
	@echo "Installing libraries for training and tests (about 3 GB; 3 to 10 minutes the first time) ..."
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/peers: requirements/peers.lock $(VENV)/dev
	@echo "Installing the peers of the benchmarks ..."
	@$(PIP) install --require-hashes -r requirements/peers.lock
	@touch $@
