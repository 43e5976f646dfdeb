# `make demo` and `make test` each work alone and in either order, on a bare Python 3.11 to 3.13.
# Files .venv/.done-* note what is installed, so that a second call starts at once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALL := $(RUN)/uv pip install --quiet --python $(RUN)/python
COMPILE := $(RUN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate

.PHONY: help demo test reproduce-check soak check format docs reference lock wheel pictures backbone install install-dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

demo: install ## Install what is needed, then play five runs with drawn dogs (three minutes)
	@$(RUN)/pedigree demo

test: install-dev ## Install what is needed, then run every test, two files at a time
	@infra/debian-packages
	@# In the files' own order, the longest first: xdist would begin with the files that have many tests.
	@$(RUN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

reproduce-check: install-dev ## Train the demo three times over, in other processes and orders, and compare bit for bit
	@$(RUN)/python -m pytest -q -rP tests/e2e/test_reproduce_check.py

soak: install-dev ## Play ten runs against real servers, with outages, kills and a changed clock, and print how each ended
	@infra/debian-packages
	@$(RUN)/python -m tests.soak

check: install-dev ## Formatting, lint, types and the direction of imports
	@$(RUN)/ruff format --quiet --check --output-format concise . || { echo "make format would change these files"; exit 1; }
	@$(RUN)/ruff check --quiet --output-format concise .
	@$(RUN)/mypy --no-error-summary
	@out=$$($(RUN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }
	@echo "formatting, lint, types and imports are fine"

format: install-dev ## Format the code and apply the safe fixes
	@$(RUN)/ruff check --quiet --fix --exit-zero . && $(RUN)/ruff format --quiet .

docs: install-dev ## Build the documentation as a site in docs/_build/html; a broken link or anchor fails
	@$(RUN)/python -m sphinx -q -E -a -W --keep-going -n -j auto -c docs -d docs/_build/doctrees . docs/_build/html
	@echo "docs/_build/html/index.html"

reference: install-dev ## Write the parts of docs/ again that come from the code: settings, commands, metrics, decisions
	@$(RUN)/python -m tests.reference

lock: $(VENV)/.done-uv ## Pin every dependency again; UPGRADE=--upgrade takes the newest allowed
	$(COMPILE) $(UPGRADE) pyproject.toml -o infra/requirements.lock
	$(COMPILE) $(UPGRADE) --extra dev -c infra/requirements.lock pyproject.toml -o infra/requirements-dev.lock
	$(COMPILE) $(UPGRADE) -c infra/requirements-dev.lock infra/bootstrap.in -o infra/bootstrap.lock

wheel: $(VENV)/.done-uv ## Build the wheel into dist/
	@$(RUN)/python -m hatchling build --target wheel --directory dist

pictures: install-dev ## Play the demo and take every picture of docs/ anew, in Debian's Chromium
	@$(RUN)/python -m tests.pictures

backbone: install ## Make the demo's small backbone again
	@$(RUN)/python -m infra.scripts.demo_backbone

install: $(VENV)/.done-project ## Install Pedigree into .venv

install-dev: $(VENV)/.done-dev ## Install what its tests and checks need as well

$(VENV)/.done-uv: infra/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Pedigree needs Python 3.11 to 3.13 as $(PYTHON): name another one, such as make PYTHON=python3.12"; exit 1; }
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) could not make $(VENV); on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing uv into $(VENV)"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/bootstrap.lock
	@touch $@

$(VENV)/.done-locked: infra/requirements.lock $(VENV)/.done-uv
	@echo "Installing what Pedigree needs into $(VENV): about 700 MB to download, 3 GB unpacked"
	@$(INSTALL) --require-hashes --compile-bytecode -r infra/requirements.lock
	@touch $@

$(VENV)/.done-project: pyproject.toml $(VENV)/.done-locked
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.done-dev: infra/requirements-dev.lock $(VENV)/.done-project
	@echo "Installing what tests and checks need into $(VENV)"
	@$(INSTALL) --require-hashes --compile-bytecode -r infra/requirements-dev.lock
	@touch $@
