#include "health/page/assets.h"

#include <string.h>

/* bytes.S */
extern const uint8_t page_css[], page_css_end[], page_js[], page_js_end[];
extern const char page_stamp[];

static const char type_svg[] = "image/svg+xml";

/* A shape of its own for each state, for who does not tell the colours apart. */
#define ICON(colour, shape)                                                                                            \
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><circle cx=\"16\" cy=\"16\" r=\"15\" "            \
    "fill=\"" colour "\"/><path fill=\"none\" stroke=\"#fff\" stroke-width=\"4\" stroke-linecap=\"round\" d=\"" shape  \
    "\"/></svg>\n"

static const struct icon {
    const char *path, *svg;
} icons[] = {
    {"/icon/pass.svg", ICON("#1a7f37", "M9 17l5 5 9-11")},
    {"/icon/warn.svg", ICON("#9a6700", "M16 8v10M16 24v.01")},
    {"/icon/fail.svg", ICON("#c62828", "M10 10l12 12M22 10l-12 12")},
    {"/icon/unknown.svg", ICON("#5f6368", "M11.5 12c0-6 9-6 9 0 0 4-4.5 3.500-4.500 7M16 24v.01")},
};

static struct bytes between(const uint8_t *from, const uint8_t *to) {
    return (struct bytes){from, (size_t)(to - from)};
}

bool page_asset_find(const char *path, struct page_asset *to) {
    const struct page_asset files[] = {
        {"/page.css", "text/css; charset=utf-8", between(page_css, page_css_end)},
        {"/page.js", "text/javascript; charset=utf-8", between(page_js, page_js_end)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (strcmp(path, files[i].path) == 0) {
            *to = files[i];
            return true;
        }
    for (size_t i = 0; i < ARRAY_SIZE(icons); i++)
        if (strcmp(path, icons[i].path) == 0) {
            *to = (struct page_asset){icons[i].path, type_svg, {(const uint8_t *)icons[i].svg, strlen(icons[i].svg)}};
            return true;
        }
    return false;
}

const char *page_asset_stamp(void) { return page_stamp; }
