# `make demo` and `make test` set up what they need in .venv, and skip what is done.

PYTHON ?= python3
PYTHONS ?= $(PYTHON)
VENV ?= .venv
DEMO ?= runs/demo

# Installed before gantk: given gantk's range alone, pip takes the newest torch, which on Linux brings gigabytes of CUDA
# libraries. A build of this version that pip finds nearer by (PIP_FIND_LINKS) is taken instead; a CPU build from
# PyTorch's own index is TORCH='torch==2.13.0 --index-url …'.
TORCH ?= torch==2.13.0

BIN := $(VENV)/bin
READY := $(VENV)/.ready
BUILT := $(VENV)/.built
DOCS ?= build/docs

.PHONY: help demo test check docs wheels clean

help:
	@echo "make demo   train a small DE-GAN on digits and draw $(DEMO)/grid.png"
	@echo "make test   run the tests"
	@echo "make check  lint, types and layers"
	@echo "make docs   write the documentation as a site to $(DOCS)"
	@echo "make wheels build a wheel for this machine into dist; for several Pythons, PYTHONS='python3.10 python3.11'"
	@echo "make clean  remove $(VENV) and what tools left; runs stay"

demo: $(DEMO)/grid.png
	@echo "The picture: $(DEMO)/grid.png"

test: $(BUILT)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m mkdocs build --strict --site-dir "$(abspath $(DOCS))"
	@echo "The first page: $(DOCS)/index.html"

wheels:
	bash .ci/wheels dist $(PYTHONS)

clean:
	rm -rf $(VENV) build dist *.egg-info gantk/ops/_build.json gantk/ops/_native*.so .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Set up anew where the dependencies change.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("gantk needs Python 3.10 or newer; name one with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH)
	GANTK_NATIVE=0 $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# gantk itself is there already: only what its extra `docs` needs is installed.
$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet 'gantk[docs]'
	@touch $@

# Native code is built here and not by pip, which would compile all of it anew each time.
$(BUILT): $(READY) setup.py $(shell find csrc -type f)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

# Narrower networks and shorter stages, so that two cores are done in minutes; small batches, so that these are still
# thousands of steps, on one thread, since a second one costs such batches more than it gains; classes, rates and an average
# of the weights that make the most of these steps: bench/demo.py.
SMALL := --condition class --generator dcgan:width=32 --discriminator dcgan:width=48 \
	--set stages.pretrain.length="2 epochs" --set stages.game.length="4600 steps" --set stages.game.batch_size=32 \
	--set "stages.game.*.lr=1e-3" --set train.ema=0.999

# `|`: a run that exists is gone on with, whatever has changed since it was built.
$(DEMO)/model.toml: | $(BUILT)
	$(BIN)/gantk build --noise de:autoencoder=vae:width=8 --loss hidden:weight=0.001 $(SMALL) -o $(DEMO)

$(DEMO)/grid.png: | $(DEMO)/model.toml
	OMP_NUM_THREADS=1 $(BIN)/gantk train $(DEMO)
	$(BIN)/gantk sample $(DEMO) -n 80 --by-class -o $@
