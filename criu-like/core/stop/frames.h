#pragma once
#include "core/stop/stopped.h"

/* Chooses where the frames of this address space go. Refuses by name when there is no place. */
int frames_choose(struct dump *d, struct victim_mm *mm);
/* Writes the frame of v into a free slot. keeper: its chain unmaps the blob. */
int frames_write(struct victim_mm *mm, struct victim_thread *v, bool keeper);
/* In one step: `from` (may be NULL) does not unmap any more, `to` does. */
int frames_hand_over(struct victim_mm *mm, const struct victim_thread *from,
		     const struct victim_thread *to);
/* Zeroes them; nobody may need one any more. */
int frames_clear(struct victim_mm *mm);
/* Address of the first word of v's chain. */
uint64_t frames_chain(const struct victim_mm *mm, const struct victim_thread *v);
