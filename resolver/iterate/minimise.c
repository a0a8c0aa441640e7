#include "resolver/iterate/minimise.h"

#include "resolver/iterate/bounds.h"

unsigned minimise_next(unsigned shown, unsigned total, unsigned steps) {
    if (steps + 1 >= BOUND_MINIMISE_COUNT)
        return total;
    if (steps < BOUND_MINIMISE_ONE_LAB)
        return shown + 1;
    unsigned left = BOUND_MINIMISE_COUNT - steps;
    unsigned step = (total - shown + left - 1) / left;
    return shown + step < total ? shown + step : total;
}
