#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/dropin.h"
#include "resolver/base/bytes.h"

enum { DNS_PORT = 53, DEFAULT_TTL_S = 2100, LONG_PRINT = 256, LONG_HEALTH, LONG_STATE, LONG_RUN, LONG_HELP };

static const struct option long_options[] = {
    {"print-config", no_argument, NULL, LONG_PRINT}, {"health", required_argument, NULL, LONG_HEALTH},
    {"state", required_argument, NULL, LONG_STATE},  {"run", required_argument, NULL, LONG_RUN},
    {"help", no_argument, NULL, LONG_HELP},          {NULL, 0, NULL, 0},
};

/* Options of rbldnsd that are taken and change nothing, each said once. */
static const struct {
    char letter;
    const char *note;
} meaningless[] = {
    {'c', "-c: files are watched; what changed is taken when it is whole and stood still, whatever the interval"},
    {'C', "-C: a file that is gzip is read as such"},
    {'f', "-f: the old data answers while the new is read, always"},
    {'F', "-F: syslog gets facility daemon"},
    {'l', "-l: no log of requests is written; /metrics on the health port counts them"},
    {'s', "-s: no statistics file is written; SIGUSR1 logs the traffic, /metrics on the health port counts it"},
    {'v', "-v: version.bind never tells the version of rbldnsd"},
    {'x', "-x: extensions of rbldnsd cannot be loaded"},
    {'X', "-X: extensions of rbldnsd cannot be loaded"},
};

void dropin_free(struct dropin *d) {
    if (d->health_claim > 0)
        (void)close(d->health_claim);
    d->health_claim = -1;
    arena_free(&d->arena);
}

static int note(struct dropin *d, const char *text) {
    for (size_t i = 0; i < d->notes; i++)
        if (strcmp(d->note[i], text) == 0)
            return 0;
    if (d->notes < DROPIN_NOTES)
        d->note[d->notes++] = text;
    return 0;
}

bool dropin_time(const char *text, uint32_t *seconds) {
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long n = strtoull(text, &end, 10);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        bool whole = *end == '\0' || end[1] == '\0';
        if (whole && (*end | (*end != '\0' ? 0x20 : 0)) == units[i].unit && n <= INT32_MAX / units[i].seconds) {
            *seconds = (uint32_t)n * units[i].seconds;
            return true;
        }
    }
    return false;
}

/* "-t ttl:min:max", each of which may be left out. */
static int take_ttl(struct dropin *d, const char *text, struct err *err) {
    uint32_t *const to[] = {&d->ttl_s, &d->min_ttl_s, &d->max_ttl_s};
    const char *at = text;
    for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
        char part[24];
        size_t size = strcspn(at, ":");
        if (size >= sizeof part)
            return err_set(err, E_INVALID, "invalid ttl (-t) value `%s'", text);
        memcpy(part, at, size);
        part[size] = '\0';
        if (size > 0 && !dropin_time(part, to[i]))
            return err_set(err, E_INVALID, "invalid ttl (-t) value `%s'", text);
        d->has_ttl |= i == 0 && size > 0;
        at += size;
        if (*at == '\0')
            break;
        at += i + 1 < ARRAY_SIZE(to); /* a third colon stays, and is wrong */
    }
    if (at[0] != '\0')
        return err_set(err, E_INVALID, "invalid ttl (-t) value `%s'", text);
    uint32_t ttl_s = d->has_ttl ? d->ttl_s : DEFAULT_TTL_S;
    if (ttl_s < d->min_ttl_s || (d->max_ttl_s > 0 && ttl_s > d->max_ttl_s))
        return err_set(err, E_INVALID, "inconsistent def:min:max ttl: %u:%u:%u", ttl_s, d->min_ttl_s, d->max_ttl_s);
    return 0;
}

/* "ADDRESS/PORT", "ADDRESS"; IPv6 without brackets. */
static int take_listen(struct dropin *d, const char *text, struct err *err) {
    char host[ADDR_TEXT_MAX];
    const char *slash = strrchr(text, '/');
    size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned long port = DNS_PORT;
    char *end = NULL;
    if (size == 0)
        return err_set(err, E_INVALID, "missing host part in bind address `%s'", text);
    if (slash != NULL && strcmp(slash + 1, "domain") != 0) {
        port = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || port < 1 || port > 65535)
            return err_set(err, E_INVALID,
                           "-b %s: expected a port number from 1 to 65535: no name of a service is looked up", text);
    }
    struct addr *a = &d->listen[d->listens];
    if (d->listens == LIMIT_LISTEN)
        return err_set(err, E_INVALID, "too many addresses to listen on (%d max)", LIMIT_LISTEN);
    if (size >= sizeof host)
        return err_set(err, E_INVALID, "-b %s: expected ADDRESS/PORT", text);
    memcpy(host, text, size);
    host[size] = '\0';
    if (strchr(host, '@') != NULL || addr_parse(a, strcmp(host, "0") == 0 ? "0.0.0.0" : host, (uint16_t)port, NULL) < 0)
        return err_set(err, E_INVALID,
                       "-b %s: expected an IP address: host names are not taken, because a name server that looks up "
                       "a name to start does not start when it is needed",
                       text);
    for (size_t i = 0; i < d->listens; i++)
        if (addr_same(a, &d->listen[i]))
            return err_set(err, E_INVALID, "-b %s: given twice", text);
    d->listens++;
    return 0;
}

