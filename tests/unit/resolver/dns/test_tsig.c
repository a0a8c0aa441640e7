/* TSIG: the messages that dnspython made with these keys, each way in which a request can be wrong, the replies to
 * them, runs of messages, and keys from files. */
#include "tests/unit/resolver/dns/wire.h"

#include <sys/stat.h>
#include <unistd.h>

#include "resolver/dns/message.h"
#include "resolver/dns/tsig.h"

enum { NOW = 1700000000 };
/* Octets 0 to 31. */
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* A question and its answer at NOW, both signed with key.example. */
static const struct {
    const char *algorithm, *request, *reply;
} peer[] = {
    {"hmac-sha1",
     "12340100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000002f09686d61632d736861310000006553f100012c0014d3dd584ec1ab26560bbb66add72092c51211ec"
     "08123400000000",
     "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000002f09686d61632d736861310000006553f100012c0014334584e56804d73d1033713f9c21a8c5e5e081"
     "0b123400000000"},
    {"hmac-sha224",
     "12340100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff0000000000390b686d61632d7368613232340000006553f100012c001c071f5e0766395a71a1c860779bc286525d"
     "42b4894c447aad4766aa96123400000000",
     "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff0000000000390b686d61632d7368613232340000006553f100012c001c83aaf387ad69bce66c35ed4264f7e4bab8"
     "52b234b6b7a29c41244085123400000000"},
    {"hmac-sha256",
     "12340100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000003d0b686d61632d7368613235360000006553f100012c002069f4765dbd3964a35b114c25fa47e0c1a8"
     "4349fe1a2406768bacf29a5e173a20123400000000",
     "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000003d0b686d61632d7368613235360000006553f100012c002023add4b0c387df8dfc5370b6eaf389d29a"
     "4957c66669a6b9e2e16b0083789247123400000000"},
    {"hmac-sha384",
     "12340100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000004d0b686d61632d7368613338340000006553f100012c0030157b924cd0f01a44071b20ddc96fa23edd"
     "ebc9ef31065f2e1ade838bb1a8c82a55015cd9932099e18307174bd59479fe123400000000",
     "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000004d0b686d61632d7368613338340000006553f100012c0030bb4af7b9a13ef36715d2d816a410bb3148"
     "f307fd8a8d6945b72308666bf01699088d7b92a2bb29eb7f18f6e876583f9f123400000000"},
    {"hmac-sha512",
     "12340100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000005d0b686d61632d7368613531320000006553f100012c0040d454ee6393cbbd926d74f9b7dfc37332c8"
     "2f98d216eab079bad6403f97a47c47ffc5931bf07bbdf007da60ac66b2aab321add2353c195dae88c2779539fc725312"
     "3400000000",
     "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa"
     "00ff00000000005d0b686d61632d7368613531320000006553f100012c0040fe3ffef45a5673221c8cc7581f02ad57d3"
     "674cbfb2124d7f639db6eeb80d8ccb307bed72bc2fdc34766a5986ff1bace0ad6057de4ca81c6f75f74c78341b33aa12"
     "3400000000"},
};

/* Three answers to peer[2].request, which differ in RA and RCODE, as one run. */
static const char *const peer_run[] = {
    "12348100000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa00ff00000000003d0b"
    "686d61632d7368613235360000006553f100012c002023add4b0c387df8dfc5370b6eaf389d29a4957c66669a6b9e2e16b0083789247123400"
    "000000",
    "12348101000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa00ff00000000003d0b"
    "686d61632d7368613235360000006553f100012c0020f8a5474d45cf115a8ba8c28f862928d8510aaf3ca546ddae3ffddec477780b60123400"
    "000000",
    "12348102000100000000000103777777076578616d706c65036f72670000060001034b6579074578616d706c650000fa00ff00000000003d0b"
    "686d61632d7368613235360000006553f100012c00204f31806feda5675f6ed2af95a988597bd579889e9d64156974eca2a394237a15123400"
    "000000",
};

static struct tsig_keys *keys;
static struct wire w;

static struct tsig_keys *open_keys(const char *algorithm) {
    const struct conf_key conf[] = {
        {"other.", "hmac-sha256", "b3RoZXIgb3RoZXIgb3RoZXI=", ""},
        {"key.example.", algorithm, SECRET, ""},
    };
    struct tsig_keys *k;
    assert_int_equal(tsig_keys_open(&k, conf, 2, NULL), 0);
    return k;
}

