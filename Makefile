# Needs CPython 3.11 or later, make and a package index; everything else goes into .venv.
#   make demo     what this is, in a quarter of a minute        make test     the suite (ARGS="-k window" for some of it;
#                                                                             JOBS=0: in one process, for -s and --pdb)
#   make lint     ruff, format, docstrings and words            make types    mypy --strict
#   make coverage     tests under coverage, workers included    make architecture  circles, long files, share of Any
#   make fuzz     what comes from outside, made up by atheris for 30 s each (ARGS="codec --seconds 600" for more of one)
#   make bench    ours and other pools, in some 20 minutes (ARGS="A C --rounds 3" for some of it)
#   make clean    removes .venv and the tools' caches           PYTHON=/path/to/python3.12 chooses the interpreter
#   make conditions   the suite under harder conditions: half an hour (ARGS="cpu-hog -- tests/faults" for some of it)

# The first of these that is new enough: python3 is 3.9 on some systems that have a python3.11 beside it.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
VENV := .venv
IN_VENV := $(CURDIR)/$(VENV)/bin/
ARGS ?=
# Processes that run tests: two keep two cores busy, as most tests wait for a worker, a deadline or a death.
JOBS ?= 2

.DELETE_ON_ERROR:
.PHONY: demo test coverage conditions lint types architecture fuzz bench clean

demo: $(VENV)/.installed
	"$(IN_VENV)slither-actors" demo $(ARGS)

test: $(VENV)/.installed-test
	"$(IN_VENV)python" -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

coverage: $(VENV)/.installed-test
	"$(IN_VENV)python" -m tests.covered $(ARGS)

conditions: $(VENV)/.installed-test
	"$(IN_VENV)python" -m tests.conditions $(ARGS)

lint: $(VENV)/.installed-dev
	"$(IN_VENV)ruff" check .
	"$(IN_VENV)ruff" format --check .
	"$(IN_VENV)python" -m tests.support.words

types: $(VENV)/.installed-dev
	"$(IN_VENV)mypy"

architecture: $(VENV)/.installed-test
	"$(IN_VENV)python" -m tests.architecture

fuzz: $(VENV)/.installed-fuzz
	"$(IN_VENV)python" -m tests.fuzz $(ARGS)

bench: $(VENV)/.installed-bench
	"$(IN_VENV)python" -m tests.benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .venv-* .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The environment is made again when pyproject.toml changed, so that what it no longer names is gone too. The install is
# editable: a change of the code needs none. Each file is touched last, so that an interrupted install is made again.
$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No CPython 3.11 or later found; say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	"$(IN_VENV)python" -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	"$(IN_VENV)python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	"$(IN_VENV)python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-test
	"$(IN_VENV)python" -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	"$(IN_VENV)python" -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
