# make quick  after each change, less than a minute on two cores: vet, gofmt, the tests that need nothing but Go, with a part of their rounds; the
#             tests of the examples are left out
# make test   before a change is proposed, about 10 minutes on two cores: all of that with the race detector, the examples, and tests on
#             real ZooKeeper ensembles; what needs something that is not here is skipped
# make long   after a change of the core or of its tests, about 10 minutes: all rounds and the broken variants, the simulation, each
#             fault once on real ensembles, the models in part, what differs between releases, each benchmark once
# make peers  with other programs, some minutes: candidates of Curator, kazoo, go-zookeeper and etcd beside ours, and Kerberos; locks
#             also beside the newest Curator and kazoo, which Maven and pip fetch
# make peers-newest  all mixed lines of make peers with the newest Curator and kazoo: some minutes
# make fuzz   20,000 inputs for each fuzz target, about a minute
# make deps   install what make test, long and peers need beside Go (Debian, as root); make deps test does both
# make lint   staticcheck, and go vet for macOS and Windows
# make vuln   known vulnerabilities in what the modules use; skipped where the database, vuln.go.dev, does not answer (VULNDB=URL
#             is another one, which may be file:///DIR)
# make golangci  more linters, as .golangci.yml says; the first time it is compiled, which takes minutes
# make apidiff  what has changed in the exported API of both modules since the last tag (SINCE=... another one)
# make benchstat BASE=ref  the benchmarks that need no servers, at a commit and here, compared by benchstat
# make model  search the models of the lease, the line's record, the takeover and the journal to their ends (needs spin)
# make foreign  compile the code of other libraries that the documentation shows
# make bench  failover, joining and cost beside what ZooKeeper itself takes, as Markdown: an hour (ROWS=handover,join for some)
# make picture  run a failover and draw the README's picture of it, with what stands below it: what was measured, and the numbers of
#             the last make bench, from the page of performance
# make soak   simulate HOURS=... cluster-hours of faults on all cores (SEED=... is the first seed)
# make busy   make test RUNS=20 times in a row while a simulation keeps all cores busy, until the first failure: two hours
# make noise  the tests of session, watch and recipe RUNS=20 times in a row, on simulated servers and on real ones, while the former and
#             the fault proxies let others go first at random: finds tests that depend on who is first
# make campaign  ROUNDS=20 rounds of every fault on real ensembles, and a table; HOURS=... of everything at random instead
#             (needs root, iproute2, iptables; RIGS=4 ensembles in parallel, FAULTS=regexp, SEED=..., LEASE=500ms)
# make compare  other libraries beside ours, as Markdown: how long nobody leads at hand-overs and after faults (35 minutes), and
#             ROUNDS=10 rounds of the faults under which others have two leaders (15 minutes; besides, needs
#             libcurator-recipes-java, default-jdk-headless, maven, python3-kazoo, python3-pip; KINDS=zkrecipe,LeaderLatch@5.9.0
#             for some, of the latter alone)
# make compose  run docker-compose.yml on a Docker engine, break its containers, take everything down: under 5 minutes (uses an
#             engine that answers, with official images; else starts one as root, cut off from the machine, with stand-ins)
# make servers  VERSIONS="3.5.10 3.9.5" tries releases of ZooKeeper, which Maven fetches, and prints a table: an hour for all of them
#             (besides, needs default-jdk-headless and maven; for the campaign, what make campaign needs)
# make theirs  run the tests of go-zookeeper, kazoo and Curator on the servers of session/zktest: 15 minutes (with "go test ./theirs
#             -real" in internal/peers those of kazoo and Curator run on real ones; needs what make compare needs, and python3-pytest)
# make record record again what real servers answer, which session/zktest is compared with

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

VULN = golang.org/x/vuln/cmd/govulncheck@v1.9.0

# All but those that are there only to be compiled.
MODULES = . session/sasl/kerberos internal/peers internal/peers/hosts/etcd

# The race detector needs a C compiler.
RACE = $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

# go vet has run by then. Nobody debugs these programs, and without DWARF they are linked in three quarters of the time.
LEAN = -vet=off -ldflags=-w

HOURS ?= 100
SEED ?= 1
ROUNDS ?= 20
RUNS ?= 20
RIGS ?= 4
VERSIONS ?= 3.5.10 3.6.4 3.7.2 3.8.6 3.9.3 $(NEWEST)
NEWEST = 3.9.5
REALTIME ?= 5

# All fuzz targets. make fuzz gives each a number of inputs beyond the committed ones. With a time in place of the number, go
# test itself sometimes fails on a busy machine when the time is over ("context deadline exceeded").
FUZZ = $(shell grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z]*' recipe session internal watch | sed 's,/[^/]*:func ,:,')

# CAUGHT is the names of the tests that run broken variants. VARIANTS is the packages that have such variants. LONG is packages
# that take long. make test leaves out CAUGHT and LONG. make long runs both.
CAUGHT = IsCaught$$
VARIANTS = $(shell find recipe session -path '*/testdata/variants' -not -path '*/kerberos/*' | sed 's,^,./,; s,/testdata/variants,,')
LONG = ./internal/campaign ./internal/model ./internal/servers

