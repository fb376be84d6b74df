PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test test-environment bench lint clean

demo: $(VENV)/demo.stamp ## the whole job on this machine; ARGS="--fault NAME" breaks something in it
	$(BIN)/cutover demo $(ARGS)

test: $(VENV)/dev.stamp ## ARGS="-k docker" picks tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

test-environment: $(VENV)/dev.stamp

bench: $(VENV)/bench.stamp ## figures beside their references; ARGS="shift" picks some
	$(BIN)/python benchmarks/run.py $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# What is installed for one of them serves the others: "dev" holds "demo".
$(VENV)/%.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@