static int setup(void **state) {
    (void)state;
    keys = open_keys("hmac-sha256");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tsig_keys_close(keys);
    return 0;
}

static void take(const char *hex) {
    w.size = 0;
    wire_hex(&w, hex);
}

/* From a copy without an octet to spare. */
static int check(struct tsig *t, const struct tsig_keys *k, int64_t now) {
    uint8_t *copy = wire_exact(w.at, w.size);
    int rc = tsig_check(t, k, copy, w.size, now);
    free(copy);
    return rc;
}

/* The question of peer[2] without its TSIG, as a reply. */
static size_t bare(uint8_t *to) {
    take(peer[2].reply);
    memcpy(to, w.at, 33);
    to[11] = 0;
    return 33;
}

static void same_as_dnspython(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(peer); i++) {
        struct tsig_keys *k = open_keys(peer[i].algorithm);
        struct tsig t, mine;
        uint8_t reply[512];
        size_t size = bare(reply);
        take(peer[i].request);
        assert_int_equal(check(&t, k, NOW), 0);
        assert_true(t.present);
        assert_string_equal(tsig_key_text(t.key), "key.example.");
        assert_int_equal(tsig_key_index(t.key), 1);
        int whole = tsig_reply(&t, reply, size, sizeof reply, NOW);
        assert_int_equal(whole, size + tsig_size(&t));
        take(peer[i].reply);
        assert_int_equal(whole, w.size);
        assert_memory_equal(reply, w.at, w.size);
        /* and the other way: our question, their answer */
        take(peer[i].request);
        memcpy(reply, w.at, 33);
        reply[11] = 0;
        whole = tsig_request(&mine, t.key, reply, 33, sizeof reply, NOW);
        assert_int_equal(whole, w.size);
        assert_int_equal(mine.mac_size, t.mac_size);
        assert_memory_equal(mine.mac, t.mac, t.mac_size);
        take(peer[i].reply);
        struct err err;
        assert_int_equal(tsig_answer(&mine, w.at, w.size, NOW + 299, NULL, &err), 0);
        assert_int_equal(tsig_answer(&mine, w.at, w.size, NOW + 301, NULL, &err), E_DENIED);
        w.at[2] ^= 1;
        assert_int_equal(tsig_answer(&mine, w.at, w.size, NOW, NULL, &err), E_DENIED);
        tsig_keys_close(k);
    }
}

static void without_tsig(void **state) {
    (void)state;
    struct tsig t;
    uint8_t reply[512] = {0};
    w.size = 0;
    wire_header(&w, 0x0100, 1, 0, 0, 0);
    wire_question(&w, "www.example.org", 6);
    assert_int_equal(check(&t, keys, NOW), 0);
    assert_false(t.present);
    assert_null(t.key);
    assert_int_equal(tsig_size(&t), 0);
    assert_int_equal(tsig_reply(&t, reply, 12, sizeof reply, NOW), 12);
    struct tsig mine;
    struct err err;
    uint16_t error = 7;
    size_t size = bare(reply);
    assert_int_not_equal(
        tsig_request(&mine, tsig_keys_find(keys, &(struct name){7, 1, "\5other"}), reply, size, 512, NOW), 0);
    assert_int_equal(tsig_answer(&mine, w.at, w.size, NOW, &error, &err), E_DENIED);
    assert_int_equal(error, 0);
}

/* What the reply to a request that failed looks like: error, whether it is signed, octets of other data. */
static void failed(const struct tsig *t, unsigned error, bool is_signed, const struct tsig *mine, int64_t now) {
    uint8_t reply[512];
    struct dns_reader r;
    struct dns_rr rr = {.type = 0};
    size_t size = bare(reply);
    assert_int_equal(t->error, error);
    assert_true(t->present);
    int whole = tsig_reply(t, reply, size, sizeof reply, now);
    assert_int_equal(whole, size + tsig_size(t));
    assert_int_equal(dns_reader_open(&r, reply, (size_t)whole, NULL, NULL, NULL), 0);
    assert_int_equal(dns_reader_next(&r, &rr), 0);
    assert_int_equal(rr.type, TYPE_TSIG);
    size_t at = rr.rdata + t->algorithm.size;
    unsigned mac = get_u16(reply + at + 8);
    assert_int_equal(mac, is_signed ? 32 : 0);
    assert_int_equal(get_u16(reply + at + 10 + mac), 0x1234);
    assert_int_equal(get_u16(reply + at + 12 + mac), error);
    bool badtime = error == TSIG_BADTIME;
    assert_int_equal(get_u16(reply + at + 14 + mac), badtime ? 6 : 0);
    if (badtime) {
        assert_int_equal(get_u32(reply + at + 2), NOW); /* the client's */
        assert_int_equal(get_u32(reply + at + 18 + mac), now);
    } else {
        assert_int_equal(get_u32(reply + at + 2), now);
    }
    uint16_t told = 0;
    struct err err = {.code = 0};
    if (mine != NULL) {
        assert_int_equal(tsig_answer(mine, reply, (size_t)whole, NOW, &told, &err),
                         error == TSIG_BADTRUNC ? 0 : E_DENIED);
        assert_int_equal(told, error);
        if (badtime)
            assert_non_null(strstr(err.text, "clock"));
    }
    for (size_t cap = size; cap < (size_t)whole; cap++)
        assert_int_equal(tsig_reply(t, reply, size, cap, now), E_FULL);
}

