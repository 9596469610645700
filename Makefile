# make demo: the page, with the bundled samples indexed first.
# make test: every behaviour, in 5 to 10 minutes on 2 cores.  make test-all: the long tests as well, with
# clusters, killed jobs and every tab in a browser, in 45.
# make chaos: index jobs are killed, starved and lied to, and nothing may be lost.
# make cluster: the store's tests and jobs on a Qdrant cluster of which a node is killed; see docs/cluster.md.
PYTHON ?= python3
BIN := .venv/bin
# Byte code is written where it is first used: compiling all 20,000 files takes as long as installing them.
# CONSTRAINTS=constraints.txt installs the very versions that CI ran.
CONSTRAINTS ?=
PIP := $(BIN)/python -m pip install -q --no-compile $(addprefix -c ,$(CONSTRAINTS))
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-long test-all lint constraints audit chaos cluster bench bench-full bench-scale

demo: .venv/installed-light
	$(BIN)/python demo.py

# Further options of pytest, as in: make test PYTEST_OPTIONS="-k search"
PYTEST_OPTIONS ?=
# What shares a Ray, or a page and a browser, runs in one of two processes: see tests/conftest.py.
PYTEST = $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)

test: .venv/installed-dev
	$(PYTEST) -m "not long"

test-long: .venv/installed-dev
	$(PYTEST) -m long

test-all: test test-long

chaos: .venv/installed-dev
	$(BIN)/python -m tests.chaos

cluster: .venv/installed-dev
	$(BIN)/python -m pytest -q -n 0 tests/store/test_conformance.py $(PYTEST_OPTIONS)
	$(BIN)/python -m tests.chaos --cluster --runs 2

# Some 20 minutes on 2 quiet cores; results in benchmarks/results. bench-full: a million points, an hour.
bench: .venv/installed-dev
	$(BIN)/python -m benchmarks.query
	$(BIN)/python -m benchmarks.embed
	$(BIN)/python -m benchmarks.photographs --no-job

bench-full: .venv/installed-dev
	$(BIN)/python -m benchmarks.query --full
	$(BIN)/python -m benchmarks.embed --full
	$(BIN)/python -m benchmarks.photographs

# An index job without network and graph, by size: what a driver and each stage cost. 200,000 rows take some
# minutes on 2 cores, a million half an hour: make bench-scale ROWS="200000".
ROWS ?= 200000 1000000
bench-scale: .venv/installed-dev
	$(BIN)/python -m benchmarks.scale --rows $(ROWS)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# After a change of requirements*.txt: what is installed, and was tested, becomes constraints.txt.
constraints: .venv/installed-dev
	$(BIN)/python .ci/constraints.py > constraints.txt

# Compares constraints.txt with published advisories, where the network allows.
audit: .venv/installed-dev
	.ci/audit

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The page and indexing with the encoders that ship: no PyTorch, a fifth of the size.
.venv/installed-light: requirements-light.txt | .venv/bin/python
	$(PIP) -r requirements-light.txt
	touch $@

.venv/installed: requirements.txt | .venv/bin/python
	$(PIP) -r requirements.txt
	touch $@ .venv/installed-light

.venv/installed-dev: requirements.txt requirements-dev.txt | .venv/bin/python
	$(PIP) -r requirements-dev.txt
	touch $@ .venv/installed .venv/installed-light
