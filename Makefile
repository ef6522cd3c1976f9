# One non-recursive file; everything built lands in build/. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

CC ?= gcc
ifeq ($(CC),cc)
CC := gcc
endif
OPT ?= -O2 -g
BUILD ?= build
ARCH ?= x86_64
VERSION := 0.1
WARN := -Wall -Wextra -Wshadow -Wvla -Werror
CFLAGS := -std=gnu11 $(OPT) $(WARN) -fno-common -D_GNU_SOURCE -DTORPOR_VERSION='"$(VERSION)"' \
	-iquote criu-like -iquote . -iquote $(BUILD)/proto -MMD -MP $(EXTRA_CFLAGS)
LIBS := -lprotobuf-c -lxxhash -lcap -lbsd $(EXTRA_LIBS)

# --- schemas ------------------------------------------------------------------------------------
PROTOS := $(wildcard proto/*.proto)
PROTO_C := $(PROTOS:proto/%.proto=$(BUILD)/proto/%.pb-c.c)
PROTO_O := $(PROTO_C:.c=.o)

# --- host code ----------------------------------------------------------------------------------
LAYERS := base kernel core core/stop core/file core/memory core/build fd sock mem task ns mnt net rpc
LIB_C := $(foreach d,$(LAYERS),$(wildcard criu-like/$(d)/*.c)) $(wildcard images/*.c)
LIB_O := $(LIB_C:%.c=$(BUILD)/%.o)
TOOL_C := $(wildcard criu-like/*.c)
TOOL_O := $(TOOL_C:%.c=$(BUILD)/%.o)

.PHONY: all help check test lint cross bench san cov sweep fuzz clean install
all: $(BUILD)/torpor

help:
	@echo 'make            build build/torpor'
	@echo 'make check      unit tests and lint (no root needed)'
	@echo 'make test       everything CI runs (root)'
	@echo 'make lint       budgets, dependency directions, globals, blob'
	@echo 'make bench      measure dump, restore, stop time and image size (root)'
	@echo 'make san        host code and unit tests under address and undefined-behaviour sanitizers'
	@echo 'make cov        line coverage of the unit tests'
	@echo 'make fuzz       build the fuzz targets and run each for a moment'
	@echo 'make sweep      fault sweep and kill test at every operation (long, root)'
	@echo 'make install    PREFIX=/usr/local'

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=$(BUILD)/proto $<
$(BUILD)/proto/%.pb-c.o: $(BUILD)/proto/%.pb-c.c
	$(CC) $(CFLAGS) -I$(BUILD)/proto -c -o $@ $<

PROTO_H := $(PROTO_C:.c=.h)
$(BUILD)/%.o: %.c | $(PROTO_H) $(BUILD)/generated/syscall-names.inc
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -iquote $(BUILD)/generated -c -o $@ $<

# Names of system calls for printed programs, from the kernel's own header.
$(BUILD)/generated/syscall-names.inc: Makefile
	@mkdir -p $(@D)
	printf '#include <asm/unistd.h>\n' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' | sort -t[ -k2n >$@

$(BUILD)/libtorpor.a: $(LIB_O) $(PROTO_O) $(BUILD)/pie/blob.o
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/torpor: $(TOOL_O) $(BUILD)/libtorpor.a
	$(CC) $(CFLAGS) -o $@ $(TOOL_O) $(BUILD)/libtorpor.a $(LIBS)

# --- the blob: freestanding, position independent, no relocation may remain -----------------------
include pie/blob.mk

# --- tests --------------------------------------------------------------------------------------
include test/test.mk

# --- checks and measurements ---------------------------------------------------------------------
lint:
	scripts/lint

# The freestanding code must build, and hold no relocation, for every architecture.
cross: $(BUILD)/pie/x86_64/blob.bin $(BUILD)/pie/aarch64/blob.bin

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
san:
	$(MAKE) BUILD=build/san OPT='-O1 -g' EXTRA_CFLAGS='$(SAN) -DARENA_CHUNK_BYTES=16' unit

# Lines of host code that the unit tests run, per file.
cov:
	$(MAKE) BUILD=build/cov OPT='-O0 -g' EXTRA_CFLAGS=--coverage unit >/dev/null
	@find build/cov/criu-like build/cov/images -name '*.gcda' | sort | xargs gcov -n 2>/dev/null | \
		awk '/^File .(criu-like|images)/ { file = $$2; gsub("\047", "", file); own = 1 } \
		/^Lines executed/ && own { split($$2, a, ":"); printf "%7s of %4d  %s\n", a[2], $$4, file; own = 0 }'

BENCH := $(patsubst scripts/bench.d/%.c,$(BUILD)/bench/%,$(wildcard scripts/bench.d/*.c))
$(BUILD)/bench/%: scripts/bench.d/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $< -lpthread
bench: $(BUILD)/torpor $(BENCH)
	scripts/bench

clean:
	rm -rf $(BUILD)

PREFIX ?= /usr/local
install: $(BUILD)/torpor
	install -D -m 755 $(BUILD)/torpor $(DESTDIR)$(PREFIX)/sbin/torpor
	install -D -m 644 docs/torpor.8 $(DESTDIR)$(PREFIX)/share/man/man8/torpor.8
	install -D -m 644 scripts/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/torpor

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
