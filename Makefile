# `make` without a target lists the targets. The most important ones:
#   make demo    install into .venv and run the pipe on real images (a few minutes on 2 cores)
#   make docs    the documentation as a site
#   make unit    the tests that finish within a minute
#   make test    ruff, mypy, import-linter and all default tests
#   make paper   the experiment of the Deep Protection paper: IMAGES=DIR

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

ifneq ($(words $(CURDIR)),1)
$(error make cannot handle the spaces in $(CURDIR): move this directory to a path without spaces)
endif

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- installation

# requirements/dev.txt and requirements/tools.txt hold exact versions and hashes of all dependencies. pip installs wheels
# only, and refuses a file with another hash.
PIP := -m pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all:
LOCAL := --no-deps --no-build-isolation

$(BIN)/dp-attack: pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV), some 7 GB: this takes some minutes and prints nothing" >&2
	$(BIN)/python $(PIP) $(LOCKED) --requirement requirements/dev.txt
	$(BIN)/python $(PIP) $(LOCAL) --editable .
	touch $@

.PHONY: install-dev
install-dev: $(BIN)/dp-attack  ## make .venv with the tools, ready for development

# `make lock` keeps the versions that still fit. It needs uv, which is part of .venv.
LOCK ?=
COMPILE = uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command 'make lock' --python-version 3.11 --group build pyproject.toml $(LOCK)

.PHONY: lock
lock:  ## write requirements/*.txt anew after a change of pyproject.toml; LOCK=--upgrade takes the newest versions
	$(COMPILE) --extra dev --output-file requirements/dev.txt
	$(COMPILE) --extra models --constraint requirements/dev.txt --output-file requirements/tools.txt

# --- demo: attack eight ImageNet images from Foolbox, purify them with three methods, and compare the methods

DEMO := results/demo
TIMED = @SECONDS=0; echo "$@ ..." >&2;
TIME = ; echo "$@: $${SECONDS} s" >&2

DEMO_METHODS := fast dip jpeg-50

.PHONY: demo
demo: $(DEMO_METHODS:%=$(DEMO)/%.jsonl)  ## attack eight real images, purify them with three methods, compare
	@dp-eval --table --by method $^ || test $$? = 1
	@echo "images and records are in $(DEMO)"

$(DEMO)/images.txt: | $(BIN)/dp-attack
	$(TIMED) python -m dptools.samples $(DEMO)/images > /dev/null $(TIME)
	@find $(DEMO)/images -type f | sort | head -n 8 > $@

$(DEMO)/attacked.jsonl: $(DEMO)/images.txt
	$(TIMED) dp-attack --attack gs --attack deepfool -o $(DEMO)/attacked $$(cat $<) > $@ $(TIME)

$(DEMO_METHODS:%=$(DEMO)/%.jsonl): $(DEMO)/%.jsonl: $(DEMO)/attacked.jsonl
	$(TIMED) dp-denoise --method $(subst -,:,$*) -o $(DEMO)/$* < $< | dp-classify > $@ $(TIME)

# --- installation for users: the tools in an environment of their own, manual pages, completions
#
#   PREFIX   where to install: /usr/local by default; ~/.local needs no root
#   DESTDIR  a directory that replaces the root of the file system, for building packages
#   REQUIREMENTS  the dependencies, with hashes; empty if they are installed otherwise

