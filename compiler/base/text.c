/* text.c: names and numbers as C and the language write them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>

#include "base/base.h"

const char *c_name(const char *name)
{
    char *copy = format("%s%s", isdigit((unsigned char)*name) ? "n" : "", name);
    for (char *c = copy; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return copy;
}

const char *c_float(double value)
{
    float number = (float)value;
    if (isnan(number))
        return "NAN";
    if (isinf(number))
        return number < 0 ? "-INFINITY" : "INFINITY";
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number)
            break;
    }
    return format("%s%sf", text, strpbrk(text, ".e") ? "" : ".0");
}

/* Letters, digits and '_', no digit first: what a label and a C prefix may be. */
bool is_identifier(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    return true;
}
