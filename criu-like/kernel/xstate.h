#pragma once
#include <stdint.h>

/* What the kernel saves of the vector unit: features (XCR0) and bytes of the standard format. */
uint64_t xstate_features(void);
uint32_t xstate_size(void);
