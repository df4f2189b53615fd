# make demo [ARGS=--once]   install into .venv and watch Fairlead work
# make test [ARGS=...]      every test          make check       format, lint, types, imports
# make train                the shipped model, from the data (installs PyTorch)
#
# The same without make:
#   python3 -m venv .venv && .venv/bin/pip install -e .          && .venv/bin/fairlead demo
#   python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'   && .venv/bin/python -m pytest

VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
OLD_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p $(OLD_ENOUGH) && { echo $$p; break; }; done)
PACKAGES := service scorers storage dashboards tests load_tests

# PyTorch's build for CPUs; where another is wanted, install it first or say TORCH=...
TORCH ?= torch==2.13.0

.PHONY: demo test check train-deps train clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/fairlead demo $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(PACKAGES)
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Fairlead needs Python 3.11 or newer: PYTHON=/path/to/python3 make ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# pyproject.toml is what an installation depends on; the code itself is installed in place.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

# Everything that training needs beside the development tools.
train-deps: $(VENV)/.installed-train

# The shipped model from the data: hours on a CPU, goes on where it stopped (CONTRIBUTING.md).
train: $(VENV)/.installed-train
	$(BIN)/python -m scorers.training

$(VENV)/.installed-train: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,train]'
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
