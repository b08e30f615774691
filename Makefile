# The commands of the project; CMakePresets.json holds how each build is made.

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help deps build demo test test-faults bench lint format install clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install system packages, build mbedTLS and libcoap (once)
	@deploy/deps.sh

build: build-release ## build everything (also build-debug, build-asan, build-tsan)

build-%: deps
	@cmake --preset $* >/dev/null
	@cmake --build --preset $* --parallel $(JOBS)

demo: build ## train a model with ten local clients (DEMO_ARGS="--rounds 5 …")
	@build/release/bin/mycel demo $(DEMO_ARGS)

test: build-release build-asan ## run all tests, then again under ASan and UBSan
	@tests/run.sh $(JOBS) release asan

test-faults: build-release build-asan ## run every fault sweep in full (crashes, allocations, I/O, bit flips)
	@python3 -B tests/fault/run.py build/release/faults.tsv build/asan/faults.tsv

bench: build ## run all benches, keep their lines in build/bench.jsonl
	@MYCEL_BIN=$(CURDIR)/build/release/bin/mycel \
		python3 -B tests/bench/run.py build/release/benches.tsv build/bench.jsonl

format: ## rewrite all C files with clang-format
	@tests/lint/format.sh . --fix

lint: build ## clang-tidy and cppcheck (slow); the fast lints are part of `make test`
	@tests/lint/static_analysis.sh build/release

install: build ## install into PREFIX (default /usr/local)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove what was built, except mbedTLS and libcoap
	@rm -rf build/release build/debug build/asan build/tsan build/bench.jsonl
