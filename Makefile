# `make help` lists what there is. Everything a target needs is set up the first time, in a virtual
# environment here and in target/; after that only what has changed is made again.

PYTHON := python3
VENV := $(if $(filter python3,$(PYTHON)),.venv,.venv-$(shell \
	$(PYTHON) -c 'import sys; print("%d.%d%s" % (*sys.version_info[:2], sys.abiflags))'))
BIN := $(VENV)/bin
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')

# maturin and pyo3 build for this environment, whichever is active.
export VIRTUAL_ENV := $(abspath $(VENV))
export PYO3_PYTHON := $(VIRTUAL_ENV)/bin/python
unexport CONDA_PREFIX

# Tests start hundreds of Pythons, which would each compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

# pip says only what goes wrong, and pyright does not ask for its newest version.
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 29
	@echo
	@echo "  PYTHON=python3.12 runs a target on another Python (3.11 to 3.14), in .venv-3.12."

.PHONY: demo
demo: $(VENV)/.extension ## Run the documented example against a local server for 3 seconds
	$(BIN)/python -m wsclient.demo

# More processes than processors, as most tests wait most of the time; each has proxies of its own.
AT_ONCE = --dist=worksteal --numprocesses=$(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3)')

.PHONY: test
test: $(VENV)/.extra-test ## Run the tests: the Rust core without Python, then the package
	cargo test
	$(BIN)/python -m pytest $(AT_ONCE) -m 'not slow'

.PHONY: test-slow
test-slow: $(VENV)/.extra-test ## Run the tests that `make test` leaves out, as they take longer than all others
	PROPTEST_CASES=1000 cargo test --test endpoint
	$(BIN)/python -m pytest $(AT_ONCE) -m slow

.PHONY: test-all
test-all: test test-slow ## Run all tests

AIOHTTP := 3.10

.PHONY: test-aiohttp
test-aiohttp: $(VENV)/.extra-test ## Compare the adapter with another aiohttp: AIOHTTP=3.10, the oldest
	$(BIN)/pip install --no-deps --upgrade --target target/aiohttp/$(AIOHTTP) 'aiohttp==$(AIOHTTP).*'
	PYTHONPATH=target/aiohttp/$(AIOHTTP) $(BIN)/python -m pytest $(AT_ONCE) tests/adapter/test_side_by_side.py \
		tests/adapter/test_tls.py tests/adapter/test_requests.py tests/adapter/test_mocks.py

ARM := aarch64-unknown-linux-gnu

.PHONY: test-arm
test-arm: ## Run the Rust tests on an emulated ARM processor (Debian's qemu-user, gcc-aarch64-linux-gnu)
	rustup target add $(ARM)
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' \
		PROPTEST_CASES=64 cargo test --target $(ARM) --target-dir target/arm --tests

WEBSOCKETS := 14.0

.PHONY: test-websockets
test-websockets: $(VENV)/.extra-test ## Compare the adapter with another websockets: WEBSOCKETS=14.0, the oldest
	$(BIN)/pip install --no-deps --upgrade --target target/websockets/$(WEBSOCKETS) 'websockets==$(WEBSOCKETS).*'
	PYTHONPATH=target/websockets/$(WEBSOCKETS) $(BIN)/python -m pytest $(AT_ONCE) tests/websockets_adapter tests/testing

.PHONY: lint
lint: $(VENV)/.extra-lint $(VENV)/.extra-test ## Check formatting, lints, types, stubs, Rust docs and workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/pyright --verifytypes wsclient --ignoreexternal
	$(BIN)/python -m mypy.stubtest wsclient._core
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets --features bench,python -- -D warnings
	cargo fmt --check --manifest-path benches/native/Cargo.toml
	cargo clippy --locked --manifest-path benches/native/Cargo.toml --target-dir target/native -- -D warnings
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items --features python
	$(BIN)/zizmor --quiet --offline --persona pedantic .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format --force-filetype yaml CITATION.cff

PORTABLE := x86_64-pc-windows-gnu x86_64-pc-windows-msvc aarch64-apple-darwin x86_64-apple-darwin \
	aarch64-unknown-linux-gnu x86_64-unknown-linux-musl

# musl has extension modules only where it is not linked statically.
.PHONY: portable
portable: ## Check that the extension compiles for Windows, macOS, ARM and musl (needs rustup)
	@for target in $(PORTABLE); do \
		if ! rustup target add $$target; then echo "$$target cannot be had: skipped" >&2; continue; fi; \
		(set -x; PYO3_PYTHON= PYO3_CROSS_PYTHON_VERSION=3.11 \
			CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS=-Ctarget-feature=-crt-static \
			cargo check --target $$target --target-dir target/portable \
			--features python,pyo3/generate-import-lib) || exit 1; \
	done

