# --- unit tests: every test/unit/*.c is a program, linked with the library; no root ---------------
UNIT := $(patsubst test/unit/%.c,$(BUILD)/test/unit/%,$(wildcard test/unit/*.c))
UNIT_PROTO_O := $(patsubst test/unit/%.proto,$(BUILD)/test/unit/%.pb-c.o,$(wildcard test/unit/*.proto))

$(BUILD)/test/unit/%.pb-c.c: test/unit/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=test/unit --c_out=$(@D) $<
$(BUILD)/test/unit/%.pb-c.o: $(BUILD)/test/unit/%.pb-c.c
	$(CC) $(CFLAGS) -I$(@D) -c -o $@ $<
$(BUILD)/test/unit/%: test/unit/%.c $(UNIT_PROTO_O) $(BUILD)/libtorpor.a
	$(CC) $(CFLAGS) -iquote $(BUILD)/test/unit -MF $@.d -o $@ $< $(UNIT_PROTO_O) $(BUILD)/libtorpor.a $(LIBS)

.PHONY: unit
check: unit
unit: $(UNIT)
	@failed=0; for t in $(UNIT); do echo "# $${t##*/}"; $$t || failed=1; done; exit $$failed