/* peer[2].request by ourselves, with what tsig_answer needs. */
static void request(struct tsig *mine) {
    const struct tsig_key *key = tsig_keys_find(keys, &(struct name){13, 2, "\3kEy\7exAmple"});
    assert_non_null(key);
    take(peer[2].request);
    w.at[11] = 0;
    int n = tsig_request(mine, key, w.at, 33, sizeof w.at, NOW);
    assert_true(n > 33);
    w.size = (size_t)n;
}

static void wrong_key(void **state) {
    (void)state;
    struct tsig t, mine;
    request(&mine);
    w.at[34] ^= 1; /* jey.example. */
    assert_int_equal(check(&t, keys, NOW), RCODE_NOTAUTH);
    assert_null(t.key);
    failed(&t, TSIG_BADKEY, false, &mine, NOW + 9);
    struct tsig_keys *sha512 = open_keys("hmac-sha512"); /* the right name with another algorithm */
    request(&mine);
    assert_int_equal(check(&t, sha512, NOW), RCODE_NOTAUTH);
    failed(&t, TSIG_BADKEY, false, NULL, NOW);
    tsig_keys_close(sha512);
}

static void wrong_mac(void **state) {
    (void)state;
    struct tsig t, mine;
    request(&mine);
    size_t size = w.size;
    /* Every bit of the message and of the TSIG that is not structure: name of the key aside, all are covered. */
    static const struct { size_t from, to; } covered[] = {{0, 2}, {2, 4}, {13, 16}, {34, 37}, {70, 77}, {79, 79 + 32}};
    for (size_t i = 0; i < ARRAY_SIZE(covered); i++)
        for (size_t at = covered[i].from; at < covered[i].to && at < size; at++) {
            request(&mine);
            if (at < 2) {
                w.at[at] ^= 1; /* the id may change on the way: the original one is covered */
                assert_int_equal(check(&t, keys, NOW), 0);
                continue;
            }
            w.at[at] ^= 1;
            assert_int_not_equal(check(&t, keys, NOW), 0);
            assert_null(t.key);
        }
    request(&mine);
    w.at[size - 6 - 1] ^= 0x80; /* the last octet of the MAC */
    assert_int_equal(check(&t, keys, NOW), RCODE_NOTAUTH);
    failed(&t, TSIG_BADSIG, false, &mine, NOW);
    request(&mine);
    w.at[size - 6] ^= 1; /* the original id */
    assert_int_equal(check(&t, keys, NOW), RCODE_NOTAUTH);
    assert_int_equal(t.error, TSIG_BADSIG);
}

static void wrong_time(void **state) {
    (void)state;
    struct tsig t, mine;
    request(&mine);
    assert_int_equal(check(&t, keys, NOW + 300), 0);
    assert_int_equal(check(&t, keys, NOW - 300), 0);
    assert_int_equal(check(&t, keys, NOW + 301), RCODE_NOTAUTH);
    assert_non_null(t.key);
    failed(&t, TSIG_BADTIME, true, &mine, NOW + 301);
    request(&mine);
    assert_int_equal(check(&t, keys, NOW - 301), RCODE_NOTAUTH);
    failed(&t, TSIG_BADTIME, true, &mine, NOW - 301);
    request(&mine);
    assert_int_equal(check(&t, keys, 0), RCODE_NOTAUTH);
    assert_int_equal(check(&t, keys, -5), RCODE_NOTAUTH);
    w.at[70] ^= 1; /* a wrong MAC counts before the time */
    assert_int_equal(check(&t, keys, NOW + 301), RCODE_NOTAUTH);
    assert_int_equal(t.error, TSIG_BADSIG);
}