.PHONY: format
format: $(VENV)/.extra-lint ## Format the sources and apply safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt
	cargo fmt --manifest-path benches/native/Cargo.toml
	cargo fmt --manifest-path fuzz/Cargo.toml

.PHONY: bench
bench: $(VENV)/.extra-bench wheel ## Time the core's parts, then measure the wheel beside other clients (20 minutes)
	cargo bench --features bench --bench core -- --quick --noplot --discard-baseline
	$(BIN)/pip install --no-deps --force-reinstall "$$(ls -t target/wheels/*-cp$(TAG)-*.whl | head -n 1)"
	@rm -f $(VENV)/.extension # The next target brings the editable install back.
	$(BIN)/python benches/compare --json benches/results.json

.PHONY: plots
plots: $(VENV)/.extension ## Bring the figures of README and docs up to date with the last bench
	$(BIN)/python benches/compare/publish.py

.PHONY: instructions
instructions: $(VENV)/.extra-bench ## Count the instructions of an echo beside other clients (valgrind)
	$(BIN)/python benches/compare --measure instructions --scenario echo

.PHONY: texts
texts: $(VENV)/.extra-bench ## Count the instructions of text in many scripts beside CPython's decoder
	$(BIN)/python benches/compare/texts.py

.PHONY: instructions-check
instructions-check: $(VENV)/.extra-test ## Fail if it takes more instructions than its baseline; ALL=1 counts everything
	$(BIN)/python benches/compare/regression.py $(if $(ALL),--all)

.PHONY: instructions-baseline
instructions-baseline: $(VENV)/.extra-test ## Make what this client takes now the baseline
	$(BIN)/python benches/compare/regression.py --update

.PHONY: docs
docs: $(VENV)/.extra-docs ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: conformance
conformance: $(VENV)/.extra-test ## Run all of the Autobahn test suite, and write docs/conformance.md (10 minutes)
	$(BIN)/python -m tests.conformance.autobahn --summary docs/conformance.md

SOAK_MINUTES := 10

.PHONY: soak
soak: $(VENV)/.extra-test ## Send messages over bad connections for SOAK_MINUTES (10); none may be lost
	$(BIN)/python -m tests.soak --minutes $(SOAK_MINUTES)

.PHONY: sanitize
sanitize: $(VENV)/.extra-test ## Run the core under AddressSanitizer or valgrind, the binding under valgrind
	@if ls "$$(rustc --print target-libdir)"/librustc*rt.asan.* >/dev/null 2>&1; then \
		set -x; RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
			cargo test --target $(HOST) --lib; \
	else \
		set -x; CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER='valgrind -q --error-exitcode=1' \
			PROPTEST_CASES=32 cargo test --lib -- mask:: utf8:: frame:: transcode:: \
				--skip every_character --skip every_order --skip flaws_are_found; \
	fi
	@if command -v valgrind >/dev/null; then \
		set -x; $(BIN)/python tests/memcheck.py; \
	else \
		echo 'valgrind is missing: the binding was not checked' >&2; \
	fi
	@if [ -x '$(LLVM_PATH)/llvm-cov' ]; then \
		set -x; $(BIN)/python tests/reached.py '$(LLVM_PATH)'; \
	else \
		echo 'llvm-cov is missing: whether that reaches all unsafe code was not checked' >&2; \
	fi

.PHONY: coverage
coverage: ## Fail if the Rust tests miss a branch of src/endpoint that tests/covered.py does not name
	$(if $(LLVM_PATH),,$(error llvm-cov is missing (rustup component add llvm-tools)))
	$(PYTHON) tests/covered.py '$(LLVM_PATH)'

