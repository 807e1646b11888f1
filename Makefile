# The commands of this project. `make` alone lists them; the tables of what each needs are in deploy/build/.

BUILD := deploy/build
OUT := $(or $(CARGO_TARGET_DIR),target)
# Always the whole workspace, because cargo switches on the features that the chosen crates ask for together: another
# choice would build everything below tokio a second time.
BUILD_PROGRAMS := cargo build --workspace --bins
# End-to-end tests start the programs themselves, so these are built first.
BUILD_TESTS := $(BUILD_PROGRAMS) && cargo test --workspace --no-run
KEEP_CLEAN := $(BUILD)/leave_nothing.sh

# What `make bench` hands to the load tool, e.g. `make bench BENCH="--connections 64"`.
BENCH ?=
ifdef SWEEP
BENCH := sweeps --sources $(SWEEP)
endif
ifdef WINDOW
BENCH := window --size $(WINDOW)
endif
# Seconds of fuzzing for each target of `make prove`.
FUZZ_SECONDS ?= 300
# How many seeds `make sim` runs, and from which one on.
SEEDS ?= 200
FROM ?= 0
# How many seeds each deliberate fault of `make prove` is tried with at most, how many have to find it until the next one is
# tried (as many as there are seeds: the whole table, which takes hours), and how many new seeds run without any fault.
BROKEN_SEEDS ?= 200
BROKEN_ENOUGH ?= 3
FRESH_SEEDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help run test check check-rust check-scripts check-deploy prove sim rules bench fuzz-api

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: ## the whole product with a sample company (ONCE=1 ends with a verdict, LOG=kafka goes through a real Kafka)
	@$(BUILD)/prerequisites.sh build $(if $(filter kafka,$(LOG)),kafka)
	@$(BUILD_PROGRAMS)
	@exec $(OUT)/debug/renkei-sandbox demo

test: ## everything that says whether it is right, with its own Kafka and PostgreSQL
	@$(BUILD)/prerequisites.sh build kafka test
	@$(BUILD_TESTS)
	@$(KEEP_CLEAN) $(BUILD)/cargo_test.sh

check: check-scripts check-rust check-deploy ## format, lints, documentation, licences, unused dependencies, deployment files

check-scripts:
	@$(BUILD)/prerequisites.sh check
	shellcheck --external-sources .ci/run $(BUILD)/*.sh deploy/*.sh tests/api/*.sh

check-rust:
	@$(BUILD)/prerequisites.sh build
	@$(BUILD)/tools.sh cargo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	cargo fetch --locked
	PATH="$$($(BUILD)/tools.sh path):$$PATH" cargo deny --offline check licenses bans sources
	PATH="$$($(BUILD)/tools.sh path):$$PATH" cargo machete

check-deploy:
	@deploy/check.sh

prove: ## what takes long: kill runs, budget runs in real time, faults put in on purpose, fuzzing
	@$(BUILD)/prerequisites.sh build kafka test
	@$(BUILD_TESTS)
	@$(KEEP_CLEAN) $(BUILD)/cargo_test.sh --ignored --test-threads=1 prove_
	@cargo build --package renkei-simulation --features broken --target-dir $(OUT)/broken
	@$(OUT)/broken/debug/renkei-sim --fresh $(FRESH_SEEDS)
	@$(OUT)/broken/debug/renkei-sim --broken all --seeds $(BROKEN_SEEDS) --enough $(BROKEN_ENOUGH)
	@$(KEEP_CLEAN) tests/api/fuzz.sh
	@$(KEEP_CLEAN) $(BUILD)/fuzz.sh $(FUZZ_SECONDS)

sim: ## simulated company-days against an independent oracle (SEEDS=n, FROM=first; SEED=x TRACE=1 shows one), or SCENARIO=webhooks_off
	@$(BUILD)/prerequisites.sh build
	@$(BUILD_PROGRAMS)
	@$(OUT)/debug/renkei-sim $(if $(SEED),--seed $(SEED) $(if $(TRACE),--trace),--seeds $(SEEDS) --from $(FROM) $(if $(SCENARIO),--scenario $(SCENARIO)))

fuzz-api: ## invented calls against the REST API: no answer is a 5xx (needs python3 and PyPI)
	@$(BUILD)/prerequisites.sh build
	@tests/api/fuzz.sh

rules: ## one line for each rule that the simulators enforce: a naive client fails it, ours passes
	@$(BUILD)/prerequisites.sh build
	@cargo test --quiet --workspace --no-run
	@cargo test --quiet --workspace --test it -- --nocapture --exact rules::every_rule_that_is_touched_is_kept_by_the_real_delivery

bench: ## figures (SWEEP=10000: sweeps alone, WINDOW=5000x40: windows of so many people and days alone): requests a second, latency and CPU at ingest, drain of a backlog, 1,000 connections (needs Kafka and PostgreSQL)
	@$(BUILD)/prerequisites.sh build kafka test
	@cargo build --release --bins -p renkei-ingest -p renkei-workers -p renkei-sandbox -p renkei-load
	@$(KEEP_CLEAN) $(OUT)/release/renkei-load $(BENCH)
