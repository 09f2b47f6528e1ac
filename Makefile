# The commands of fluxbase_mcp_ext. `make help` lists them. The work is done by scripts/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# One recipe at a time: they build in the same folders.
.NOTPARALLEL:

# Majors that `make test` runs pg_regress on; PG is the one for `make test-regress`.
LANES ?= 18 16 15
PG ?= 18

.PHONY: help run reset build install installcheck test test-long test-rust test-regress test-e2e test-differential test-clients test-package conformance package check fmt bench bench-functions bench-files bench-plan retrieval fuzz faults soak clean distclean test-cost bench-instructions bench-jobs jobs-soak bench-vectors-growth bench-memory

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make run takes PORT=8080 PGPORT=54330 RUN_DIR=.run; the tests take LANES="18 16 15".'

run: ## Demo on this machine: Postgres 18, extension, real data, listener. Ctrl-C stops it
	@PORT='$(PORT)' PGPORT='$(PGPORT)' RUN_DIR='$(RUN_DIR)' exec scripts/run.sh

reset: ## Remove the demo's cluster and its data (RUN_DIR)
	@RUN_DIR='$(RUN_DIR)' scripts/reset.sh

build: ## Build the listener, and the extension into the embedded Postgres (PG=18)
	@scripts/build.sh tree $(PG)

install: ## Build the extension for PG_CONFIG=/path/to/pg_config and install it there
	@scripts/build.sh install '$(PG_CONFIG)'

package: ## Debian packages into target/package: PACKAGE_PGS="15 16 18", or PG_CONFIG=… for one Postgres
	@PACKAGE_PGS='$(PACKAGE_PGS)' PG_CONFIG='$(PG_CONFIG)' scripts/package.sh

installcheck: ## pg_regress on the Postgres of PG_CONFIG, in a cluster of its own, after make install
	@scripts/regress.sh --no-build '$(or $(PG_CONFIG),$(shell command -v pg_config))' $(TESTS)

test: ## Every test there is
	@scripts/test.sh check rust cost docs $(addprefix regress-,$(LANES)) e2e differential clients conformance package dump tls

test-long: ## What takes long: pg_regress on a Postgres with assertions, random queries of a weak role (QUERIES=20000 SEED=1), licences and sources of crates, jobs-soak, faults, soak
	@QUERIES='$(QUERIES)' SEED='$(SEED)' JOBS='$(JOBS)' ROUNDS='$(ROUNDS)' MINUTES='$(MINUTES)' scripts/test.sh regress-15-cassert sqlsmith deny jobs-soak faults soak

faults: ## Faults under load, ROUNDS=3 times each; writes docs/reports/faults.md
	@ROUNDS='$(ROUNDS)' scripts/test.sh faults

soak: ## Mixed load at 80 % of the peak for MINUTES=30; writes docs/reports/soak.md
	@MINUTES='$(MINUTES)' scripts/test.sh soak

jobs-soak: ## JOBS=100000 background jobs while processes are killed; writes docs/reports/jobs.md
	@JOBS='$(JOBS)' scripts/test.sh jobs-soak

test-rust: ## Tests of the crates that need no Postgres, and of the listener
	@scripts/test.sh rust

test-cost: ## Instructions and allocations of one call against the baseline; ACCEPT=1 to take them over
	@ACCEPT='$(ACCEPT)' scripts/test.sh cost

test-regress: ## pg_regress on PG=18 (16, 15); TESTS="name …" for some, ACCEPT=1 to take the output over
	@TESTS='$(TESTS)' ACCEPT='$(ACCEPT)' scripts/test.sh regress-$(PG)

test-e2e: ## The client-side crate: real listener, real Postgres
	@scripts/test.sh e2e

test-differential: ## The same questions to PostgREST and to SQL by hand; TESTS="operators:: analyst" for some
	@TESTS='$(TESTS)' scripts/test.sh differential

test-clients: ## Real MCP clients
	@scripts/test.sh clients

test-package: ## The Debian packages: built, looked into, installed into a scratch root, run
	@scripts/test.sh package

conformance: ## The official MCP conformance suite against a real listener
	@scripts/test.sh conformance

check: ## cargo fmt and clippy
	@scripts/test.sh check

fmt: ## Format the Rust code
	@cargo fmt --all

bench: ## Benchmarks; writes docs/benchmarks.md. SECTIONS="http peers growth" ROUNDS=5 SECONDS=5
	@SECTIONS='$(SECTIONS)' BENCH_ROUNDS='$(or $(ROUNDS),$(BENCH_ROUNDS))' BENCH_SECONDS='$(or $(SECONDS),$(BENCH_SECONDS))' scripts/build.sh bench

bench-instructions: ## Instructions, allocations and system calls of one call (valgrind, strace)
	@scripts/build.sh bench-instructions

bench-memory: ## The memory of one backend over a million calls (CALLS=1000000); fails when it grows
	@BENCH_CALLS='$(CALLS)' scripts/build.sh bench-memory

bench-functions: ## Edge functions beside other calls; writes docs/benchmarks/functions.md
	@tests/bench/functions.sh

bench-files: ## Files of 1 MB beside dd and nginx; writes docs/benchmarks/files.md
	@tests/bench/files.sh

bench-jobs: ## Background jobs beside a claim loop by hand, submit to start; writes docs/benchmarks/jobs.md
	@tests/bench/jobs.sh

bench-vectors-growth: ## search_vectors among 10,000 to 1,000,000 vectors, beside pgbench; writes docs/benchmarks/vectors.md (5 GB of disk, up to an hour)
	@scripts/build.sh vectors-growth

retrieval: ## How well search_vectors finds in real text: Debian's packages, a real model (the first time 15 minutes; LIMIT=5000 for a part)
	@scripts/build.sh retrieval $(LIMIT)

bench-plan: ## What the query crate takes to plan a call (criterion)
	@cargo bench --package fluxbase_query

fuzz: ## Fuzz the query crate, guided by coverage: SECONDS=60 SEED=1
	@scripts/fuzz.sh '$(or $(SECONDS),60)' $(SEED)

clean: ## Remove what was built
	@rm -rf target

distclean: clean ## … and the downloads, the tools and the private Postgres trees (not the demo: make reset)
	@rm -rf .cache
