# Two commands: `make solve` shows what offbench does, `make test` that it does it right.
PYTHON ?= $(shell command -v python3 || command -v python3.11)
BIN := .venv/bin

.PHONY: solve test lint bench compare clean

solve: .venv/package
	$(BIN)/offbench solve --solver ddpqn instances/resnet.json

test: .venv/development
	$(BIN)/python -m pytest

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/development
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only

compare: .venv/package
	$(BIN)/python tests/benchmarks/compare_solvers.py

.venv/package: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("offbench needs Python 3.11 or newer; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/development: .venv/package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
