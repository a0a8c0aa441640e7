# Candor: one Makefile. `make help` lists what there is. Objects go to $(BUILD), those of a sanitizer to a folder below.
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
SANITIZE ?=
SECONDS ?= 60
VERSION := 0.1.0

comma := ,
# address,undefined -> build/asan, thread -> build/tsan, anything else under its own name.
VARIANT := $(if $(SANITIZE),/$(or $(if $(findstring fuzzer,$(SANITIZE)),fuzz),$(if $(findstring address,$(SANITIZE)),asan),$(if $(findstring thread,$(SANITIZE)),tsan),$(subst $(comma),-,$(SANITIZE))))
O := $(BUILD)$(VARIANT)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef
LIBS_ALL := -luv -lldns -llmdb -lssl -lcrypto -lcyaml -lyaml -lxxhash -lmicrohttpd -lgnutls -lsqlite3 -ljansson -lcurl -lpq -lfstrm -lprotobuf-c -lnetsnmpagent -lnetsnmp -lz -lzstd -lm -lpthread
OPT ?= -O2
HARDEN := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
CFLAGS_ALL := -std=gnu11 -g $(OPT) $(WARN) $(HARDEN) -fno-omit-frame-pointer -D_GNU_SOURCE -I. -DCANDOR_VERSION=\"$(VERSION)\" $(CFLAGS)
LDFLAGS_ALL := -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)
ifneq ($(SANITIZE),)
CFLAGS_ALL += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LDFLAGS_ALL += -fsanitize=$(SANITIZE)
# gcc warns that ThreadSanitizer does not see fences; the sequence locks of the board and the cache use them, on atomics.
CFLAGS_ALL += $(if $(findstring thread,$(SANITIZE)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
endif

# A room is a folder with C files; its archive is $(O)/room/lib.a. The floors file says who may use whom.
ROOMS := $(patsubst %/,%,$(sort $(dir $(wildcard resolver/*/*.c rbl/*/*.c health/*/*.c))))
FLOORS := $(shell sed -n '/^[a-z][a-z/]*:/{s/: */:/;s/  */,/g;p}' tests/lint/floors)
floor = $(subst $(comma), ,$(patsubst $(1):%,%,$(filter $(1):%,$(FLOORS))))
# A room, the rooms it may use, and the rooms that those use.
closure = $(sort $(1) $(foreach r,$(call floor,$(1)),$(call closure,$(r))))
objs = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)/*.c)) $(patsubst %.proto,$(O)/%.pb-c.o,$(wildcard $(1)/*.proto))
archives = $(patsubst %,$(O)/%/lib.a,$(filter $(ROOMS),$(1)))
# V=1 shows the commands.
say = @$(if $(V),,echo '  $(1) $@';)
link = $(call say,LINK)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

# What a program is made of besides the rooms. rbl/answer*.c is the one part of rbl/ that candor-resolver composes.
MAIN_candor := $(call objs,health/command)
MAIN_candor-resolver := $(call objs,resolver) $(patsubst %.c,$(O)/%.o,$(wildcard rbl/answer*.c))
MAIN_candor-sync := $(filter-out $(O)/rbl/answer%,$(call objs,rbl))
MAIN_candor-health := $(call objs,health)
PROGRAMS := $(foreach p,candor candor-resolver candor-sync candor-health,$(if $(filter %/main.o,$(MAIN_$(p))),$(p)))

.DELETE_ON_ERROR:
.PHONY: all deps deps-test run test unit unit-build system-build lint lint-tidy lint-objects bench bench-build bench-dnsbl bench-sync interop chaos faults fleet-story fleet-faults fleet-hour health-compared calm freeze scenarios internet hostile hostile-compared bench-resolver bench-health bench-fleet bench-dot bench-serving man fuzz fuzz-build install uninstall clean help

all: $(addprefix $(O)/,$(PROGRAMS))

help:
	@echo 'make run        install what is needed, build, start a node on loopback from conf/demo.yaml'
	@echo 'make test       install what tests need, build, run every test; last line: N passed, N failed'
	@echo 'make all        build candor and its three daemons into $(BUILD)'
	@echo 'make unit       unit tests alone; make unit-resolver/dns those of one room'
	@echo 'make lint       floor law, headers, format, clang-tidy, both compilers, sizes'
	@echo 'make faults     every fault of the catalogue, injected: docs/faults.md (TICKS=5: at a fifth of the intervals)'
	@echo 'make health-compared  the same faults, and which other watchers see them: docs/health-compared.md (TICKS=3)'
	@echo 'make fleet-story  five nodes, two monitors, database, SNMP, Alertmanager: who knows of a hung node, when; make fleet-faults: each of its'
	@echo '                links and processes broken, alone and in pairs; make fleet-hour: a monitor away for MINUTES=$(MINUTES) (TICKS=5; root)'
	@echo 'make calm       load, loss, stalls, slow disks: no false alarm (CALM_MINUTES=120)'
	@echo 'make freeze     threads and processes frozen at random: nothing may be green on old evidence (FREEZES=1000)'
	@echo 'make scenarios  resolver scenarios of the folder SHARED=$(SHARED), if it is there (SCENARIO_ARGS=--all or names; root)'
	@echo 'make internet   NAMES=$(NAMES) names of a small internet beside unbound and kresd; make hostile: attacks by servers, SECONDS of damage'
	@echo 'make hostile-compared  the attacks beside four other resolvers: docs/hostile.md; make bench-resolver: their costs (all: root)'
	@echo 'make chaos      a thousand runs of faults against four nodes (CHAOS_RUNS, CHAOS_CLUSTERS)'
	@echo 'make bench      benchmarks against peers (tests/bench); make bench-dnsbl: blocklists beside rbldnsd, the whole table'
	@echo 'make bench-sync from node to node beside BIND, Knot, NSD and rsync; make interop: every make of server with every feature (root)'
	@echo 'make fuzz       every fuzz target for SECONDS=$(SECONDS)'
	@echo 'make deps       Debian packages for the build; make deps-test: those for the tests'
	@echo 'make man        the manual pages, into $(BUILD)/man'
	@echo 'make install    into DESTDIR and PREFIX=$(PREFIX); make uninstall takes it away'
	@echo 'make clean      remove $(BUILD)'
	@echo 'Variables: CC=clang, SANITIZE=address,undefined or thread (own folder below $(BUILD)), OPT=-O0, BUILD=dir, V=1'

# --- objects, archives, programs

# A change of compiler or flags rebuilds; the stamp is rewritten only when they differ from last time.
STAMP := $(O)/flags
FLAGS_NOW := $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL)
ifneq ($(strip $(shell cat $(STAMP) 2>/dev/null)),$(strip $(FLAGS_NOW)))
.PHONY: $(STAMP)
endif
$(STAMP):
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS_NOW)' > $@

# The target in the .d file is written with the variable: it holds whether $(BUILD) is said relative, absolute or with a dot.
$(O)/%.o: %.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC  )$(CC) $(CFLAGS_ALL) -MMD -MP -MT '$$(O)/$(patsubst ./%,%,$*).o' -c $< -o $@

# The time that a program was built is that of its commit, or SOURCE_DATE_EPOCH: the same source makes the same program.
EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))
EPOCH_STAMP := $(O)/epoch
ifneq ($(EPOCH),$(shell cat $(EPOCH_STAMP) 2>/dev/null))
.PHONY: $(EPOCH_STAMP)
endif
$(EPOCH_STAMP):
	@mkdir -p $(@D)
	@printf '%s\n' '$(EPOCH)' > $@
$(O)/health/probe/built.o: $(EPOCH_STAMP)
$(O)/health/probe/built.o: CFLAGS_ALL += $(if $(EPOCH),-DCANDOR_BUILD_EPOCH=$(EPOCH))

# What protoc-c makes of resolver/tap/dnstap.proto: neither ours to format nor to warn about.
PROTO := $(O)/resolver/tap/dnstap.pb-c
$(PROTO).c: resolver/tap/dnstap.proto $(STAMP)
	@mkdir -p $(@D)
	$(call say,PROTO)protoc-c --c_out=$(@D) --proto_path=$(<D) $(<F)
$(PROTO).h: $(PROTO).c
$(PROTO).o: $(PROTO).c
	$(call say,CC  )$(CC) $(filter-out -Wundef,$(CFLAGS_ALL)) -I$(@D) -c $< -o $@
PROTO_USERS := $(O)/resolver/tap/tap $(O)/tests/unit/resolver/tap/test_tap
$(PROTO_USERS:=.o): $(PROTO).h
$(PROTO_USERS:=.o) $(PROTO_USERS:=.tidy): CFLAGS_ALL += -isystem $(O)/resolver/tap

# The page's style and script, in one object, without comments that stand alone and indents: its weight is bounded.
# uPlot comes from npm, once per $(BUILD), as package-lock.json has its hash.
UPLOT := $(BUILD)/npm/node_modules/uplot
PAGE := $(O)/health/page
PAGE_JS := $(addprefix health/page/,$(addsuffix .js,morph live chart fleet node start))
$(BUILD)/npm/taken: health/page/package.json health/page/package-lock.json
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	$(call say,NPM )cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error > log
	@touch $@
$(PAGE)/page.css: $(BUILD)/npm/taken health/page/page.css
	@mkdir -p $(@D)
	@{ cat $(UPLOT)/dist/uPlot.min.css; echo; sed 's/^ *//' health/page/page.css; } > $@
$(PAGE)/page.js: $(BUILD)/npm/taken $(PAGE_JS)
	@mkdir -p $(@D)
	@{ echo '/*!'; cat $(UPLOT)/LICENSE; printf '\n*/\n'; cat $(UPLOT)/dist/uPlot.iife.min.js; printf '(() => {\n"use strict";\n'; \
	    sed 's/^ *//;/^\/\//d;/^$$/d' $(PAGE_JS); echo '})();'; } > $@
$(PAGE)/bytes.o: health/page/bytes.S $(PAGE)/page.css $(PAGE)/page.js $(STAMP)
	$(call say,AS  )$(CC) -c -Wa,-I$(@D) -DPAGE_STAMP=\"$$(cat $(PAGE)/page.css $(PAGE)/page.js | sha256sum | cut -c1-12)\" -o $@ $<
$(PAGE)/lib.a: $(PAGE)/bytes.o

define ROOM_RULE
$(O)/$(1)/lib.a: $(call objs,$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_RULE,$(r))))

define PROGRAM_RULE
$(O)/$(1): $(MAIN_$(1)) $(call archives,$(filter-out health/command,$(ROOMS)))
	$$(link) $(LIBS_ALL)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(p))))

