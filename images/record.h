#pragma once
#include "images/format.h"
#include "images/image.h"
#include "images/wire.h"

/* One record as a whole image, for the commit record: nothing else is written that way. */
struct span record_pack_single(struct arena *a, const char *stem, const ProtobufCMessage *m);
