/* UPDATE against entries: every form of prerequisite and of update (RFC 2136 sections 2.4 and 2.5), what becomes an
 * address and what a name, A and TXT as one listing, what is refused; hostile messages. */
#include "tests/unit/rbl/update/store.h"

#include "rbl/update/run.h"
#include "resolver/base/bytes.h"

static const enum conf_dataset_type no_data[] = {DATASET_TYPES};
static const enum conf_dataset_type names[] = {DATASET_DNSET, DATASET_GENERIC, DATASET_TYPES};
static const enum conf_dataset_type only4[] = {DATASET_IP4TRIE, DATASET_ACL, DATASET_TYPES};
static const enum conf_dataset_type only6[] = {DATASET_IP6TRIE, DATASET_TYPES};
static const enum conf_dataset_type both[] = {DATASET_IP4SET, DATASET_DNSET, DATASET_IP6TRIE, DATASET_TYPES};

static void zone_of(struct records_zone *z, const enum conf_dataset_type *types) {
    struct conf_dataset data[8];
    struct conf_zone conf = {.name = "list.example.", .data = data};
    while (types[conf.data_count] != DATASET_TYPES) {
        data[conf.data_count] = (struct conf_dataset){.type = types[conf.data_count]};
        conf.data_count++;
    }
    assert_int_equal(records_zone_make(z, &conf, NULL), 0);
}

struct row {
    const char *before, *message;
    unsigned rcode;
    const char *after; /* NULL: as before */
};

/* From a copy of the message without an octet to spare. */
static int run(const struct records_zone *z, struct keep_batch *b, const uint8_t *msg, size_t size,
               struct update_result *r) {
    struct err err = {.code = 0};
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, msg, size);
    int rc = update_run(z, copy, size, b, r, &err);
    free(copy);
    return rc;
}

static void table(const enum conf_dataset_type *types, const struct row *rows, size_t count) {
    static uint8_t msg[65535];
    struct records_zone z;
    zone_of(&z, types);
    for (size_t i = 0; i < count; i++) {
        struct keep_batch *b = malloc(sizeof *b), *as_before = malloc(sizeof *b);
        struct update_result r;
        store_fill(b, rows[i].before);
        *as_before = *b;
        size_t size = message(msg, sizeof msg, rows[i].message);
        int rc = run(&z, b, msg, size, &r);
        if (r.rcode != rows[i].rcode)
            fail_msg("row %zu (%s): RCODE %u, expected %u; %s", i, rows[i].message, r.rcode, rows[i].rcode, r.why);
        assert_int_equal(rc, r.rcode == RCODE_NOERROR ? 0 : E_REFUSED);
        if (rc == 0) { /* a refused one is rewound by the caller */
            char *want = strdup(rows[i].after != NULL ? rows[i].after : store_text(as_before));
            if (strcmp(store_text(b), want) != 0)
                fail_msg("row %zu (%s):\n%s\nexpected\n%s", i, rows[i].message, store_text(b), want);
            if (rows[i].after == NULL)
                assert_int_equal(b->edits, 0);
            free(want);
        }
        free(b);
        free(as_before);
    }
}
#define TABLE(types, rows) table(types, rows, ARRAY_SIZE(rows))

