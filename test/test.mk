# --- unit tests: every test/unit/*.c is a program, linked with the library; no root ---------------
UNIT := $(patsubst test/unit/%.c,$(BUILD)/test/unit/%,$(wildcard test/unit/*.c))
UNIT_PROTO_O := $(patsubst test/unit/%.proto,$(BUILD)/test/unit/%.pb-c.o,$(wildcard test/unit/*.proto))

$(BUILD)/test/unit/%.pb-c.c: test/unit/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=test/unit --c_out=$(@D) $<
$(BUILD)/test/unit/%.pb-c.o: $(BUILD)/test/unit/%.pb-c.c
	$(CC) $(CFLAGS) -I$(@D) -c -o $@ $<
# The parser of the command line is a part of the tool, not of the library.
$(BUILD)/test/unit/options: $(BUILD)/criu-like/options.o $(BUILD)/criu-like/option-table.o
# What asks the engine of files about a name needs its kinds.
$(BUILD)/test/unit/file-watch $(BUILD)/test/unit/undo-plan: $(BUILD)/criu-like/kinds.o
$(BUILD)/test/unit/%: test/unit/%.c $(UNIT_PROTO_O) $(BUILD)/libtorpor.a
	$(CC) $(CFLAGS) -iquote $(BUILD)/test/unit -iquote test/unit -MF $@.d -o $@ $(filter %.c %.o,$^) $(filter %.a,$^) $(LIBS)

.PHONY: unit
check: unit
unit: $(UNIT)
	@failed=0; for t in $(UNIT); do echo "# $${t##*/}"; $$t || failed=1; done; exit $$failed

# --- fuzz targets: every test/fuzz/*.c, with the library under sanitizers --------------------------
FUZZ := $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard test/fuzz/*.c))
FUZZ_RUNS ?= 20000
FUZZ_FLAGS = $(subst -Werror,,$(CFLAGS)) -iquote $(BUILD)/generated -iquote $(BUILD)/test/unit -I$(BUILD)/proto \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DARENA_CHUNK_BYTES=16
FUZZ_O := $(LIB_C:%.c=$(BUILD)/fuzz/obj/%.o)

$(BUILD)/fuzz/obj/%.o: %.c | $(PROTO_H) $(BUILD)/generated/syscall-names.inc
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -c -o $@ $<
$(BUILD)/fuzz/libtorpor.a: $(FUZZ_O) $(PROTO_O) $(UNIT_PROTO_O) $(BUILD)/pie/blob.o
	@rm -f $@
	ar rcs $@ $^
# The conductor of a restore is a part of the tool, not of the library.
$(BUILD)/fuzz/proc-fdinfo: $(BUILD)/fuzz/obj/criu-like/kinds.o
$(BUILD)/fuzz/restore-plan: $(patsubst %,$(BUILD)/fuzz/obj/criu-like/%.o,restore kinds show-images)
$(BUILD)/fuzz/%: test/fuzz/%.c $(BUILD)/fuzz/libtorpor.a
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -MF $@.d -o $@ $(filter %.c %.o,$^) $(filter %.a,$^) $(LIBS)

# A target that sees FUZZ_SEEDS writes its seeds there and ends.
fuzz: $(FUZZ)
	@for t in $(FUZZ); do c=$(BUILD)/fuzz/corpus/$${t##*/}; mkdir -p $$c; \
		FUZZ_SEEDS=$$c $$t -runs=0 >/dev/null 2>&1 || { echo "no seeds: $$t"; exit 1; }; \
		case $$t in */proc-*) recorded=test/unit/fixtures;; */restore-plan) recorded=test/fuzz/seeds;; \
			*) recorded=;; esac; \
		$$t -runs=$(FUZZ_RUNS) -timeout=10 -artifact_prefix=$$c- -print_final_stats=1 $$c $$recorded 2>&1 | \
			tail -n 8; \
	done

# --- test bodies: test/<dir>/NAME.c -> build/test/<dir>/NAME, each linked with test/lib -------------
TEST_DIRS := tree task thread signal mem file fd sock tcp tty ipc notify tool
TEST_C := $(foreach d,$(TEST_DIRS),$(wildcard test/$(d)/*.c)) $(wildcard test/matrix.c)
TEST_BODIES := $(TEST_C:%.c=$(BUILD)/%)
TEST_LIB_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/lib/*.c))
# -O1: bodies are small; checks on registers and memory must stay where they were written.
TEST_CFLAGS := -std=gnu11 -O1 -g $(WARN) -Wno-format-zero-length -D_GNU_SOURCE -iquote test/lib -MMD -MP

$(BUILD)/test/lib/%.o: test/lib/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -c -o $@ $<

# Bodies and units share the pattern build/test/<dir>/NAME: only the listed bodies are made this way.
$(TEST_BODIES): $(BUILD)/test/%: test/%.c $(TEST_LIB_O)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(TEST_STATIC) -MF $@.d -o $@ $< $(TEST_LIB_O) $(TEST_LIBS) -lpthread

$(BUILD)/test/task/counter: TEST_STATIC := -static
$(BUILD)/test/notify/liburing: TEST_LIBS := -luring

.PHONY: bodies
bodies: $(TEST_BODIES)

# The bodies in all modes; `make test` is the whole of what CI runs.
.PHONY: harness
harness: $(BUILD)/torpor bodies
	test/run
test:
	scripts/test

# --- engine tests: test/engine/*.c, linked with the library, root -----------------------------------
ENGINE := $(patsubst test/engine/%.c,$(BUILD)/test/engine/%,$(wildcard test/engine/*.c))
$(BUILD)/test/engine/%: test/engine/%.c $(BUILD)/libtorpor.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MF $@.d -o $@ $< $(BUILD)/libtorpor.a $(LIBS) -lpthread

.PHONY: engine engine-some
engine: $(ENGINE)
	@failed=0; for t in $(ENGINE); do echo "# $${t##*/}"; $$t || failed=1; done; exit $$failed

# A part of the kills, for a run with everything else.
engine-some: $(ENGINE)
	@failed=0; $(BUILD)/test/engine/inject -k 17 -r 100 || failed=1; $(BUILD)/test/engine/freeze || failed=1; exit $$failed

# --- what must hold when the tool fails or dies, and when its input or its surroundings are broken -----
.PHONY: sweep sweep-some robust
sweep: $(BUILD)/torpor bodies
	test/sweep --all
sweep-some: $(BUILD)/torpor bodies
	test/sweep --seconds 60 --seed 1
robust: $(BUILD)/torpor bodies
	test/tool/robust
