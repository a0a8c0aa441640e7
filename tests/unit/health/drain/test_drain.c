/* When a node leaves and when it comes back: a table of looks; and what routers and load balancers are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health/drain/agent.h"
#include "health/drain/hooks.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

static const struct peers_summary none = {0};
static const struct peers_summary missed = {.configured = 2, .heard = 2, .ready = 2, .see_us = 2, .miss_us = 1};
static const struct peers_summary seen = {.configured = 2, .heard = 2, .ready = 2, .see_us = 2};
static const struct peers_summary blind = {.configured = 2, .heard = 2, .ready = 2};
static const struct peers_summary alone = {.configured = 2, .heard = 2, .ready = 0, .see_us = 2, .miss_us = 2};
static const struct peers_summary cut = {.configured = 2, .cut_off = true};

static struct conf_health conf_of(bool confirm, uint32_t min_ready, uint32_t hold_s) {
    struct conf_health c;
    memset(&c, 0, sizeof c);
    c.drain.confirm = confirm;
    c.drain.min_ready = min_ready;
    c.drain.hold_down_s = hold_s;
    c.drain.route_file = c.drain.command = "";
    return c;
}

/* A node that serves and falls ill: does it leave? */
static void leaving(void **ctx) {
    (void)ctx;
    static const struct {
        bool confirm;
        uint32_t min_ready;
        const struct peers_summary *peers;
        enum drain_state want;
        const char *words;
    } rows[] = {
        {true, 1, &none, DRAIN_LEFT, "by its own word"},
        {true, 1, &missed, DRAIN_LEFT, "ill"},
        {true, 1, &seen, DRAIN_SERVE, "2 peers get right answers"},
        {true, 1, &blind, DRAIN_SERVE, "no peer says"},
        {false, 1, &blind, DRAIN_LEFT, "ill"},
        {false, 1, &seen, DRAIN_LEFT, "ill"},
        {true, 1, &alone, DRAIN_SERVE, "0 of the other nodes are ready, 1 must be"},
        {false, 1, &alone, DRAIN_SERVE, "1 must be"},
        {true, 0, &alone, DRAIN_LEFT, "ill"},
        {true, 3, &missed, DRAIN_SERVE, "3 must be"},
        {true, 1, &cut, DRAIN_SERVE, "cut off"},
        {false, 0, &cut, DRAIN_SERVE, "cut off"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct conf_health c = conf_of(rows[i].confirm, rows[i].min_ready, 30);
        struct drain d;
        drain_open(&d, &c, 0);
        struct drain_look well = {.mono_ms = 1000, .ready = true, .peers = *rows[i].peers};
        struct drain_look ill = {.mono_ms = 2000, .cause = "ill", .peers = *rows[i].peers};
        assert_true(drain_look(&d, &well));
        assert_int_equal(drain_look(&d, &ill), rows[i].want == DRAIN_LEFT);
        assert_int_equal(d.state, rows[i].want);
        if (strstr(d.reason, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, d.reason);
    }
}

static void starting(void **ctx) {
    (void)ctx;
    struct conf_health c = conf_of(true, 1, 30);
    struct drain d;
    drain_open(&d, &c, 0);
    struct drain_look ill = {.mono_ms = 1000, .cause = "not loaded"}, well = {.mono_ms = 2000, .ready = true};
    assert_false(drain_look(&d, &ill));
    assert_int_equal(d.state, DRAIN_STARTING);
    assert_true(drain_look(&d, &well)); /* no hold-down before it was there at all */
    assert_int_equal(d.state, DRAIN_SERVE);
}

/* One bad second in between begins it anew. */
static void coming_back(void **ctx) {
    (void)ctx;
    static const struct {
        int64_t at_s;
        bool ready;
        enum drain_state want;
    } rows[] = {{1, true, DRAIN_SERVE},  {2, false, DRAIN_LEFT}, {3, true, DRAIN_LEFT},  {12, true, DRAIN_LEFT},
                {13, false, DRAIN_LEFT}, {14, true, DRAIN_LEFT}, {23, true, DRAIN_LEFT}, {24, true, DRAIN_SERVE},
                {25, true, DRAIN_SERVE}, {26, false, DRAIN_LEFT}};
    struct conf_health c = conf_of(true, 1, 10);
    struct drain d;
    drain_open(&d, &c, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct drain_look l = {.mono_ms = rows[i].at_s * 1000, .ready = rows[i].ready, .cause = "ill"};
        (void)drain_look(&d, &l);
        assert_int_equal(d.state, rows[i].want);
    }
    assert_int_equal(d.changes, 4);
    c = conf_of(true, 1, 0);
    drain_open(&d, &c, 0);
    struct drain_look well = {.mono_ms = 1, .ready = true}, ill = {.mono_ms = 2, .cause = "ill"};
    (void)drain_look(&d, &well);
    (void)drain_look(&d, &ill);
    well.mono_ms = 3;
    assert_true(drain_look(&d, &well));
}

/* --- hooks */

static struct prefix route[2];

static void with_routes(struct conf_health *c) {
    assert_int_equal(prefix_parse(&route[0], "192.0.2.53/32", NULL), 0);
    assert_int_equal(prefix_parse(&route[1], "2001:db8::53/128", NULL), 0);
    c->drain.routes = (struct conf_list_prefix){route, 2};
}

static void routes(void **ctx) {
    (void)ctx;
    struct conf_health c = conf_of(true, 1, 0);
    with_routes(&c);
    char *text = hook_routes(&c, true);
    assert_non_null(strstr(text, "route 192.0.2.53/32 unreachable;"));
    assert_non_null(strstr(text, "route 2001:db8::53/128 unreachable;"));
    free(text);
    text = hook_routes(&c, false);
    assert_non_null(strstr(text, "protocol static candor4"));
    assert_non_null(strstr(text, "protocol static candor6"));
    assert_null(strstr(text, "route "));
    free(text);
    c.drain.format = DRAIN_EXABGP;
    text = hook_routes(&c, true);
    assert_string_equal(text, "announce route 192.0.2.53/32 next-hop self\n"
                              "announce route 2001:db8::53/128 next-hop self\n");
    free(text);
    text = hook_routes(&c, false);
    assert_non_null(strstr(text, "withdraw route 192.0.2.53/32 next-hop self\n"));
    free(text);
}

static void file_and_command(void **ctx) {
    (void)ctx;
    char folder[] = "/tmp/test_drain.XXXXXX", path[64], script[64], mark[64], text[64] = "";
    struct err err = {.text = ""};
    struct stat st;
    struct conf_health c = conf_of(true, 1, 0);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/routes", folder);
    snprintf(script, sizeof script, "%s/hook", folder);
    snprintf(mark, sizeof mark, "%s/mark", folder);
    with_routes(&c);
    c.drain.route_file = path;
    assert_int_equal(hook_write(&c, true, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 0);
    c.drain.route_file = "/nowhere/routes";
    assert_true(hook_write(&c, true, &err) < 0);
    assert_non_null(strstr(err.text, "/nowhere/routes"));

    FILE *f = fopen(script, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\necho \"told $1\"; printf %%s \"$1\" > %s; [ \"$1\" = serve ]\n", mark);
    fclose(f);
    chmod(script, 0755);
    c.drain.command = script;
    assert_int_equal(hook_run(&c, true, &err), 0);
    f = fopen(mark, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "serve");
    assert_int_equal(hook_run(&c, false, &err), E_SYSTEM);
    assert_non_null(strstr(err.text, "exit code 1"));
    c.drain.command = "/nowhere/hook";
    assert_int_equal(hook_run(&c, true, &err), E_SYSTEM);
    assert_non_null(strstr(err.text, "127"));
    unlink(path);
    unlink(script);
    unlink(mark);
    rmdir(folder);
}

/* --- the agent's port */

static struct addr agent_addr;

static void says(const char *want) {
    char got[AGENT_LINE_MAX + 1] = "";
    size_t size = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &agent_addr.sa, sizeof agent_addr.in), 0);
    for (ssize_t n; size < AGENT_LINE_MAX && (n = read(fd, got + size, AGENT_LINE_MAX - size)) > 0;)
        size += (size_t)n;
    close(fd);
    assert_string_equal(got, want);
}

static void agent(void **ctx) {
    (void)ctx;
    struct agent *a;
    struct err err = {.text = ""};
    struct conf_health c = conf_of(true, 1, 0);
    assert_int_equal(agent_open(&a, &c, &err), 0);
    assert_null(a);
    int rc = E_EXISTS;
    for (uint16_t port = 23000; port < 23200 && rc != 0; port++) {
        char text[32];
        snprintf(text, sizeof text, "127.0.0.1@%u", port);
        assert_int_equal(addr_parse(&agent_addr, text, 0, &err), 0);
        c.agent_check = (struct conf_list_addr){&agent_addr, 1};
        rc = agent_open(&a, &c, &err);
    }
    assert_int_equal(rc, 0);
    says("down #nothing is known yet\n");
    agent_say(a, DRAIN_SERVE, "ready", clock_mono_ms() + 60000);
    says("up ready\n");
    agent_say(a, DRAIN_LEFT, "worker:answers\nup ready", clock_mono_ms() + 60000);
    says("drain #worker:answers?up ready\n");
    agent_say(a, DRAIN_SERVE, "ready", clock_mono_ms() - 1);
    says("down #what is known is too old\n");
    char longest[400];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    agent_say(a, DRAIN_LEFT, longest, clock_mono_ms() + 60000);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* who says nothing and reads nothing holds nobody up */
    assert_int_equal(connect(fd, &agent_addr.sa, sizeof agent_addr.in), 0);
    agent_say(a, DRAIN_SERVE, "ready", clock_mono_ms() + 60000);
    says("up ready\n");
    close(fd);
    agent_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving), cmocka_unit_test(starting),         cmocka_unit_test(coming_back),
        cmocka_unit_test(routes),  cmocka_unit_test(file_and_command), cmocka_unit_test(agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