static void prerequisites(void **state) {
    (void)state;
    static const char here[] = "192.0.2.2/32 127.0.0.2 300 why\nmail 60 TYPE15 000a026d7800\nbare 60 TYPE16 026869";
    static const struct row rows[] = {
        /* 2.4.4: name is in use */
        {here, "yxdomain 2.2.0.192", 0, NULL},
        {here, "yxdomain mail", 0, NULL},
        {here, "yxdomain MAIL", 0, NULL},
        {here, "yxdomain bare", 0, NULL},
        {here, "yxdomain @", 0, NULL},
        {here, "yxdomain 3.2.0.192", RCODE_NXDOMAIN, NULL},
        {here, "yxdomain 2.0.192", RCODE_NXDOMAIN, NULL}, /* nothing stands there itself */
        {here, "yxdomain *.2.0.192", RCODE_NXDOMAIN, NULL},
        /* 2.4.5: name is not in use */
        {here, "nxdomain 3.2.0.192", 0, NULL},
        {here, "nxdomain 2.2.0.192", RCODE_YXDOMAIN, NULL},
        {here, "nxdomain @", RCODE_YXDOMAIN, NULL},
        /* 2.4.1: RRset exists */
        {here, "yxrrset 2.2.0.192 A", 0, NULL},
        {here, "yxrrset 2.2.0.192 TXT", 0, NULL},
        {here, "yxrrset 2.2.0.192 MX", RCODE_NXRRSET, NULL},
        {here, "yxrrset mail MX", 0, NULL},
        {here, "yxrrset mail A", RCODE_NXRRSET, NULL},
        {here, "yxrrset bare TXT", 0, NULL},
        {here, "yxrrset @ SOA", 0, NULL},
        {here, "yxrrset @ NS", 0, NULL},
        {here, "yxrrset @ A", RCODE_NXRRSET, NULL},
        /* 2.4.3: RRset does not exist */
        {here, "nxrrset 2.2.0.192 MX", 0, NULL},
        {here, "nxrrset 2.2.0.192 A", RCODE_YXRRSET, NULL},
        {here, "nxrrset @ SOA", RCODE_YXRRSET, NULL},
        {here, "nxrrset nowhere A", 0, NULL},
        /* 2.4.2: RRset exists, by value */
        {here, "yxrrset 2.2.0.192 A 127.0.0.2", 0, NULL},
        {here, "yxrrset 2.2.0.192 A 127.0.0.3", RCODE_NXRRSET, NULL},
        {here, "yxrrset 2.2.0.192 A 127.0.0.2\nyxrrset 2.2.0.192 A 127.0.0.3", RCODE_NXRRSET, NULL},
        {here, "yxrrset 2.2.0.192 TXT \"why\"", 0, NULL},
        {here, "yxrrset 2.2.0.192 TXT \"Why\"", RCODE_NXRRSET, NULL},
        {here, "yxrrset 2.2.0.192 A 127.0.0.2\nyxrrset 2.2.0.192 TXT \"why\"", 0, NULL},
        {here, "yxrrset nowhere A 127.0.0.2", RCODE_NXRRSET, NULL},
        {here, "yxrrset mail MX 10 MX.", 0, NULL},
        {here, "yxrrset mail MX 11 mx.", RCODE_NXRRSET, NULL},
        {"192.0.2.2/32 127.0.0.2\n192.0.2.2/32 127.0.0.4 60 x",
         "yxrrset 2.2.0.192 A 127.0.0.4\nyxrrset 2.2.0.192 A 127.0.0.2", 0, NULL},
        {"192.0.2.2/32 127.0.0.2\n192.0.2.2/32 127.0.0.4 60 x", "yxrrset 2.2.0.192 A 127.0.0.4", RCODE_NXRRSET, NULL},
        {"192.0.2.2/32 127.0.0.2\n192.0.2.2/32 127.0.0.4 60 x", "yxrrset 2.2.0.192 TXT \"x\"", 0, NULL},
        {here, "yxrrset @ SOA NS host 7 2 3 4 5", 0, NULL},
        {here, "yxrrset @ SOA ns host 8 2 3 4 5", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ SOA ns host 7 2 3 4 6", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ SOA ns other 7 2 3 4 5", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ SOA ns host 7 2 3 4 5\nyxrrset @ SOA ns host 8 2 3 4 5", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ NS a.\nyxrrset @ NS B.", 0, NULL},
        {here, "yxrrset @ NS a.", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ NS a.\nyxrrset @ NS A.", RCODE_NXRRSET, NULL},
        {here, "yxrrset @ NS a.\nyxrrset @ NS b.\nyxrrset @ NS c.", RCODE_NXRRSET, NULL},
        /* all of them must hold, in their order */
        {here, "yxdomain mail\nnxdomain mail", RCODE_YXDOMAIN, NULL},
        {here, "yxdomain x\nnxdomain mail", RCODE_NXDOMAIN, NULL},
        /* what stands in files is there as well, its template filled in */
        {"file 192.0.2.7/32 127.0.0.2 see $ for \\$5", "yxrrset 7.2.0.192 TXT \"see 192.0.2.7 for $5\"", 0, NULL},
        {"file evil.com 127.0.0.2 $ is bad", "yxrrset evil.com TXT \"evil.com is bad\"", 0, NULL},
        {"file 192.0.2.7/32 127.0.0.2\n!192.0.2.7/32", "nxdomain 7.2.0.192", 0, NULL},
        /* 3.2.5: forms that are none */
        {here, "raw p 2.2.0.192 ANY A 1", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 ANY A 2147483649", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 ANY A 0 7f000002", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 NONE A 0 7f000002", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 CH A 0 7f000002", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 IN A 0 7f0000", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 IN A 0", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 IN ANY 0 00", RCODE_FORMERR, NULL},
        {here, "raw p 2.2.0.192 ANY TYPE252 0", RCODE_FORMERR, NULL},
        {here, "yxdomain www.example.", RCODE_NOTZONE, NULL},
        {here, "yxdomain example.", RCODE_NOTZONE, NULL},
        {here, "nxdomain xlist.example.", RCODE_NOTZONE, NULL},
        /* a prerequisite that fails comes before an update that is none */
        {here, "nxdomain mail\nraw u x ANY A 5", RCODE_YXDOMAIN, NULL},
        {here, "yxdomain mail\nraw u x ANY A 5", RCODE_FORMERR, NULL},
    };
    TABLE(no_data, rows);
}

static void prescan(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "add www.other. 60 A 127.0.0.2", RCODE_NOTZONE, NULL},
        {"", "add x 60 A 127.0.0.2\nadd www.other. 60 A 127.0.0.2", RCODE_NOTZONE, NULL},
        {"", "del example.", RCODE_NOTZONE, NULL},
        {"", "raw u x CH A 60 7f000002", RCODE_FORMERR, NULL},
        {"", "raw u x IN ANY 60 00", RCODE_FORMERR, NULL},
        {"", "raw u x IN TYPE252 60 00", RCODE_FORMERR, NULL},
        {"", "raw u x IN TYPE249 60 00", RCODE_FORMERR, NULL},
        {"", "raw u x IN TYPE0 60 00", RCODE_FORMERR, NULL},
        {"", "raw u x ANY A 1", RCODE_FORMERR, NULL},
        {"", "raw u x ANY A 0 7f000002", RCODE_FORMERR, NULL},
        {"", "raw u x ANY TYPE251 0", RCODE_FORMERR, NULL},
        {"", "raw u x NONE A 1 7f000002", RCODE_FORMERR, NULL},
        {"", "raw u x NONE ANY 0 00", RCODE_FORMERR, NULL},
        {"", "raw u x NONE A 0 7f0000", RCODE_FORMERR, NULL},
        {"", "raw u x IN A 60 7f00000200", RCODE_FORMERR, NULL},
        {"", "raw u x IN A 60", RCODE_FORMERR, NULL},
        {"", "raw u x IN A 2147483648 7f000002", RCODE_FORMERR, NULL},
        {"", "raw u x IN TXT 60 05616263", RCODE_FORMERR, NULL},
        {"", "raw u x IN TXT 60", RCODE_FORMERR, NULL},
        {"", "raw u x IN MX 60 000a", RCODE_FORMERR, NULL},
        {"", "raw u x IN MX 60 000a0000", RCODE_FORMERR, NULL},
        {"", "raw u x IN NS 60 0161", RCODE_FORMERR, NULL},
        {"", "raw u @ IN SOA 60 000000000001", RCODE_FORMERR, NULL},
        {"", "raw u x IN TYPE48 60 0000", RCODE_REFUSED, NULL},
        {"", "raw u x IN TYPE46 60 0000", RCODE_REFUSED, NULL},
        {"", "", 0, NULL},
        {"", "yxdomain @", 0, NULL},
    };
    TABLE(no_data, rows);
}

