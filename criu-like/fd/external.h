#pragma once
#include "core/file/file.h"

/* The key by which --external names this file, NULL: it does not. */
const char *external_declared(struct dump *d, struct fd_probe *p);