PREFIX ?= /usr/local
DESTDIR ?=
REQUIREMENTS ?= requirements/tools.txt
HOUSE := lib/dptools
TOOLS := dp-attack dp-classify dp-denoise dp-eval dp-mapsext
PAGES := $(foreach page,$(notdir $(wildcard man/*)),man/man$(subst .,,$(suffix $(page)))/$(page))
LINKS := $(TOOLS:%=bin/%) $(addprefix share/,$(PAGES) \
	$(TOOLS:%=bash-completion/completions/%) $(TOOLS:%=zsh/site-functions/_%) $(TOOLS:%=fish/vendor_completions.d/%.fish))
ROOT = $(DESTDIR)$(abspath $(PREFIX:~/%=$(HOME)/%))

ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
ifneq ($(words x$(ROOT)),1)  # rm -rf would delete other directories
$(error DESTDIR=$(DESTDIR) PREFIX=$(PREFIX): make cannot handle a space in a name)
endif
endif

.PHONY: install uninstall
install:  ## install for users: PREFIX=/usr/local DESTDIR=
	$(PYTHON) -m venv $(ROOT)/$(HOUSE)
	@echo "installing into $(ROOT)/$(HOUSE), some 7 GB: this takes some minutes and prints nothing" >&2
	$(if $(REQUIREMENTS),$(ROOT)/$(HOUSE)/bin/python $(PIP) $(LOCKED) --requirement $(REQUIREMENTS))
	$(ROOT)/$(HOUSE)/bin/python $(PIP) $(if $(REQUIREMENTS),$(LOCAL),--no-deps) .
	sed -i '1s|^#!$(DESTDIR)|#!|' $(TOOLS:%=$(ROOT)/$(HOUSE)/bin/%)
	for file in $(LINKS); do mkdir -p "$(ROOT)/$$(dirname $$file)"; \
		ln -sfr "$(ROOT)/$(HOUSE)/$$file" "$(ROOT)/$$file"; done

uninstall:  ## remove what install wrote: the same PREFIX and DESTDIR
	rm -rf $(ROOT)/$(HOUSE)
	rm -f $(LINKS:%=$(ROOT)/%)

.PHONY: completions
completions: $(BIN)/dp-attack  ## regenerate the completions for bash, zsh and fish
	rm -rf $@
	python -m dptools.cli.completions $@

# --- the picture in the README

.PHONY: picture
picture: | $(BIN)/dp-attack  ## attack and purify two photographs, and draw docs/results.jpg
	rm -rf results/picture
	mkdir -p results/picture/images docs
	cp docs/photographs/*.webp results/picture/images
	cd results/picture; { for pair in deepfool:macaw.webp gs:dam.webp spn:macaw.webp; do \
		dp-attack --label-from prediction -a $${pair%:*} -o adv images/$${pair#*:}; done; } | dp-classify > adv.jsonl
	cd results/picture; dp-denoise -o clean < adv.jsonl | dp-classify > clean.jsonl
	cd results/picture; dp-eval --table --attacked adv.jsonl --figures figures clean.jsonl
	python -c 'from PIL import Image; Image.open("results/picture/figures/images.png").convert("RGB").save("docs/results.jpg")'

# --- the documentation site

.PHONY: docs
docs: | $(BIN)/dp-attack  ## build the documentation site from README.md, docs/ and man/ (needs mandoc): build/site/index.html
	@command -v mandoc > /dev/null || { echo "$@: mandoc is not installed" >&2; exit 1; }
	rm -rf build/site
	sphinx-build --quiet --fail-on-warning --keep-going --conf-dir docs/site --doctree-dir build/doctrees . build/site
	@echo "$@: build/site/index.html"

# --- development

.PHONY: unit test lint test-docs test-slow gpu
unit: $(BIN)/dp-attack  ## the tests that finish within a minute: for every change
	$(BIN)/python -m pytest -m unit -n auto --dist loadfile

test: lint  ## ruff, mypy --strict, import-linter and the tests, without the slow ones
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(BIN)/dp-attack  ## ruff, mypy --strict and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-docs: $(BIN)/dp-attack  ## all commands of the README and the manual pages (10 minutes)
	$(BIN)/python -m pytest -m docs

test-slow: $(BIN)/dp-attack  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

gpu:  ## on a machine with a GPU: tests of its code paths, and speeds (five minutes); needs PyTorch, not .venv
	$(PYTHON) tests/gpu/check.py

.PHONY: bench-attack
bench-attack: $(BIN)/dp-attack  ## compare the attacks' speed with Foolbox (half an hour); writes results/bench-attack.json
	python tests/benchmarks/attacks.py --out results/bench-attack.json

# A checkout of https://github.com/DmitryUlyanov/deep-image-prior
UPSTREAM ?=

.PHONY: bench-prior
bench-prior: | $(BIN)/dp-attack  ## compare the steps per second of paper and dip with the published code (minutes): UPSTREAM=DIR
	@$(if $(UPSTREAM),,$(error bench-prior needs UPSTREAM=DIR, a checkout of github.com/DmitryUlyanov/deep-image-prior))
	OMP_NUM_THREADS=1 python tests/benchmarks/upstream_prior.py $(UPSTREAM)

# --- the experiment of the Deep Protection paper, section 4: each figure by its number, `make paper` for all
#
#   IMAGES   a directory of images, in subdirectories named after their classes
#   METHOD   the fit: dip by default; paper is exactly as published and takes 25 to 50 minutes per fit on one core
#   STEPS    iterations of the fixed stop; LIMIT for the oracle; LOSS for the loss-threshold stop
#   MODEL    the classifier; ATTACKS, JOBS and ENGINE as dp-attack and all tools take them
#   SERVICE  the classifier of figure 7, for example a service; MAPS the scanned maps of figure 8

IMAGES ?= results/samples
MODEL ?= efficientnet-lite0
ifneq ($(filter oip+% clarifai:%,$(MODEL)),)  # a service gives no gradients, so another model is attacked
SERVICE := $(MODEL)
override MODEL := efficientnet-lite0
endif
SERVICE ?= $(MODEL)
ATTACKS ?= all
METHOD ?= dip
STEPS ?= $(if $(filter paper,$(METHOD)),1750,350)
LIMIT ?= 3000
LOSS ?= 0.002
MAPS ?= results/maps
JOBS ?=
ENGINE ?=
PAPER ?= results/paper/$(notdir $(abspath $(IMAGES)))-$(METHOD)-$(subst :,-,$(MODEL))

ifneq ($(filter paper paper-cost bench universality robustness certify bench-pipe gate bench-suspicion figure2 figure3 figure4 figure5 figure6 figure7,$(MAKECMDGOALS)),)
ifneq ($(words $(IMAGES)),1)
$(error IMAGES=$(IMAGES): make cannot handle a space in a name)
else ifeq ($(origin IMAGES),file)
$(info No IMAGES=DIR given (a directory of images, in subdirectories named after their classes): using the 20 samples.)
else ifneq ($(filter $(abspath $(IMAGES))/%,$(abspath $(PAPER))/),)
$(error PAPER=$(PAPER) lies in IMAGES=$(IMAGES), so outputs would become inputs)
else ifeq ($(wildcard $(IMAGES)/.)$(filter results/samples results/three,$(IMAGES)),)
$(error IMAGES=$(IMAGES) is no directory: give a directory of images, in subdirectories named after their classes)
endif
endif

ifneq ($(filter paper figure8,$(MAKECMDGOALS)),)
ifeq ($(wildcard $(MAPS)/.)$(filter results/maps,$(MAPS)),)
$(error MAPS=$(MAPS) is no directory: give a directory of scanned maps)
endif
endif

RUN := $(if $(JOBS),-j $(JOBS)) $(if $(ENGINE),--engine $(ENGINE))
CLASSIFY = dp-classify --model $(MODEL) $(RUN)

# A pipeline of tools writes a temporary file, which is renamed when it is complete. Status 1 of a tool means that some
# record failed, which the tool reports itself. PIPESTATUS holds the status of every tool; pipefail returns only one.
# The name of the temporary file contains the process id, because a pipeline may survive a killed make.
START = part=$@.$$$$.part; rm -f $@.*.part; set +e;
WHOLE = > $$part; for status in "$${PIPESTATUS[@]}"; do test $$status -le 1 || exit $$status; done; mv $$part $@
SOME = || test $$? = 1  # some record failed; dp-eval counts them

# One fit of each image serves all stopping criteria. Its records are then separated by criterion, in which ids end.
STOPS := oracle fixed:$(STEPS) loss:$(subst .,_,$(LOSS))
FIT = dp-denoise --method $(METHOD) --iterations $(LIMIT) --stop fixed:$(STEPS) --stop loss:$(LOSS)
default :=
jpeg := --method jpeg:50
median := --method median:3
letters := --words
page := --rule sauvola --words --reader tesseract-page
rule := --rule paper
MAPPED := $(patsubst %,$(PAPER)/maps-%.jsonl,letters rule $(if $(shell command -v tesseract),page))
DEFENCES := default jpeg median
COMPARED := $(foreach defence,$(DEFENCES) fixed threshold,$(PAPER)/$(defence).jsonl $(PAPER)/$(defence)-clean.jsonl)
FIGURES := figure2 figure3 figure4 figure5 figure6 figure7

# All targets depend on a file that changes with the settings and the images; outputs that are unchanged are reused.
FOUND = IMAGES=$(abspath $(IMAGES)) $(shell find $(IMAGES) -type f -printf '%p %s %T@\n' 2> /dev/null | sort | cksum)
SETTINGS = MODEL=$(MODEL) ATTACKS=$(ATTACKS) METHOD=$(METHOD) STEPS=$(STEPS) LIMIT=$(LIMIT) LOSS=$(LOSS) SERVICE=$(SERVICE) \
	MAPS=$(MAPS) $(FOUND)
# $(call HOLDS,FILE,VARIABLE): the file holds the value of the variable, and is written again if it differs.
define HOLDS
ifneq ($$(strip $$(file < $(1))),$$(strip $$($(2))))
$(1): FORCE
endif
$(1): | $(IMAGES) $(BIN)/dp-attack
	mkdir -p $$(@D)
	@echo '$$($(2))' > $$@
endef
$(eval $(call HOLDS,$(PAPER)/settings.txt,SETTINGS))
.PHONY: FORCE
FORCE:

# The cost of all fits, and their progress. Figures 2 to 5 need no fits of clean images.
COST = python tests/benchmarks/paper_cost.py $(1) $(PAPER) --images $(IMAGES) --method $(METHOD) --model $(MODEL) \
	--attacks $(ATTACKS) --criteria $(STOPS) --steps $(STEPS) --limit $(LIMIT) $(addprefix --jobs ,$(JOBS)) \
	$(if $(filter-out figure2 figure3 figure4 figure5,$(MAKECMDGOALS)),--clean)

.PHONY: paper paper-cost $(FIGURES) figure8 smoke sample
paper: $(FIGURES) figure8 $(PAPER)/report.html  ## the whole experiment: IMAGES=DIR, METHOD=paper for the paper's network
	@echo "$@: $(PAPER)/report.html"

paper-cost: | $(IMAGES) $(BIN)/dp-attack  ## print how many fits the experiment needs, and the hours that they take here
	$(call COST,estimate)

figure2: $(PAPER)/automatic/termination.png  ## iterations until the oracle stops, by attack
figure3: $(PAPER)/automatic/accuracy.png  ## top-5 accuracy with the oracle, by attack
figure4: $(PAPER)/fixed/accuracy.png  ## top-1 and top-5 accuracy after STEPS iterations, by attack
figure5: $(PAPER)/fixed/errors.png  ## errors by over-fit and under-fit
figure6: $(PAPER)/methods/methods.png  ## clean and attacked images, with the loss-threshold stop and other methods
figure7: $(PAPER)/service/probabilities.png  ## the classes of one image before and after: MODEL=NAME, for example a service
figure8: $(PAPER)/maps/maps.png  ## text extracted from maps, by the paper's rule and by dptools' rules: MAPS=DIR, with NAME.geojson as ground truth
$(FIGURES) figure8:
	@test -e $< || { echo "$@: the records contain nothing to draw" >&2; exit 1; }
	@echo "$@: $<"

results/samples: | $(BIN)/dp-attack
	python -m dptools.samples $@.part > /dev/null
	mv $@.part $@

$(PAPER)/attacked.jsonl: $(PAPER)/settings.txt
	@$(call COST,estimate)
	$(START) dp-attack $(ATTACKS:%=-a %) --model $(MODEL) $(RUN) -o $(PAPER)/images/attacked $(IMAGES) | $(CLASSIFY) $(WHOLE)

$(PAPER)/clean.jsonl: $(PAPER)/settings.txt
	$(START) $(CLASSIFY) $(IMAGES) | grep '"label_rank": 1}' $(WHOLE)

$(PAPER)/fits.jsonl: $(PAPER)/attacked.jsonl
	@$(call COST,estimate)
	$(START) $(FIT) --stop oracle --trace $(PAPER)/fits.trace --model $(MODEL) $(RUN) -o $(PAPER)/images/fits < $< | \
		$(call COST,progress) | $(CLASSIFY) -q $(WHOLE)

$(PAPER)/fits-clean.jsonl: $(PAPER)/clean.jsonl
	$(START) $(FIT) $(RUN) -o $(PAPER)/images/fits < $< | $(call COST,progress) | $(CLASSIFY) -q $(WHOLE)

# Records without a criterion, of skipped images, count for each of them.
SEPARATE = grep -v -F $(foreach other,$(filter-out $(1),$(STOPS)),-e '@$(other)",') $< > $@.part || test $$? = 1; mv $@.part $@
$(PAPER)/automatic.jsonl: $(PAPER)/fits.jsonl
	$(call SEPARATE,oracle)
$(PAPER)/fixed.jsonl: $(PAPER)/fits.jsonl
	$(call SEPARATE,fixed:$(STEPS))
$(PAPER)/threshold.jsonl: $(PAPER)/fits.jsonl
	$(call SEPARATE,loss:$(subst .,_,$(LOSS)))
$(PAPER)/fixed-clean.jsonl: $(PAPER)/fits-clean.jsonl
	$(call SEPARATE,fixed:$(STEPS))
$(PAPER)/threshold-clean.jsonl: $(PAPER)/fits-clean.jsonl
	$(call SEPARATE,loss:$(subst .,_,$(LOSS)))
$(PAPER)/fixed.trace: $(PAPER)/fits.jsonl
	grep -F '@fixed:$(STEPS)",' $(PAPER)/fits.trace > $@.part || test $$? = 1; mv $@.part $@

$(DEFENCES:%=$(PAPER)/%-clean.jsonl): $(PAPER)/%-clean.jsonl: $(PAPER)/clean.jsonl
	$(START) dp-denoise $($*) $(RUN) -o $(PAPER)/images/$* < $< | $(CLASSIFY) $(WHOLE)

$(DEFENCES:%=$(PAPER)/%.jsonl): $(PAPER)/%.jsonl: $(PAPER)/attacked.jsonl
	$(START) dp-denoise $($*) $(RUN) -o $(PAPER)/images/$* < $< | $(CLASSIFY) $(WHOLE)

$(PAPER)/automatic/termination.png $(PAPER)/automatic/accuracy.png &: $(PAPER)/automatic.jsonl
	dp-eval --table --figures $(@D) $< $(SOME)

$(PAPER)/fixed/accuracy.png $(PAPER)/fixed/errors.png &: $(PAPER)/fixed.jsonl $(PAPER)/fixed.trace
	dp-eval --table --trace $(PAPER)/fixed.trace --figures $(@D) $< $(SOME)

$(PAPER)/methods/methods.png: $(COMPARED)
	dp-eval --table --by method --figures $(@D) $^ $(SOME)

$(PAPER)/service/before.jsonl: $(PAPER)/attacked.jsonl
	mkdir -p $(@D)
	$(START) grep -m 1 '"success": true' $< | dp-classify --model '$(SERVICE)' $(RUN) $(WHOLE)

$(PAPER)/service/after.jsonl: $(PAPER)/service/before.jsonl
	$(START) dp-denoise $(RUN) -o $(@D) < $< | dp-classify --model '$(SERVICE)' $(RUN) $(WHOLE)

$(PAPER)/service/probabilities.png: $(PAPER)/service/after.jsonl $(PAPER)/service/before.jsonl
	dp-eval --table --attacked $(PAPER)/service/before.jsonl --figures $(@D) $< $(SOME)

results/maps: | $(BIN)/dp-attack
	python -m dptools.samples $@.part --map > /dev/null
	mv $@.part $@

$(MAPPED): $(PAPER)/maps-%.jsonl: $(PAPER)/settings.txt | $(MAPS)
	$(START) dp-mapsext $($*) $(RUN) -o $(PAPER)/images/maps-$* $(MAPS) $(WHOLE)

$(PAPER)/maps/maps.png: $(MAPPED)
	dp-eval --table $(if $(wildcard $(MAPS)/*.geojson),--maps $(MAPS)) --figures $(@D) $^ $(SOME)

$(PAPER)/report.html: $(PAPER)/automatic.jsonl $(PAPER)/fixed.trace $(COMPARED) $(PAPER)/attacked.jsonl
	dp-eval --table --by method --trace $(PAPER)/fixed.trace --attacked $(PAPER)/attacked.jsonl --report $@ \
		$(COMPARED) $(PAPER)/automatic.jsonl $(SOME)

PAPER_REPORT := results/paper-report

.PHONY: paper-report
paper-report: | $(BIN)/dp-attack  ## redraw the tables and figures of docs/paper.md from its records, without computing
	mkdir -p results
	python tests/benchmarks/paper_report.py docs/records/paper-fits.jsonl.xz --out $(PAPER_REPORT) | tee $(PAPER_REPORT).md
	@echo "$@: $(PAPER_REPORT)/*/*.png" >&2

results/three: | results/samples
	rm -rf $@ $@.part
	mkdir -p $@.part
	cp -R $$(find results/samples -mindepth 1 -type d | sort | sed 3q) $@.part
	mv $@.part $@

smoke: | results/three  ## the experiment on three images and two attacks, with short fits (minutes)
	$(MAKE) paper IMAGES=results/three PAPER=results/smoke ATTACKS="gs deepfool" STEPS=100 LIMIT=150

CLASSES ?= 25
PER_CLASS ?= 4
SEED ?= 0
sample: | $(BIN)/dp-attack  ## draw images of IMAGENET=DIR as the paper did: CLASSES=25 PER_CLASS=4 SEED=0
	@$(if $(IMAGENET),,$(error sample needs IMAGENET=DIR, a directory of images in subdirectories named after their classes))
	rm -rf results/sample results/sample.part
	python -m dptools.samples results/sample.part --of $(IMAGENET) --classes $(CLASSES) --per-class $(PER_CLASS) \
		--seed $(SEED) > /dev/null
	mv results/sample.part results/sample
	@echo "now: make paper IMAGES=results/sample"

# --- benchmark of the methods: IMAGES=DIR names a directory of labelled images

BENCH := results/bench/$(notdir $(abspath $(IMAGES)))
PART ?= all
METHODS ?=

.PHONY: bench
bench: $(BENCH).jsonl  ## compare the methods with filters: accuracy, core-seconds, ratios (20 samples, or IMAGES=DIR)
	python tests/benchmarks/restore.py $< --part $(PART) --model $(MODEL) --out results/bench.json $(METHODS)

BENCHED = MODEL=$(MODEL) $(FOUND)
$(eval $(call HOLDS,$(BENCH).txt,BENCHED))
$(BENCH).jsonl: $(BENCH).txt
	dp-attack --attack all --model $(MODEL) $(IMAGES) -o $(BENCH) > $@ || test $$? = 1  # 1: an attack failed on some image

# UNIVERSALITY holds more options, such as --attacks "PGD Linf 2/255" "FGSM 4/255".
UNIVERSALITY ?=

.PHONY: universality
universality: | $(IMAGES) $(BIN)/dp-attack  ## compare the methods on the paper's eight attacks and twenty-one others: IMAGES=DIR MODEL=NAME, PART=odd for half of them
	mkdir -p results
	python tests/benchmarks/universality.py $(IMAGES) --part $(PART) --model $(MODEL) $(METHODS) $(UNIVERSALITY) \
		--out results/universality/$(notdir $(abspath $(IMAGES)))-$(PART)-$(subst :,-,$(notdir $(MODEL))) | tee results/universality.md

.PHONY: universality-report
universality-report: | $(BIN)/dp-attack  ## print the tables of docs/weights.md for three classifiers from their records, without computing
	python tests/benchmarks/universality_report.py docs/records/universality.jsonl.xz

# Attacks by someone who knows the method. COUNT=0 takes all images; ROBUSTNESS holds more options, such as --estimate.
THROUGH ?= fast
COUNT ?= 50
ROBUSTNESS ?=

.PHONY: robustness
robustness: | $(IMAGES) $(BIN)/dp-attack  ## attack a method with all that the checklist of dp-eval asks for (hours; resumes): IMAGES=DIR THROUGH=METHOD COUNT=50
	python tests/benchmarks/robustness.py $(IMAGES) --method $(THROUGH) --model $(MODEL) --count $(COUNT) $(ROBUSTNESS) \
		--out results/robustness/$(notdir $(abspath $(IMAGES)))-$(subst :,-,$(THROUGH))-$(MODEL)

SIGMA ?= 0.12 0.25 0.5
DRAWS ?= 1000

.PHONY: certify
certify: | $(IMAGES) $(BIN)/dp-attack  ## certify predictions and report certified accuracy (hours; resumes): IMAGES=DIR SIGMA="0.12 0.25 0.5" DRAWS=1000 ENGINE=ray
	python tests/benchmarks/certify.py $(IMAGES) --sigma $(SIGMA) --draws $(DRAWS) --model $(MODEL) \
		$(addprefix --engine ,$(ENGINE)) --out results/certify/$(notdir $(abspath $(IMAGES)))-$(MODEL)

.PHONY: bench-pipe
bench-pipe: | $(IMAGES) $(BIN)/dp-attack  ## measure the pipe's overhead per record and its memory, and dp-classify against a bare loop (10 minutes)
	python tests/benchmarks/pipe.py --images $(IMAGES)

# --- the effect of a gate before restoration, on clean and attacked images of IMAGES=DIR

GATE := results/gate/$(notdir $(abspath $(IMAGES)))

.PHONY: gate bench-suspicion
gate: $(GATE)/restored.jsonl  ## ROC, AUC, accuracy and seconds with and without a gate: IMAGES=DIR
	dp-eval --table --figures $(GATE) $< $(SOME)

$(GATE)/restored.jsonl: $(BENCH).jsonl
	mkdir -p $(@D)
	$(START) { $(CLASSIFY) --suspect $(IMAGES) || test $$? = 1 || exit 2; $(CLASSIFY) --suspect < $<; } | \
		dp-denoise $(RUN) -o $(GATE)/restored | $(CLASSIFY) $(WHOLE)

bench-suspicion: | $(IMAGES) $(BIN)/dp-attack  ## suspicion scores of clean images, for each detector: IMAGES=DIR
	python tests/benchmarks/suspicion.py $(IMAGES)

# --- the weights of the denoiser, trained on synthetic images and on photographs from Debian packages and scikit-image
#
#   CRITICS   classifiers that take part in the training, none by default (docs/weights.md); do not evaluate with these

PHOTOS ?= results/photos
DEBIAN := mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 plasma-workspace-wallpapers \
	tuxpaint-stamps-default
PLASMA := Autumn BytheWater ColorfulCups ColdRipple DarkestHour EveningGlow FallenLeaf Flow Grey Kite OneStandsOut \
	Path SafeLanding Shell summer_1am
STAMPS := animals clothes food hobbies household military/vehicles people plants vehicles
SKIMAGE := astronaut.png brick.png chelsea.png coffee.png coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png \
	motorcycle_left.png page.png retina.jpg rocket.jpg

CRITICS ?=
TRAINING ?=

.PHONY: weights
weights: | $(PHOTOS) $(BIN)/dp-attack  ## train the denoiser, or continue its training (many hours on CPUs); TRAINING="more options"
	python -m dptools.purifiers.denoiser.training --photographs $(PHOTOS) $(if $(CRITICS),--critics $(CRITICS)) \
		$(addprefix --validation ,$(wildcard results/collected/validation)) -o results/training $(TRAINING)

FOLDER := dptools/purifiers/denoiser

.PHONY: weights-int8
weights-int8: | $(PHOTOS) $(BIN)/dp-attack  ## write the networks of the methods fast, perceptual and smoothing in 8-bit integers (minutes)
	python -m dptools.purifiers.denoiser.training.quantise $(FOLDER)/perceptual.safetensors --photographs $(PHOTOS) \
		-o $(FOLDER)/perceptual.onnx
	python -m dptools.purifiers.denoiser.training.quantise $(FOLDER)/smoothing.safetensors --photographs $(PHOTOS) \
		--noise 15 30 64 64 128 -o $(FOLDER)/smoothing.onnx

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
	python -m dptools.purifiers.denoiser.training.collect results/collected --downloads results/debian/packages > /dev/null
	cp -R results/collected/train $@.part/collected
	mv $@.part $@

.PHONY: clean
clean:  ## delete all outputs, but not .venv
	rm -rf results build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