static void listings(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "add 2.2.0.192 300 A 127.0.0.2", 0, "192.0.2.2/32 127.0.0.2 300"},
        {"", "add 2.2.0.192 300 A 127.0.0.2\nadd 2.2.0.192 300 TXT \"why\"", 0, "192.0.2.2/32 127.0.0.2 300 why"},
        {"", "add 2.2.0.192 300 TXT \"why\"\nadd 2.2.0.192 300 A 127.0.0.2", 0, "192.0.2.2/32 127.0.0.2 300 why"},
        {"192.0.2.2/32 127.0.0.2 300", "add 2.2.0.192 300 TXT \"why\"", 0, "192.0.2.2/32 127.0.0.2 300 why"},
        /* TXT alone lists nothing and waits */
        {"", "add 2.2.0.192 300 TXT \"why\"", 0, "2.2.0.192 300 TYPE16 03776879"},
        {"2.2.0.192 300 TYPE16 03776879", "add 2.2.0.192 60 A 127.0.0.3", 0, "192.0.2.2/32 127.0.0.3 60 why"},
        /* several */
        {"192.0.2.2/32 127.0.0.2 300 why", "add 2.2.0.192 300 A 127.0.0.4", 0,
         "192.0.2.2/32 127.0.0.2 300 why\n192.0.2.2/32 127.0.0.4 300"},
        {"",
         "add 2.2.0.192 1 A 127.0.0.2\nadd 2.2.0.192 1 TXT \"a\"\nadd 2.2.0.192 1 A 127.0.0.4\nadd 2.2.0.192 1 TXT "
         "\"b\"",
         0, "192.0.2.2/32 127.0.0.2 1 a\n192.0.2.2/32 127.0.0.4 1 b"},
        {"192.0.2.2/32 127.0.0.2 300 why", "add 2.2.0.192 300 TXT \"more\"", 0,
         "192.0.2.2/32 127.0.0.2 300 more\n192.0.2.2/32 127.0.0.2 300 why"},
        /* what is there already; TTLs */
        {"192.0.2.2/32 127.0.0.2 300 why", "add 2.2.0.192 300 A 127.0.0.2\nadd 2.2.0.192 300 TXT \"why\"", 0, NULL},
        {"192.0.2.2/32 127.0.0.2 300 why", "add 2.2.0.192 60 A 127.0.0.2", 0, "192.0.2.2/32 127.0.0.2 60 why"},
        {"", "add 2.2.0.192 0 A 127.0.0.2", 0, "192.0.2.2/32 127.0.0.2 1"},
        {"file 192.0.2.2/32 127.0.0.2 why", "add 2.2.0.192 60 A 127.0.0.2", 0, NULL},
        {"file 192.0.2.2/32 127.0.0.2 why", "add 2.2.0.192 60 A 127.0.0.9", 0,
         "192.0.2.2/32 127.0.0.9 60\nfile 192.0.2.2/32 127.0.0.2 why"},
        /* dollar signs are not the template's */
        {"", "add 2.2.0.192 5 A 127.0.0.2\nadd 2.2.0.192 5 TXT \"$5 a month\"", 0,
         "192.0.2.2/32 127.0.0.2 5 \\$5 a month"},
        {"192.0.2.2/32 127.0.0.2 5 \\$5", "add 2.2.0.192 5 TXT \"$5\"", 0, NULL},
        {"192.0.2.2/32 127.0.0.2 5 $5", "add 2.2.0.192 5 TXT \"192.0.2.25\"", 0, NULL},
        /* texts that no listing can hold */
        {"192.0.2.2/32 127.0.0.2 5", "add 2.2.0.192 5 TXT \"a\" \"b\"", 0,
         "192.0.2.2/32 127.0.0.2 5\n2.2.0.192 5 TYPE16 01610162"},
        {"192.0.2.2/32 127.0.0.2 5", "raw u 2.2.0.192 IN TXT 5 03610062", 0,
         "192.0.2.2/32 127.0.0.2 5\n2.2.0.192 5 TYPE16 03610062"},
        {"192.0.2.2/32 127.0.0.2 5", "add 2.2.0.192 5 TXT \"\"", 0, "192.0.2.2/32 127.0.0.2 5 "},
        /* values */
        {"", "add 2.2.0.192 300 A 192.0.2.1", RCODE_REFUSED, NULL},
        {"", "add 2.2.0.192 300 A 126.255.255.255", RCODE_REFUSED, NULL},
        {"", "add 2.2.0.192 300 A 127.255.255.255", 0, "192.0.2.2/32 127.255.255.255 300"},
        {"", "add ns 300 A 192.0.2.1", 0, "ns 300 TYPE1 c0000201"},
        {"", "add evil.com 300 A 127.0.0.2", 0, "evil.com 127.0.0.2 300"},
        {"", "add Evil.COM 300 A 127.0.0.2\nadd evil.com 300 TXT \"x\"", 0, "evil.com 127.0.0.2 300 x"},
        {"", "add *.evil.com 300 A 127.0.0.2", 0, "*evil.com 127.0.0.2 300"},
        {"", "add * 300 A 127.0.0.2", RCODE_REFUSED, NULL},
        {"", "add * 300 TXT \"x\"", 0, "*@ 300 TYPE16 0178"},
    };
    TABLE(no_data, rows);
}

