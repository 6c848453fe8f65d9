# Each target makes its own environment first; nothing but python3 and make is needed.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install browser demo up test lint docs bench chaos mutations laws fuzz

help:  ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/installed: requirements-lock.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-lock.txt
	touch .venv/installed

install: .venv/installed  ## create .venv with all that demo and tests need

browser: install  ## a Chromium for the tests of the console, where there is none
	$(BIN)/python -m tests.browser

demo: install  ## a dozen invoices chased, promised, paid and restored, one day a second
	$(BIN)/python -m dunwell.local.demo

up: install  ## server, worker and outbox on this machine; state under .dunwell
	$(BIN)/python -m dunwell.local.up

lint: install  ## style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install  ## write the pages of the ladders, of invoice files and of the countries anew
	$(BIN)/python -m dunwell.local.ladder_pages
	$(BIN)/python -m dunwell.local.invoice_page
	$(BIN)/python -m dunwell.local.country_pages

test: lint browser  ## everything: lint, types, import contracts, tests
	$(BIN)/pytest -n 2 --ignore tests/live --ignore tests/local --ignore tests/chaos
	$(BIN)/pytest -n 3 --dist loadgroup tests/chaos tests/live tests/local  # whole servers, which mostly wait

bench: install  ## figures beside a floor measured in the same run
	$(BIN)/python -m bench.lifecycle
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.bulk
	$(BIN)/python -m bench.burst
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.cron
	$(BIN)/python -m bench.access
	$(BIN)/python -m bench.clerks

chaos: install  ## a storm of kills and provider failures from a printed seed, and a checker; SEED=n repeats one
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(DATABASE),--database $(DATABASE))

mutations: install  ## builds broken on purpose, one a guarantee and more: the checker must name what each breaks
	$(BIN)/python -m tests.chaos.mutations

laws: install  ## the guarantees as laws, against 10,000 lives and 5,000 claims drawn at random
	LAWS=10000 $(BIN)/pytest --timeout 0 tests/laws

fuzz: install  ## nonsense through every door: a table of what came of it, which must be nothing
	$(BIN)/python -m tests.fuzz
