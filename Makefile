# make demo: the app on http://127.0.0.1:7860. make test: the test suite; make test-slow: its longer part.
# Each creates the environment in $(VENV) when it is missing or older than requirements.txt.

VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
# A worker on every core, each with one thread: they share the cores between them.
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadfile

# With more threads than free cores, OpenMP's busy waiting makes everything several times slower.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-slow lint examples results

demo: $(READY)
	$(RUN) app.py $(ARGS)

test: $(READY)
	$(PYTEST) $(ARGS)

test-slow: $(READY)
	$(PYTEST) -m slow $(ARGS)

lint: $(READY)
	$(RUN) -m pip install --quiet ruff mypy
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	npx --yes oxlint@1.94.0 --config app/viewer/.oxlintrc.json app/viewer tests/viewer

examples: $(READY)
	$(RUN) -m train.examples $(ARGS)

# The results of the examples, as a new checkpoint needs.
results: $(READY)
	$(RUN) -m app.results $(ARGS)

$(READY): requirements.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