static int option(struct dropin *d, int letter, const char *value, struct err *err) {
    uint32_t ignored_s;
    for (size_t i = 0; i < ARRAY_SIZE(meaningless); i++)
        if (meaningless[i].letter == letter)
            (void)note(d, meaningless[i].note);
    switch (letter) {
    case 'u':
        d->user = value;
        return 0;
    case 'r':
        d->root = value;
        return 0;
    case 'w':
        d->work = value;
        return 0;
    case 'b':
        return take_listen(d, value, err);
    case 't':
        return take_ttl(d, value, err);
    case 'c':
        return dropin_time(value, &ignored_s)
                   ? 0
                   : err_set(err, E_INVALID, "invalid check interval (-c) value `%s'", value);
    case 'p':
        d->pid_file = value;
        return 0;
    case LONG_HEALTH:
        return addr_parse(&d->health, value, 0, err);
    case LONG_STATE:
        d->state = value;
        return 0;
    case LONG_RUN:
        d->run = value;
        return 0;
    case '4':
        d->only4 = true;
        return 0;
    case '6':
        d->only6 = true;
        return 0;
    default:
        d->foreground |= letter == 'n';
        d->quick |= letter == 'q';
        d->any_prefix |= letter == 'e';
        d->lazy = letter == 'a' || (d->lazy && letter != 'A');
        d->help |= letter == 'h' || letter == LONG_HELP;
        d->print |= letter == LONG_PRINT;
        return letter != 'd'
                   ? 0
                   : err_set(err, E_INVALID,
                             "-d: run the zones, then `candor export ZONE --format bind` writes one as a zone "
                             "file");
    }
}

/* What rbldnsd wants, and does not want, of a whole command line. */
static int check(struct dropin *d, struct err *err) {
    if (d->specs == 0)
        return err_set(err, E_INVALID, "no zone(s) to service specified (-h for help)");
    if (d->listens == 0)
        return err_set(err, E_INVALID, "no address to listen on (-b option) specified");
    for (size_t i = 0; i < d->listens; i++) {
        int family = addr_family(&d->listen[i]);
        char text[ADDR_TEXT_MAX];
        if ((d->only4 && family != AF_INET) || (d->only6 && family != AF_INET6))
            return err_set(err, E_INVALID, "-b %s: not an address of the family that -%c allows",
                           addr_host_text(&d->listen[i], text), d->only4 ? '4' : '6');
    }
    for (size_t i = 0; i < d->specs; i++) {
        bool data = d->spec[i].type != DATASET_ACL || strcmp(d->spec[i].zone, ".") == 0;
        for (size_t k = 0; k < d->specs && !data; k++)
            data = d->spec[k].type != DATASET_ACL && strcmp(d->spec[k].zone, d->spec[i].zone) == 0;
        if (!data)
            return err_set(err, E_INVALID, "zone %s should have at least one dataset besides acl", d->spec[i].zone);
    }
    return 0;
}

/* The user before a colon; who is root must become somebody. */
static int settle_user(struct dropin *d, struct err *err) {
    bool root = geteuid() == 0;
    const char *given = d->user;
    size_t size = strcspn(given, ":");
    if (given[size] == ':')
        (void)note(d, "-u: the group is that of the user in /etc/passwd");
    if (!root && size > 0)
        (void)note(d, "-u: not started by root, so the user stays who it is");
    d->user = !root ? "" : size > 0 ? arena_text(&d->arena, given, size) : "rbldns";
    if (d->user == NULL)
        return err_set(err, E_NOMEM, "no memory");
    if (strcmp(d->user, "root") == 0)
        return err_set(err, E_INVALID, "daemon should not run as root, specify -u option");
    return 0;
}

static int settle_paths(struct dropin *d, struct err *err) {
    const char **path[] = {&d->pid_file, &d->state, &d->run};
    for (size_t i = 0; i < ARRAY_SIZE(path); i++)
        if (*path[i] != NULL && (*path[i] = dropin_path(d, "", "", *path[i], err)) == NULL)
            return err->code;
    return 0;
}

int dropin_parse(struct dropin *d, int argc, char **argv, struct err *err) {
    int letter, rc = 0;
    memset(d, 0, sizeof *d);
    d->user = d->root = d->work = "";
    d->health_claim = -1;
    optind = 0;
    opterr = 0;
    while (rc == 0 &&
           (letter = getopt_long(argc, argv, ":u:r:w:b:t:c:p:l:s:F:x:X:hnefqdvaAC46", long_options, NULL)) != -1) {
        const char *shown = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        if (letter == ':')
            rc = err_set(err, E_INVALID, "option requires an argument -- '%s'", shown);
        else if (letter == '?' && optopt != 0)
            rc = err_set(err, E_INVALID, "invalid option -- '%c'", optopt);
        else if (letter == '?')
            rc = err_set(err, E_INVALID, "invalid option %s", shown);
        else
            rc = option(d, letter, optarg, err);
    }
    if (d->help || rc < 0)
        return rc;
    if (d->root[0] != '\0' && (d->root = dropin_path(d, "", "", d->root, err)) == NULL)
        return err->code;
    for (int i = optind; i < argc && rc == 0; i++)
        rc = dropin_spec(d, argv[i], err);
    if (rc == 0 && (rc = check(d, err)) == 0 && (rc = settle_user(d, err)) == 0)
        rc = settle_paths(d, err);
    return rc;
}
