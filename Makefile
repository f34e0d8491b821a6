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

# --- benchmark of the restoration: IMAGES=DIR names a folder of labelled images

BENCH := results/bench
IMAGES ?= $(BENCH)/samples
PART ?= all
METHODS ?=

.PHONY: bench
bench: $(BENCH)/$(notdir $(IMAGES)).jsonl  ## the restoration beside filters: accuracy, core-seconds, ratios (20 samples, or IMAGES=DIR)
	python tests/benchmarks/restore.py $< --part $(PART) --out results/bench.json $(METHODS)

$(BENCH)/samples: | $(BIN)/dp-attack
	python -m dptools.samples $@ > /dev/null

$(BENCH)/$(notdir $(IMAGES)).jsonl: | $(IMAGES) $(BIN)/dp-attack
	mkdir -p $(@D)
	dp-attack --attack all $(IMAGES) -o $(BENCH)/attacked > $@ || test $$? = 1  # 1: an attack failed on some image

# --- the weights that the restoration starts from, of photographs in Debian's packages and scikit-image

PHOTOS ?= results/photos
DEBIAN := mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 plasma-workspace-wallpapers \
	tuxpaint-stamps-default
PLASMA := Autumn BytheWater ColorfulCups ColdRipple DarkestHour EveningGlow FallenLeaf Flow Grey Kite OneStandsOut \
	Path SafeLanding Shell summer_1am
STAMPS := animals clothes food hobbies household military/vehicles people plants vehicles
SKIMAGE := astronaut.png brick.png chelsea.png coffee.png coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png \
	motorcycle_left.png page.png retina.jpg rocket.jpg

.PHONY: weights
weights: results/warm.pt  ## train the network that restoration starts from, on free photographs (hours); copy it to dptools/prior

results/warm.pt: | $(PHOTOS) $(BIN)/dp-attack
	python -m dptools.prior.training $(PHOTOS) -o $@.part
	python -m dptools.prior.training $(PHOTOS) -o $@ --start $@.part --rate 4e-4 --iterations 10000 --seed 1

results/photos: | $(BIN)/dp-attack
	rm -rf results/debian $@.part
	mkdir -p results/debian $@.part
	cd results/debian && apt-get download $(DEBIAN) && for package in *.deb; do dpkg-deb -x "$$package" .; done
	cd results/debian/usr/share && find backgrounds backgrounds/mate/nature -maxdepth 1 -name '*.jpg' \
		-exec cp --parents -t $(abspath $@.part) {} +
	cd results/debian/usr/share/wallpapers && for name in $(PLASMA); do \
		cp "$$(ls -S $$name/contents/images/* | head -n 1)" "$(abspath $@.part)/$$name.jpg"; done
	cd results/debian/usr/share/tuxpaint/stamps && find $(STAMPS) -name '*.png' -size +30000c ! -path '*cartoon*' \
		-exec cp --parents -t $(abspath $@.part) {} +
	cd $(VENV)/lib/python*/site-packages/skimage/data && cp $(SKIMAGE) $(abspath $@.part)
	mv $@.part $@

.PHONY: clean
clean:  ## delete what was made, but for .venv
	rm -rf results build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
