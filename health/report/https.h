/* Reports over HTTPS: POST of JSON (docs/formats/report.md) to health.report.https, from a sink's thread (sink.h),
 * signed with the key when one is configured. A monitor's answer says up to which event it has them on its disk.
 *
 * No name is looked up (pinned.h). What was seen of the certificate's end goes into the news, so that it is known 21
 * days before. */
#ifndef CANDOR_REPORT_HTTPS_H
#define CANDOR_REPORT_HTTPS_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum {
    HTTPS_ANSWER_MAX = 4096,
    HTTPS_KEEP = 960 /* reports that wait for a monitor: four hours of them at 15 s */
};

/* `folder`: where what waits is kept. E_NOTFOUND, E_INVALID: the key. */
int https_open(struct sink **out, const struct conf *conf, const struct conf_sink *to, const char *folder,
               uint32_t retry_ms, struct err *err) MUST_USE;

#endif