static void deletions(void **state) {
    (void)state;
    static const char two[] = "192.0.2.2/32 127.0.0.2 300 a\n192.0.2.2/32 127.0.0.4 300 b";
    static const struct row rows[] = {
        /* 2.5.3: all RRsets of a name */
        {two, "del 2.2.0.192", 0, ""},
        {two, "del 3.2.0.192", 0, NULL},
        {"192.0.2.2/32 127.0.0.2\n2.2.0.192 60 TYPE15 000a00", "del 2.2.0.192", 0, ""},
        {"192.0.2.2/32 127.0.0.2\n192.0.2.0/24 127.0.0.2", "del 2.2.0.192", 0, "192.0.2.0/24 127.0.0.2"},
        /* 2.5.2: an RRset; what is left of a listing without A is its TXT */
        {two, "del 2.2.0.192 A", 0, "2.2.0.192 300 TYPE16 0161\n2.2.0.192 300 TYPE16 0162"},
        {two, "del 2.2.0.192 TXT", 0, "192.0.2.2/32 127.0.0.2 300\n192.0.2.2/32 127.0.0.4 300"},
        {two, "del 2.2.0.192 A\ndel 2.2.0.192 TXT", 0, ""},
        {two, "del 2.2.0.192 MX", 0, NULL},
        {"x 60 TYPE15 000a00\nx 60 TYPE16 0161", "del x MX", 0, "x 60 TYPE16 0161"},
        /* 2.5.4: one RR */
        {two, "del 2.2.0.192 A 127.0.0.4", 0,
         "192.0.2.2/32 127.0.0.2 300 a\n192.0.2.2/32 127.0.0.2 300 b"}, /* the TXT stays, with an A that stays */
        {two, "del 2.2.0.192 A 127.0.0.4\ndel 2.2.0.192 TXT \"b\"", 0, "192.0.2.2/32 127.0.0.2 300 a"},
        {two, "del 2.2.0.192 TXT \"b\"\ndel 2.2.0.192 A 127.0.0.4", 0, "192.0.2.2/32 127.0.0.2 300 a"},
        {two, "del 2.2.0.192 A 127.0.0.5", 0, NULL},
        {two, "del 2.2.0.192 TXT \"a\"", 0, "192.0.2.2/32 127.0.0.2 300\n192.0.2.2/32 127.0.0.4 300 b"},
        {two, "del 2.2.0.192 TXT \"c\"", 0, NULL},
        {"192.0.2.2/32 127.0.0.2 300 a\n192.0.2.2/32 127.0.0.2 300 b", "del 2.2.0.192 TXT", 0,
         "192.0.2.2/32 127.0.0.2 300"},
        {"192.0.2.2/32 127.0.0.2 300 a\n192.0.2.2/32 127.0.0.2 300 b", "del 2.2.0.192 A 127.0.0.2\ndel 2.2.0.192 TXT",
         0, ""},
        {"x 60 TYPE15 000a026d7800\nx 60 TYPE15 0014026d7800", "del x MX 10 MX.", 0, "x 60 TYPE15 0014026d7800"},
        /* in the order of the message */
        {two, "del 2.2.0.192\nadd 2.2.0.192 60 A 127.0.0.9", 0, "192.0.2.2/32 127.0.0.9 60"},
        {two, "add 2.2.0.192 60 A 127.0.0.9\ndel 2.2.0.192", 0, ""},
        {two, "del 2.2.0.192\nadd 2.2.0.192 300 A 127.0.0.2\nadd 2.2.0.192 300 TXT \"a\"", 0,
         "192.0.2.2/32 127.0.0.2 300 a"},
        {"", "add x 60 A 127.0.0.2\ndel x", 0, NULL},
        /* what files list is taken away by an exclusion, and comes back when it is added again */
        {"file 192.0.2.2/32 127.0.0.2 why", "del 2.2.0.192", 0, "!192.0.2.2/32\nfile 192.0.2.2/32 127.0.0.2 why"},
        {"file 192.0.2.2/32 127.0.0.2\n!192.0.2.2/32", "add 2.2.0.192 60 A 127.0.0.3", 0,
         "!192.0.2.2/32\n192.0.2.2/32 127.0.0.3 60\nfile 192.0.2.2/32 127.0.0.2"},
        {"file 192.0.2.2/32 127.0.0.2 a\nfile 192.0.2.2/32 127.0.0.4 b",
         "del 2.2.0.192 A 127.0.0.4\ndel 2.2.0.192 TXT \"b\"", 0,
         "!192.0.2.2/32\n192.0.2.2/32 127.0.0.2 a\nfile 192.0.2.2/32 127.0.0.2 a\nfile 192.0.2.2/32 127.0.0.4 b"},
        {"file 192.0.2.2/32 127.0.0.2 a", "add 2.2.0.192 60 TXT \"b\"\ndel 2.2.0.192 TXT \"a\"", 0,
         "!192.0.2.2/32\n192.0.2.2/32 127.0.0.2 60 b\nfile 192.0.2.2/32 127.0.0.2 a"},
        {"file 192.0.2.2/32 127.0.0.2 a\n192.0.2.2/32 127.0.0.4 60 b", "del 2.2.0.192", 0,
         "!192.0.2.2/32\nfile 192.0.2.2/32 127.0.0.2 a"},
        {"file 192.0.2.2/32 127.0.0.2 a\n192.0.2.2/32 127.0.0.4 60", "del 2.2.0.192 A 127.0.0.4", 0,
         "file 192.0.2.2/32 127.0.0.2 a"},
        {"!192.0.2.2/32\nfile 192.0.2.2/32 127.0.0.2 a", "del 2.2.0.192", 0, NULL},
    };
    TABLE(no_data, rows);
}