# --- unit tests mirror the tree. tests/unit/resolver/dns/test_name.c tests room resolver/dns and links it and the rooms
# below it; tests/unit/rbl/test_answer.c tests rbl/*.c and links all rooms. One room alone: make unit-resolver/dns

UNIT_SRCS := $(sort $(wildcard tests/unit/*/*/test_*.c tests/unit/*/test_*.c))
UNIT_BINS := $(patsubst %.c,$(O)/%,$(UNIT_SRCS))
UNIT_ROOMS := $(sort $(patsubst tests/unit/%/,%,$(dir $(UNIT_SRCS))))
# Helpers that several tests share stand beside them as files without the prefix test_.
unit_helpers = $(patsubst %.c,$(O)/%.o,$(filter-out $(1)/test_%,$(wildcard $(1)/*.c)))
unit_link = $(if $(findstring /,$(1)),$(call archives,$(call closure,$(1))),$(filter-out %/main.o,$(call objs,$(1))) $(call archives,$(filter-out health/command,$(ROOMS))))

define UNIT_RULE
$(O)/tests/unit/$(1)/test_%: $(O)/tests/unit/$(1)/test_%.o $(call unit_helpers,tests/unit/$(1)) $(call unit_link,$(1))
	$$(link) -lcmocka $(LIBS_ALL)
endef
$(foreach r,$(UNIT_ROOMS),$(eval $(call UNIT_RULE,$(r))))

define UNIT_RUN
unit-$(1): $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/unit/$(1)/test_*.c)))
	@set -e; for t in $$^; do echo "== $$$$t"; $$$$t; done
.PHONY: unit-$(1)
endef
$(foreach r,$(sort $(ROOMS) $(UNIT_ROOMS)),$(eval $(call UNIT_RUN,$(r))))
UNIT_HELPERS := $(sort $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*/*/*.c tests/unit/*/*.c)))
.SECONDARY: $(addsuffix .o,$(UNIT_BINS)) $(patsubst %.c,$(O)/%.o,$(UNIT_HELPERS))

