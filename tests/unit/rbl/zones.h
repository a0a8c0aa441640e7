/* Zones of a test: a folder, a configuration, data as text, questions, answers as text. */
#ifndef CANDOR_TEST_RBL_ZONES_H
#define CANDOR_TEST_RBL_ZONES_H

#include "rbl/answer.h"

enum { ZONES_MESSAGE = 4096, ZONES_SAID = 2048 };

extern char dir[64];
extern struct conf *conf;
extern struct source source;
extern int64_t now_s; /* of all clocks */
/* of the question that comes next */
extern size_t cap;
extern const char *client;
extern uint16_t class;
/* of the last one */
extern struct source_answer last;
extern uint8_t message[ZONES_MESSAGE];
extern char said[ZONES_SAID];

int setup(void **state);
int teardown(void **state);
void configure(const char *zones);
/* Commits `text` as the zone's first dataset, `more` (may be NULL) as its second. */
void commit(size_t zone, const char *text, const char *more);
/* The same with a text for each dataset. */
void commit_all(size_t zone, const char *const *texts);
void open_source(void);
/* Asks; the size of the message, and a reader of it. */
int ask(const char *name, uint16_t type, struct dns_reader *r);
/* "RCODE | an OWNER TTL A 127.0.0.2 | ns OWNER TTL SOA 7 300", SOA with serial and minimum. */
const char *answer(const char *name, uint16_t type);

#endif
