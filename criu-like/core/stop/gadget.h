#pragma once
#include "base/str.h"
#include "core/stop/stopped.h"

/*
 * Vdso, [stack] and what a killed dump has left; with `hole` also where the blob has room, for
 * which all of maps is read.
 */
int gadget_survey(struct dump *d, struct victim_mm *mm, bool hole);
/* Makes the pieces of code for the way home available. Refuses by name when there are none. */
int gadget_prepare(struct dump *d, struct victim_mm *mm);
/* Takes out again what was written; only when no thread is on a way home any more. */
int gadget_remove(struct victim_mm *mm);

/* gadget-<arch>.c: the bytes. */
enum {
	GADGET_TAIL_BYTES = 64,
	GADGET_CALL_AT = 0,
	GADGET_UNMAP_AT = 8,
	GADGET_RESTORE_AT = 16,
	GADGET_RET_AT = 2,
	GADGET_LIST_AT = 24
};
extern const uint8_t gadget_tail[GADGET_TAIL_BYTES];
/* Notes the pieces found in code that lies at `address`; true when none is missing any more. */
bool gadget_search(const uint8_t *code, size_t len, uint64_t address, struct gadgets *g);
