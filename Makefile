# One command for each thing a developer does; every target makes .venv from requirements.lock first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help venv lock demo serve test check test-full simulate bench bench-forecast format clean

BIN := .venv/bin
STAMP := .venv/.stamp
# one more than two cores: tests that wait for a process or a clock leave theirs to others
WORKERS ?= 3
SEEDS ?= 200
ARGS ?=
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

help: ## say what the targets do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

venv: $(STAMP) ## make or renew .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml .ci/venv
	@.ci/venv

lock: $(STAMP) ## write requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@printf '# Exact versions for running and developing, Python 3.11 to 3.13. Written by `make lock`.\n' > requirements.new
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
		--no-emit-index-url --no-header --no-annotate pyproject.toml >> requirements.new
	@mv requirements.new requirements.lock

demo: $(STAMP) ## make a company, let people work a day in the terminal, then serve (ONCE=1: check and end)
	@$(BIN)/sfa demo $(if $(ONCE),--once) $(ARGS)

serve: $(STAMP) ## start the server with the settings of the environment
	@$(BIN)/sfa serve $(ARGS)

test: check ## check, then the suite on SQLite and on a PostgreSQL it starts by itself
	@$(PYTEST) $(ARGS)

check: $(STAMP) ## format, lint, types and import direction
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --num-workers 2
	@$(BIN)/lint-imports --no-cache

test-full: check ## the suite with its long proofs and many more examples for each property
	@$(PYTEST) -m "slow or not slow" --hypothesis-profile=full --timeout 1800 $(ARGS)

simulate: $(STAMP) ## run the seeded simulation: make simulate SEEDS=2000
	@$(BIN)/sfa simulate --seeds $(SEEDS) $(ARGS)

bench: $(STAMP) ## measure both databases
	@$(BIN)/python -m bench $(ARGS)

bench-forecast: $(STAMP) ## judge the forecast engine on the data in SFA_SAMPLE_DATA and on companies of its own
	@$(BIN)/python -m bench.engine $(ARGS)

format: $(STAMP) ## format and sort imports in place
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

clean: ## remove .venv, caches and what the demo left
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist var *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
