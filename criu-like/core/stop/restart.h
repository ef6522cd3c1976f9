#pragma once
#include "core/stop/stopped.h"

/*
 * Reads the registers of a thread that just stopped and repairs at once what would be visible to
 * the program when it went on as it is: calls that were failed with EINTR by the stop alone, and a
 * restartable sequence that was interrupted. Also notes the cpu and rseq_cs.
 */
int restart_repair(struct dump *d, struct victim_thread *v);

/* Fills th->regs.prstatus and restart_*: as the thread shall go on elsewhere, with its call
 * rewound. */
int restart_image(struct dump *d, struct victim_thread *v);
/*
 * Once the sockets are in the images: a connect(2) whose connection is there by now has succeeded.
 * Made again on the restored socket it would find it connected (EISCONN), which the sleeping call
 * of the original does not.
 */
void restart_settle(struct dump *d);
/* The same registers for the crash frame: calls rewound. */
struct user_regs_struct restart_rewound(const struct victim_thread *v, int64_t *ret_sleep);