unit-build: $(UNIT_BINS)
unit: $(UNIT_BINS)
	@set -e; for t in $^; do echo "== $$t"; $$t; done

# Programs that the system tests use: tests/system/*.c. They share no code with what they test.
SYSTEM_BINS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/system/*.c)))
$(O)/tests/system/%: $(O)/tests/system/%.o
	$(call say,LINK)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lldns -lcrypto
# Apart from this one, which answers from files so that rbldnsd_diff.py can compare it with rbldnsd.
$(O)/tests/system/answer_file: $(O)/tests/system/answer_file.o $(patsubst %.c,$(O)/%.o,$(wildcard rbl/answer*.c)) $(call archives,$(filter-out health/command,$(ROOMS)))
	$(link) $(LIBS_ALL)
.SECONDARY: $(addsuffix .o,$(SYSTEM_BINS))
FREEZER := $(O)/tests/faults/freezer
$(FREEZER): %: %.o
	$(call say,LINK)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^
.SECONDARY: $(FREEZER).o
system-build: $(SYSTEM_BINS) $(FREEZER)

# --- lint: the checks stand in tests/lint/run; these two targets are the ones that want dependencies

LINT_SRCS := $(sort $(wildcard resolver/*.c resolver/*/*.c rbl/*.c rbl/*/*.c health/*.c health/*/*.c)) $(UNIT_SRCS) $(UNIT_HELPERS) $(sort $(wildcard tests/system/*.c tests/fuzz/*.c tests/bench/*.c))
lint-objects: $(patsubst %.c,$(O)/%.o,$(LINT_SRCS))
$(O)/%.tidy: $(O)/%.o .clang-tidy
	@clang-tidy --quiet --warnings-as-errors='*' $*.c -- $(filter-out -Werror,$(CFLAGS_ALL)) > $@.log 2>&1 || { grep -E '(error|warning): ' $@.log; exit 1; }
	@mv $@.log $@
lint-tidy: $(patsubst %.c,$(O)/%.tidy,$(filter-out tests/%,$(LINT_SRCS)))
lint:
	@tests/lint/run $(BUILD)

# --- fuzzing: every tests/fuzz/*.c is a libFuzzer target over the archives it needs

FUZZ_BINS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/fuzz/*.c)))
$(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(call archives,$(filter-out health/command,$(ROOMS)))
	$(subst fuzzer-no-link,fuzzer,$(link)) $(LIBS_ALL)
$(O)/tests/fuzz/fuzz_zone: $(patsubst %.c,$(O)/%.o,$(wildcard rbl/answer*.c))
.SECONDARY: $(addsuffix .o,$(FUZZ_BINS))
fuzz-build: $(FUZZ_BINS)
fuzz:
	$(MAKE) CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz-build
	tests/fuzz/run $(BUILD)/fuzz $(SECONDS)

# --- the rest

deps:
	@.ci/deps build
deps-test: deps
	@.ci/deps test

# Each step is a make of its own: packages must be there before the build looks for them.
run:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@conf/demo/welcome
	@exec $(O)/candor run -c conf/demo.yaml

test:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tests/run -b $(BUILD) -p $(O)

# tests/bench: bench_*.c over the archives, and scripts that stand Candor beside its peers with the tools gen, load and probe.
# soak.py, an hour, and churn.py, ten million entries for a month, are for their own day.
BENCH_TOOLS := $(patsubst %,$(O)/tests/bench/%,gen load probe served authority http)
BENCH_BINS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bench/bench_*.c)))
$(BENCH_TOOLS): %: %.o
	$(call say,LINK)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^
$(O)/tests/bench/bench_%: $(O)/tests/bench/bench_%.o $(call archives,$(filter-out health/command,$(ROOMS)))
	$(link) $(LIBS_ALL)
$(O)/tests/bench/fleet: $(O)/tests/bench/fleet.o $(call archives,$(filter-out health/command,$(ROOMS)))
	$(link) $(LIBS_ALL)
$(O)/tests/bench/bench_answer: $(patsubst %.c,$(O)/%.o,$(wildcard rbl/answer*.c))
.SECONDARY: $(addsuffix .o,$(BENCH_BINS))
bench-build: $(BENCH_BINS) $(BENCH_TOOLS) $(O)/tests/bench/fleet
bench: all system-build bench-build
	@set -e; for b in $(BENCH_BINS) tests/bench/cache.py; do echo "== $$b"; CANDOR_BUILD=$(abspath $(O)) $$b; done
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/dnsbl.py --quick
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/update.py --reps 1 --updates 10000
# Everything about blocklists beside rbldnsd, about ten minutes; BENCH_ARGS=--quick one million entries alone, --json for machines.
bench-dnsbl: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/dnsbl.py $(BENCH_ARGS)

# A thousand runs of the fault script by CHAOS_CLUSTERS clusters of four nodes; histories that are broken stay.
CHAOS_RUNS ?= 1000
CHAOS_CLUSTERS ?= 4
chaos: all system-build
	@CANDOR_BUILD=$(abspath $(O)) tests/chaos/run.py -n $$(( ($(CHAOS_RUNS) + $(CHAOS_CLUSTERS) - 1) / $(CHAOS_CLUSTERS) )) -j $(CHAOS_CLUSTERS) $(O)/chaos

# Every fault of the catalogue, injected (root); writes docs/faults.md at real intervals. TICKS=5: a fifth of them, and no page.
TICKS ?= 1
faults: all system-build
	@CANDOR_TICKS=$(TICKS) CANDOR_BUILD=$(abspath $(O)) tests/faults/run $(FAULTS_ARGS) $(if $(filter 1,$(TICKS)),--write docs/faults.md)

# The founding story at fleet size (root); the picture's links and processes broken; a monitor that is away. docs/fleet.md
MINUTES ?= 60
FLEET = CANDOR_TICKS=$(TICKS) CANDOR_BUILD=$(abspath $(O)) tests/fleet
fleet-story: all system-build
	@$(FLEET)/story.py $(FLEET_ARGS)
fleet-faults: all system-build
	@$(FLEET)/pairs.py $(FLEET_ARGS) $(if $(filter 1,$(TICKS)),--write docs/fleet.md)
fleet-hour: all system-build
	@$(FLEET)/hour.py --minutes $(MINUTES) $(FLEET_ARGS)

# The same faults, and who else sees them: unbound, rbldnsd and NSD beside a node, and what people watch them with (root).
health-compared: all system-build
	@CANDOR_TICKS=$(TICKS) CANDOR_BUILD=$(abspath $(O)) tests/faults/watchers_run.py $(FAULTS_ARGS) --write docs/health-compared.md
# FREEZES threads and processes frozen at any moment, on FREEZE_NODES nodes: no page may be green on old evidence.
FREEZES ?= 1000
FREEZE_NODES ?= 10
freeze: all system-build
	@CANDOR_BUILD=$(abspath $(O)) tests/faults/freeze.py --freezes $(FREEZES) --nodes $(FREEZE_NODES) $(FREEZE_ARGS)
# Load, loss, stalls, slow disks, reloads: two nodes that are fine, and nobody may say otherwise (root).
CALM_MINUTES ?= 6
calm: all system-build
	@CANDOR_TICKS=$(TICKS) CANDOR_BUILD=$(abspath $(O)) tests/faults/calm.py --minutes $(CALM_MINUTES) $(CALM_ARGS)

# Scenarios of others against the resolver (root), from a folder beside the checkout: SCENARIO_ARGS=--all, or names.
SHARED ?= ../shared
scenarios: all
	@CANDOR_SHARED=$(abspath $(SHARED)) CANDOR_BUILD=$(abspath $(O)) /usr/bin/python3 tests/scenarios/play.py $(SCENARIO_ARGS)

# A small internet in namespaces (root): NAMES names asked of Candor, unbound and kresd, and where the answers differ.
NAMES ?= 100000
internet: all system-build
	@CANDOR_LISTS=$(abspath $(SHARED))/data CANDOR_BUILD=$(abspath $(O)) tests/internet/compare.py --names $(NAMES) $(INTERNET_ARGS)
# Attacks by the servers that a resolver asks (root), on Candor alone; then beside its peers, which writes docs/hostile.md.
# SECONDS of damaged answers come first; SANITIZE=address,undefined for both.
hostile: all system-build
	@CANDOR_BUILD=$(abspath $(O)) tests/hostile/suffer.py --fuzz $(SECONDS)
	@CANDOR_BUILD=$(abspath $(O)) tests/hostile/suffer.py --resolvers candor $(HOSTILE_ARGS)
hostile-compared: all system-build
	@CANDOR_BUILD=$(abspath $(O)) tests/hostile/suffer.py --write docs/hostile.md $(HOSTILE_ARGS)
# Recursion beside unbound, knot-resolver, pdns-recursor and named (root), about ten minutes; BENCH_ARGS=--quick less.
bench-resolver: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/resolver.py $(BENCH_ARGS)

# DNS over TLS for clients beside unbound's; and what rate limits, shares and dnstap add to a hit, and do for clients.
bench-dot: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/dot.py $(BENCH_ARGS)
bench-serving: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/serving.py $(BENCH_ARGS)
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/fair.py $(BENCH_ARGS)

# What judging health and answering a thousand requests a second about it costs those who ask DNS.
bench-health: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/health.py $(BENCH_ARGS)

# A thousand nodes, simulated, on one monitor; BENCH_ARGS=--nodes 2000.
bench-fleet: all system-build $(O)/tests/bench/fleet
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/fleet.py $(BENCH_ARGS)

# From node to node, in network namespaces: about half an hour; BENCH_ARGS=--quick one million entries and few updates.
bench-sync: all system-build bench-build
	@CANDOR_BUILD=$(abspath $(O)) tests/bench/sync.py $(BENCH_ARGS)
# Writes docs/interop.md, five minutes.
interop: all system-build
	@CANDOR_BUILD=$(abspath $(O)) tests/system/interop.py --write docs/interop.md

# candor(1) is what `candor help` says; candor.yaml(5) ends with the file that has all keys.
man: all
	@mkdir -p $(O)/man
	$(O)/candor help --man > $(O)/man/candor.1
	cp docs/man/*.8 $(O)/man/
	{ cat docs/man/candor.yaml.5; sed 's/\\/\\e/g;s/-/\\-/g;s/^\([.'"'"']\)/\\\&\1/' conf/candor.yaml; echo .fi; } > $(O)/man/candor.yaml.5

DAEMONS := $(filter-out candor,$(PROGRAMS))
MANDIR ?= $(PREFIX)/share/man
install: all man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/candor $(DESTDIR)$(PREFIX)/share/doc/candor $(DESTDIR)$(SYSCONFDIR)/candor $(DESTDIR)$(UNITDIR)
	install -m 755 $(O)/candor $(DESTDIR)$(PREFIX)/bin/candor
	install -m 755 $(addprefix $(O)/,$(DAEMONS)) $(DESTDIR)$(PREFIX)/libexec/candor/
	sed 's,@PREFIX@,$(PREFIX),g;s,@SYSCONFDIR@,$(SYSCONFDIR),g' conf/candor.service > $(DESTDIR)$(UNITDIR)/candor.service
	install -m 644 README.md NEWS LICENSE $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/candor/
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(O)/man/candor.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 644 $(O)/man/candor.yaml.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 $(O)/man/candor-resolver.8 $(O)/man/candor-sync.8 $(O)/man/candor-health.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 $(wildcard conf/candor.yaml) conf/demo.yaml $(DESTDIR)$(PREFIX)/share/doc/candor/
	install -m 644 $(wildcard conf/prometheus/*.yml conf/grafana/*.json) $(DESTDIR)$(PREFIX)/share/doc/candor/
	install -d $(DESTDIR)$(PREFIX)/share/snmp/mibs
	install -m 644 conf/CANDOR-MIB.txt $(DESTDIR)$(PREFIX)/share/snmp/mibs/
	test -e $(DESTDIR)$(SYSCONFDIR)/candor/candor.yaml || install -m 640 conf/install.yaml $(DESTDIR)$(SYSCONFDIR)/candor/candor.yaml

# The configuration and the state of the node stay: they are the operator's.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/candor $(DESTDIR)$(UNITDIR)/candor.service
	rm -rf $(DESTDIR)$(PREFIX)/libexec/candor $(DESTDIR)$(PREFIX)/share/doc/candor
	rm -f $(DESTDIR)$(PREFIX)/share/snmp/mibs/CANDOR-MIB.txt
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,man1/candor.1 man5/candor.yaml.5 man8/candor-resolver.8 man8/candor-sync.8 man8/candor-health.8)

clean:
	rm -rf $(BUILD)

-include $(patsubst %.c,$(O)/%.d,$(LINT_SRCS))
