# `make help` lists what can be made. Each target first sets up what it needs in .venv, once; it is
# set up again when pyproject.toml or constraints.txt change.
#
#   PYTHON=/path/to/python3.12   the Python that .venv is made from (3.11 or newer)
#   ARGS="-k softmax -x"         more words for pytest

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
BENCH_INSTALL := $(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest --numprocesses=auto

PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' Makefile | awk -F ':  *' '{ printf "make %-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(VENV)/.core  ## train on handwritten digits, then open one weight's gradient
	@$(BIN)/chainrule demo

.PHONY: test
test: $(VENV)/.dev  ## all tests but the slow ones
	$(PYTEST) -m "not slow" $(ARGS)

.PHONY: test-slow
test-slow: $(VENV)/.dev  ## the slow tests: training runs whose figures we promise
	$(PYTEST) -m slow $(ARGS)

.PHONY: parity
parity: $(VENV)/.dev  ## the tests that compare with torch, and how many they are
	$(PYTEST) -m parity $(ARGS)

.PHONY: test-pythons
test-pythons: $(VENV)/.core  ## the tests of `make test`, on every Python from 3.11 up on this machine
	$(BIN)/python .ci/test_pythons.py $(ARGS)

.PHONY: mutation
mutation: $(VENV)/.mutation  ## change the code in small ways, and see whether a test notices
	$(BIN)/python .ci/mutation $(ARGS)

.PHONY: check
check: $(VENV)/.dev  ## format, lint, types, imports, and what documents and files must keep to
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --quiet tests/laws tests/docs/test_reference.py tests/docs/test_files.py

.PHONY: bench
bench: $(BENCH)/.installed  ## how fast it is beside NumPy, JAX and torch, in one table
	@$(BENCH)/bin/python -m benchmarks $(ARGS)

.PHONY: reference
reference: $(VENV)/.dev  ## a page for each op, layer, loss and optimizer, in build/reference
	$(BIN)/python -m docs.reference build/reference

.PHONY: format
format: $(VENV)/.dev  ## format the code and mend what can be mended by itself
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: clean
clean:  ## remove everything that make has made
	rm -rf $(VENV) $(BENCH) .venv-pythons build dist .benchmarks .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment of its own: what is compared with is not what is developed with.
$(BENCH)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing chainrule and what it is compared with in $(BENCH) ..."
	@$(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --upgrade pip
	@$(BENCH_INSTALL) --build-constraint constraints.txt --editable .
	@for peer in torch jax setuptools; do \
	    $(BENCH_INSTALL) $$peer || echo "$$peer cannot be installed: the table will say so" >&2; \
	done
	@touch $@

# Two stamps, so that the demo does not wait for what only tests need.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing chainrule in $(VENV) ..."
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --build-constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "Installing what tests and checks need in $(VENV) ..."
	@$(INSTALL) --group dev
	@touch $@

$(VENV)/.mutation: $(VENV)/.dev
	@echo "Installing what mutation testing needs in $(VENV) ..."
	@$(INSTALL) --group mutation
	@touch $@

$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    if "$$python" -c '$(USABLE)' 2>/dev/null; then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "chainrule needs Python 3.11 or newer, with its venv module. Tried here:" >&2; \
	for python in $(CANDIDATES); do \
	    echo "    $$python: $$("$$python" --version 2>&1 | head -n 1)" >&2; \
	done; \
	echo "Install one (on Debian and Ubuntu also the package python3-venv), or name one:" >&2; \
	echo "    make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1
