# Candor: one Makefile. Objects go to $(BUILD); `make help` lists what there is.
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=
VERSION := 0.1.0

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef
PKGS := libuv libldns lmdb libcrypto libssl libcyaml libxxhash libmicrohttpd jansson libcurl
# Libraries without a .pc file in Debian 12 are named by hand.
PKG_CFLAGS := $(shell pkg-config --silence-errors --cflags libuv libcrypto libcyaml jansson libmicrohttpd libcurl 2>/dev/null)
LIBS_ALL := -luv -lldns -llmdb -lssl -lcrypto -lcyaml -lyaml -lxxhash -lmicrohttpd -ljansson -lcurl -lpthread
OPT ?= -O2
CFLAGS_ALL := -std=gnu11 -g $(OPT) $(WARN) -fno-omit-frame-pointer -fstack-protector-strong -D_GNU_SOURCE -I. -DCANDOR_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL := -Wl,--as-needed $(LDFLAGS)
ifneq ($(SANITIZE),)
CFLAGS_ALL += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LDFLAGS_ALL += -fsanitize=$(SANITIZE)
endif

# A room is a folder with C files; its archive is $(BUILD)/room/lib.a. The floors file says who may use whom.
ROOMS := $(patsubst %/,%,$(sort $(dir $(wildcard resolver/*/*.c rbl/*/*.c health/*/*.c))))
FLOORS := tests/lint/floors
floor = $(shell sed -n 's,^$(1): *,,p' $(FLOORS))
objs = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
archives = $(addsuffix /lib.a,$(addprefix $(BUILD)/,$(filter $(ROOMS),$(1))))

PROGRAMS := candor candor-resolver candor-sync candor-health
MAIN_candor := $(call objs,health/command)
MAIN_candor-resolver := $(call objs,resolver) $(call objs,rbl/.)
MAIN_candor-sync := $(patsubst %.c,$(BUILD)/%.o,$(wildcard rbl/*.c))
MAIN_candor-health := $(call objs,health)
# rbl/answer.c is the one file of rbl/ that candor-resolver composes.
MAIN_candor-resolver := $(call objs,resolver) $(patsubst %.c,$(BUILD)/%.o,$(wildcard rbl/answer*.c))

.PHONY: all clean unit
all: $(addprefix $(BUILD)/,$(PROGRAMS))

define ROOM_RULE
$(BUILD)/$(1)/lib.a: $(call objs,$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_RULE,$(r))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

define PROGRAM_RULE
$(BUILD)/$(1): $(MAIN_$(1)) $(call archives,$(ROOMS))
	$(CC) $(LDFLAGS_ALL) -o $$@ $(MAIN_$(1)) -Wl,--start-group $(call archives,$(filter-out health/command,$(ROOMS))) -Wl,--end-group $(LIBS_ALL)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(p))))

# Unit tests mirror the tree: tests/unit/resolver/base/test_err.c tests room resolver/base and links it and the rooms below it.
# tests/unit/rbl/test_answer.c tests rbl/answer.c. One room alone: make unit-resolver/base
UNIT_SRCS := $(wildcard tests/unit/*/*/test_*.c tests/unit/*/test_*.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRCS))
define UNIT_RULE
$(BUILD)/tests/unit/$(1)/%: tests/unit/$(1)/%.c $(call archives,$(1) $(call floor,$(1)))
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $$@ $$< -Wl,--start-group $(call archives,$(1) $(call floor,$(1))) -Wl,--end-group -lcmocka $(LIBS_ALL)
unit-$(1): $(filter $(BUILD)/tests/unit/$(1)/%,$(UNIT_BINS))
	@set -e; for t in $$^; do $$$$t; done
.PHONY: unit-$(1)
endef
$(foreach r,$(ROOMS),$(eval $(call UNIT_RULE,$(r))))
$(BUILD)/tests/unit/rbl/test_%: tests/unit/rbl/test_%.c $(BUILD)/rbl/answer.o $(call archives,$(ROOMS))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< $(BUILD)/rbl/answer*.o -Wl,--start-group $(call archives,$(ROOMS)) -Wl,--end-group -lcmocka $(LIBS_ALL)

unit: $(UNIT_BINS)
	@set -e; for t in $^; do $$t; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
