/* Answers questions from data files the way candor-sync and candor-resolver do together, without their processes: load,
 * keep, view, answer. For rbldnsd_diff.py and for trying a file by hand.
 *
 *   answer_file CONFIG < questions > answers
 *
 * CONFIG is a candor.yaml; each of its zones is read and committed (limits apart). Then one line "loaded ZONE
 * BAD_LINES" or "failed ZONE WHY" for each. A question is a line "TYPE-NUMBER NAME [CLIENT]", the client being the
 * asker's address; its answer the message in hexadecimal, "-" when no zone holds the name, or "drop". */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/answer.h"
#include "rbl/keep/keep.h"
#include "rbl/load/load.h"

static int commit(const struct conf *conf, const struct conf_zone *zone, struct data *d, struct load_report *report,
                  struct err *err) {
    struct keep *k = NULL;
    struct keep_result result;
    struct keep_commit how = {.source = "files", .force = true, .serial_hint = d->has_soa ? d->soa.serial : 0};
    int rc = keep_open(&k, conf->node.state, zone, err);
    d->bad_lines = report->bad_lines;
    if (rc == 0)
        rc = keep_replace(k, d, &how, &result, err);
    if (k != NULL)
        keep_close(k);
    return rc;
}

static int load_zone(const struct conf *conf, const struct conf_zone *zone) {
    static struct data d;
    static struct load_report report;
    struct err err = {0};
    memset(&report, 0, sizeof report);
    int rc = data_open(&d);
    d.ttl = zone->ttl_s;
    d.ttl_min = zone->min_ttl_s;
    d.ttl_max = zone->max_ttl_s;
    d.host_bits = zone->host_bits;
    for (size_t i = 0; i < zone->data_count && rc == 0; i++)
        rc = load_dataset(&d, zone->data[i].type, &zone->data[i].files, &report, &err);
    if (rc == 0)
        rc = data_settle(&d, &err);
    if (rc == 0)
        rc = commit(conf, zone, &d, &report, &err);
    if (rc == 0)
        printf("loaded %s %llu\n", zone->name, (unsigned long long)report.bad_lines);
    else
        printf("failed %s %s: %s\n", zone->name, err_name(rc), err.text);
    data_free(&d);
    return rc;
}

static void answer(struct source *s, unsigned type, const char *text, const char *asker) {
    static uint8_t buf[65535];
    struct addr client;
    struct dns_query q = {.qtype = (uint16_t)type, .qclass = CLASS_IN};
    struct dns_writer w;
    struct source_answer a;
    int zone = name_from_text(&q.qname, text, NULL) == 0 ? s->ops->zone(s->self, &q.qname) : -1;
    if (zone < 0 || addr_parse(&client, asker, 53, NULL) < 0) {
        printf("-\n");
        return;
    }
    dns_writer_open(&w, buf, sizeof buf, 0, FLAG_QR | FLAG_AA, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
    s->ops->answer(s->self, zone, &q, &client, &w, &a);
    if (a.drop) {
        printf("drop\n");
        return;
    }
    int size = dns_writer_end(&w, 0, a.rcode);
    for (int i = 0; i < size; i++)
        printf("%02x", buf[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    struct conf *conf;
    struct err err;
    struct source source;
    char line[2048], name[1100], asker[64];
    unsigned type;
    if (argc != 2 || conf_read(&conf, argv[1], &err) < 0) {
        fprintf(stderr, "answer_file: %s\n", argc != 2 ? "usage: answer_file CONFIG" : err.text);
        return 2;
    }
    for (size_t i = 0; i < conf->rbl.zone_count; i++)
        (void)!load_zone(conf, &conf->rbl.zones[i]);
    if (answer_open(&source, conf, NULL, &err) < 0) {
        fprintf(stderr, "answer_file: %s\n", err.text);
        return 1;
    }
    fflush(stdout);
    source.ops->begin(source.self);
    while (fgets(line, sizeof line, stdin) != NULL)
        if (sscanf(line, "%u %1099s %63s", &type, name, strcpy(asker, "127.0.0.1")) >= 2)
            answer(&source, type, name, asker);
    source.ops->end(source.self);
    answer_close(&source);
    conf_free(conf);
    return 0;
}
