#include "resolver/base/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum { MAC_SIZE = 32 };

int mac_text(struct bytes secret, const struct bytes *parts, size_t count, char to[MAC_TEXT]) {
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    uint8_t mac[MAC_SIZE];
    size_t size = 0;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *c = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    bool good = c != NULL && EVP_MAC_init(c, secret.at, secret.size, params) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_MAC_update(c, parts[i].at, parts[i].size) == 1;
    good = good && EVP_MAC_final(c, mac, &size, sizeof(mac)) == 1 && size == MAC_SIZE;
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(hmac);
    for (size_t i = 0; good && i < MAC_SIZE; i++) {
        to[2 * i] = "0123456789abcdef"[mac[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[mac[i] & 15];
    }
    to[good ? MAC_TEXT - 1 : 0] = '\0';
    return good ? 0 : E_SYSTEM;
}

bool mac_same(const char *given, const char right[MAC_TEXT]) {
    return strlen(given) == MAC_TEXT - 1 && CRYPTO_memcmp(given, right, MAC_TEXT - 1) == 0;
}