# Packages whose tests nearly all need servers, or spin. make quick does not compile them.
NEEDY = $(LONG) ./internal/bench ./internal/hold

# The packages that have benchmarks.
BENCHMARKS = $(shell grep -rl --include='*_test.go' '^func Benchmark' recipe session internal | xargs -n 1 dirname | sort -u | sed 's,^,./,')

# What make deps installs, and what for.
DEBIAN = zookeeper $(KDC) $(NAMESPACES) $(PEERS) $(CHECKERS) $(COMPILERS) $(ENGINE)
NAMESPACES = iproute2 iptables  # the short campaign: networks of its own, and cuts in them
KDC = krb5-kdc krb5-admin-server krb5-user faketime  # Kerberos, also with clocks that differ
PEERS = libcurator-recipes-java default-jdk-headless maven python3-kazoo python3-pip python3-pytest  # candidates of other libraries
CHECKERS = prometheus chromium docker-compose  # for the alert rules, the status page, docker-compose.yml
ENGINE = docker.io curl maven  # docker-compose.yml at work
COMPILERS = spin gcc tcc libc6-dev  # search the model of the lease; the race detector

.PHONY: quick test long long-variants long-servers peers peers-newest check deps lint vuln golangci apidiff benchstat model foreign bench picture soak busy noise campaign compare compose servers versions theirs record fuzz help
check lint foreign: | $(filter deps,$(MAKECMDGOALS)) # make deps test: deps comes first

# Most of these tests wait for something rather than compute: hence more at one time than there are processors. The
# packages that take longest come first.
quick: check
	ZKRECIPE_QUICK=1 $(GO) test -short $(LEAN) -p 6 -parallel 4 -timeout 5m ./recipe/election ./internal/sim ./session/... \
		$$($(GO) list ./... | grep -v -e /examples/ $(NEEDY:./%=-e /%$$))

noise:
	ZKRECIPE_QUICK=1 $(GO) run ./internal/ensemble/common $(GO) test -tags zkrecipe_noise $(LEAN) -count $(RUNS) -cpu 2,4 -p 4 -timeout 120m -skip '$(CAUGHT)' \
		./session/... ./watch/... ./recipe/... ./internal/faultproxy

check:
	$(GO) vet ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi

test: check
	@[ -n "$$ZK_SERVERS$$ZOOKEEPER_HOME" ] || [ -e /usr/share/java/zookeeper.jar ] || \
		echo "SKIP: no ZooKeeper here, so tests on real servers are skipped: make deps, or set ZOOKEEPER_HOME or ZK_SERVERS"
	@[ -n "$(RACE)" ] || echo "SKIP: no C compiler, so the race detector is off"
	@# Those that take longest come first. One ensemble is for all packages whose tests stop no server.
	$(GO) run ./internal/ensemble/common $(GO) test $(RACE) $(LEAN) -p 6 -timeout 30m -skip '$(CAUGHT)' ./examples/singleton ./recipe/election ./session ./internal/sim \
		$$($(GO) list ./... | grep -v $(LONG:./%=-e /%$$))

# Most of the second half waits for servers. So both run at the same time.
long: check
	@$(MAKE) --no-print-directory -j 2 long-variants long-servers

long-variants:
	$(GO) test $(LEAN) -timeout 30m ./internal/sim
	$(GO) test $(LEAN) -timeout 30m -p 2 -short $(VARIANTS)
	$(GO) test $(LEAN) -timeout 30m -p 2 -run '$(CAUGHT)' $(VARIANTS)

long-servers:
	$(GO) test $(RACE) $(LEAN) -timeout 30m -p 1 $(LONG)
	@# What differs between releases, and a leader's life and death, on the newest.
	$(GO) run ./internal/servers -short -versions $(NEWEST)
	@# Each benchmark once, so that none rots.
	$(GO) test $(LEAN) -run '^$$' -bench . -benchtime 1x -p 1 $(BENCHMARKS)

peers:
	@# A module of its own: candidates of Curator, kazoo and go-zookeeper in one line with ours.
	@[ -e /usr/share/java/curator-recipes.jar ] && command -v javac >/dev/null || \
		echo "SKIP: no Curator here: make deps"
	@/usr/bin/python3 -c 'import kazoo' 2>/dev/null || echo "SKIP: no kazoo here: make deps"
	@command -v mvn >/dev/null && /usr/bin/python3 -m pip --version >/dev/null 2>&1 || \
		echo "SKIP: no Maven or no pip here, so nothing runs with the newest Curator or kazoo: make deps"
	cd internal/peers && $(GO) vet ./... && $(GO) test $(RACE) $(LEAN) -parallel 4 -timeout 30m ./...
	@# A module of its own: Kerberos, with a KDC and a server that trusts it.
	@command -v krb5kdc >/dev/null || echo "SKIP: no KDC here: make deps"
	cd session/sasl/kerberos && $(GO) vet ./... && $(GO) test $(RACE) $(LEAN) -timeout 30m ./...

peers-newest:
	cd internal/peers && ZKRECIPE_PEERS=newest $(GO) test $(RACE) $(LEAN) -count=1 -parallel 4 -skip Etcd -timeout 30m .

