# Two commands: `make solve` shows what offbench does, `make test` that it does it right.
PYTHON ?= $(shell command -v python3 || command -v python3.11)
BIN := .venv/bin

.PHONY: solve test attack lint docs bench compare agreement binding-constraints compare-exact chains sizes certified false-proofs many-clients two-step metaheuristics ten-tasks traps defaults evolution-time ablation training-set cost-model published emulation growth task-graphs single-networks clean

solve: .venv/package
	$(BIN)/offbench solve --solver ddpqn instances/resnet.json

test: .venv/development
	$(BIN)/python -m pytest -n auto --dist worksteal

# The attack of tests/attacks at full length, and a table of what it found. Options: make attack ARGS="--attack-rounds 2
# --attack-seed 7 --attack-json attack.json"; the seed that it prints repeats it.
attack: .venv/development
	$(BIN)/python -m pytest tests/attacks -q --attack-rounds 8 --attack-seed $$(date +%s) $(ARGS)

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The manual, into docs/_build/html.
docs: .venv/development
	$(BIN)/python -m sphinx -W --keep-going -n -q -j auto docs docs/_build/html

bench: .venv/development
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-autosave --benchmark-compare $(ARGS)

# The studies of experiments/, each described there. Options: make NAME ARGS="--help". Where runs are kept (two-step, ablation, traps,
# defaults, default-solver, published, task-graphs, single-networks), those that are there aren't made again; ARGS=--dry-run tells which are missing.
agreement binding-constraints certified chains default-solver defaults evolution-time false-proofs many-clients metaheuristics ten-tasks traps ablation training-set cost-model published emulation task-graphs single-networks: .venv/development
	$(BIN)/python -m experiments.$(subst -,_,$@) $(ARGS)

compare: .venv/development
	$(BIN)/python -m experiments.solvers_at_equal_time $(ARGS)

compare-exact: .venv/development
	$(BIN)/python -m experiments.time_to_proof $(ARGS)

growth: .venv/development
	$(BIN)/python -m experiments.growth $(ARGS)

sizes: .venv/development
	$(BIN)/python -m experiments.largest_sizes $(ARGS)

two-step: .venv/development
	$(BIN)/python -m experiments.price_of_two_step $(ARGS)

.venv/package: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("offbench needs Python 3.11 or newer; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/development: .venv/package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