static void shapes(void **state) {
    (void)state;
    static const struct row free_rows[] = {
        {"", "add *.2.0.192 60 A 127.0.0.2", 0, "192.0.2.0/24 127.0.0.2 60"},
        {"", "add *.0.192 60 A 127.0.0.2", 0, "192.0.0.0/16 127.0.0.2 60"},
        {"", "add *.10 60 A 127.0.0.2", 0, "10.0.0.0/8 127.0.0.2 60"},
        {"", "add 002.02.0.192 60 A 127.0.0.2", 0, "192.0.2.2/32 127.0.0.2 60"},
        {"", "add 2.2.0.256 60 A 127.0.0.2", 0, "2.2.0.256 127.0.0.2 60"},
        {"", "add x.2.2.0.192 60 A 127.0.0.2", 0, "x.2.2.0.192 127.0.0.2 60"},
        {"", "add 2.0.192 60 A 127.0.0.2", 0, "2.0.192 127.0.0.2 60"},
        {"", "add *.2.2.0.192 60 A 127.0.0.2", 0, "*2.2.0.192 127.0.0.2 60"},
        {"", "add x.*.2.0.192 60 A 127.0.0.2", 0, "x.*.2.0.192 127.0.0.2 60"},
        {"", "add 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2 60 A 127.0.0.2", 0,
         "2001:db8::1/128 127.0.0.2 60"},
        {"", "add *.8.b.d.0.1.0.0.2 60 A 127.0.0.2", 0, "2001:db8::/32 127.0.0.2 60"},
        {"", "add *.d.0.1.0.0.2 60 A 127.0.0.2", 0, "2001:d00::/24 127.0.0.2 60"},
        {"", "add *.1.0.0.2 60 A 127.0.0.2", 0, "2001::/16 127.0.0.2 60"},
        {"", "add *.0.0.2 60 A 127.0.0.2", 0, "2.0.0.0/24 127.0.0.2 60"},
        {"", "add *.f.f 60 A 127.0.0.2", 0, "*f.f 127.0.0.2 60"},
        {"192.0.2.2/32 127.0.0.2", "add 2.2.0.192 60 MX 5 mx", 0,
         "192.0.2.2/32 127.0.0.2\n2.2.0.192 60 TYPE15 0005026d78046c697374076578616d706c6500"},
    };
    static const struct row name_rows[] = {
        {"", "add 2.2.0.192 60 A 127.0.0.2", 0, "2.2.0.192 127.0.0.2 60"},
        {"", "add *.10 60 A 127.0.0.2", 0, "*10 127.0.0.2 60"},
        {"", "add 2.2.0.192 60 A 127.0.0.2\nadd 2.2.0.192 60 TXT \"x\"", 0, "2.2.0.192 127.0.0.2 60 x"},
        {"", "add * 60 A 127.0.0.2", RCODE_REFUSED, NULL},
    };
    static const struct row rows6[] = {
        {"", "add *.2 60 A 127.0.0.2", 0, "2000::/4 127.0.0.2 60"},
        {"", "add *.0.0.2 60 A 127.0.0.2", 0, "2000::/12 127.0.0.2 60"},
    };
    static const struct row rows4[] = {
        {"", "add *.1.0.0.2 60 A 127.0.0.2", 0, "*1.0.0.2 127.0.0.2 60"},
        {"", "add *.10 60 A 127.0.0.2", 0, "10.0.0.0/8 127.0.0.2 60"},
    };
    static const struct row rows46[] = {
        {"", "add *.1.0.0.2 60 A 127.0.0.2", 0, "2001::/16 127.0.0.2 60"},
        {"", "add *.10 60 A 127.0.0.2", 0, "10.0.0.0/8 127.0.0.2 60"},
        {"", "add com 60 A 127.0.0.2", 0, "com 127.0.0.2 60"},
    };
    TABLE(no_data, free_rows);
    TABLE(names, name_rows);
    TABLE(only6, rows6);
    TABLE(only4, rows4);
    TABLE(both, rows46);
}