FUZZ_SECONDS := 20
FUZZED_IN_RUST := $(patsubst fuzz/fuzz_targets/%.rs,%,$(wildcard fuzz/fuzz_targets/*.rs))
FUZZED_IN_PYTHON := answers arguments
FUZZED_LOOPS := asyncio uvloop
CARGO_FUZZ := target/tools/bin/cargo-fuzz

.PHONY: fuzz
fuzz: $(VENV)/.extra-fuzz $(CARGO_FUZZ) ## Fuzz everything for FUZZ_SECONDS each (20), in all 3 minutes
	cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz -- -D warnings
	$(BIN)/python fuzz/seeds.py fuzz/corpus
	set -ex; for target in $(FUZZED_IN_RUST); do \
		RUSTC_BOOTSTRAP=1 PATH="$$PWD/target/tools/bin:$$PATH" cargo fuzz run --target-dir target/fuzz \
			$$target -- -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1; \
	done
	set -ex; for target in $(FUZZED_IN_PYTHON); do \
		$(BIN)/python fuzz/$$target.py fuzz/corpus/$$target -verbosity=0 \
			-artifact_prefix=fuzz/artifacts/$$target- -max_total_time=$(FUZZ_SECONDS); \
	done
	set -ex; for loop in $(FUZZED_LOOPS); do \
		$(BIN)/python fuzz/sequences --loop $$loop --seconds $(FUZZ_SECONDS); \
	done

$(CARGO_FUZZ):
	cargo install --locked --root target/tools cargo-fuzz

# llvm-profdata must be as new as the compiler's own LLVM; it is rustup's llvm-tools, or Debian's.
LLVM_PATH = $(shell llvm=$$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'); \
	for bin in "$$(rustc --print sysroot)/lib/rustlib/$(HOST)/bin" "/usr/lib/llvm-$$llvm/bin"; do \
		if [ -x "$$bin/llvm-profdata" ]; then echo "$$bin"; break; fi; \
	done)

.PHONY: wheel
wheel: $(BIN)/maturin ## Build a wheel into target/wheels/, optimised for benches/train.py (PGO)
	@if [ -n '$(LLVM_PATH)' ]; then \
		set -x; PATH='$(LLVM_PATH)':"$$PATH" \
			$(BIN)/maturin build --release --strip --interpreter $(BIN)/python --pgo; \
	else \
		echo 'llvm-profdata is missing (rustup component add llvm-tools): a wheel without PGO' >&2; \
		set -x; $(BIN)/maturin build --release --strip --interpreter $(BIN)/python; \
	fi

# As file names of wheels have it: 314, or 314-cp314t.
TAG = $(shell $(PYTHON) -c 'import sys; print("%d%d-cp%d%d%s" % (*sys.version_info[:2] * 2, sys.abiflags))')

WHEELS_FOR :=

.PHONY: wheels
wheels: $(VENV)/.extra-release ## Build what is published into target/dist/, for each CPython here (WHEELS_FOR)
	rm -rf target/dist
	$(BIN)/maturin sdist --out target/dist
	$(if $(LLVM_PATH),PATH='$(LLVM_PATH)':"$$PATH") $(BIN)/python release/wheels.py --out target/dist \
		$(if $(WHEELS_FOR),--python $(WHEELS_FOR))

.PHONY: wheels-check
wheels-check: $(VENV)/.extra-release ## Check what `make wheels` has built, and try it in fresh environments
	PATH='$(abspath $(BIN))':"$$PATH" $(BIN)/python release/check.py target/dist

.PHONY: wheels-arm
wheels-arm: $(VENV)/.extra-release ## Try a wheel for ARM in an emulator (Debian, one CPython)
	$(BIN)/python release/emulate.py target/dist target/arm64

.PHONY: release-check
release-check: lint wheels wheels-check ## Everything that is to be true before a release but the tests (an hour)
	$(BIN)/python release/ready.py

.PHONY: clean
clean: ## Remove everything that was made here
	cargo clean
	rm -rf .venv .venv-* site .autobahn .hypothesis .*_cache python/wsclient/*.so

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"wsclient needs Python 3.11 or newer, not {sys.version.split()[0]}; see make help")'
	$(PYTHON) -m venv $(VENV)

$(BIN)/maturin: | $(BIN)/python
	$(BIN)/pip install 'maturin>=1.9.4,<2'

# Built as users get it, for the tests too: `cargo test` runs the core with debug assertions.
$(VENV)/.extension: $(SOURCES) pyproject.toml | $(BIN)/maturin
	$(BIN)/maturin develop --release
	@touch $@

# pip fetches what an extra needs while the extension is compiled.
$(VENV)/.extra-%: $(SOURCES) pyproject.toml | $(BIN)/maturin
	@$(BIN)/maturin develop --release --skip-install & \
		$(BIN)/python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
			print(*project['dependencies'], *project['optional-dependencies']['$*'], sep='\n')" \
			| $(BIN)/pip install --requirement /dev/stdin; \
		wait $$!
	$(BIN)/maturin develop --release --extras $*
	@touch $@ $(VENV)/.extension
