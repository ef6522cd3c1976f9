/* As buffers.c, over IPv6. */
/* harness: net moves */
#define OVER_V6
#include "buffers.c"
