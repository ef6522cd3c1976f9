#pragma once
#include "core/stop/stopped.h"

/*
 * Chooses where the frames of this address space go: at least so many bytes, more where that is
 * easy. What was chosen before stays when it is large enough; nobody may be away then. mm->frames
 * stays 0 when there is no place; frames_for_blob(), which needs the least, refuses by name then.
 */
int frames_choose(struct dump *d, struct victim_mm *mm, uint32_t least, uint32_t most);
int frames_for_blob(struct dump *d, struct victim_mm *mm);
/* A single frame, for an address `at` that is a multiple of 64: its length, its bytes. */
uint32_t frames_len_one(const struct victim_thread *v);
void frames_build(const struct victim_mm *mm, const struct victim_thread *v, uint64_t at,
		  char *ret);
/* Writes the frame of v into a free slot. keeper: its chain unmaps the blob. */
int frames_write(struct victim_mm *mm, struct victim_thread *v, bool keeper);
/* In one step: `from` (may be NULL) does not unmap any more, `to` does. */
int frames_hand_over(struct victim_mm *mm, const struct victim_thread *from,
		     const struct victim_thread *to);
/* Zeroes them; nobody may need one any more. */
int frames_clear(struct victim_mm *mm);
/* Address of the first word of v's chain. */
uint64_t frames_chain(const struct victim_mm *mm, const struct victim_thread *v);
