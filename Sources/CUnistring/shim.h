#ifndef TWINPOST_CUNISTRING_H
#define TWINPOST_CUNISTRING_H
#include <stdlib.h>
#include <uninorm.h>
#include <unictype.h>
#include <unistr.h>

/* The normalisation forms are macros that take an address, which Swift cannot import. */
static inline uint8_t *twinpost_nfkc(const uint8_t *bytes, size_t count, size_t *out_count) {
    return u8_normalize(UNINORM_NFKC, bytes, count, NULL, out_count);
}

static inline uint8_t *twinpost_nfc(const uint8_t *bytes, size_t count, size_t *out_count) {
    return u8_normalize(UNINORM_NFC, bytes, count, NULL, out_count);
}
#endif
