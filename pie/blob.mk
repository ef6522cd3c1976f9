BLOB_FLAGS := -std=gnu11 -O2 -fPIE -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-jump-tables -fvisibility=hidden -fno-toplevel-reorder -fno-builtin -fno-tree-loop-distribute-patterns \
	-Wall -Wextra -Wshadow -Werror
BLOB_FLAGS_x86_64 := -mgeneral-regs-only -fcf-protection=none -mno-red-zone
BLOB_FLAGS_aarch64 := -mgeneral-regs-only -mbranch-protection=none -mno-outline-atomics
BLOB_CC_x86_64 := gcc
BLOB_CC_aarch64 := aarch64-linux-gnu-gcc
BLOB_PREFIX_x86_64 :=
BLOB_PREFIX_aarch64 := aarch64-linux-gnu-

# A link that leaves a relocation, a data section or a table of addresses fails (pie/blob.lds).
$(BUILD)/pie/%/blob.bin: pie/interpreter.c pie/program.h pie/%/arch.h pie/blob.lds
	@mkdir -p $(@D)
	$(BLOB_CC_$*) $(BLOB_FLAGS) $(BLOB_FLAGS_$*) -iquote pie/$* -c -o $(@D)/interpreter.o $<
	$(BLOB_PREFIX_$*)ld -static -nostdlib -T pie/blob.lds -o $(@D)/blob.elf $(@D)/interpreter.o
	test -z "$$($(BLOB_PREFIX_$*)readelf -r $(@D)/blob.elf | grep R_)"
	test "$$($(BLOB_PREFIX_$*)nm $(@D)/blob.elf | awk '$$3 == "_start" { print $$1 }')" = 0000000000000000
	$(BLOB_PREFIX_$*)objcopy -O binary -j .text $(@D)/blob.elf $@

$(BUILD)/pie/blob.o: pie/blob.S $(BUILD)/pie/$(ARCH)/blob.bin
	$(CC) -c -DBLOB_BIN='"$(BUILD)/pie/$(ARCH)/blob.bin"' -o $@ $<
