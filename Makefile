# `make demo` shows what ambient does, `make test` proves it; both make their own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test faults lint format bench clean

demo: $(READY)
	$(BIN)/ambient demo --output demo --overwrite

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

faults: $(READY)
	$(BIN)/python benchmarks/faults/run.py -n 2 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python benchmarks/yeast/zero_shot.py --recorded

$(READY): setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
