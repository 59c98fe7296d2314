#ifndef TWINPOST_COPENSSL_H
#define TWINPOST_COPENSSL_H
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <openssl/crypto.h>
#endif
