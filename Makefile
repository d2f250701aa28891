# make            what there is to make
# make demo       one DAG over the sample documents, without an account and without paying
# The virtual environment is made on the first run, and again when the requirements change.

VENV ?= .venv
PYTHON ?= python3
RESOLUTION ?= highest
BIN := $(VENV)/bin
RUN := PYTHONPATH=plugins $(BIN)/python

# Each of the many processes that Airflow and the tests start would compile the plugin anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo airflow docs wheel test test-long test-distributed services test-lowest coverage matrix torture damages bench lint types \
	contracts check ci hooks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Run the example DAG once; with RUNWARE_API_KEY set, against the real service
	@$(RUN) -m runware_provider.testing.tryout.demo

airflow: $(VENV)/.installed ## Start Airflow with the example DAGs and its web page; Ctrl-C stops it
	@$(RUN) -m runware_provider.testing.tryout.standalone

docs: $(VENV)/.installed-dev ## Build the documentation into build/docs; a warning is an error
	@PYTHONPATH=plugins:docs $(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "Open build/docs/index.html"

# The same bytes from the same commit, whoever builds them, when and with which umask: times are that of the commit, and
# the wheel is made from the source distribution, whose files are in order and whose rights are plain.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)
wheel: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
PLAIN_RIGHTS := u+rwX,go+rX,go-w

wheel: $(VENV)/.installed-dev ## Build the wheel and the source distribution into dist, the same bytes each time
	@rm -rf dist
	@umask 022; $(BIN)/python -m build --no-isolation --sdist >build.log 2>&1 || { cat build.log; exit 1; }
	@cd dist && for archive in *.tar.gz; do tar -xzf $$archive && chmod -R $(PLAIN_RIGHTS) $${archive%.tar.gz} && \
		tar --sort=name --format=gnu --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner \
			-cf - $${archive%.tar.gz} | gzip -9n >sorted && mv sorted $$archive; done
	@umask 022; $(BIN)/python -m build --no-isolation --wheel --outdir dist dist/*/ >build.log 2>&1 || { cat build.log; exit 1; }
	@rm -rf build.log dist/*/ *.egg-info
	@ls dist/*

LONG := tests/whole_airflow tests/torture tests/packaging \
	tests/test_readme.py $(wildcard tests/docs/test_page*.py) tests/docs/test_build.py tests/test_benchmarks.py \
	tests/airflow/test_dag_test.py tests/airflow/test_examples.py
DISTRIBUTED := tests/distributed

# Microsoft's emulator of Azure's store is an npm package. Without npm its tests are skipped, and say so.
AZURITE := .azurite/node_modules/azurite/package.json
AZURITE_VERSION := 3.37.0

$(AZURITE):
	@if command -v npm >/dev/null && command -v node >/dev/null; then \
		echo "Installing Azurite $(AZURITE_VERSION), which stands in for Azure's store ..."; \
		npm install --silent --no-audit --no-fund --prefix .azurite azurite@$(AZURITE_VERSION) || \
			{ rm -rf .azurite; echo "npm cannot install it, so the tests against Azure's store are skipped."; }; \
	else echo "There is no npm here, so the tests against Azure's store are skipped."; fi

# What listens to an Airflow (StatsD, OpenLineage) lies beside the environment: each Airflow that finds it loads it, and
# the other tests run without. What these need themselves is in the environment, or in the list.
WATCHING := .watching/.installed

$(WATCHING): requirements-watching.txt $(VENV)/.installed-dev
	@echo "Installing what listens to Airflow in the tests ..."
	@rm -rf .watching
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .watching -r requirements-watching.txt
	@touch $@

# The same holds for Flask AppBuilder.
FAB := .fab/.installed

$(FAB): requirements-fab.txt $(VENV)/.installed-dev
	@echo "Installing Flask AppBuilder for its test ..."
	@rm -rf .fab
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .fab -r requirements-fab.txt && touch $@ || \
		{ rm -rf .fab; echo "It cannot be installed, so its test is skipped."; }

test: $(VENV)/.installed-dev $(AZURITE) ## Run all tests but the long ones
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(patsubst %,--ignore %,$(LONG) $(DISTRIBUTED))

test-long: $(VENV)/.installed-dev $(AZURITE) $(WATCHING) $(FAB) ## Run the long ones: a whole Airflow, kills everywhere, README and docs, examples, benchmarks, the wheel
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(LONG)

# In an environment of its own: with Celery in it, every other test of Airflow would load Celery's provider, too.
test-distributed: services ## Run a job in shards on Celery, Postgres, Redis and S3, with kills; SHARDS=10 RECORDS=4000 for less
	$(MAKE) VENV=.venv-distributed .venv-distributed/.installed-distributed
	.venv-distributed/bin/python -m pytest $(DISTRIBUTED) -o log_cli=true --log-cli-level=INFO --log-cli-format='%(message)s'

services: # Whether the machine has what is no Python package
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && command -v redis-server >/dev/null || \
		{ echo "Postgres or Redis is not here. On Debian and Ubuntu: apt install postgresql redis-server"; exit 1; }

test-lowest: $(AZURITE) ## Run the tests with the oldest versions that requirements.txt allows
	$(MAKE) VENV=.venv-lowest RESOLUTION=lowest-direct .venv-lowest/.installed-dev
	.venv-lowest/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/engine tests/airflow tests/test_dags.py

coverage: $(VENV)/.installed-dev $(AZURITE) ## Run all tests but the long ones and show which code they reach; pages in build/coverage
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(patsubst %,--ignore %,$(LONG) $(DISTRIBUTED)) \
		--cov --cov-report=term --cov-report=html:build/coverage

matrix: $(VENV)/.installed-dev $(AZURITE) ## Run the tests with every Python at hand, newest and oldest dependencies
	$(BIN)/nox

torture: $(VENV)/.installed-dev $(AZURITE) ## Kill, double and mistreat jobs everywhere and compare with the bill; takes half an hour or more
	$(BIN)/python tests/torture/torture.py
	$(BIN)/python tests/torture/webhooks.py

damages: $(VENV)/.installed-dev ## Damage state, sources, replies and answers 100,000 times; takes half an hour or so
	$(BIN)/python tests/torture/damages.py

bench: $(VENV)/.installed-dev ## Measure beside other products and fill docs/performance.md; takes half an hour, QUICK=1 three minutes and no page
	$(RUN) benchmarks/bench.py $(if $(QUICK),--quick,--page) $(if $(RECORDS),--growth $(RECORDS))

lint: $(VENV)/.installed-dev ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## Check types
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev ## Check which module may import which
	PYTHONPATH=plugins $(BIN)/lint-imports

check: lint types contracts ## Check style, types and imports

ci: ## Run all that has to pass before a change lands
	.ci/run

hooks: $(VENV)/.installed-dev ## Let git run the quick checks before each commit, the slow ones before each push
	$(BIN)/pre-commit install

clean: ## Remove what the demo, Airflow and the checks left; the virtual environment stays
	rm -rf .demo .airflow .nox .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* build dist
	find plugins dags tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# uv, where it can be had, because it is many times faster. Compiled bytecode halves Airflow's start. uv does not read
# pip's configuration: where that names a company's index or certificate, uv fails, and pip does it.
define install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
	@if $(BIN)/python -m uv --version >/dev/null 2>&1 && \
		$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --compile-bytecode --resolution $(2) -r $(1); \
	then true; \
	elif [ $(2) != highest ]; then echo "Only uv can install the $(2) versions, and it cannot here."; exit 1; \
	else echo "uv cannot install the packages here; pip does it, which takes longer ..."; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1); fi
	@touch $@
endef

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON). Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11. Name a newer one: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making the virtual environment in $(VENV); the first time takes a few minutes ..."
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(call install,requirements.txt,$(RESOLUTION))

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt requirements-docs.txt
	$(call install,requirements-dev.txt,highest)

$(VENV)/.installed-distributed: requirements.txt requirements-distributed.txt | $(BIN)/python
	$(call install,requirements-distributed.txt,highest)
