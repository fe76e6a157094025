# Two commands: `make solve` shows what offbench does, `make test` that it does it right.
PYTHON ?= $(shell command -v python3 || command -v python3.11)
BIN := .venv/bin

.PHONY: solve test lint docs bench compare agreement compare-exact chains sizes certified two-step metaheuristics ten-tasks defaults evolution-time ablation training-set clean

solve: .venv/package
	$(BIN)/offbench solve --solver ddpqn instances/resnet.json

test: .venv/development
	$(BIN)/python -m pytest -n auto --dist worksteal

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

compare: .venv/package
	$(BIN)/python tests/benchmarks/compare_solvers.py

# The exact solvers: against brute force, side by side, the largest sizes proven, what is certified. Options: ARGS="--help".
agreement: .venv/development
	PYTHONPATH=tests $(BIN)/python -m agreement $(ARGS)

compare-exact: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.compare_exact $(ARGS)

chains: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.chains $(ARGS)

sizes: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.largest_sizes $(ARGS)

certified: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.certified $(ARGS)

# Two-step offloading against all layers at once, into results/two-step; runs that are there aren't made again.
two-step: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.price_of_two_step $(ARGS)

# What the metaheuristics miss in ten seconds, ten seeds each, one run at a time; what they reach on ten tasks in a
# minute; how their defaults were chosen.
metaheuristics: .venv/package
	$(BIN)/python tests/benchmarks/compare_solvers.py --seconds 10 --seeds 10 --jobs 1 --missed \
		--solver annealing --solver genetic:local_search=true $(ARGS)

ten-tasks: .venv/package
	$(BIN)/python tests/benchmarks/compare_solvers.py --seconds 60 --seeds 1 --jobs 1 \
		--solver annealing --solver beam --solver genetic:local_search=true --solver local-search --solver cp-sat \
		--instance alexnet-x10 --instance resnet-x10 $(ARGS)

defaults: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.defaults $(ARGS)

# Where the time of plain genetic goes.
evolution-time: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.evolution_time $(ARGS)

# What each part of ddpqn-plus brings, into results/ablation; runs that are there aren't made again. Drawn instances to train on.
ablation: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.ablation $(ARGS)

training-set: .venv/development
	PYTHONPATH=tests $(BIN)/python -m benchmarks.training_set build/training-set $(ARGS)

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
