/* Style, script and icons of the status page, embedded in the program: nothing comes from outside, and there is no file
 * that could be missing. page.js and page.css of this folder, with uPlot before them (package.json says which; make
 * takes it from npm, checked by the hash in package-lock.json). */
#ifndef CANDOR_PAGE_ASSETS_H
#define CANDOR_PAGE_ASSETS_H

#include <stdbool.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

struct page_asset {
    const char *path, *type; /* "/page.css", "text/css; charset=utf-8" */
    struct bytes body;       /* for ever */
};

/* By path; false: there is none. /page.css, /page.js, /icon/{pass,warn,fail,unknown}.svg */
bool page_asset_find(const char *path, struct page_asset *to) MUST_USE;
/* Of the contents of style and script, in hexadecimal: the part behind '?' of their addresses, so that a browser may
 * keep them and still never mixes two versions. */
const char *page_asset_stamp(void);

#endif
