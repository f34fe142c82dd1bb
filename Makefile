# make setup    a virtual environment in .venv with everything in it
# make demo     evolve a one-bit spiking network that hops, then evaluate it
# make test     lint, format check and tests
# make results  tables of RESULTS.md and figures, from the tables in experiments/results
# make docs     the documentation as a site, in build/site
# make lint, make format, make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
DEMO_RUN ?= runs/demo
DEMO_BUDGET ?= 1e6

.PHONY: setup demo test results docs lint format clean

setup: $(STAMP)

# torch comes first and alone: where pip can see a CPU build it is taken, and nothing later replaces it by a CUDA build.
# For the CPU build from PyTorch's own index: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make setup
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/ec-evotorch train env=hopper agent=rsnn searcher=ec seed=0 budget=$(DEMO_BUDGET) run_dir=$(DEMO_RUN) overwrite=true
	$(BIN)/ec-evotorch evaluate $(DEMO_RUN) --episodes 100
	@echo
	@echo "learning curve: $(DEMO_RUN)/curve.png"
	@echo "policy:         $(DEMO_RUN)/policy.safetensors and $(DEMO_RUN)/policy.json"
	@echo
	@echo "To go on, activate the virtual environment:"
	@echo "  source $(VENV)/bin/activate"
	@echo "and train longer, compare with another method, and read the table:"
	@echo "  ec-evotorch resume $(DEMO_RUN) budget=2e6"
	@echo "  ec-evotorch train env=hopper agent=gru searcher=es seed=0 budget=$(DEMO_BUDGET)"
	@echo "  ec-evotorch table runs"

test: lint
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

results: $(STAMP)
	$(BIN)/python -m experiments.results.page

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Leaves runs/ alone: results are for their owner to delete.
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
