/* Hostile and mistaken configurations: each is refused with line, key, and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"

struct row {
    const char *text, *error; /* the error starts with this */
};

static void refuse(const char *text, size_t size, const char *error) {
    struct err err = {0};
    struct conf *conf = (struct conf *)&err;
    int rc = conf_read_text(&conf, text, size, "/base", "t", &err);
    if (rc >= 0)
        fail_msg("took: %.*s", (int)size, text);
    if (strncmp(err.text, error, strlen(error)) != 0)
        fail_msg("\n     got %s\nexpected %s", err.text, error);
    assert_null(conf);
    assert_int_equal(err.code, rc);
    for (const char *c = err.text; *c != '\0'; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
    assert_int_equal(conf_read_text(&conf, text, size, "/base", "t", NULL), rc);
}

static void refuse_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        refuse(rows[i].text, strlen(rows[i].text), rows[i].error);
}

static void broken_yaml(void **state) {
    static const struct row rows[] = {
        {"node: {", "t:1: expected YAML: while parsing a flow"},
        {"a: b: c", "t:1: expected YAML: "},
        {"node:\n\tname: x", "t:2: expected YAML: "},
        {"node: 'x", "t:1: expected YAML: "},
        {"node:\n  name: a\n name: b\n", "t:3: expected YAML: "},
        {"\x01", "t:1: expected YAML in UTF-8: "},
        {"node: \xff\xfe", "t:1: expected YAML in UTF-8: "},
        {"\xff\xfen\0o", "t:1: expected YAML in UTF-8: "},
        {"node: {name: \xc3\x28}", "t:1: expected YAML in UTF-8: "},
        {"resolver: {allow: [::1]}", "t:1: "},
        {"x", "t:1: expected a section, { key: value, ... }, got \"x\""},
        {"- x", "t:1: expected a section, { key: value, ... }, got a list"},
        {"\n\n[]", "t:3: expected a section, { key: value, ... }, got a list"},
        {"node: {}\n---\nnode: {}\n", "t:2: expected one YAML document, got a second one"},
        {"---\n...\n---\n...\n", "t:3: expected one YAML document, got a second one"},
        {"node: &a {name: x}\n", "t:1: node: expected plain YAML, got an anchor or a tag"},
        {"node: {name: &a x}", "t:1: node.name: expected plain YAML, got an anchor or a tag"},
        {"node: {name: !!str x}", "t:1: node.name: expected plain YAML, got an anchor or a tag"},
        {"rbl:\n  listen: !x []", "t:2: rbl.listen: expected plain YAML, got an anchor or a tag"},
        {"node: *a", "t:1: node: expected plain YAML, got an alias"},
        {"rbl:\n  listen:\n    - 127.0.0.1@1\n    - *a", "t:4: rbl.listen[1]: expected plain YAML, got an alias"},
        {"? [a]\n: b\n", "t:1: expected a word as key, got a mapping or a list"},
        {"node:\n  name: \"a\\nb\"", "t:2: node.name: expected text without control characters"},
        {"node:\n  name: \"a\\0b\"", "t:2: node.name: expected text without control characters"},
        {"node:\n  name: \"a\\x7f\"", "t:2: node.name: expected text without control characters"},
        {"node:\n  name: \"a\\x1b[2J\"", "t:2: node.name: expected text without control characters"},
        {"node: |\n  a\n  b\n", "t:1: node: expected text without control characters"},
        {"\"a\\nb\": c", "t:1: expected text without control characters"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void shapes(void **state) {
    static const struct row rows[] = {
        {"nodes: {}",
         "t:1: nodes: expected one of the keys node, log, resolver, rbl, health, got \"nodes\" (did you mean "
         "node?)"},
        {"xyzzy:\n", "t:1: xyzzy: expected one of the keys node, log, resolver, rbl, health, got \"xyzzy\""},
        {"node:\n  nmae: x\n",
         "t:2: node.nmae: expected one of the keys name, state, run, user, remote, got \"nmae\" (did you "
         "mean name?)"},
        {"resolver:\n  listen:\n    - address: 127.0.0.1@1\n    - adress: 127.0.0.1@1\n",
         "t:4: resolver.listen[1].adress: expected one of the keys address, tls, got \"adress\" (did you mean "
         "address?)"},
        {"resolver:\n  stub:\n    - { zone: a., to: [127.0.0.1],\n        fallback: true }\n",
         "t:4: resolver.stub[0].fallback: expected one of the keys zone, to, got \"fallback\""},
        {"\"\": x", "t:1: : expected one of the keys "},
        {"node: {name: a, name: b}", "t:1: node.name: expected each key once, got it again (first on line 1)"},
        {"log:\n  level: info\n  format: json\n  level: info\n",
         "t:4: log.level: expected each key once, got it again (first on line 2)"},
        {"node: {}\nlog: {}\nnode: {}\n", "t:3: node: expected each key once"},
        {"node: x", "t:1: node: expected a section, { key: value, ... }, got \"x\""},
        {"node:\n  - name", "t:1: node: expected a section, { key: value, ... }, got a list"},
        {"node:\n  name: [a]", "t:2: node.name: expected one value, got a list"},
        {"node:\n  name:\n    a: b", "t:2: node.name: expected one value, got a section of keys"},
        {"resolver:\n  allow: 10.0.0.0/8", "t:2: resolver.allow: expected a list, [ ... ], got \"10.0.0.0/8\""},
        {"resolver:\n  allow: {a: b}", "t:2: resolver.allow: expected a list, [ ... ], got a section of keys"},
        {"resolver:\n  allow:\n    -\n", "t:3: resolver.allow[0]: expected one value, got nothing"},
        {"resolver:\n  allow: [[10.0.0.0/8]]", "t:2: resolver.allow[0]: expected one value, got a list"},
        {"resolver:\n  listen: [127.0.0.1@53]",
         "t:2: resolver.listen[0]: expected a section, { key: value, ... }, got \"127.0.0.1@53\""},
        {"resolver:\n  listen:\n    - \n",
         "t:3: resolver.listen[0]: expected a section, { key: value, ... }, got nothing"},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: 1}}}}}}}}}}}}",
         "t:1: a.b.c.d.e.f.g.h.i.j.k.l: expected less "
         "nesting"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void node_and_log(void **state) {
    static const struct row rows[] = {
        {"node:\n  name: a b",
         "t:2: node.name: expected 1 to 63 letters, digits, - _ and ., the first a letter or digit, got "
         "\"a b\""},
        {"node: {name: -a}", "t:1: node.name: expected 1 to 63"},
        {"node: {name: \"gr\xc3\xbcn\"}", "t:1: node.name: expected 1 to 63"},
        {"node: {name: 0123456789012345678901234567890123456789012345678901234567890123}",
         "t:1: node.name: expected 1 to"},
        {"node: {state: \"\"}", "t:1: node.state: expected a directory, got \"\""},
        {"node: {run: \"\"}", "t:1: node.run: expected a directory, got \"\""},
        {"node: {user: \"a b\"}", "t:1: node.user: expected the name of a user of this system, got \"a b\""},
        {"log: {level: verbose}", "t:1: log.level: expected one of error, warn, info, debug, got \"verbose\""},
        {"log: {level: INFO}", "t:1: log.level: expected one of error, warn, info, debug, got \"INFO\""},
        {"log: {format: xml}", "t:1: log.format: expected one of logfmt, json, got \"xml\""},
        {"log: {target: file}", "t:1: log.target: expected one of stderr, syslog, got \"file\""},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void addresses(void **state) {
    static const struct row rows[] = {
        {"resolver: {listen: []}", "t:1: resolver.listen: expected at least one address"},
        {"resolver:\n  listen:\n    - tls: true\n",
         "t:3: resolver.listen[0].address: expected ADDRESS@PORT, got nothing"},
        {"resolver:\n  listen:\n    - address: localhost@53\n",
         "t:3: resolver.listen[0].address: expected ADDRESS[@PORT] such as 192.0.2.1@53 or 2001:db8::1@53, port 1 to "
         "65535 "
         "(no host name: it would have to be looked up in DNS, which may be what is broken), got \"localhost@53\""},
        {"resolver:\n  listen: [{address: 127.0.0.1@0}]", "t:2: resolver.listen[0].address: expected ADDRESS[@PORT]"},
        {"resolver:\n  listen: [{address: 127.0.0.1@65536}]",
         "t:2: resolver.listen[0].address: expected ADDRESS[@PORT]"},
        {"resolver:\n  listen: [{address: 127.0.0.1:53}]", "t:2: resolver.listen[0].address: expected ADDRESS[@PORT]"},
        {"resolver:\n  listen: [{address: \"\"}]", "t:2: resolver.listen[0].address: expected ADDRESS[@PORT]"},
        {"resolver:\n  listen:\n    - address: 127.0.0.1@53\n    - address: 127.0.0.1\n",
         "t:4: resolver.listen[1].address: expected each address once (127.0.0.1@53 is in the list already)"},
        {"resolver:\n  listen:\n    - address: \"::ffff:127.0.0.1@53\"\n    - address: 127.0.0.1\n",
         "t:4: resolver.listen[1].address: expected each address once"},
        {"resolver:\n  outgoing: [192.0.2.1@53]", "t:2: resolver.outgoing[0]: expected an address without a port"},
        {"resolver:\n  outgoing: [eth0]", "t:2: resolver.outgoing[0]: expected ADDRESS"},
        {"rbl:\n  listen: [127.0.0.1]", "t:2: rbl.listen[0]: expected ADDRESS@PORT such as"},
        {"rbl:\n  listen:\n    - 127.0.0.1@1\n    - 127.0.0.1@2\n    - 127.0.0.1@1\n",
         "t:5: rbl.listen[2]: expected each address once"},
        {"health: {listen: []}", "t:1: health.listen: expected at least one ADDRESS@PORT"},
        {"health:\n  listen:\n    - 127.0.0.1@5301\n",
         "t:3: health.listen[0]: expected a port of its own: 127.0.0.1@5301 is taken by rbl.listen"},
        {"rbl:\n  listen:\n    - 127.0.0.1@9\n    - 127.0.0.1@5300\n",
         "t:4: rbl.listen[1]: expected a port of its own: 127.0.0.1@5300 is taken by resolver.listen"},
        {"resolver:\n  allow:\n    - 10.0.0.0/8\n    - 10.0.0.1/8\n",
         "t:4: resolver.allow[1]: expected a network such as 192.0.2.0/24 or 2001:db8::/32 with no bits set behind its "
         "length"},
        {"resolver:\n  allow: [example.com]", "t:2: resolver.allow[0]: expected a network"},
        {"resolver:\n  allow: [10.0.0.0/33]", "t:2: resolver.allow[0]: expected a network"},
        {"resolver:\n  allow: [\"\"]", "t:2: resolver.allow[0]: expected a network"},
        {"health:\n  service-addresses: [host]", "t:2: health.service-addresses[0]: expected ADDRESS[@PORT]"},
        {"rbl: {listen: "
         "[127.0.0.1@1,127.0.0.1@2,127.0.0.1@3,127.0.0.1@4,127.0.0.1@5,127.0.0.1@6,127.0.0.1@7,127.0.0.1@8,"
         "127.0.0.1@9,127.0.0.1@10,127.0.0.1@11,127.0.0.1@12,127.0.0.1@13,127.0.0.1@14,127.0.0.1@15,127.0.0.1@16,127.0."
         "0."
         "1@17]}",
         "t:1: rbl.listen: expected at most 16 entries, got 17"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void values(void **state) {
    static const struct row rows[] = {
        {"resolver: {workers: 65}", "t:1: resolver.workers: expected a whole number from 0 to 64, got \"65\""},
        {"resolver: {workers: -1}", "t:1: resolver.workers: expected a whole number from 0 to 64, got \"-1\""},
        {"resolver: {workers: 1.5}", "t:1: resolver.workers: expected a whole number"},
        {"resolver: {workers: 0x10}", "t:1: resolver.workers: expected a whole number"},
        {"resolver: {workers: two}", "t:1: resolver.workers: expected a whole number"},
        {"resolver: {workers: 99999999999999999999999}", "t:1: resolver.workers: expected a whole number"},
        {"resolver: {workers: \"\"}", "t:1: resolver.workers: expected a whole number"},
        {"resolver: {udp-size: 511}", "t:1: resolver.udp-size: expected a whole number from 512 to 4096"},
        {"resolver: {udp-size: 4097}", "t:1: resolver.udp-size: expected a whole number from 512 to 4096"},
        {"resolver: {cookies: {secrets: [e5e973e5a6b2a43f48e7dc849e37bfc]}}",
         "t:1: resolver.cookies.secrets[0]: expected 16 octets as 32 hexadecimal digits"},
        {"resolver: {cookies: {secrets: [e5e973e5a6b2a43f48e7dc849e37bfcg]}}",
         "t:1: resolver.cookies.secrets[0]: expected 16 octets as 32 hexadecimal digits"},
        {"resolver: {refuse-any: maybe}",
         "t:1: resolver.refuse-any: expected one of true, false, yes, no, on, off, got \"maybe\""},
        {"resolver: {cache: {size: 64 MB}}",
         "t:1: resolver.cache.size: expected a size in bytes such as 512K, 64M or 2G, got \"64 MB\""},
        {"resolver: {cache: {size: 64MB}}", "t:1: resolver.cache.size: expected a size in bytes"},
        {"resolver: {cache: {size: -1M}}", "t:1: resolver.cache.size: expected a size in bytes"},
        {"resolver: {cache: {size: M}}", "t:1: resolver.cache.size: expected a size in bytes"},
        {"resolver: {cache: {size: 0}}",
         "t:1: resolver.cache.size: expected a size in bytes such as 512K, 64M or 2G from 1M to 1T, got \"0\""},
        {"resolver: {cache: {size: 2T}}",
         "t:1: resolver.cache.size: expected a size in bytes such as 512K, 64M or 2G from"},
        {"resolver: {cache: {size: 99999999999999999999999G}}", "t:1: resolver.cache.size: expected a size in bytes"},
        {"resolver: {cache: {size: 18446744073709551615T}}", "t:1: resolver.cache.size: expected a size in bytes"},
        {"resolver: {cache: {max-ttl: 5}}",
         "t:1: resolver.cache.max-ttl: expected a time such as 30s, 5m, 2h or 1d, got \"5\""},
        {"resolver: {cache: {max-ttl: 5 m}}", "t:1: resolver.cache.max-ttl: expected a time"},
        {"resolver: {cache: {max-ttl: 8d}}",
         "t:1: resolver.cache.max-ttl: expected a time such as 30s, 5m, 2h or 1d from 1s to 7d, got \"8d\""},
        {"resolver: {cache: {max-ttl: 0s}}", "t:1: resolver.cache.max-ttl: expected a time"},
        {"resolver: {cache: {min-ttl: 1500ms}}", "t:1: resolver.cache.min-ttl: expected whole seconds, got \"1500ms\""},
        {"resolver: {cache: {max-ttl: 213503982334602d}}", "t:1: resolver.cache.max-ttl: expected a time"},
        {"resolver:\n  cache:\n    max-ttl: 1m\n    min-ttl: 2m\n",
         "t:4: resolver.cache.min-ttl: expected a time not above max-ttl, 60s, got \"2m\""},
        {"resolver: {cache: {clock: sundial}}", "t:1: resolver.cache.clock: expected one of realtime, monotonic"},
        {"resolver: {recursion: {timeout: 50ms}}", "t:1: resolver.recursion.timeout: expected a time such as 500ms, "
                                                   "30s, 5m or 1d from 100ms to 1m, got \"50ms\""},
        {"resolver: {recursion: {ipv4: no, ipv6: no}}",
         "t:1: resolver.recursion.ipv6: expected ipv4 or ipv6 to be true"},
        {"resolver: {recursion: {max-queries: 0}}",
         "t:1: resolver.recursion.max-queries: expected a whole number from 1 to"},
        {"resolver: {tls: {certificate: a.pem}}", "t:1: resolver.tls.key: expected a file: certificate and key belong"},
        {"resolver: {tls: {key: a.pem}}", "t:1: resolver.tls.certificate: expected a file: certificate and key belong"},
        {"health: {fall: 0}", "t:1: health.fall: expected a whole number from 1 to 100, got \"0\""},
        {"health: {interval: {local: 0s}}", "t:1: health.interval.local: expected a time such as 500ms"},
        {"health: {token: short}",
         "t:1: health.token: expected 8 or more printable characters without blanks, or \"\""},
        {"health: {token: has a blank}", "t:1: health.token: expected 8 or more printable characters"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void names(void **state) {
    static const struct row rows[] = {
        {"resolver:\n  forward:\n    - { to: [192.0.2.1] }\n",
         "t:3: resolver.forward[0].zone: expected the name of a zone, or . for all, got nothing"},
        {"resolver:\n  forward:\n    - { zone: . }\n",
         "t:3: resolver.forward[0].to: expected at least one ADDRESS@PORT, got nothing"},
        {"resolver:\n  forward: [{ zone: ., to: [] }]",
         "t:2: resolver.forward[0].to: expected at least one ADDRESS@PORT"},
        {"resolver:\n  forward: [{ zone: ., to: [dns.example] }]",
         "t:2: resolver.forward[0].to[0]: expected ADDRESS[@PORT]"},
        {"resolver:\n  forward:\n  - {zone: a.b, to: [192.0.2.1]}\n  - {zone: A.B., to: [192.0.2.1]}\n",
         "t:4: resolver.forward[1].zone: expected each zone once (forward[0] has this one), got \"A.B.\""},
        {"resolver: {forward: [{zone: a, to: [192.0.2.1], ca: a.pem}]}",
         "t:1: resolver.forward[0].ca: expected tls-name"},
        {"resolver: {forward: [{zone: a, to: [192.0.2.1], tls-name: b, opportunistic: true}]}",
         "t:1: resolver.forward[0].opportunistic: expected not beside tls-name"},
        {"resolver: {forward: [{zone: a, to: [192.0.2.1], tls-name: b, tls-port: 0}]}",
         "t:1: resolver.forward[0].tls-port: expected a whole number"},
        {"resolver:\n  stub:\n  - {zone: a.b, to: [192.0.2.1]}\n  - {zone: A.B., to: [192.0.2.1]}\n",
         "t:4: resolver.stub[1].zone: expected each zone once (stub[0] has this one)"},
        {"resolver: {forward: [{zone: \"\", to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a domain name"},
        {"resolver: {forward: [{zone: a..b, to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name without empty labels, got \"a..b\""},
        {"resolver: {forward: [{zone: .a, to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name without empty"},
        {"resolver: {forward: [{zone: .., to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name without empty"},
        {"resolver: {forward: [{zone: a b, to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name of letters"},
        {"resolver: {forward: [{zone: 'a\\046b', to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name of"},
        {"resolver: {forward: [{zone: \"b\xc3\xbc\", to: [192.0.2.1]}]}",
         "t:1: resolver.forward[0].zone: expected a name of letters, digits, - and _ (others in their ASCII form, "
         "xn--), "
         "got \"b\\xc3\\xbc\""},
        {"resolver:\n  forward:\n    - zone: "
         "0123456789012345678901234567890123456789012345678901234567890123.a\n      to: [192.0.2.1]",
         "t:3: resolver.forward[0].zone: expected a name whose labels have at most 63 bytes"},
        {"resolver: {dnssec: {negative-trust-anchors: [\"\"]}}",
         "t:1: resolver.dnssec.negative-trust-anchors[0]: expected a domain name"},
        {"resolver: {guard: [{refuse: []}]}",
         "t:1: resolver.guard[0].zone: expected the name of a blocklist, got nothing"},
        {"resolver: {guard: [{zone: a, test: rfc5782}]}", "t:1: resolver.guard[0].test: expected one of rfc5782-ip4, "
                                                          "rfc5782-ip6, rfc5782-domain, none, got \"rfc5782\""},
        {"resolver: {guard: [{zone: a}, {zone: b, name: a.}]}", "t:1: resolver.guard[1].name: expected each name once"},
        {"resolver: {overrides: [{zone: a}]}", "t:1: resolver.overrides[0].answer: expected transparent"},
        {"resolver: {overrides: [{zone: a, answer: static}, {zone: A., answer: drop}]}",
         "t:1: resolver.overrides[1].zone: expected each zone once"},
        {"resolver: {local-data: [\"\"]}", "t:1: resolver.local-data[0]: expected a text"},
        {"resolver: {guard: [{zone: a}, {zone: a.}]}", "t:1: resolver.guard[1].zone: expected each zone once"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

#define ZONE "rbl:\n  zones:\n    - name: bl.example\n      "

static void zones(void **state) {
    static const struct row rows[] = {
        {"rbl: {zones: [{}]}", "t:1: rbl.zones[0].name: expected the name of the zone, got nothing"},
        {"rbl: {zones: [{name: .}]}", "t:1: rbl.zones[0].name: expected the name of the zone (\".\": an acl "
                                      "alone, for all zones), got \".\""},
        {"rbl: {zones: [{name: ., data: [{type: acl, files: [a]}, {type: ip4set, files: [a]}]}]}",
         "t:1: rbl.zones[0].name: expected the name of the zone (\".\": an acl alone, for all zones), got \".\""},
        {"rbl: {zones: [{name: ., data: [{type: acl, files: [a]}, {type: acl, files: [a]}]}]}",
         "t:1: rbl.zones[0].data: expected one acl at most"},
        {ZONE "data: [{type: acl, files: [a]}]", "t:4: rbl.zones[0].data: expected a dataset beside the acl"},
        {ZONE "data: [{type: acl, files: [a]}, {type: dnset, files: [a]}, {type: acl, files: [b]}]",
         "t:4: rbl.zones[0].data: expected one acl at most"},
        {ZONE "min-ttl: 36m", "t:4: rbl.zones[0].min-ttl: expected a time not above ttl, 2100s, got \"36m\""},
        {ZONE "max-ttl: 34m", "t:4: rbl.zones[0].max-ttl: expected a time not below ttl, 2100s, got \"34m\""},
        {"rbl:\n  zones:\n    - name: a\n    - name: b\n    - name: A.\n",
         "t:5: rbl.zones[2].name: expected each zone once (zones[0] has this name), got \"A.\""},
        {ZONE "data: [{files: [a]}]",
         "t:4: rbl.zones[0].data[0].type: expected a type such as ip4set, ip4trie, ip6trie or dnset, got nothing"},
        {ZONE "data: [{type: ip5set, files: [a]}]",
         "t:4: rbl.zones[0].data[0].type: expected one of ip4set, ip4tset, ip4trie, ip6tset, ip6trie, dnset, generic, "
         "combined, acl, got \"ip5set\""},
        {ZONE "data:\n        - type: ip4set\n",
         "t:5: rbl.zones[0].data[0].files: expected at least one file, got nothing"},
        {ZONE "data: [{type: ip4set, files: [\"\"]}]",
         "t:4: rbl.zones[0].data[0].files: expected names of files, entry 0"},
        {ZONE "primaries: [{key: k}]", "t:4: rbl.zones[0].primaries[0].address: expected ADDRESS@PORT, got nothing"},
        {ZONE "notify: [{address: ns.example}]", "t:4: rbl.zones[0].notify[0].address: expected ADDRESS[@PORT]"},
        {ZONE "transfer: [{}]", "t:4: rbl.zones[0].transfer[0]: expected an address, a key, a tls-name"},
        {ZONE "primaries: [{address: 192.0.2.1, tls-name: a.example}]",
         "t:4: rbl.zones[0].primaries[0]: expected tls-name together with ca"},
        {ZONE "pair: [{address: 192.0.2.1}]", "t:3: rbl.zones[0].role: expected active or standby"},
        {ZONE "role: active", "t:4: rbl.zones[0].role: expected a pair"},
        {ZONE "pair: [{address: 192.0.2.1}, {address: 192.0.2.2}]\n      role: active",
         "t:4: rbl.zones[0].pair: expected one { address: ADDRESS@PORT, key: NAME }"},
        {ZONE "pair: [{address: 192.0.2.1}]\n      role: active\n      primaries: [{address: 192.0.2.1}]",
         "t:4: rbl.zones[0].pair: expected either pair or primaries"},
        {ZONE "pair: [{address: 192.0.2.1}]\n      role: both",
         "t:5: rbl.zones[0].role: expected one of active, standby"},
        {ZONE "heartbeat: 2d", "t:4: rbl.zones[0].heartbeat: expected a time"},
        {"rbl: {transfers: {out: 0}}", "t:1: rbl.transfers.out: expected a whole number"},
        {"rbl: {tls: {listen: [127.0.0.1@5302]}}", "t:1: rbl.tls.certificate: expected a certificate"},
        {ZONE "update: [{address: 10.0.0.1/8}]", "t:4: rbl.zones[0].update[0].address: expected a network"},
        {ZONE "update: [{address: 10.0.0.1@53}]", "t:4: rbl.zones[0].update[0].address: expected a network"},
        {ZONE "soa: {contact: me@example.com}", "t:4: rbl.zones[0].soa.contact: expected a name of letters, digits"},
        {ZONE "soa: {refresh: 0s}", "t:4: rbl.zones[0].soa.refresh: expected a time"},
        {ZONE "ns: [a..b]", "t:4: rbl.zones[0].ns[0]: expected a name without empty labels"},
        {ZONE "ttl: 68y", "t:4: rbl.zones[0].ttl: expected a time"},
        {ZONE "limits: {space: 101%}",
         "t:4: rbl.zones[0].limits.space: expected a share from 0% to 100%, got \"101%\""},
        {ZONE "limits: {values: some}", "t:4: rbl.zones[0].limits.values: expected "},
        {ZONE "limits: {shrink: 101%}",
         "t:4: rbl.zones[0].limits.shrink: expected a share from 0% to 100%, got \"101%\""},
        {ZONE "limits: {shrink: 0.5}", "t:4: rbl.zones[0].limits.shrink: expected a share such as 50%, got \"0.5\""},
        {ZONE "limits: {shrink: .5%}", "t:4: rbl.zones[0].limits.shrink: expected a share such as 50%"},
        {ZONE "limits: {shrink: 5.%}", "t:4: rbl.zones[0].limits.shrink: expected a share such as 50%"},
        {ZONE "limits: {shrink: -5%}", "t:4: rbl.zones[0].limits.shrink: expected a share such as 50%"},
        {ZONE "limits: {grow: nan%}", "t:4: rbl.zones[0].limits.grow: expected a share such as 50%"},
        {ZONE "limits: {entries: 0}",
         "t:4: rbl.zones[0].limits.entries: expected a number such as 5000, 20K or 100M from 1 to 200M, got \"0\""},
        {ZONE "limits: {entries: 201M}", "t:4: rbl.zones[0].limits.entries: expected a number such as"},
        {ZONE "on-expire: shrug", "t:4: rbl.zones[0].on-expire: expected one of servfail, serve-stale, got \"shrug\""},
        {ZONE "journal: lots", "t:4: rbl.zones[0].journal: expected a size in bytes"},
        {"rbl: {zones: [{name: a}], catalogs: [{name: A, primaries: [{address: 192.0.2.1}]}]}",
         "t:1: rbl.catalogs[0].name: expected each zone once (zones[0] has this name)"},
        {"rbl: {catalogs: [{name: a, zones: [b], primaries: [{address: 192.0.2.1}]}]}",
         "t:1: rbl.catalogs[0].zones: expected either primaries"},
        {"rbl: {catalogs: [{name: a, zones: ['*.']}]}", "t:1: rbl.catalogs[0].zones[0]: expected"},
        {"rbl: {catalogs: [{name: a}, {name: A}]}",
         "t:1: rbl.catalogs[1].name: expected each zone once (catalogs[0] has this name)"},
        {"rbl: {catalogs: [{name: a, groups: [{ttl: 60}]}]}", "t:1: rbl.catalogs[0].groups[0].name: expected"},
        {"rbl: {catalogs: [{name: a, groups: [{name: g, ttl: x}]}]}", "t:1: rbl.catalogs[0].groups[0].ttl: expected"},
        {"rbl: {catalogs: [{name: a, groups: [{name: g}, {name: g}]}]}",
         "t:1: rbl.catalogs[0].groups[1].name: expected each group once (groups[0] has this name)"},
        {"rbl: {catalogs: [{name: a, grace: 2y}]}", "t:1: rbl.catalogs[0].grace: expected"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

static void keys(void **state) {
    static const struct row rows[] = {
        {"rbl: {keys: [{secret: Zm9v}]}", "t:1: rbl.keys[0].name: expected the name of the key, got nothing"},
        {"rbl: {keys: [{name: a}]}", "t:1: rbl.keys[0]: expected either secret or secret-file"},
        {"rbl: {keys: [{name: a, secret: Zm9v, secret-file: f}]}", "t:1: rbl.keys[0]: expected either secret or"},
        {"rbl: {keys: [{name: a, secret: Zm9v, algorithm: hmac-md5}]}",
         "t:1: rbl.keys[0].algorithm: expected one of hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224, hmac-sha1, "
         "got "
         "\"hmac-md5\""},
        {"rbl:\n  keys:\n    - { name: a, secret: Zm9v }\n    - { name: A., secret: Zm9v }\n",
         "t:4: rbl.keys[1].name: expected each key name once (keys[0] has this one), got \"A.\""},
    };
    struct err err = {0};
    struct conf *conf;
    const char *secret = "rbl: {keys: [{name: a, secret: \"not*base64\"}]}",
               *token = "health: {token: \"geheim geheim\"}", *cookie = "resolver: {cookies: {secrets: [geheim]}}";
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
    /* Secrets are not repeated: the message may end in a log. */
    assert_int_equal(conf_read_text(&conf, secret, strlen(secret), "/", "t", &err), E_INVALID);
    assert_memory_equal(err.text, "t:1: rbl.keys[0].secret: expected base64", 40);
    assert_null(strstr(err.text, "not*base64"));
    assert_int_equal(conf_read_text(&conf, token, strlen(token), "/", "t", &err), E_INVALID);
    assert_null(strstr(err.text, "geheim"));
    assert_int_equal(conf_read_text(&conf, cookie, strlen(cookie), "/", "t", &err), E_INVALID);
    assert_null(strstr(err.text, "geheim"));
}

static void reports(void **state) {
    static const struct row rows[] = {
        {"health: {peers: [{resolver: 192.0.2.1}]}", "t:1: health.peers[0].name: expected the peer's node name"},
        {"health: {peers: [{name: a}]}",
         "t:1: health.peers[0]: expected resolver: ADDRESS@PORT, health: ADDRESS@PORT or"},
        {"health: {peers: [{name: a, health: 192.0.2.1}]}", "t:1: health.peers[0].health: expected ADDRESS@PORT"},
        {"health:\n  peers:\n    - {name: a, resolver: 192.0.2.1}\n    - {name: a, resolver: 192.0.2.2}\n",
         "t:4: health.peers[1].name: expected each name once (peers[0] has this one), got \"a\""},
        {"health: {report: {datagram: [{key: a}]}}",
         "t:1: health.report.datagram[0].address: expected ADDRESS@PORT, got"},
        {"health: {report: {datagram: [{address: 192.0.2.1@1, path: /}]}}",
         "t:1: health.report.datagram[0].path: expected "
         "one of the keys address, key, got \"path\""},
        {"health: {report: {https: [{address: 192.0.2.1@1}]}}",
         "t:1: health.report.https[0].tls-name: expected the name that the server's certificate must say, got nothing"},
        {"health: {report: {https: [{address: monitor.example@443, tls-name: a}]}}",
         "t:1: health.report.https[0].address: expected ADDRESS@PORT"},
        {"health: {report: {https: [{address: 192.0.2.1@1, tls-name: a, path: report}]}}",
         "t:1: health.report.https[0].path: expected the path of a URL, starting with /, got \"report\""},
        {"health: {report: {https: [{address: 192.0.2.1@1, tls-name: a, path: \"/a b\"}]}}",
         "t:1: health.report.https[0].path: expected the path of a URL"},
        {"health: {report: {https: [{address: 192.0.2.1@1, tls-name: \".\"}]}}",
         "t:1: health.report.https[0].tls-name: expected the name that the certificate must say"},
        {"health: {report: {sql: {user: a}}}", "t:1: health.report.sql.address: expected ADDRESS@PORT, got nothing"},
        {"health: {report: {snmp: {base-oid: 1..3}}}", "t:1: health.report.snmp.base-oid: expected numbers and dots"},
        {"health: {report: {snmp: {base-oid: 1}}}", "t:1: health.report.snmp.base-oid: expected numbers and dots"},
        {"health: {report: {snmp: {base-oid: 1.3.}}}", "t:1: health.report.snmp.base-oid: expected numbers and dots"},
        {"health: {report: {snmp: {traps: [trap.example]}}}",
         "t:1: health.report.snmp.traps[0]: expected ADDRESS[@PORT]"},
        {"health: {monitor: {listen: [{}]}}", "t:1: health.monitor.listen[0]: expected datagram: ADDRESS@PORT, https:"},
        {"health: {monitor: {dead-man: [{address: 192.0.2.1@1, tls-name: a, interval: 0s}]}}",
         "t:1: health.monitor.dead-man[0].interval: expected a time"},
        {"health: {heal: {within: 2d}}", "t:1: health.heal.within: expected a time"},
        {"health: {canary: {cached: a..b}}", "t:1: health.canary.cached: expected a name without empty labels"},
    };
    (void)state;
    refuse_rows(rows, ARRAY_SIZE(rows));
}

/* "HEAD item item ... TAIL" with `count` items, each made from its number. */
static char *repeated(const char *head, const char *item, size_t count, const char *tail) {
    size_t room = strlen(head) + (strlen(item) + 24) * count + strlen(tail) + 1, n;
    char *text = malloc(room);
    assert_non_null(text);
    n = (size_t)snprintf(text, room, "%s", head);
    for (size_t i = 0; i < count; i++)
        for (const char *c = item; *c != '\0'; c++)
            n += (size_t)(*c == '#' ? snprintf(text + n, room - n, "%zu", i) : snprintf(text + n, room - n, "%c", *c));
    (void)snprintf(text + n, room - n, "%s", tail);
    return text;
}

/* Each ends at its bound, long before time or memory would. */
static void floods(void **state) {
    static const struct {
        const char *head, *item;
        size_t count;
        const char *tail, *error;
    } rows[] = {
        {"", "k#: v\n", 300000, "", "t:65: expected fewer keys: no section has that many"},
        {"{", "k#: v,", 300000, "}", "t:1: expected fewer keys"},
        {"rbl:\n  zones:\n", "  - {name: z#}\n", 1025, "",
         "t:1027: rbl.zones[1024]: expected at most 1024 entries in a list"},
        {"resolver:\n  allow: [", "10.0.0.1,", 400000, "]", "t:2: resolver.allow[1024]: expected at most 1024 entries"},
        {"", "[", 1000000, "", "t:1: [0][0][0][0][0][0][0][0][0][0][0][0]: expected less nesting"},
        {"", "{a: ", 1000000, "", "t:1: a.a.a.a.a.a.a.a.a.a.a.a: expected less nesting"},
        {"a:\n", "- ", 1000, "", "t:2: a[0][0][0][0][0][0][0][0][0][0][0]: expected less nesting"},
        {"node: {name: \"", "x", 1025, "\"}", "t:1: node.name: expected a text of at most 1024 bytes"},
        {"? \"", "x", 500, "\"\n: y", "t:1: expected a key of the configuration, got \"xxxx"},
        {"resolver: {forward: [{zone: a, to: [", "192.0.2.#,", 33, "]}]}",
         "t:1: resolver.forward[0].to: expected at most 32 entries, got 33"},
        {"resolver:\n  forward:\n", "  - {zone: z#, to: [192.0.2.#]}\n", 33, "",
         "t:2: resolver.forward: expected at most 32 distinct addresses in all `to:` lists"},
        {"resolver:\n  forward:\n  - to: [192.0.2.1]\n    zone: ", "abcdefg.", 32, "",
         "t:4: resolver.forward[0].zone: expected a domain name"},
        {"#", "x", 5 << 20, "", "t:1: expected at most 4194304 bytes, got 5242881"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *text = repeated(rows[i].head, rows[i].item, rows[i].count, rows[i].tail);
        refuse(text, strlen(text), rows[i].error);
        free(text);
    }
}

/* A good text cut at every byte, and with every byte turned: no crash, no leak, and an error always has its line. */
static void cut_and_turned(void **state) {
    static const char good[] =
        "node: {name: n1, state: s}\n"
        "resolver:\n  listen: [{address: 127.0.0.1@53, tls: no}]\n  cache: {size: 64M, max-ttl: 1h}\n"
        "  forward: [{zone: ., to: [192.0.2.1@53]}]\n"
        "rbl:\n  keys: [{name: k, secret: \"Zm9v\"}]\n  zones:\n    - name: bl.example.\n"
        "      data: [{type: ip4set, files: [a]}]\n      transfer: [{key: k}]\n      limits: {shrink: 5%}\n";
    char text[sizeof(good)];
    struct err err;
    struct conf *conf;
    (void)state;
    for (size_t size = 0; size < sizeof(good); size++) {
        memset(&err, 0, sizeof(err));
        if (conf_read_text(&conf, good, size, "/base", "t", &err) != E_OK)
            assert_memory_equal(err.text, "t:", 2);
        conf_free(conf);
    }
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(text, good, sizeof(good));
            text[at] = (char)(text[at] ^ 1 << bit);
            memset(&err, 0, sizeof(err));
            if (conf_read_text(&conf, text, sizeof(good) - 1, "/base", "t", &err) != E_OK)
                assert_memory_equal(err.text, "t:", 2);
            conf_free(conf);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_yaml), cmocka_unit_test(shapes),         cmocka_unit_test(node_and_log),
        cmocka_unit_test(addresses),   cmocka_unit_test(values),         cmocka_unit_test(names),
        cmocka_unit_test(zones),       cmocka_unit_test(keys),           cmocka_unit_test(reports),
        cmocka_unit_test(floods),      cmocka_unit_test(cut_and_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
