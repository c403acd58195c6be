# make serve, make test, make bench, make lint, make fuzz. Each sets up what it needs in VENV and
# does nothing twice; delete that directory to begin afresh.
#
#   PYTHON=python3.13         the interpreter to make the environment with
#   FASTRAW_PURE=1            run with the parser in Python
#   FASTRAW_BUILD_EXTENSION   yes: a failing build is an error; no: leave the extension out
#   TEST_EXTRA=test-free-threaded   what `make test` installs, where some of `test` cannot be
#   FASTRAW_CERTIFICATES_PYTHON     another interpreter with trustme, where this one cannot have it
#   COVERAGE=no               test without measuring what is covered
#   ARGS="..."                more arguments for what is run

PYTHON ?= python3
VENV ?= .venv
TEST_EXTRA ?= test
RUN := $(VENV)/bin/python
# An older release with a wheel, where the newest has none for this interpreter.
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --prefer-binary

# One stamp for each choice: another choice is another file, which does not exist yet.
ENVIRONMENT := $(VENV)/.made-with$(subst /,-,$(PYTHON))
EXTENSION := $(VENV)/.extension-$(or $(FASTRAW_BUILD_EXTENSION),auto)

.PHONY: help serve test docs bench bench-smoke lint format fuzz dist clean
.DELETE_ON_ERROR:

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

serve: $(EXTENSION)
	$(RUN) -m fastraw $(ARGS)

test: $(EXTENSION) $(VENV)/.extra-$(TEST_EXTRA)
ifeq ($(COVERAGE),no)
	$(RUN) -m pytest $(ARGS)
else
	$(RUN) -m coverage erase
	$(RUN) -m coverage run -m pytest $(ARGS); status=$$?; \
	    $(RUN) -m coverage combine --quiet && $(RUN) -m coverage report; exit $$status
endif

bench: $(EXTENSION) $(VENV)/.extra-bench
	$(RUN) -m pytest bench/test_parse.py
	$(RUN) bench/server.py $(ARGS)

# Each load once, for a moment: does it still run?
bench-smoke: $(EXTENSION) $(VENV)/.extra-bench
	$(RUN) -m pytest -q --benchmark-disable bench/test_parse.py
	$(RUN) bench/server.py --smoke

# Types are checked in the examples, too, against what the tests run them with.
lint: $(EXTENSION) $(VENV)/.extra-dev $(VENV)/.extra-$(TEST_EXTRA)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint fastraw/*.pyx fastraw/apps/pep3333/*.pyx

format: $(VENV)/.extra-dev
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

docs: $(EXTENSION) $(VENV)/.extra-docs
	$(RUN) -m sphinx -W -n --keep-going -q -b html docs build/docs

fuzz: $(EXTENSION) $(VENV)/.extra-test
	PYTHON=$(RUN) tests/fuzz/run $(ARGS)

dist: $(VENV)/.extra-dev
	$(RUN) -m build

clean:
	rm -rf $(VENV) build dist *.egg-info fastraw/_parse.c fastraw/_parse.*.so fastraw/apps/pep3333/_wsgi.c fastraw/apps/pep3333/_wsgi.*.so .coverage*

$(ENVIRONMENT):
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) 'setuptools>=77,<81' 'Cython>=3.1'
	touch $@

# The package itself is installed editable and without its extension, which is built in place.
$(VENV)/.extra-%: pyproject.toml $(ENVIRONMENT)
	FASTRAW_BUILD_EXTENSION=no $(PIP) --no-build-isolation --editable '.[$*]'
	touch $@

# bjoern needs libev's headers. The benchmarks name a server that is missing and go on without it.
$(VENV)/.extra-bench: pyproject.toml $(ENVIRONMENT)
	FASTRAW_BUILD_EXTENSION=no $(PIP) --no-build-isolation --editable '.[bench]'
	-$(PIP) bjoern
	touch $@

$(EXTENSION): setup.py $(wildcard fastraw/*.pyx fastraw/*.pxi fastraw/*.h fastraw/apps/pep3333/*.pyx) $(ENVIRONMENT)
	suffix=$$($(RUN) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))') && \
	    rm -f $(VENV)/.extension-* fastraw/_parse$$suffix fastraw/apps/pep3333/_wsgi$$suffix
	$(RUN) setup.py --quiet build_ext --inplace
	touch $@
