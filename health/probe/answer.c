#include "health/probe/answer.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

static void keep_text(char *to, size_t cap, struct bytes text, char first) {
    size_t n = text.size < cap - 1 ? text.size : cap - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = text.at[i] >= first && text.at[i] < 0x7f ? (char)text.at[i] : '?';
    to[n] = '\0';
}

static void keep_rr(struct answer *a, const struct dns_rr *rr, const uint8_t *msg, size_t size,
                    const struct name *qname) {
    uint32_t minimum;
    a->answers++;
    if (rr->type == TYPE_A && rr->klass == CLASS_IN && rr->rdata_size == 4) {
        if (a->a_count++ == 0)
            memcpy(a->a, msg + rr->rdata, 4);
    } else if (rr->type == TYPE_SOA && rr->klass == CLASS_IN && name_equal(&rr->owner, qname)) {
        a->soa = dns_soa_read(rr, msg, size, &a->serial, &minimum) == 0;
    }
}

int answer_read(struct answer *a, const uint8_t *msg, size_t size, const struct name *qname) {
    struct dns_reader r;
    struct dns_rr rr;
    struct dns_edns edns;
    int e;

    *a = (struct answer){.ede = EDE_NONE};
    if (dns_reader_open(&r, msg, size, NULL, NULL, NULL) != 0)
        return E_INVALID;
    a->header = r.header;
    a->rcode = r.header.rcode;
    a->size = size;
    while ((e = dns_reader_next(&r, &rr)) == 0) {
        if (rr.section == SECTION_ANSWER) {
            keep_rr(a, &rr, msg, size, qname);
        } else if (rr.type == TYPE_OPT) {
            if (dns_edns_read(&edns, &rr, msg, size) != 0)
                return E_INVALID;
            a->rcode |= (unsigned)edns.rcode_high << 4;
            keep_text(a->nsid, sizeof(a->nsid), edns.nsid, '!');
            keep_text(a->ede_text, sizeof(a->ede_text), edns.ede_text, ' ');
            a->ede = edns.ede;
            a->stale = edns.ede == EDE_STALE_ANSWER || edns.ede == EDE_STALE_NXDOMAIN;
        }
    }
    return e == E_NOTFOUND ? 0 : E_INVALID;
}

int nsid_read(struct nsid *n, const char *text) {
    const char *worker = strrchr(text, '/');
    const char *boot = worker != NULL ? memrchr(text, '/', (size_t)(worker - text)) : NULL;
    if (boot == NULL || boot == text)
        return E_INVALID;
    size_t boot_digits = (size_t)(worker - boot) - 1, worker_digits = strlen(worker + 1);
    if (boot_digits == 0 || boot_digits > 16 || strspn(boot + 1, "0123456789abcdefABCDEF") != boot_digits)
        return E_INVALID;
    if (worker_digits == 0 || worker_digits > 4 || strspn(worker + 1, "0123456789") != worker_digits)
        return E_INVALID;
    *n = (struct nsid){.boot = strtoull(boot + 1, NULL, 16), .worker = (unsigned)strtoul(worker + 1, NULL, 10)};
    size_t node = (size_t)(boot - text);
    if (node >= sizeof(n->node))
        return E_INVALID;
    memcpy(n->node, text, node);
    return 0;
}

int nsid_judge(const char *text, const char *node, const struct board *b, unsigned workers, unsigned *worker,
               struct err *err) {
    struct nsid n;
    if (text[0] == '\0')
        return err_set(err, E_NOTFOUND, "no NSID in the answer: something else answers there");
    if (nsid_read(&n, text) != 0)
        return err_set(err, E_NOTFOUND, "NSID \"%.80s\" is not of the form node/boot/worker", text);
    if (strcmp(n.node, node) != 0)
        return err_set(err, E_NOTFOUND, "node \"%.80s\" answers there, not this one", n.node);
    if (n.worker >= workers || n.worker >= LIMIT_WORKERS)
        return err_set(err, E_NOTFOUND, "worker %u answers, of %u that there are", n.worker, workers);
    if (n.boot == 0 ||
        (n.boot != board_get(&b->worker[n.worker].boot) && n.boot != board_get(&b->process[ROLE_RESOLVER].boot)))
        return err_set(err, E_NOTFOUND, "an old process answers: boot %llx is not that of worker %u",
                       (unsigned long long)n.boot, n.worker);
    *worker = n.worker;
    return 0;
}