fuzz:
	@for f in $(FUZZ); do \
		(cd "$${f%:*}" && $(GO) test -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime 20000x .) || exit 1; \
	done

# What is written at the top of this file.
help:
	@sed -n '/^#/!q; s/^# //p' $(firstword $(MAKEFILE_LIST))

# Users build the library and the examples on other systems, too. internal/bench stops processes with a signal that Windows
# does not have.
lint:
	for m in $(MODULES); do (cd $$m && $(GO) run $(STATICCHECK) ./...) || exit 1; done
	$(GO) vet -tags zkrecipe_noise ./session/zktest # what make noise compiles
	for m in . session/sasl/kerberos; do for os in darwin windows; do \
		(cd $$m && export GOOS=$$os && $(GO) vet $$($(GO) list ./... | grep -v /internal/bench$$)) || exit 1; \
	done; done

vuln:
	@for m in $(MODULES); do \
		echo "govulncheck $$m"; \
		out=$$(cd $$m && $(GO) run $(VULN) $(if $(VULNDB),-db $(VULNDB)) ./... 2>&1) && continue; \
		echo "$$out"; \
		case "$$out" in \
		*"fetching vulnerabilities"*) \
			echo "SKIP: VULNERABILITIES WERE NOT LOOKED FOR: the database does not answer"; \
			[ -z "$$ZKRECIPE_REQUIRE_REAL" ]; exit;; \
		esac; \
		exit 1; \
	done

golangci:
	for m in $(MODULES); do (cd $$m && $(GO) run $(GOLANGCI) run ./...) || exit 1; done

apidiff:
	@.ci/apidiff $(SINCE)

benchstat:
	@.ci/benchstat $(BASE)

model:
	$(GO) test ./internal/model -full -v -timeout 30m

foreign:
	ZKRECIPE_FOREIGN=1 $(GO) test ./internal/docs -run Foreign

bench:
	$(GO) run ./internal/bench $(if $(ROWS),-rows $(ROWS))
	$(if $(ROWS),,$(GO) test ./recipe/cache -run '^$$' -bench Load -benchtime 10x -znodes 10000)
	$(if $(ROWS),,cd internal/peers && $(GO) run ./cmd/latency && $(GO) run ./cmd/counters && $(GO) run ./cmd/locks)

picture:
	$(GO) run ./internal/picture -svg recipe/docs/failover.svg -readme README.md -performance recipe/docs/performance.md

soak:
	$(GO) test ./internal/sim -run '^TestSoak$$' -v -timeout 0 -hours $(HOURS) -first $(SEED)

# The simulation has a process group of its own, because it consists of several processes. It ends with an interrupt, too: dash
# does not run the trap of EXIT after a signal that has no trap.
busy:
	$(GO) test -c -o bin/sim.test ./internal/sim
	@(cd internal/sim && exec setsid nice -n 19 ../../bin/sim.test -test.run '^TestSoak$$' -test.timeout 0 -hours 1000000 -first $(SEED)) >/dev/null & load=$$!; \
		trap 'kill -- -$$load' EXIT; trap 'exit 1' INT TERM HUP; \
		for run in $$(seq $(RUNS)); do echo "run $$run of $(RUNS)"; GOFLAGS=-count=1 $(MAKE) --no-print-directory test || exit; done

# HOURS counts here only if somebody has set it.
campaign:
	$(GO) build -o bin/campaign ./internal/campaign/cmd/campaign
	bin/campaign -rounds $(ROUNDS) -seed $(SEED) -rigs $(RIGS) -faults '$(FAULTS)' $(if $(LEASE),-lease $(LEASE)) \
		$(if $(filter-out file,$(origin HOURS)),-hours $(HOURS))

compare:
	$(if $(KINDS)$(FAULTS),,cd internal/peers && $(GO) run ./cmd/failover -realtime $(REALTIME))
	cd internal/peers && $(GO) run ./cmd/compare -rigs $(RIGS) $(if $(filter-out file,$(origin ROUNDS)),-rounds $(ROUNDS)) \
		$(if $(FAULTS),-faults '$(FAULTS)') $(if $(KINDS),-kinds '$(KINDS)')

compose:
	ZKRECIPE_COMPOSE=1 $(GO) test ./internal/compose -count=1 -v -timeout 30m

servers:
	$(GO) run ./internal/servers -versions "$(VERSIONS)"
	$(GO) test -count=1 -timeout 10m ./internal/servers

# One line, for the workflow that runs make servers for each.
versions:
	@echo $(VERSIONS)

theirs:
	cd internal/peers && ZKRECIPE_THEIRS=1 $(GO) test -count=1 -v -parallel 4 -timeout 40m ./theirs

record:
	$(GO) test ./session/zktest -run '^TestRealServersBehaveAsRecorded$$' -record

# With this run level packages do not start the servers that they bring.
deps:
	@if dpkg -s $(DEBIAN) >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null; \
	else \
		echo "SKIP: nothing is installed: that takes root on Debian; the packages are $(strip $(DEBIAN))"; \
	fi