/* The request with `keep` octets of its MAC. */
static void cut(unsigned keep) {
    struct tsig mine;
    request(&mine);
    size_t at = w.size - 6 - 32;
    put_u16(w.at + at - 2, (uint16_t)keep);
    memmove(w.at + at + keep, w.at + at + 32, 6);
    w.size -= 32 - keep;
    put_u16(w.at + 33 + 13 + 8, (uint16_t)(w.size - 33 - 13 - 10));
}

static void truncated(void **state) {
    (void)state;
    struct tsig t;
    for (unsigned keep = 0; keep <= 32; keep++) {
        cut(keep);
        assert_int_equal(check(&t, keys, NOW), keep < 16 ? RCODE_FORMERR : 0);
        assert_int_equal(t.present, keep >= 16);
        assert_int_equal(t.mac_size, keep);
    }
    /* SHA-1: half is ten octets, which is allowed as a size and too little for us. */
    struct tsig_keys *sha1 = open_keys("hmac-sha1");
    for (unsigned keep = 0; keep <= 20; keep++) {
        take(peer[0].request);
        size_t at = w.size - 6 - 20;
        put_u16(w.at + at - 2, (uint16_t)keep);
        memmove(w.at + at + keep, w.at + at + 20, 6);
        w.size -= 20 - keep;
        put_u16(w.at + 33 + 13 + 8, (uint16_t)(w.size - 33 - 13 - 10));
        assert_int_equal(check(&t, sha1, NOW), keep < 10 ? RCODE_FORMERR : keep < 16 ? RCODE_NOTAUTH : 0);
        if (keep >= 10 && keep < 16) {
            assert_int_equal(t.error, TSIG_BADTRUNC);
            assert_non_null(t.key);
        }
    }
    tsig_keys_close(sha1);
    cut(17);
    w.at[w.size - 6 - 1] ^= 1;
    assert_int_equal(check(&t, keys, NOW), RCODE_NOTAUTH);
    assert_int_equal(t.error, TSIG_BADSIG);
}

static void badtrunc_is_signed(void **state) {
    (void)state;
    struct tsig t, mine;
    request(&mine);
    assert_int_equal(check(&t, keys, NOW), 0);
    t.error = TSIG_BADTRUNC;
    failed(&t, TSIG_BADTRUNC, true, &mine, NOW);
}

static void malformed(void **state) {
    (void)state;
    struct tsig t, mine;
    request(&mine);
    size_t size = w.size, rr = 33 + 13, rdata = rr + 10 + 13;
    static const struct {
        int at;
        unsigned value;
    } bad[] = {{2, 1},      /* class IN */
               {4, 1},      /* TTL */
               {4, 0x8000}, /* a TTL that is read as 0 */
               {8, 60},     /* RDLENGTH beyond the end, or short of it */
               {8, 62},     {8, 3}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        request(&mine);
        put_u16(w.at + rr + bad[i].at, (uint16_t)bad[i].value);
        assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
        assert_false(t.present);
    }
    for (unsigned mac = 33; mac < 300; mac++) {
        request(&mine);
        put_u16(w.at + rdata + 8, (uint16_t)mac);
        assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    }
    request(&mine);
    put_u16(w.at + size - 2, 1); /* other data that is not there */
    assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    for (size_t n = 12; n < size; n++) { /* cut anywhere */
        request(&mine);
        w.size = n;
        assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    }
    request(&mine);
    wire_u8(&w, 0); /* something behind it */
    assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    request(&mine); /* two */
    wire_raw(&w, w.at + 33, size - 33);
    w.at[11] = 2;
    assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    request(&mine); /* not the last */
    wire_hex(&w, "00 0029 04d0 00000000 0000");
    w.at[11] = 2;
    assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
    request(&mine); /* in the answer section */
    w.at[7] = 1;
    w.at[11] = 0;
    assert_int_equal(check(&t, keys, NOW), RCODE_FORMERR);
}

