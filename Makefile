.PHONY: help build test latest constraints wheel kills sanitize fuzz lint bench docs site
PYTHON ?= python3
FUZZ_COUNT ?= 20000
FUZZ_SEED ?= 1

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

build:  ## Install the package and its test tools into the current environment
	$(PYTHON) -m pip install '.[test]'

test:  ## Run the tests against the installed package
	$(PYTHON) -m pytest

latest:  ## Run the tests in a new environment with the newest packages instead of those in constraints.txt
	$(PYTHON) -m venv build/latest
	build/latest/bin/pip install '.[test]'
	build/latest/bin/python -m pytest

constraints:  ## Write constraints.txt: the newest packages that the tests ask for; run them before you commit it
	$(PYTHON) tests/constraints.py

wheel:  ## Build source distribution and wheel into dist/, repair the wheel for all Linux systems, install and try it
	$(PYTHON) tests/wheel.py

kills:  ## Kill 200 runs while they write, of all forms of result, and look at what is left
	$(PYTHON) tests/kills.py --kills 200

sanitize:  ## Run the kernel and native tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(PYTHON) tests/sanitize.py

fuzz:  ## Fuzz under the sanitizers: JSON lines for a minute, then hostile Arrow arrays and mutated files, FUZZ_COUNT of each
	cmake -S . -B build/fuzz -DDJFAST_FUZZ=ON -Dpybind11_DIR=$$($(PYTHON) -m pybind11 --cmakedir)
	cmake --build build/fuzz --target fuzz_json_lines --parallel
	build/fuzz/fuzz_json_lines 60
	$(PYTHON) tests/sanitize.py -m tests.fuzz.arrow_campaign $(FUZZ_COUNT) $(FUZZ_SEED)
	$(PYTHON) tests/sanitize.py -m tests.fuzz.file_campaign $(FUZZ_COUNT) $(FUZZ_SEED)

lint:  ## Check style, types and the import layers
	ruff check src tests bench cpp
	mypy
	lint-imports

bench:  ## Measure djfast; BENCH_DATA=docs.jsonl names the documents, PEER=python the peer's interpreter
	$(PYTHON) -m bench.run

docs:  ## Write docs/ops from the declarations
	$(PYTHON) docs/generate.py

site:  ## Build the site of the documentation into build/site
	mkdocs build --strict
