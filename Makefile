# make demo       the page on http://127.0.0.1:7860
# make test       the test suite; make test-slow: its longer part
# make lint       style, formatting and types; make format: writes the formatting
# make space      a Hugging Face Space in build/space, started there in an environment of its own
# make examples   draws the example clips; make results: analyses them with the embedded checkpoint
# Each creates the environment in $(VENV) when it is missing or older than its requirements.

VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
TESTED := $(VENV)/.ready-test
LINTED := $(VENV)/.ready-lint
# What tests need beside requirements.txt: the extra `test` of pyproject.toml lists the same files.
FOR_TESTS := $(foreach extra,train mcp push scan test,requirements-$(extra).txt)
# A worker on every core, each with one thread: they share the cores between them.
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadfile

OXLINT := npx --yes oxlint@1.94.0
PRETTIER := npx --yes prettier@3.6.2
JAVASCRIPT := "app/**/*.{js,css}" "tests/**/*.js"

# With more threads than free cores, OpenMP's busy waiting makes everything several times slower.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-slow lint lint-style lint-types lint-javascript format space examples results

demo: $(READY)
	$(RUN) app.py $(ARGS)

test: $(TESTED)
	$(PYTEST) $(ARGS)

test-slow: $(TESTED)
	$(PYTEST) -m slow $(ARGS)

lint: lint-style lint-types lint-javascript

lint-style: $(LINTED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

lint-types: $(LINTED)
	rm -f app/viewer/*.pyi  # Gradio writes them; stale ones mislead mypy
	$(RUN) -m mypy

lint-javascript:
	$(OXLINT) --config app/viewer/.oxlintrc.json app/viewer tests/viewer
	$(PRETTIER) --check $(JAVASCRIPT)

format: $(LINTED)
	$(RUN) -m ruff check --fix-only .
	$(RUN) -m ruff format .
	$(PRETTIER) --write $(JAVASCRIPT)

# ARGS="--port 7861", or ARGS=--no-start to assemble only.
space:
	$(PYTHON) -m app.runtime.bundle build/space $(ARGS)

examples: $(TESTED)
	$(RUN) -m train examples $(ARGS)

# The results of the examples, as a new checkpoint needs.
results: $(READY)
	$(RUN) -m app.examples $(ARGS)

$(READY): requirements.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(TESTED): $(READY) $(FOR_TESTS)
	$(RUN) -m pip install --quiet --disable-pip-version-check $(FOR_TESTS:%=-r %)
	touch $@

$(LINTED): $(TESTED) requirements-lint.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-lint.txt
	touch $@
