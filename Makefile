# Everything a contributor runs. `make help` lists it.

VENV ?= .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
IS_NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
SYSTEM_PYTHON ?= $(firstword $(foreach name, python3.11 python3.12 python3.13 python3, \
  $(shell $(name) $(IS_NEW_ENOUGH) 2>/dev/null && echo $(name))))

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow check format bench clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY)  ## Make .venv and install seqcli into it, for work on its source

$(READY): pyproject.toml setup.py constraints.txt
	@$(or $(SYSTEM_PYTHON),false) $(IS_NEW_ENOUGH) || { \
	  echo "error: seqcli needs Python 3.11 or later, and $(or $(SYSTEM_PYTHON),python3) is not it"; \
	  echo "  fix: install one, or name it: make install SYSTEM_PYTHON=/path/to/python3.11"; \
	  exit 1; } >&2
	$(SYSTEM_PYTHON) -m venv $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check -c constraints.txt -e '.[test,demo]'
	@touch $@

demo: $(READY)  ## Translate with the shipped model, then train, use and score a small one
	$(PYTHON) -m seqcli.cli.demo

test: $(READY)  ## Run the tests, but for the slow ones
	$(PYTHON) -m pytest -m "not slow"

test-slow: $(READY)  ## Run the slow tests
	$(PYTHON) -m pytest -m slow

check: $(READY)  ## Check layout, style, types and the house rules
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_house.py

format: $(READY)  ## Lay out the source and mend what ruff can mend
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

bench: $(READY)  ## Measure speed against a plain PyTorch loop on this machine
	$(PYTHON) -m tests.benchmarks

clean:  ## Remove what was made, but for .venv
	rm -rf demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find seqcli tests -name __pycache__ -type d -prune -exec rm -rf {} +
