# make test   everything that a change has to pass: vet, gofmt, unit tests, tests on a real ZooKeeper ensemble
# make lint   staticcheck
# make bench  Go benchmarks, once each

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The race detector needs a C compiler.
RACE = $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

.PHONY: test lint bench zookeeper

test: zookeeper
	$(GO) vet ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	@[ -n "$(RACE)" ] || echo "SKIP: no C compiler, so the race detector is off"
	$(GO) test $(RACE) -p 1 -timeout 15m ./...  # one package at a time: most of them start servers

lint:
	$(GO) run $(STATICCHECK) ./...

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1x -p 1 ./...

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
