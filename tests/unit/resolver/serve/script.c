/* The scripted network of the iterate tests, compiled for these tests too. */
#include "tests/unit/resolver/iterate/script.c"
