#include <ctype.h>
#include <string.h>

#include "health/command/dropin.h"
#include "resolver/base/text.h"

/* As it is when YAML takes it for nothing but a text, else between double quotes. */
static int put_text(FILE *to, const char *text, struct err *err) {
    bool plain = isalpha((unsigned char)text[0]) != 0 || text[0] == '/';
    for (const char *c = text; *c != '\0' && plain; c++)
        plain = isalnum((unsigned char)*c) || strchr("/._-@", *c) != NULL;
    if (plain) {
        fputs(text, to);
        return 0;
    }
    fputc('"', to);
    for (const char *c = text; *c != '\0';) {
        size_t size = text_utf8((const uint8_t *)c, strlen(c));
        if (size == 0)
            return err_set(err, E_INVALID, "'%s' is not UTF-8, and a configuration can hold nothing else", text);
        if (size == 1 && (*c == '"' || *c == '\\'))
            fprintf(to, "\\%c", *c);
        else if (size == 1 && ((unsigned char)*c < ' ' || *c == 127))
            fprintf(to, "\\x%02x", (unsigned char)*c);
        else
            fwrite(c, 1, size, to);
        c += size;
    }
    fputc('"', to);
    return 0;
}

static int put_key(FILE *to, const char *key, const char *text, struct err *err) {
    fputs(key, to);
    int rc = put_text(to, text, err);
    fputc('\n', to);
    return rc;
}

static int put_data(FILE *to, const struct dropin_spec *s, struct err *err) {
    int rc = 0;
    fprintf(to, "        - type: %s\n          files:\n", conf_dataset_name(s->type));
    for (size_t i = 0; i < s->files && rc == 0; i++)
        rc = put_key(to, "            - ", s->file[i], err);
    return rc;
}

static int put_zone(FILE *to, const struct dropin *d, size_t first, struct err *err) {
    const char *zone = d->spec[first].zone;
    int rc = put_key(to, "    - name: ", zone, err);
    if (d->any_prefix)
        fprintf(to, "      host-bits: true\n");
    if (d->has_ttl)
        fprintf(to, "      ttl: %us\n", d->ttl_s);
    if (d->min_ttl_s > 0)
        fprintf(to, "      min-ttl: %us\n", d->min_ttl_s);
    if (d->max_ttl_s > 0)
        fprintf(to, "      max-ttl: %us\n", d->max_ttl_s);
    /* rbldnsd says of an answer and of the whole address space (lists of countries) whatever the data says, and so does
     * who took its place. A jump in the number of entries from one version to the next is still refused. */
    fprintf(to, "      limits: { values: any, space: 100%% }\n      data:\n");
    for (size_t i = first; i < d->specs && rc == 0; i++)
        if (strcmp(d->spec[i].zone, zone) == 0)
            rc = put_data(to, &d->spec[i], err);
    return rc;
}

static bool seen_before(const struct dropin *d, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (strcmp(d->spec[i].zone, d->spec[at].zone) == 0)
            return true;
    return false;
}

static int put_node(FILE *to, const struct dropin *d, struct err *err) {
    fprintf(to, "node:\n");
    int rc = put_key(to, "  state: ", d->state, err);
    if (rc == 0)
        rc = put_key(to, "  run: ", d->run, err);
    if (rc == 0 && d->user[0] != '\0')
        rc = put_key(to, "  user: ", d->user, err);
    fprintf(to, "log:\n  target: %s\n", d->foreground ? "stderr" : "syslog");
    return rc;
}

int dropin_yaml(const struct dropin *d, FILE *to, struct err *err) {
    char text[ADDR_TEXT_MAX];
    fprintf(to, "# Written by `candor rbldnsd`: what its command line says.\n");
    for (size_t i = 0; i < d->notes; i++)
        fprintf(to, "# %s\n", d->note[i]);
    int rc = put_node(to, d, err);
    fprintf(to, "resolver:\n  listen:\n");
    for (size_t i = 0; i < d->listens && rc == 0; i++)
        rc = put_key(to, "    - address: ", addr_text(&d->listen[i], text), err);
    /* As rbldnsd: what lies in no zone is REFUSED. */
    fprintf(to, "  allow: []\n  minimal-responses: %s\n  recursion: { enabled: false }\n", d->lazy ? "true" : "false");
    fprintf(to, "rbl:\n  listen: []\n  zones:\n");
    for (size_t i = 0; i < d->specs && rc == 0; i++)
        if (!seen_before(d, i))
            rc = put_zone(to, d, i, err);
    fprintf(to, "health:\n");
    if (rc == 0)
        rc = put_key(to, "  listen:\n    - ", addr_text(&d->health, text), err);
    fprintf(to, "  canary: { cached: \"\", uncached-under: \"\", nxdomain-under: \"\" }\n");
    return rc == 0 && ferror(to) ? err_set(err, E_IO, "the configuration can not be written") : rc;
}
