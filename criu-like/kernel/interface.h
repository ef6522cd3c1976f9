#pragma once
#include <net/if.h>

/* Network interfaces of the caller's network namespace. */

/* Its index, or -errno (-ENODEV: there is none of this name). */
int interface_index(const char *name);
/* 0 or -errno (-ENODEV: there is none with this index). */
int interface_name(int index, char ret[IF_NAMESIZE]);
