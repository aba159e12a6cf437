# scpd's tasks. `make` alone lists them. Needs Node.js 20.19 or newer and GNU make; everything else is installed here.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

bin := node_modules/.bin
bench := node --import=@tapjs/typescript/import test/bench

# npm writes this file last, so it is there, and newer than the lock file, when an install was completed.
installed := node_modules/.package-lock.json
built := dist/.built

# Native add-ons are compiled against Node's headers. Where Node brings them along, nothing need be downloaded for that.
node_prefix := $(shell node -p 'require("path").resolve(process.execPath, "../..")' 2>/dev/null)
ifneq ($(wildcard $(node_prefix)/include/node/node.h),)
export npm_package_config_node_gyp_nodedir := $(node_prefix)
endif

# What `make bench-growth` is to do beside its defaults; the options are in test/bench/growth.ts.
GROWTH ?=

# `make test TESTS=test/config` runs a part of the tests; options of tap may stand there as well.
TESTS ?=

matrix_platform = $(shell node -p 'process.platform + "-" + process.arch')
matrix_node22 := 22.23.3
matrix_node24 := 24.21.0

# Programs for `node -e`: a backslash joins lines here, but not inside the quotes of a recipe.
print_reference = \
  Promise.all([import("./dist/config/reference.js"), import("./dist/config/schema.js")]).then( \
    ([reference, schema]) => process.stdout.write(reference.renderReference(schema.configSchema)))
print_record_schema = \
  import("./dist/audit/record-schema.js").then( \
    ({ recordSchema }) => process.stdout.write(JSON.stringify(recordSchema, null, 2) + "\n"))
refuse_old_node = \
  var version = process.versions.node.split("."); \
  if (version[0] < 20 || (version[0] == 20 && version[1] < 19)) { \
    console.error("scpd needs Node.js 20.19 or newer, but this is " + process.version); \
    process.exit(1); \
  }

.PHONY: help
help: ## list the targets
	@echo 'scpd: a server that receives files from standard scp and sftp clients. Start with: make run'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s%s\n", $$1, $$2 }' Makefile

.PHONY: run
run: build ## create keys and a demo user (once), then serve; Ctrl-C stops it
	@node dist/main.js init
	@exec node dist/main.js serve

.PHONY: test
test: build ## run the tests; a part of them with TESTS=test/config
	$(bin)/tap $(TESTS)

.PHONY: fuzz
fuzz: $(installed) ## send the protocol readers a million made-up packets each; another million with FUZZ_SEED=2
	FUZZ_PACKETS=1000000 $(bin)/tap --disable-coverage --timeout=900 test/fuzz

.PHONY: soak
soak: $(installed) ## kill a process that changes a catalog, again and again
	$(bin)/tap --disable-coverage test/support/soak-catalog.ts

.PHONY: bench
bench: build ## measure beside Debian's sshd and write docs/performance.md: an hour or two
	@rm -f .bench.json
	$(bench)/bench.ts --results=.bench.json
	$(bench)/report.ts .bench.json docs/performance.md
	$(bin)/prettier --write --log-level warn docs/performance.md

.PHONY: bench-quick
bench-quick: build ## the same in less than two minutes: ratios only, for whoever touches a hot path
	$(bench)/bench.ts --quick

.PHONY: bench-growth
bench-growth: build ## measure how time and memory grow with what there is to do; needs gnuplot-nox; GROWTH=--series=tree
	$(bench)/growth.ts --page=docs/performance.md --plot=docs/growth.svg $(GROWTH)
	$(bin)/prettier --write --log-level warn docs/performance.md

.PHONY: bench-audit
bench-audit: build ## write, verify and search a journal of 10 million records; fewer with RECORDS=1000000
	$(bench)/audit.ts $(RECORDS)

.PHONY: transcripts
transcripts: build ## record the wire of each SCP client into test/transcripts again
	$(bin)/tap --disable-coverage test/support/record-transcripts.ts
	@git diff --stat -- test/transcripts

.PHONY: clients
clients: build ## run the tests of real clients and write docs/clients.md
	@rm -f .clients.jsonl
	SCPD_CLIENT_TABLE="$(CURDIR)/.clients.jsonl" $(bin)/tap --disable-coverage test/interop
	@mkdir -p docs
	node scripts/client-table.mjs .clients.jsonl > docs/clients.md
	$(bin)/prettier --write --log-level warn docs/clients.md
	@rm -f .clients.jsonl

