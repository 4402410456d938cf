# Needs Python 3.11 or newer and nothing else. `make run PYTHON=python3.12` takes another one than python3.

PYTHON ?= python3
BIN := .venv/bin

INSECURE_CODE := $(BIN)/bandit --quiet --configfile pyproject.toml --recursive .

# Each of the two processes has a PostgreSQL of its own. Files go in the order of their names: the longest come early.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
COVERAGE :=

# What has a wheel is never built. yattag (of cosmic-ray) has none.
WHEELS := --only-binary :all: --no-binary yattag
# For every platform, and every Python from 3.11 on.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(WHEELS)

# What checks the page's scripts, and what its tests compare with.
PAGE_TOOLS := app/page/node_modules/.package-lock.json

.PHONY: help run test test-thorough lint lint-page lock audit fuzz mutants bench taste-eval faults postman postman-check screenshots image-check stop clean

help:  ## list the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: .venv/installed  ## serve on port 5001, with demo data in an embedded PostgreSQL
	@$(BIN)/python run.py

test: .venv/installed  ## run the suite, without what takes long: some minutes
	$(PYTEST) -m "not thorough" $(COVERAGE)

test-thorough: COVERAGE := --cov --cov-report=
test-thorough: test  ## run the suite, then what `make test` leaves out and all examples, also on PostgreSQL 15
	$(PYTEST) -m "thorough or hypothesis" --hypothesis-profile thorough --cov --cov-append
	.ci/on-postgres-15 $(PYTEST) --hypothesis-profile thorough

lint: .venv/installed lint-page  ## check style, types, the rooms' imports, security, the Dockerfile and the English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(INSECURE_CODE)
	$(BIN)/hadolint Dockerfile
	$(BIN)/codespell
	$(BIN)/python .ci/plain_english.py

lock: .venv/installed  ## write all requirements*.txt (LOCK=--upgrade takes newer versions)
	$(COMPILE) $(LOCK) --output-file requirements.txt requirements.in
	$(COMPILE) $(LOCK) --output-file requirements-batch.txt requirements-batch.in
	$(COMPILE) $(LOCK) --output-file requirements-dev.txt requirements-dev.in

audit: .venv/installed  ## look for insecure code, and for published advisories on the packages
	$(INSECURE_CODE)
	.ci/audit

fuzz: .venv/installed  ## send 20,000 generated requests
	$(BIN)/python -m pytest --hypothesis-profile deep tests/test_schemathesis.py

mutants: .venv/installed  ## see which changes of the code the tests notice, of 200 (MUTANTS="--number N --seed S")
	$(BIN)/python -m tests.mutation $(MUTANTS)

bench: .venv/installed  ## measure everything against the targets, on 1 M and 10 M listens (BENCH="--sizes S,M,L")
	$(BIN)/python -m benchmarks $(BENCH)

taste-eval: .venv/installed  ## see how many hidden tracks recommendations find, next to other ways to recommend
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.taste_eval

faults: .venv/installed  ## let everything fail under load that the service stands on, and write docs/reliability.md
	$(BIN)/python -m benchmarks.faults

postman: .venv/installed  ## write the Postman collection from the OpenAPI document
	$(BIN)/python -m postman.generate

postman-check: .venv/installed  ## send the Postman collection to the service with demo data (needs npm)
	$(BIN)/python -m postman.check

screenshots: .venv/installed  ## draw the pictures in docs/ again (needs Chromium)
	$(BIN)/python -m tests.page.screenshots

image-check: .venv/installed  ## build the image without an engine, and try it (needs root, buildah, debootstrap)
	.ci/image-check

stop:  ## stop a running or left-over service and its PostgreSQL
	@test ! -e .venv/installed || $(BIN)/python -m flask embedded stop

clean:  ## delete what make has made: the embedded database, .venv, caches
	@test ! -e .venv/installed || $(BIN)/python -m flask embedded reset --yes
	rm -rf .venv .data .mutants .coverage postman/node_modules app/page/node_modules .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Types and style of the page's scripts, where npm is.
ifneq ($(shell command -v npm),)
lint-page: $(PAGE_TOOLS)
	npm --prefix app/page run check
else
lint-page:
	@echo "npm is not installed here: the page's scripts are not checked."
endif

# npm writes it last.
$(PAGE_TOOLS): app/page/package-lock.json
	cd app/page && npm ci --no-progress --no-audit --no-fund
	@touch $@

# Made last, so that an installation that was broken off is begun again.
.venv/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'songswap-insights needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@# Where it is a link, as in a second working tree, it is another's to empty.
	@test ! -L .venv || \
		{ echo '.venv is a link: install requirements-dev.txt where it leads to, and touch .venv/installed' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(WHEELS) -r requirements-dev.txt
	@touch $@
