/* Private to resolver/dns: what the files of the writer share. All of them do nothing once w->error is set. */
#ifndef CANDOR_DNS_WRITER_IMPL_H
#define CANDOR_DNS_WRITER_IMPL_H

#include "resolver/dns/writer.h"

/* Whether `octets` more may be written; when not, E_FULL sticks. */
bool writer_fits(struct dns_writer *w, size_t octets);
/* A name, compressed. */
void writer_name(struct dns_writer *w, const struct name *n);
void writer_put(struct dns_writer *w, const void *octets, size_t size);

/* An RR up to its RDATA; returns where that begins. writer_rr_end fills in its length and counts the RR. */
size_t writer_rr_begin(struct dns_writer *w, enum dns_section s, const struct name *owner, uint16_t type,
                       uint16_t klass, uint32_t ttl);
void writer_rr_end(struct dns_writer *w, enum dns_section s, size_t rdata);

#endif
