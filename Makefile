# make test   everything that a change has to pass: vet, gofmt, unit tests, tests on a real ZooKeeper ensemble
# make lint   staticcheck
# make model  search the model of the lease, the line's record and the takeover to its end (needs spin)
# make foreign  compile the code of other libraries that the documentation shows
# make bench  failover, joining and cost beside what ZooKeeper itself takes, as Markdown: 25 minutes (ROWS=handover,join for some)
# make soak   simulate HOURS=... cluster-hours of faults on all cores (SEED=... is the first seed)
# make campaign  ROUNDS=20 rounds of every fault on real ensembles, and a table; HOURS=... of everything at random instead
#             (needs root, iproute2, iptables; RIGS=4 ensembles in parallel, FAULTS=regexp, SEED=..., LEASE=500ms)
# make compare  ROUNDS=10 rounds of the faults under which other libraries have two leaders, with theirs and ours: a Markdown table
#             (besides, needs libcurator-recipes-java, default-jdk-headless, python3-kazoo; KINDS=zkrecipe,LeaderLatch for some)
# make record record again what real servers answer, which session/zktest is compared with

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The race detector needs a C compiler.
RACE = $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

HOURS ?= 100
SEED ?= 1
ROUNDS ?= 20
RIGS ?= 4
LEASE ?= 500ms

# Each with so many inputs beyond the committed ones. With a time in place of a number, go test itself fails now and then
# when that is over on a busy machine ("context deadline exceeded").
FUZZ = ./session/zktest:FuzzFrames ./session/internal/wire:FuzzReply ./session/internal/wire:FuzzStream ./session:FuzzHearing \
	./recipe/internal/line:FuzzParse ./recipe/internal/line:FuzzRecord ./recipe/internal/line:FuzzDecide

.PHONY: test lint model foreign bench soak campaign compare record fuzz zookeeper help

test: zookeeper
	$(GO) vet ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	@[ -n "$(RACE)" ] || echo "SKIP: no C compiler, so the race detector is off"
	$(GO) test $(RACE) -p 1 -timeout 15m ./...  # one package at a time: most of them start servers
	@# The simulation once more: without the race detector it goes through more seeds, and the broken variants.
	[ -z "$(RACE)" ] || $(GO) test -timeout 10m ./internal/sim
	@# A module of its own: candidates of Curator, kazoo and go-zookeeper in one line with ours.
	@[ -e /usr/share/java/curator-recipes.jar ] && command -v javac >/dev/null || \
		echo "SKIP: no Curator here (Debian: libcurator-recipes-java default-jdk-headless)"
	@/usr/bin/python3 -c 'import kazoo' 2>/dev/null || echo "SKIP: no kazoo here (Debian: python3-kazoo)"
	cd internal/peers && $(GO) vet ./... && $(GO) test $(RACE) -parallel 4 -timeout 10m ./...  # mostly waiting
	@# Each benchmark once, so that none rots.
	$(GO) test -run '^$$' -bench . -benchtime 1x -p 1 ./...
	@$(MAKE) --no-print-directory fuzz

fuzz:
	@for f in $(FUZZ); do \
		$(GO) test -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime 20000x "$${f%:*}" || exit 1; \
	done

# What is written at the top of this file.
help:
	@sed -n '/^#/!q; s/^# //p' $(firstword $(MAKEFILE_LIST))

lint:
	$(GO) run $(STATICCHECK) ./...
	cd internal/peers && $(GO) run $(STATICCHECK) ./...

model:
	$(GO) test ./internal/model -full -v -timeout 30m

foreign:
	ZKRECIPE_FOREIGN=1 $(GO) test ./internal/docs -run Foreign

bench: zookeeper
	$(GO) run ./internal/bench $(if $(ROWS),-rows $(ROWS))
	$(if $(ROWS),,cd internal/peers && $(GO) run ./cmd/latency)

soak:
	$(GO) test ./internal/sim -run '^TestSoak$$' -v -timeout 0 -hours $(HOURS) -first $(SEED)

# HOURS counts here only if somebody has set it.
campaign: zookeeper
	$(GO) build -o bin/campaign ./internal/campaign/cmd/campaign
	bin/campaign -rounds $(ROUNDS) -seed $(SEED) -rigs $(RIGS) -lease $(LEASE) -faults '$(FAULTS)' \
		$(if $(filter-out file,$(origin HOURS)),-hours $(HOURS))

compare: zookeeper
	cd internal/peers && $(GO) run ./cmd/compare -rigs $(RIGS) $(if $(filter-out file,$(origin ROUNDS)),-rounds $(ROUNDS)) \
		$(if $(FAULTS),-faults '$(FAULTS)') $(if $(KINDS),-kinds '$(KINDS)')

record: zookeeper
	$(GO) test ./session/zktest -run '^TestRecordReal$$' -record

# Tests that need real servers take Debian's package; elsewhere set ZOOKEEPER_HOME or ZK_SERVERS.
zookeeper:
	@if [ -z "$$ZK_SERVERS$$ZOOKEEPER_HOME" ] && [ ! -e /usr/share/java/zookeeper.jar ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq zookeeper >/dev/null; \
		else \
			echo "SKIP: no ZooKeeper here, so tests on real servers are skipped;" \
				"install Debian's zookeeper package, or set ZOOKEEPER_HOME or ZK_SERVERS"; \
		fi; \
	fi