static void hostile_names(void **state) {
    (void)state;
    struct tsig t;
    uint8_t reply[65535];
    w.size = 0;
    wire_header(&w, 0x0100, 0, 0, 0, 1);
    for (int i = 0; i < 3; i++)
        wire_label(&w, 63, 'k');
    wire_label(&w, 61, 'k');
    wire_hex(&w, "00 00fa 00ff 00000000 010f");
    size_t at = w.size;
    for (int i = 0; i < 3; i++)
        wire_label(&w, 63, 'a');
    wire_label(&w, 61, 'a');
    wire_hex(&w, "00 00006553f100 012c 0000 1234 0000 0000");
    assert_int_equal(w.size - at, 0x10f);
    assert_int_equal(check(&t, keys, NOW), RCODE_NOTAUTH);
    assert_int_equal(t.error, TSIG_BADKEY);
    memset(reply, 0, 12);
    assert_int_equal(tsig_reply(&t, reply, 12, sizeof reply, NOW), 12 + tsig_size(&t));
    reply[10] = reply[11] = 0xff; /* no room to count one more */
    assert_int_equal(tsig_reply(&t, reply, 12, sizeof reply, NOW), E_FULL);
    assert_int_equal(tsig_reply(&t, reply, 65500, 70000, NOW), E_FULL);
}

static void run_same_as_dnspython(void **state) {
    (void)state;
    struct tsig t, mine;
    struct tsig_run *run;
    uint8_t msg[512];
    take(peer[2].request);
    assert_int_equal(check(&t, keys, NOW), 0);
    assert_int_equal(tsig_run_open(&run, &t), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(peer_run); i++) { /* each the last, so each is signed */
        size_t size = bare(msg);
        msg[3] = (uint8_t)i;
        int n = tsig_run_sign(run, msg, size, sizeof msg, true, NOW);
        struct tsig between; /* what else this key does does not disturb the run */
        take(peer[2].request);
        assert_int_equal(check(&between, keys, NOW), 0);
        take(peer_run[i]);
        assert_int_equal(n, w.size);
        memcpy(w.at + 33, msg + 33, 13); /* the name of the key in their case */
        assert_memory_equal(msg, w.at, w.size);
    }
    tsig_run_close(run);
    request(&mine);
    assert_int_equal(tsig_run_open(&run, &mine), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(peer_run); i++) {
        bool is_signed = false;
        struct err err;
        take(peer_run[i]);
        assert_int_equal(tsig_run_check(run, w.at, w.size, NOW, &is_signed, &err), 0);
        assert_true(is_signed);
    }
    /* the last one again: its MAC covers another prior */
    bool is_signed;
    assert_int_equal(tsig_run_check(run, w.at, w.size, NOW, &is_signed, NULL), E_DENIED);
    tsig_run_close(run);
}

/* A run of `count` messages: signs on one side, checks on the other; breaks message `broken` by a bit or leaves it out.
 */
static int relay(unsigned count, unsigned broken, bool leave_out, unsigned *signed_ones) {
    struct tsig mine, theirs;
    struct tsig_run *out, *in;
    uint8_t msg[512];
    int rc = 0;
    request(&mine);
    assert_int_equal(check(&theirs, keys, NOW), 0);
    assert_int_equal(tsig_run_open(&out, &theirs), 0);
    assert_int_equal(tsig_run_open(&in, &mine), 0);
    *signed_ones = 0;
    for (unsigned i = 0; i < count && rc == 0; i++) {
        bool is_signed;
        size_t size = bare(msg);
        int n = tsig_run_sign(out, msg, size, sizeof msg, i + 1 == count, NOW);
        assert_true(n >= (int)size);
        if (i == broken && leave_out)
            continue;
        if (i == broken)
            msg[3] ^= 1;
        rc = tsig_run_check(in, msg, (size_t)n, NOW, &is_signed, NULL);
        *signed_ones += rc == 0 && is_signed;
        assert_int_equal(is_signed, n > (int)size);
    }
    tsig_run_close(out);
    tsig_run_close(in);
    return rc;
}

