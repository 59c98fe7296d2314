#ifndef TWINPOST_CCHECKSUM_H
#define TWINPOST_CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `count` bytes, continuing from `crc`, the value
/// of the bytes before (0 at the start). Uses the processor's instruction where there is one.
uint32_t twinpost_crc32c(uint32_t crc, const void *bytes, size_t count);

#endif
