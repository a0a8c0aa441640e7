/* What comes from the other one of a pair, and updates that go on to another node: nothing beyond the input is read,
 * what was read is within its bounds, what goes on can be read again. Input: one octet that says which, then the
 * octets. */
#include <stdlib.h>

#include "rbl/pair/impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void option(struct bytes in) {
    uint8_t wire[SAID_MAX];
    struct said s, again;
    if (said_read(&s, in) != 0)
        return;
    must(s.epoch > 0 && s.forks <= PAIR_FORKS && strlen(s.name) < sizeof s.name);
    size_t n = said_write(&s, wire, sizeof wire);
    must(n == in.size && said_read(&again, (struct bytes){wire, n}) == 0);
    must(memcmp(wire, in.at, n) == 0);
}

static void update(struct bytes in) {
    static uint8_t msg[LIMIT_MESSAGE];
    struct dns_query q;
    if (in.size > sizeof msg || dns_query_read(&q, in.at, in.size) != 0 || q.header.opcode != OPCODE_UPDATE)
        return;
    memcpy(msg, in.at, in.size);
    int rc = forward_mark(msg, in.size, NULL);
    must(rc != 0);
    if (rc < 0)
        return;
    struct dns_query twin;
    must(dns_query_read(&twin, msg, (size_t)rc) == 0 && twin.edns.present && !twin.tsig);
    must(twin.header.an == q.header.an && twin.header.ns == q.header.ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    struct bytes in = {data + 1, size - 1};
    if (data[0] & 1)
        option(in);
    else
        update(in);
    return 0;
}