static void other_types(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "add x 60 AAAA 2001:db8::1", 0, "x 60 TYPE28 20010db8000000000000000000000001"},
        {"", "add sub 60 NS ns.other.", 0, "sub 60 TYPE2 026e73056f7468657200"},
        {"", "raw u x IN TYPE65280 60 0102", 0, "x 60 TYPE65280 0102"},
        {"x 60 TYPE65280 0102", "raw u x IN TYPE65280 90 0102", 0, "x 90 TYPE65280 0102"},
        {"", "add x 60 SOA a. b. 1 2 3 4 5", 0, NULL},
        /* CNAME: 3.4.2.2 */
        {"", "add x 60 CNAME y.", 0, "x 60 TYPE5 017900"},
        {"x 60 TYPE5 017900", "add x 60 A 127.0.0.2", 0, NULL},
        {"x 60 TYPE5 017900", "add x 60 TXT \"t\"", 0, NULL},
        {"x 127.0.0.2 60", "add x 60 CNAME y.", 0, NULL},
        {"x 60 TYPE5 017900", "add x 60 CNAME z.", 0, "x 60 TYPE5 017a00"},
        {"x 60 TYPE5 017900", "add x 61 CNAME Y.", 0, "x 61 TYPE5 017900"},
        {"x 60 TYPE5 017900", "del x CNAME\nadd x 60 A 127.0.0.2", 0, "x 127.0.0.2 60"},
        /* the apex: 3.4.2.3, 3.4.2.4 */
        {"@ 60 TYPE15 000a00\nx 127.0.0.2", "del @", 0, "x 127.0.0.2"},
        {"@ 60 TYPE15 000a00", "del @ SOA", 0, NULL},
        {"@ 60 TYPE15 000a00", "del @ NS", 0, NULL},
        {"", "del @ SOA a. b. 1 2 3 4 5", 0, NULL},
        {"", "add @ 60 NS ns.other.", RCODE_REFUSED, NULL},
        {"", "del @ NS ns.other.", 0, NULL},
        {"", "del @ NS a.", RCODE_REFUSED, NULL},
        {"", "add @ 60 NS A.", 0, NULL},
        {"", "add @ 60 SOA ns host 9 2 3 4 5", 0, NULL},
        {"", "add @ 60 SOA ns host 9 2 3 4 6", RCODE_REFUSED, NULL},
        {"", "add @ 60 SOA x host 9 2 3 4 5", RCODE_REFUSED, NULL},
        {"", "add @ 60 SOA x host 7 2 3 4 6", 0, NULL}, /* no higher serial: ignored */
        {"", "add @ 60 A 192.0.2.1\nadd @ 60 TXT \"hi\"", 0, "@ 60 TYPE1 c0000201\n@ 60 TYPE16 026869"},
        {"", "add @ 60 A 127.0.0.2", 0, "@ 60 TYPE1 7f000002"},
    };
    TABLE(no_data, rows);
}