.PHONY: faults
faults: build ## kill the server and fail its host in every way that is tested, many times, and write docs/faults.md
	@rm -f .faults.jsonl
	FAULTS=all SCPD_FAULT_TABLE="$(CURDIR)/.faults.jsonl" \
	  $(bin)/tap --disable-coverage --jobs=1 --timeout=7200 test/faults
	node scripts/fault-table.mjs .faults.jsonl > docs/faults.md
	$(bin)/prettier --write --log-level warn docs/faults.md
	@rm -f .faults.jsonl

.PHONY: soak-processes
soak-processes: build ## kill, restart and reload the server under load, again and again, and write docs/processes.md
	@rm -f .processes.jsonl
	SCPD_SOAK=processes SCPD_PROCESS_TABLE="$(CURDIR)/.processes.jsonl" \
	  $(bin)/tap --disable-coverage --jobs=1 --timeout=7200 \
	    test/supervisor/kills.test.ts test/supervisor/restart.test.ts test/cli/control.test.ts
	node scripts/process-table.mjs .processes.jsonl > docs/processes.md
	$(bin)/prettier --write --log-level warn docs/processes.md
	@rm -f .processes.jsonl

.PHONY: check
check: lint test ## all that must hold before a change is handed in: lint, types, format, tests

.PHONY: build
build: $(built) ## compile src/ to dist/

.PHONY: lint
lint: $(installed) ## report lint errors, type errors and files that are not formatted
	$(bin)/oxlint --type-aware --deny-warnings
	$(bin)/tsc --noEmit
	$(bin)/prettier --check --log-level warn .

.PHONY: format
format: $(installed) ## format all files
	$(bin)/prettier --write --log-level warn .

.PHONY: docs
docs: build ## write config/README.md, docs/audit-record.json and docs/rules.md from what they document
	@node -e '$(print_reference)' > dist/reference.md
	@mv dist/reference.md config/README.md
	@node -e '$(print_record_schema)' > docs/audit-record.json
	@$(bin)/prettier --write --log-level warn docs/audit-record.json
	@WRITE_DOCS=yes $(bin)/tap --disable-coverage --reporter=silent test/guard/rules-table.test.ts

# The same dist/ and the same tests under other versions of Node, which npm brings to .matrix/. ssh2's native add-on is
# compiled for the Node that installed it; where another one can't load it, ssh2 works without, only slower.
.PHONY: test-matrix
test-matrix: build .matrix/$(matrix_node22)-$(matrix_node24) ## run the server and the tests on Node 22 and 24 too
	@status=0; table=''; \
	for directory in "$(node_prefix)/bin" "$(CURDIR)/.matrix/node_modules/node22/bin" \
	  "$(CURDIR)/.matrix/node_modules/node24/bin"; do \
	  version=$$("$$directory/node" --version) || exit 1; \
	  echo "== Node $$version"; \
	  if PATH="$$directory:$$PATH" node dist/main.js --version \
	    && PATH="$$directory:$$PATH" node $(bin)/tap $(TESTS); \
	  then result=passed; else result=FAILED; status=1; fi; \
	  table="$$table$$(printf '  %-12s%s' "$$version" "$$result")|"; \
	done; \
	echo '== Node'; echo "$$table" | tr '|' '\n'; exit $$status

.matrix/$(matrix_node22)-$(matrix_node24): | node-version
	rm -rf .matrix
	mkdir .matrix
	echo '{ "private": true }' > .matrix/package.json
	npm install --prefix .matrix --no-audit --no-fund --save-exact \
	  node22@npm:node-$(matrix_platform)@$(matrix_node22) node24@npm:node-$(matrix_platform)@$(matrix_node24)
	touch $@

.PHONY: clean
clean: ## remove what was built and installed; keys, users and data stay
	rm -rf dist .tap .matrix node_modules

.PHONY: node-version
node-version:
	@command -v node > /dev/null \
	  || { echo 'scpd needs Node.js 20.19 or newer, but there is no "node" in PATH: https://nodejs.org' >&2; exit 1; }
	@node -e '$(refuse_old_node)'

$(installed): package-lock.json | node-version
	npm ci --no-audit --no-fund
	@touch $@

# Directories are among the prerequisites because a file that was removed changes only its directory.
$(built): $(installed) tsconfig.json tsconfig.build.json package.json $(shell find src)
	rm -rf dist
	$(bin)/tsc -p tsconfig.build.json
	@chmod +x dist/main.js
	@touch $@
