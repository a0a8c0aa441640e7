/* Access lists. As rbldnsd weighs them: the zone's list and the global one are both asked, and the first of ignore,
 * refuse, empty, listed, pass that either says is what happens; of two templates the global one counts.
 *
 * Ignored, refused: nobody looks anything up. Empty, listed: lists are as if they had no entries, or all; SOA and NS
 * stay as they are, and so do the names of generic datasets, but without their RRs: that is what rbldnsd does, whatever
 * its manual says of them. */
#include "rbl/answer_impl.h"

/* An act as its weight; nobody knows the client: as good as pass. */
static int weight(struct answer_zone *z, const struct addr *client, struct value *v) {
    int rc = z->has_acl ? view_find_acl(z->view, client, v) : 0;
    if (rc < 0)
        return rc;
    return rc > 0 && v->kind == VALUE_ACL && v->act <= ACL_PASS ? v->act : ACL_PASS;
}

int answer_acl(struct answer *s, struct answer_zone *z, const struct addr *client, struct value *v, uint32_t *ttl) {
    struct value own;
    struct answer_zone *g = s->global;
    int of_all = ACL_PASS, act = ACL_PASS;
    if (g != NULL) {
        of_all = g->ready ? weight(g, client, v) : E_AGAIN;
        if (of_all < 0) {
            if (of_all != E_AGAIN)
                answer_zone_broken(g, NULL);
            return E_AGAIN;
        }
        if (of_all == ACL_IGNORE)
            return of_all;
        if (of_all == ACL_LISTED)
            *ttl = v->ttl != 0 ? v->ttl : g->data->ttl;
    }
    if (z->ready || z->expired) /* whom it ignores hears of neither */
        act = weight(z, client, &own);
    if (act < 0 || act >= of_all)
        return act < 0 ? act : of_all;
    if (act == ACL_LISTED) {
        *v = own;
        *ttl = own.ttl != 0 ? own.ttl : z->data->ttl;
    }
    return act;
}

bool answer_acl_fits(const struct answer_zone *z, const struct name *qname, const struct answer_place *p) {
    uint32_t addr;
    uint8_t addr6[16];
    if (p->labels == 4 && (z->type4 & p->which) != 0 && answer_name4(qname, &addr))
        return true;
    if (p->labels == 32 && ((z->type4 | z->type6) & p->which) != 0 && answer_name6(qname, addr6) &&
        ((z->type6 & p->which) != 0 || answer_inner4(addr6, &addr) != 0))
        return true;
    return p->labels > 0 && (z->type_names & p->which) != 0;
}
