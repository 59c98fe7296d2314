#ifndef TWINPOST_COPENSSL_H
#define TWINPOST_COPENSSL_H
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Macros and hash types that Swift cannot see through. */

static inline EVP_PKEY *twinpost_new_p256_key(void) {
    return EVP_EC_gen("P-256");
}

static inline int twinpost_add_extension(
    X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) return 0;
    int ok = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

/* RFC 5929 section 4.1: the hash of a certificate by the hash of its own signature, where MD5 and SHA-1
   count as SHA-256. `out` has EVP_MAX_MD_SIZE octets. Returns how many were written; 0 where the
   signature has no such hash (Ed25519), which leaves the binding undefined. */
static inline unsigned twinpost_server_end_point(
    const unsigned char *der, long length, unsigned char *out) {
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, length);
    if (certificate == NULL) return 0;
    int nid = NID_undef;
    unsigned written = 0;
    if (X509_get_signature_info(certificate, &nid, NULL, NULL, NULL) == 1 && nid != NID_undef) {
        if (nid == NID_md5 || nid == NID_sha1) nid = NID_sha256;
        const EVP_MD *digest = EVP_get_digestbynid(nid);
        if (digest == NULL || EVP_Digest(der, (size_t)length, out, &written, digest, NULL) != 1)
            written = 0;
    }
    X509_free(certificate);
    return written;
}

/* The DNS names that a certificate is for, each with a line feed behind it, as far as they fit; names
   with other characters than those of host names are left out. Returns how many octets were written. */
static inline size_t twinpost_dns_names(
    const unsigned char *der, long length, char *out, size_t room) {
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, length);
    if (certificate == NULL) return 0;
    size_t written = 0;
    GENERAL_NAMES *names =
        (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        const unsigned char *text = ASN1_STRING_get0_data(name->d.dNSName);
        size_t count = (size_t)ASN1_STRING_length(name->d.dNSName);
        int plain = count > 0 && count < 256;
        for (size_t j = 0; plain && j < count; j++) {
            unsigned char byte = text[j] | 0x20;
            plain = (byte >= 'a' && byte <= 'z') || (text[j] >= '0' && text[j] <= '9')
                || text[j] == '-' || text[j] == '.' || text[j] == '*' || text[j] == '_';
        }
        if (!plain || room - written < count + 1) continue;
        for (size_t j = 0; j < count; j++) out[written++] = (char)text[j];
        out[written++] = '\n';
    }
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    return written;
}
#endif
