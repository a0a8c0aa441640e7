/* Text loaded into a fresh `d`, at a time that stands still. */
#ifndef CANDOR_TEST_LOADED_H
#define CANDOR_TEST_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rbl/load/load.h"

extern struct data *d;
extern struct load_report report;
extern struct err err;

int setup(void **state);
int teardown(void **state);
/* Forgets what was loaded. */
void again(void);
/* Into what is there already; the result of load_text. */
int load_more(enum conf_dataset_type type, const char *text);
/* And settles; must go well. */
void load(enum conf_dataset_type type, const char *text);

#endif
