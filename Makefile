# make lab        open the course in JupyterLab (LAB_FLAGS="--no-browser" and the like are passed on)
# make run        execute every notebook without a browser; a line for each with its time and result
# make test       unit tests, every notebook again with its outputs compared (nbval), ruff
# make notebooks  execute the notebooks in place, to commit their outputs
# make assets     make the small encoders and mini-bert-qa again (an hour and a half on two cores; nobody needs to)
# The first call makes a virtual environment in .venv and installs the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: lab run test unit nbval lint notebooks assets clean

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

# One thread each: a small model gains little from two, and the weights' last digits depend on their number.
assets: export OMP_NUM_THREADS = 1
assets: $(READY)
	$(BIN)/qa-helpers pretrain --family bert --output-dir qa_helpers/assets/mini-bert
	$(BIN)/qa-helpers pretrain --family roberta --output-dir qa_helpers/assets/mini-roberta
	$(BIN)/qa-helpers pretrain --family distilbert --output-dir qa_helpers/assets/mini-distilbert
	for family in albert deberta; do \
		$(BIN)/qa-helpers pretrain --family $$family --share 0.7 --output-dir qa_helpers/assets/mini-$$family || exit 1; \
	done
	OMP_NUM_THREADS=2 $(BIN)/qa-helpers train --source mini --checkpoint mini-bert --epochs 1.8 \
		--output-dir qa_helpers/assets/mini-bert-qa --half-precision --overwrite

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
