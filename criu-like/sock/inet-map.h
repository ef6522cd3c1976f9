#pragma once
#include "core/restore.h"
#include "inet.pb-c.h"

/* --map-ip OLD=NEW: whether the text is two addresses of one family. */
bool inet_map_ok(const char *text);
/* Gives the name the address of this restore. */
void inet_map(struct restore *r, InetName *n);
