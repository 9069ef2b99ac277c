# Everything is a target here; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# The programs under test, and what the demo and `install` take.
export FLOTILLA_PROGRAMS := $(CARGO_TARGET_DIR)/programs

# What the daemons are built with: `dev` for tests, `release` for use.
PROFILE ?= dev
# The part of a name that selects tests, and the machines to boot: all, none, oldest, newest.
T ?=
VM ?= all
# The benchmark: start or fleet.
B ?= start

AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=FLOTILLA_PROGRAMS,PREFIX,DESTDIR)

.PHONY: help programs test soak bench demo up down install clean

help:
	@cat <<'END'
	make programs       build everything into target/programs/ (PROFILE=release: optimized daemons)
	make test           format, lints, unit tests, system tests on the host and in the virtual machine
	make test T=name    only the tests with `name` in their name (VM=none: on the host only)
	make soak           the long tests
	make bench          start latency beside the runtimes that are installed
	make bench B=fleet  what a fleet does, beside Docker Swarm
	make demo           a fleet of one, from start to stop, and one of three whose host dies
	make up / down      the same, left running for the shell that follows / every trace removed
	make install        programs and systemd units in place (needs root)
	make clean          remove what was built
	END

programs:
	@tests/install build
	tests/programs $(PROFILE)

# With T only the tests: format and lints are for whole runs.
test:
	@tests/install build test
	if [ -z "$(T)" ]; then
		cargo fmt --all --check
		cargo clippy --workspace --all-targets --quiet -- -D warnings
	fi
	tests/programs dev --tests
	tests/run --filter "$(T)" --vm "$(VM)"

soak:
	@tests/install build test
	tests/programs dev --tests
	tests/run --ignored yes --filter "$(T)" --vm "$(VM)"

bench: PROFILE = release
bench: programs
	@cargo run --quiet --release -p flotilla-bench -- $(B)

demo up: PROFILE = release
demo up: programs
demo up down:
	@$(AS_ROOT) examples/fleet-of-one $@
	if [ $@ = demo ]; then $(AS_ROOT) examples/fleet-of-three $@; fi

install: PROFILE = release
install: programs
	@$(AS_ROOT) fleetd/systemd/install

clean:
	@cargo clean
