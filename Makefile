# Every target sets up the environment in .venv by itself; with nothing to do, that costs nothing.
#   make study     the quick study: tables, figures, and a summary at the end (CONFIG=... for another study)
#   make plan      how many fits a study has and what they cost here, before anything runs (CONFIG=...)
#   make figures   every figure again from the study's stored tables, without a fit (CONFIG=...)
#   make report    one HTML file with a finished study's figures, captions, times and code (CONFIG=...)
#   make test      every test
#   make lint      formatting, types and workflow checks
#   make bench     speed against Jaxley (installed for it) and NEURON, in results/bench (BENCH=--quick for the headline alone)
#   make docs      docs/channels.md and the figures in docs/, from the channels' declarations and the kernels' code

PYTHON ?= python3
CONFIG ?= config/quick.yaml
CORES ?= all
BENCH ?=

BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv/.peers
STUDY := $(shell sed -n 's/^study: *//p' $(CONFIG))
TABLE := results/$(STUDY)/table.txt
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)

.DEFAULT_GOAL := help
.PHONY: help study plan figures report test lint bench docs lock clean

help:
	@sed -n 's/^#   //p' Makefile

# The lock first, then the package without its dependencies. A changed lock or pyproject.toml installs again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else \
	  f"gradevo needs Python 3.11 to 3.13, but $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The table is shown whether or not anything had to be run, and also when a fit ended in an error: then make fails. Where a run
# is refused or stopped, an earlier run's table would look like this one's.
study: $(READY)
	@status=0; begun=$$(mktemp); $(SNAKEMAKE) || status=$$?; \
	if [ ! -f $(TABLE) ]; then :; \
	elif [ $$status = 0 ] || [ $(TABLE) -nt $$begun ]; then echo; cat $(TABLE); \
	else echo "This run made no table; $(TABLE) is an earlier run's."; fi; rm -f $$begun; exit $$status

plan: $(READY)
	@$(BIN)/gradevo plan $(CONFIG)

figures: $(READY)
	@$(BIN)/gradevo figures $(CONFIG)

report: $(READY)
	$(SNAKEMAKE) --report results/$(STUDY)/report.html

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# Without dependencies: all are in one of the two locks, and nothing of the first may change.
$(PEERS): requirements-peers.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-peers.lock
	@touch $@

bench: $(PEERS)
	$(BIN)/gradevo bench $(BENCH)

docs: $(READY)
	$(BIN)/python -m gradevo.figures.channels docs
	$(BIN)/python -m gradevo.figures.kernels docs

# What is installed now, as the new lock: no index, no address, no local version.
lock: $(READY)
	@sed -n '/^#/p' requirements.lock > requirements.lock.new
	@$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable \
	  | grep -viE '^-|^nvidia|^cuda-|^numba-cuda|^triton|^jax|^ml_dtypes|^opt_einsum|^tridiax| @ ' | sed 's/+.*//' >> requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf results/$(STUDY) figures/$(STUDY) logs/$(STUDY) .gradevo/fits/$(STUDY)
