# make lab        open the tour in JupyterLab (LAB_FLAGS="--no-browser" and the like are passed on)
# make run        execute every notebook without a browser; a line for each with its time and result
# make test       unit tests and exercises, every notebook again with its outputs compared (nbval), ruff; on two workers
# make test-all   the same, and everything below whose name begins with test-
# make test-real  every lesson and solution on SQuAD-shaped data with other encoders, and a session that ends in the middle
# make test-browser the widgets and their lessons in JupyterLab and the system's Chromium; pictures in build/screenshots
# make notebooks  execute the notebooks in place, to commit their outputs
# make links      write the repository's address into badges and setup cells: make links REPO=owner/name
# make test-colab play Colab: install the course from a notebook's first cell into what Colab has (four minutes); LESSONS="06 07" runs those
# make site       the lessons as web pages and PDFs: dist/site/index.html; MODEL=runs/first puts your own small BERT into them
# make slides     a lesson as slides in dist/slides: make slides NOTEBOOK=notebooks/03_stride_windows.ipynb (needs npm once)
# make test-site  look at the site in the system's Chromium, and hold the model in its pages to the package
# make student    write dist/student: the lessons with exercises open, without outputs and solutions
# make teacher    write dist/teacher: everything, with a guide and the sources of assignments for nbgrader
# make test-nbgrader  hand an assignment out and grade it with nbgrader, in an environment of its own
# make gpu        measure on a GPU what lesson 07 says about GPUs (some ten minutes); GPU_FLAGS="--size tiny --device cpu" only tries it out
# make exported measure what an export to ONNX and int8 keep of each family, for lesson 12 (ten minutes or more); EXPORTED_FLAGS="--families albert --again"
# make bench      qa_helpers beside the published recipe, stage by stage: make bench CHECKPOINT=folder DATA=folder
# make shortcuts  measure what lesson 11 says about several seeds (a quarter of an hour on one core; nobody needs to)
# make assets     make the small encoders, mini-bert-qa and the comparison again (some hours on one core; nobody needs to)
# The first call makes a virtual environment in .venv and installs the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: lab run test test-all test-extra unit nbval lint notebooks links test-real test-browser test-colab student teacher test-nbgrader site slides test-site bench gpu exported shortcuts assets clean

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.default_url=/lab/tree/00_tour.ipynb $(LAB_FLAGS)

run: $(READY)
	$(BIN)/python tools/run_notebooks.py $(NOTEBOOKS)

notebooks: $(READY)
	$(BIN)/python tools/run_notebooks.py --in-place $(NOTEBOOKS)

# REPO counts only where it stands on the command line: a variable of the shell may mean anything. REPO= takes it out.
links:
	$(if $(filter command,$(origin REPO)),,$(error Name the repository: make links REPO=owner/name))
	@$(PYTHON) tools/stamp_links.py '$(REPO)'

test-colab: $(READY)
	QA_COLAB=1 $(BIN)/python -m pytest -q tests/test_colab.py

student teacher: $(READY)
	$(BIN)/python tools/make_editions.py $@

test-nbgrader: $(READY)
	QA_NBGRADER=1 $(BIN)/python -m pytest -q tests/test_nbgrader.py

site: $(READY)
	$(BIN)/python tools/site/build_site.py $(if $(MODEL),--model '$(MODEL)')

slides: $(READY)
	$(if $(NOTEBOOK),,$(error Name a lesson: make slides NOTEBOOK=notebooks/03_stride_windows.ipynb))
	$(BIN)/python tools/site/slides.py $(NOTEBOOK)

test-site: $(READY)
	$(BIN)/python -m pytest -q tests/test_site_live.py tests/browser/test_site_in_chromium.py tests/browser/test_live_in_chromium.py

bench: $(READY)
	$(if $(and $(CHECKPOINT),$(DATA)),,$(error Name an encoder and SQuAD files: make bench CHECKPOINT=folder DATA=folder))
	$(BIN)/python tools/benchmarks/compare.py --checkpoint '$(CHECKPOINT)' --data '$(DATA)'

# A step that is done is not done again; `make gpu GPU_FLAGS=--again` begins anew.
gpu: $(READY)
	$(BIN)/python tools/gpu_run.py $(GPU_FLAGS)

# A family that is in the record is not measured again, unless its encoder has changed.
exported: $(READY)
	$(BIN)/python tools/export_run.py $(EXPORTED_FLAGS)

# Two notebooks at a time, each on one thread. The real files are taken from QA_REAL_DATA or ../shared, else made up.
test-real: $(READY)
	$(BIN)/python -m pytest -q -p xdist -n 2 tests/real

test-browser: $(READY)
	$(BIN)/python -m pytest -q tests/browser --ignore tests/browser/test_site_in_chromium.py --ignore tests/browser/test_live_in_chromium.py

test: unit nbval lint

test-all: test test-extra test-nbgrader

test-extra: test-real test-browser test-site test-colab

# Two workers, each on one thread: threads of two that share two cores wait for each other.
unit: export OMP_NUM_THREADS = 1
unit: $(READY)
	$(BIN)/python -m pytest -q -p xdist -n 2 --dist loadscope tests

# Sockets are closed in the notebooks' kernels, and what reaches for the network nevertheless is listed in a file.
nbval: export NETWORK_LOG = $(CURDIR)/build/network.txt
# Where notebooks are only checked, no student's progress is kept (the runner of `make run` sees to that itself).
nbval: export QA_PROGRESS = off
# Progress bars would be outputs that differ from the committed ones.
nbval: export QA_BARS = off
# Two notebooks at a time, each whole and on one thread.
nbval: export OMP_NUM_THREADS = 1
nbval: $(READY)
	@mkdir -p build && rm -f build/network.txt
	PYTHONPATH="$(CURDIR)/tools/offline$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/python -m pytest -q -p xdist -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=600 \
		--nbval-sanitize-with tools/nbval_sanitize.cfg notebooks
	@if test -s build/network.txt; then echo "notebooks reached for:"; sort -u build/network.txt; exit 1; fi

lint: $(READY)
	$(BIN)/python -m ruff check qa_helpers tests tools notebooks
	$(BIN)/python -m ruff format --check --quiet qa_helpers tests tools notebooks

# A run that is in the file is not repeated.
shortcuts: $(READY)
	$(BIN)/python tools/shortcut_runs.py

# A step that is done is not done again; `make assets AGAIN=--again` begins anew.
assets: $(READY)
	$(BIN)/python tools/make_assets.py $(AGAIN)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,serve,test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
