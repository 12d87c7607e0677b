# make demo   see the gateway at work: carriers, customers and an sFTP server on this machine
# make test   the whole test suite; make test ARGS="-k dedupe" for a part of it
# make bench  speed beside that of others; make bench ONLY=pull for some of it (docs/benchmarks.md)
# make fuzz   inputs nobody thought of, for SECONDS=10 each syntax; make fuzz ONLY=x12 SECONDS=600 for one of them
# make check  style, types and the layers of the architecture
#
# Needs make and Python 3.11 or newer; no root, no compiler. Everything is installed below .tools and .venv, with
# every file's hash checked against requirements/*.lock.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The interpreter to build with. Without PYTHON=..., the first on the PATH that is new enough.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
CODE := $(wildcard edi_gateway sftp_test_server demo benchmarks tests)

export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
export UV_NO_CONFIG := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Prints the interpreter's path, or says what is missing.
find_python = for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  path=$$(command -v $$python) && $$path -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$path; exit; }; \
	done; \
	echo "make: no Python 3.11 or newer among: $(or $(PYTHON),python3 python3.14 … python3.11). Install one (Debian 12: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12 …" >&2; \
	exit 1

# $(call install,locks): hash-checked, wheels only; by uv, or by pip where uv has no build for this machine.
hashed = --require-hashes --no-deps --only-binary :all: $(foreach lock,$(1),-r requirements/$(lock).lock)
install = if $(UV) --version >/dev/null 2>&1; \
	then $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python $(call hashed,$(1)); \
	else $(BIN)/python -m pip install --quiet $(call hashed,$(1)); fi

.PHONY: help demo test bench fuzz check format lock wheel-smoke clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.runtime
	@$(BIN)/python -m demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks $(ONLY)

SECONDS ?= 10
fuzz: $(VENV)/.fuzz
	@for syntax in $(or $(ONLY),$$($(BIN)/python -m tests.fuzz.targets)); do \
	  echo "fuzz $$syntax, $(SECONDS) s"; \
	  $(BIN)/python -m tests.fuzz $$syntax $(SECONDS) >build/fuzz-$$syntax.log 2>&1 \
	  && grep '^Done' build/fuzz-$$syntax.log || { tail -n 60 build/fuzz-$$syntax.log; exit 1; }; done

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "make: run 'make format'" >&2; exit 1; }
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

# Versions stay as they are unless LOCK="--upgrade" or LOCK="--upgrade-package asyncssh". dev is the widest set and
# rules the others, so that no two locks disagree.
compile = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate $(LOCK)
lock: .tools/.stamp
	@$(UV) --version >/dev/null || { echo "make: locks are made with uv, which does not run here" >&2; exit 1; }
	$(compile) requirements/bootstrap.in -o requirements/bootstrap.lock
	$(compile) requirements/dev.in -o requirements/dev.lock
	$(compile) -c requirements/dev.lock requirements/runtime.in -o requirements/runtime.lock
	$(compile) -c requirements/dev.lock requirements/build.in -o requirements/build.lock
	$(compile) -c requirements/dev.lock requirements/fuzz.in -o requirements/fuzz.lock

# The wheel as a stranger gets it: built, installed into an environment of its own, started outside the checkout.
wheel-smoke: $(VENV)/.dev
	@rm -rf build/smoke && mkdir -p build/smoke
	@$(BIN)/python -m hatchling build --target wheel --directory build/smoke >/dev/null
	@$$($(BIN)/python -c 'import sys; print(sys._base_executable)') -m venv build/smoke/venv
	@build/smoke/venv/bin/python -m pip install --quiet $(call hashed,runtime)
	@build/smoke/venv/bin/python -m pip install --quiet --no-deps build/smoke/*.whl
	@cd / && $(CURDIR)/build/smoke/venv/bin/edi-gateway --help >/dev/null
	@echo "wheel: installs and starts"

clean:
	rm -rf build dist .tools $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A machine without python3-venv may still have pip, or uv, of its own.
.tools/.stamp: requirements/bootstrap.lock
	@rm -rf .tools; python=$$($(find_python)); \
	if $$python -c 'import ensurepip' 2>/dev/null; then $$python -m venv .tools; pip=".tools/bin/python -m pip"; \
	elif $$python -m pip --version >/dev/null 2>&1; then $$python -m venv --without-pip .tools; pip="$$python -m pip --python .tools/bin/python"; \
	else echo "make: $$python has no ensurepip, so it cannot make environments. Debian and Ubuntu: apt install python3-venv (or python3-pip)" >&2; exit 1; fi; \
	$$pip install --quiet $(call hashed,bootstrap) || echo "make: uv cannot be had here, going on with pip (slower)" >&2
	@touch $@

# hatchling and editables make the project importable as it lies here, with its command and its plugins.
$(VENV)/.runtime: requirements/runtime.lock requirements/build.lock pyproject.toml .tools/.stamp
	@echo "setting up $(VENV) …" >&2
	@if $(UV) --version >/dev/null 2>&1; then $(UV) venv --quiet --allow-existing --python .tools/bin/python $(VENV); \
	else .tools/bin/python -m venv $(VENV); fi
	@$(call install,runtime build)
	@$(install_project)
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@$(call install,dev)
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.lock $(VENV)/.dev
	@mkdir -p build
	@$(call install,fuzz)
	@touch $@

install_project = if $(UV) --version >/dev/null 2>&1; \
	then $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; fi
