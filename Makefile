# make lab        open the course in JupyterLab (LAB_FLAGS="--no-browser" and the like are passed on)
# make run        execute every notebook without a browser; a line for each with its time and result
# make test       unit tests, every notebook again with its outputs compared (nbval), ruff
# make notebooks  execute the notebooks in place, to commit their outputs
# The first call makes a virtual environment in .venv and installs the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: lab run test unit nbval lint notebooks clean

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir=notebooks $(LAB_FLAGS)

run: $(READY)
	$(BIN)/python tests/run_notebooks.py $(NOTEBOOKS)

notebooks: $(READY)
	$(BIN)/python tests/run_notebooks.py --in-place $(NOTEBOOKS)

test: unit nbval lint

unit: $(READY)
	$(BIN)/python -m pytest -q tests

nbval: $(READY)
	$(BIN)/python -m pytest -q --nbval --nbval-current-env --nbval-cell-timeout=600 \
		--nbval-sanitize-with tests/nbval_sanitize.cfg notebooks

lint: $(READY)
	$(BIN)/python -m ruff check qa_helpers tests

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
