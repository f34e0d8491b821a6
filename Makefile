# What can be made here; `make` alone lists it.
#   make demo    install into .venv and run the whole pipe on real images (a few minutes on 2 cores)
#   make test    ruff, mypy and the tests

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- installation

$(BIN)/dp-attack: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

.PHONY: install-dev
install-dev: $(BIN)/dp-attack  ## make .venv with the tools, ready for development

# --- demo: the whole pipe on eight of the ImageNet images that Foolbox ships

DEMO := results/demo
TIMED = @SECONDS=0; echo "$@ ..." >&2;
TIME = ; echo "$@: $${SECONDS} s" >&2

.PHONY: demo
demo: $(DEMO)/classified.jsonl  ## attack, restore, classify and count eight real images
	@dp-eval --table $<
	@echo "images and records are in $(DEMO)"

$(DEMO)/images.txt: | $(BIN)/dp-attack
	$(TIMED) python -m dptools.samples $(DEMO)/images > /dev/null $(TIME)
	@find $(DEMO)/images -type f | sort | head -n 8 > $@

$(DEMO)/attacked.jsonl: $(DEMO)/images.txt
	$(TIMED) dp-attack --attack gs --attack deepfool -o $(DEMO)/attacked $$(cat $<) > $@ $(TIME)

$(DEMO)/restored.jsonl: $(DEMO)/attacked.jsonl
	$(TIMED) dp-denoise -o $(DEMO)/restored < $< > $@ $(TIME)

$(DEMO)/classified.jsonl: $(DEMO)/restored.jsonl
	$(TIMED) dp-classify < $< > $@ $(TIME)

# --- development

.PHONY: test lint test-slow
test: lint  ## ruff, mypy --strict and the tests, without the slow ones
	$(BIN)/python -m pytest

lint: $(BIN)/dp-attack  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: $(BIN)/dp-attack  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

.PHONY: bench-attack
bench-attack: $(BIN)/dp-attack  ## the attacks' speed beside Foolbox alone, a table and results/bench-attack.json (half an hour)
	python tests/benchmarks/attacks.py --out results/bench-attack.json

.PHONY: clean
clean:  ## delete what was made, but for .venv
	rm -rf results build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