static void serial(void **state) {
    (void)state;
    static const struct {
        const char *message;
        uint32_t hint;
    } rows[] = {
        {"add x 60 A 127.0.0.2", 0},
        {"add @ 60 SOA a. b. 2026112201 2 3 4 5", 2026112201},
        {"add @ 60 SOA a. b. 7 2 3 4 5\nadd @ 60 SOA a. b. 9 2 3 4 5\nadd @ 60 SOA a. b. 8 2 3 4 5", 9},
        {"add x 60 SOA a. b. 7 2 3 4 5", 0},
    };
    struct records_zone z;
    zone_of(&z, no_data);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t msg[1000];
        struct keep_batch *b = calloc(1, sizeof *b); /* nothing was ever committed */
        struct update_result r;
        size_t size = message(msg, sizeof msg, rows[i].message);
        assert_int_equal(run(&z, b, msg, size, &r), 0);
        assert_int_equal(r.serial_hint, rows[i].hint);
        free(b);
    }
}

static void limits(void **state) {
    (void)state;
    static uint8_t msg[65535];
    static char lines[200000];
    struct records_zone z;
    struct update_result r;
    struct keep_batch *b = calloc(1, sizeof *b);
    zone_of(&z, no_data);
    size_t at = 0;
    for (int i = 0; i < 64; i++)
        at += (size_t)sprintf(lines + at, "add x 60 A 127.0.0.%d\n", i);
    size_t size = message(msg, sizeof msg, lines);
    assert_int_equal(run(&z, b, msg, size, &r), 0);
    assert_int_equal(b->count, 64);
    assert_int_equal(r.added, 64);
    size = message(msg, sizeof msg, "add x 60 A 127.0.0.99");
    assert_int_equal(run(&z, b, msg, size, &r), E_REFUSED);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    size = message(msg, sizeof msg, "add x 60 A 127.0.0.7\ndel x A 127.0.0.1\nadd x 60 A 127.0.0.99");
    assert_int_equal(run(&z, b, msg, size, &r), 0);
    assert_int_equal(b->count, 64);
    /* more than a message may hold */
    at = 0;
    for (int i = 0; i < 4097; i++)
        at += (size_t)sprintf(lines + at, "del y\n");
    size = message(msg, sizeof msg, lines);
    assert_int_equal(run(&z, b, msg, size, &r), E_REFUSED);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    lines[at - 6] = '\0';
    size = message(msg, sizeof msg, lines);
    assert_int_equal(run(&z, b, msg, size, &r), 0);
    /* RDATA longer than a value */
    at = (size_t)sprintf(lines, "raw u y IN TYPE65280 60 ");
    for (int i = 0; i < 512; i++)
        at += (size_t)sprintf(lines + at, "%02x", i & 255);
    size = message(msg, sizeof msg, lines);
    assert_int_equal(run(&z, b, msg, size, &r), 0);
    (void)sprintf(lines + at, "00");
    size = message(msg, sizeof msg, lines);
    assert_int_equal(run(&z, b, msg, size, &r), E_REFUSED);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    /* the store's trouble is none of the message */
    b->edits = 0;
    b->fail_at = 2;
    size = message(msg, sizeof msg, "add p 60 A 127.0.0.2\nadd q 60 A 127.0.0.2");
    assert_int_equal(run(&z, b, msg, size, &r), E_FULL);
    assert_int_equal(r.rcode, RCODE_SERVFAIL);
    free(b);
}