static void run_with_unsigned_messages(void **state) {
    (void)state;
    unsigned n;
    assert_int_equal(relay(1, 9999, false, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(relay(2, 9999, false, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(relay(101, 9999, false, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(relay(102, 9999, false, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(relay(1000, 9999, false, &n), 0);
    assert_int_equal(n, 11);
    for (unsigned i = 0; i < 120; i += 17) {
        assert_int_equal(relay(120, i, false, &n), E_DENIED);
        if (i > 0 && i < 119) /* without the last one nothing is wrong but that the run is not whole */
            assert_int_equal(relay(120, i, true, &n), E_DENIED);
    }
}

static void run_must_be_signed(void **state) {
    (void)state;
    struct tsig mine;
    struct tsig_run *in;
    uint8_t msg[512];
    bool is_signed;
    request(&mine);
    size_t size = bare(msg);
    assert_int_equal(tsig_run_open(&in, &mine), 0);
    assert_int_equal(tsig_run_check(in, msg, size, NOW, &is_signed, NULL), E_DENIED); /* the first */
    take(peer_run[0]);
    assert_int_equal(tsig_run_check(in, w.at, w.size, NOW + 301, &is_signed, NULL), E_DENIED);
    tsig_run_close(in);
    assert_int_equal(tsig_run_open(&in, &mine), 0);
    assert_int_equal(tsig_run_check(in, w.at, w.size, NOW, &is_signed, NULL), 0);
    size = bare(msg);
    for (unsigned i = 0; i < 99; i++) {
        assert_int_equal(tsig_run_check(in, msg, size, NOW, &is_signed, NULL), 0);
        assert_false(is_signed);
    }
    assert_int_equal(tsig_run_check(in, msg, size, NOW, &is_signed, NULL), E_DENIED);
    assert_int_equal(tsig_run_check(in, msg, 11, NOW, &is_signed, NULL), E_INVALID);
    tsig_run_close(in);
    struct tsig none = {.key = NULL};
    assert_int_equal(tsig_run_open(&in, &none), E_INVALID);
}

/* --- keys */

static int from_file(const char *text, unsigned mode, struct err *err) {
    char path[] = "/tmp/test_tsig.XXXXXX";
    int fd = mkstemp(path);
    struct tsig_keys *k = NULL;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    const struct conf_key conf = {"key.example.", "hmac-sha256", "", path};
    int rc = tsig_keys_open(&k, &conf, 1, err);
    unlink(path);
    if (rc == 0) {
        struct tsig t;
        take(peer[2].request);
        assert_int_equal(check(&t, k, NOW), 0);
    } else {
        assert_null(k);
    }
    tsig_keys_close(k);
    return rc;
}

static void secret_files(void **state) {
    (void)state;
    struct err err = {.code = 0};
    assert_int_equal(from_file(SECRET, 0600, &err), 0);
    assert_int_equal(from_file(" " SECRET "\r\n\n", 0640, &err), 0);
    assert_int_equal(from_file(SECRET, 0644, &err), E_DENIED);
    assert_non_null(strstr(err.text, "0644"));
    assert_int_equal(from_file(SECRET, 0602, &err), E_DENIED);
    assert_int_equal(from_file("", 0600, &err), E_INVALID);
    assert_int_equal(from_file("\n", 0600, &err), E_INVALID);
    assert_int_equal(from_file("no base64!", 0600, &err), E_INVALID);
    assert_null(strstr(err.text, "no base64!"));
    char *big = malloc(5000);
    assert_non_null(big);
    memset(big, 'A', 4999);
    big[4999] = '\0';
    assert_int_equal(from_file(big, 0600, &err), E_FULL);
    free(big);
    struct tsig_keys *k;
    const struct conf_key missing = {"key.example.", "hmac-sha256", "", "/nonexistent/secret"};
    assert_int_equal(tsig_keys_open(&k, &missing, 1, &err), E_NOTFOUND);
    const struct conf_key folder = {"key.example.", "hmac-sha256", "", "/tmp"};
    assert_int_equal(tsig_keys_open(&k, &folder, 1, &err), E_INVALID);
    const struct conf_key md5 = {"key.example.", "hmac-md5", SECRET, ""};
    assert_int_equal(tsig_keys_open(&k, &md5, 1, &err), E_UNSUPPORTED);
    assert_null(strstr(err.text, SECRET));
}

static void no_keys(void **state) {
    (void)state;
    struct tsig_keys *k;
    struct tsig t;
    assert_int_equal(tsig_keys_open(&k, NULL, 0, NULL), 0);
    take(peer[2].request);
    assert_int_equal(check(&t, k, NOW), RCODE_NOTAUTH);
    assert_int_equal(t.error, TSIG_BADKEY);
    tsig_keys_close(k);
    tsig_keys_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_dnspython),
        cmocka_unit_test(without_tsig),
        cmocka_unit_test(wrong_key),
        cmocka_unit_test(wrong_mac),
        cmocka_unit_test(wrong_time),
        cmocka_unit_test(truncated),
        cmocka_unit_test(badtrunc_is_signed),
        cmocka_unit_test(malformed),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(run_same_as_dnspython),
        cmocka_unit_test(run_with_unsigned_messages),
        cmocka_unit_test(run_must_be_signed),
        cmocka_unit_test(secret_files),
        cmocka_unit_test(no_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
