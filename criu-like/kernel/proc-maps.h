#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* One line of /proc/PID/maps. Spans point into the text. */
struct vma_text {
	uint64_t start, end;
	int prot;    /* PROT_x */
	bool shared; /* VM_MAYSHARE */
	uint64_t pgoff_bytes;
	uint32_t major, minor; /* of the superblock; overlay and btrfs: the backing file's */
	uint64_t ino;
	/* As written: a path (newlines escaped, maybe " (deleted)"), "[heap]"..., or nothing. */
	struct span path;
};

/* Cuts the next mapping off *text: 1, 0 at the end, or -EINVAL. */
int maps_next(struct span *text, struct vma_text *ret);

/*
 * The path as the kernel knows it. Newlines are escaped and backslashes are not: a file whose name
 * really holds the four characters \012 cannot be told from one with a newline; map_files can.
 */
char *maps_path(struct arena *a, struct span path);

/* All codes of VmFlags, Linux 2.6.38 to 6.18, including those of other architectures. */
/* clang-format off */
#define VM_FLAG_LIST(X)                                                                            \
	X(RD, 'r', 'd') X(WR, 'w', 'r') X(EX, 'e', 'x') X(SH, 's', 'h')                            \
	X(MR, 'm', 'r') X(MW, 'm', 'w') X(ME, 'm', 'e') X(MS, 'm', 's')                            \
	X(GD, 'g', 'd') /* grows down */                                                           \
	X(PF, 'p', 'f') /* bare page frames */                                                     \
	X(DW, 'd', 'w') /* write denied, until 5.x */                                              \
	X(LO, 'l', 'o') /* mlock */                                                                \
	X(IO, 'i', 'o')                                                                            \
	X(SR, 's', 'r') X(RR, 'r', 'r') /* MADV_SEQUENTIAL, MADV_RANDOM */                         \
	X(DC, 'd', 'c') /* MADV_DONTFORK */                                                        \
	X(DE, 'd', 'e') /* mremap may not expand */                                                \
	X(LF, 'l', 'f') /* MLOCK_ONFAULT */                                                        \
	X(AC, 'a', 'c') /* accounted */                                                            \
	X(NR, 'n', 'r') /* MAP_NORESERVE */                                                        \
	X(HT, 'h', 't') /* hugetlb */                                                              \
	X(SF, 's', 'f') /* MAP_SYNC */                                                             \
	X(NL, 'n', 'l') /* remap_file_pages, until 4.0 */                                          \
	X(AR, 'a', 'r') /* architecture's own */                                                   \
	X(WF, 'w', 'f') /* MADV_WIPEONFORK */                                                      \
	X(DD, 'd', 'd') /* MADV_DONTDUMP */                                                        \
	X(SD, 's', 'd') /* soft-dirty */                                                           \
	X(MM, 'm', 'm') /* mixed map */                                                            \
	X(HG, 'h', 'g') X(NH, 'n', 'h') /* MADV_HUGEPAGE, MADV_NOHUGEPAGE */                       \
	X(MG, 'm', 'g') /* MADV_MERGEABLE */                                                       \
	X(UM, 'u', 'm') /* userfaultfd: missing, write-protect, minor */                           \
	X(UW, 'u', 'w') X(UI, 'u', 'i')                                                            \
	X(BT, 'b', 't') X(MT, 'm', 't') /* arm64 */                                                \
	X(MP, 'm', 'p') /* MPX, until 5.5 */                                                       \
	X(SS, 's', 's') /* shadow stack */                                                         \
	X(SL, 's', 'l') /* mseal, 6.10+ */                                                         \
	X(DP, 'd', 'p') /* MAP_DROPPABLE, 6.11+ */                                                 \
	X(GU, 'g', 'u') /* may hold guard pages, 6.18+ */
/* clang-format on */

#define VM_FLAG_ENUM(name, c0, c1) VM_FLAG_##name,
enum vm_flag { VM_FLAG_LIST(VM_FLAG_ENUM) VM_FLAG_COUNT };
#undef VM_FLAG_ENUM
#define vm_flag(name) (1ULL << VM_FLAG_##name)

/* One mapping of /proc/PID/smaps. */
struct smaps_vma {
	struct vma_text vma;
	uint64_t flags;		  /* vm_flag(x) */
	char unknown_flag[3];	  /* the first code that is not in the list, or "" */
	uint32_t protection_key;  /* 0 also where the machine has no keys */
	uint64_t page_size_bytes; /* the kernel's for this mapping: larger for hugetlb only */
	uint64_t anonymous_kb, swap_kb;
};

/* Cuts the next mapping with its details off *text: 1, 0 at the end, or -EINVAL. */
int smaps_next(struct span *text, struct smaps_vma *ret);

/* "rd wr mr" for messages; yields buf. */
const char *vm_flags_text(uint64_t flags, char buf[3 * VM_FLAG_COUNT + 1]);

enum { PROCMAP_NAME_BYTES = 64 };

/*
 * One mapping by its address, through /proc/PID/maps (PROCMAP_QUERY, 6.11): the one that contains
 * `address`. 0, -ENOENT (there is none), -ENOTTY (an older kernel), or another -errno. The path is
 * in `name`; of one that is longer than that: "?".
 */
int procmap_at(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES], struct vma_text *ret);
/* The first from `address` on that may be read, written and executed. */
int procmap_next_rwx(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES],
		     struct vma_text *ret);