/* Names in RDATA that point back into the message are stored whole. */
static void compressed(void **state) {
    (void)state;
    static const uint8_t msg[] = "\x12\x34\x28\0\0\1\0\0\0\1\0\0"
                                 "\4list\7example\0\0\6\0\1"
                                 "\1x\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\5\xc0\x0c";
    struct records_zone z;
    struct update_result r;
    struct keep_batch *b = calloc(1, sizeof *b);
    zone_of(&z, no_data);
    assert_int_equal(run(&z, b, msg, sizeof msg - 1, &r), 0);
    assert_string_equal(store_text(b), "x 60 TYPE15 0005046c697374076578616d706c6500");
    /* cut anywhere it is none, and does nothing */
    memset(b, 0, sizeof *b);
    for (size_t size = 1; size < sizeof msg - 1; size++) {
        assert_int_equal(run(&z, b, msg, size, &r), E_REFUSED);
        assert_int_equal(r.rcode, RCODE_FORMERR);
        assert_int_equal(b->edits, 0);
    }
    free(b);
}

/* A message with any octet changed is refused or carried out, and never more than that. */
static void flipped(void **state) {
    (void)state;
    static uint8_t msg[2000], copy[2000];
    struct records_zone z;
    struct update_result r;
    zone_of(&z, no_data);
    size_t size = message(msg, sizeof msg,
                          "yxdomain a\nyxrrset b MX 5 mx\nnxrrset c TXT\nadd 2.2.0.192 60 A 127.0.0.2\n"
                          "add 2.2.0.192 60 TXT \"x\"\nadd d 60 MX 5 mx\ndel e\ndel f A\ndel g TXT \"y\"");
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct keep_batch *b = malloc(sizeof *b);
            store_fill(b,
                       "a 127.0.0.2\nb 60 TYPE15 0005026d78046c697374076578616d706c6500\nf 127.0.0.2\ng 127.0.0.2 y");
            memcpy(copy, msg, size);
            copy[i] ^= (uint8_t)(1u << bit);
            int rc = run(&z, b, copy, size, &r);
            assert_true(rc == 0 || (rc == E_REFUSED && r.rcode != RCODE_NOERROR));
            (void)store_text(b);
            free(b);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prerequisites), cmocka_unit_test(prescan), cmocka_unit_test(listings),
        cmocka_unit_test(deletions),     cmocka_unit_test(shapes),  cmocka_unit_test(other_types),
        cmocka_unit_test(serial),        cmocka_unit_test(limits),  cmocka_unit_test(compressed),
        cmocka_unit_test(flipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
