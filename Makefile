PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench

demo: .venv/installed
	$(BIN)/eva demo

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

bench: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python -m experiments.benchmarks.env
	$(BIN)/python -m experiments.benchmarks.decoding
	$(BIN)/python -m experiments.benchmarks.training
	$(BIN)/python -m experiments.benchmarks.buffer

# Editable, so that only a change of the dependencies installs again.
.venv/installed: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-test: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@ .venv/installed

.venv:
	$(PYTHON) -m venv $@
