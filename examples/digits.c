/* digits.c: draws handwritten-looking digits from a few pen strokes each.
 *
 * What a hand varies, in the order in which it happens here:
 *
 *   the form      each digit has several (a 7 with a bar or without, a 4 open or closed): a list of points
 *                 through which the pen runs in a smooth curve
 *   the hand      every point misses its place a little; the whole is bent, slanted, turned, made wide or
 *                 narrow, large or small, and put down off the middle
 *   the pen       thick or thin, pressed more at one end, sharp or blurred, with much ink or little
 *   the paper     grain, specks, and places where the ink did not take
 *
 * A picture is made as a distance field: for each pixel the distance to the edge of the nearest ink, taken
 * over all pieces of all strokes. One pass then turns distance into grey. That draws crossing strokes
 * correctly (ink on ink is not brighter), is smooth without oversampling, and costs some 25 microseconds.
 *
 * Only + - * / and sqrt are used, which IEEE 754 rounds alike everywhere (as long as the compiler fuses no
 * multiply and add, hence the pragmas), and the result is rounded to 256 levels, as a scanner would; so the
 * same seed draws the same digits on every machine.
 */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#include "digits.h"
#include "nn.h"

#include <math.h>

/* ---- The forms -------------------------------------------------------------------------------
 *
 * Points x, y on a field of 100 x 100, y downwards, in the order of writing. The curve passes through
 * each point; a point given twice is a corner. UP lifts the pen. */

enum { UP = -1, END = -2 };
enum { FORMS = 4 }; /* at most so many of each digit */

static const signed char forms[10][FORMS][50] = {
    {   /* 0: an oval; one begun at the right, its end crossing its beginning; a narrow one left open */
        { 52,7, 32,19, 23,50, 32,82, 51,93, 70,80, 77,48, 67,17, 50,8, END },
        { 64,15, 47,8, 29,26, 24,56, 36,86, 57,91, 73,70, 75,38, 62,12, 46,15, END },
        { 49,9, 33,36, 33,70, 48,92, 64,76, 68,42, 58,12, END },
    },
    {   /* 1: a bare stroke; with a flag; with a flag and a foot */
        { 51,7, 50,50, 50,93, END },
        { 33,29, 53,7, 53,7, 52,50, 51,94, END },
        { 35,25, 51,8, 51,8, 51,50, 50,92, UP, 31,93, 71,92, END },
    },
    {   /* 2: with a straight base; with a loop at its foot; in one swing */
        { 25,28, 34,11, 54,7, 70,20, 67,42, 46,67, 24,92, 24,92, 77,91, END },
        { 25,25, 40,8, 62,11, 69,30, 58,54, 39,79, 25,88, 24,76, 40,75, 58,88, 81,87, END },
        { 28,17, 50,8, 68,19, 64,42, 44,70, 27,90, 27,90, 50,86, 78,93, END },
    },
    {   /* 3: two bows that meet in a corner; with a flat top; with a loop in the middle */
        { 27,17, 46,7, 66,15, 65,35, 43,47, 43,47, 67,54, 74,73, 57,92, 35,91, 22,81, END },
        { 26,10, 70,9, 70,9, 45,43, 45,43, 67,50, 74,71, 56,91, 25,87, END },
        { 29,13, 51,8, 66,22, 57,41, 41,48, 40,42, 55,46, 71,62, 68,83, 46,94, 24,87, END },
    },
    {   /* 4: open, of straight strokes; closed; open and round; closed, the pen going up last */
        { 33,9, 24,54, 24,54, 79,51, UP, 65,24, 62,60, 59,95, END },
        { 61,8, 40,34, 20,63, 20,63, 82,61, UP, 61,8, 61,50, 60,94, END },
        { 28,11, 24,36, 36,51, 56,48, 70,36, UP, 72,9, 68,50, 63,94, END },
        { 76,55, 48,58, 22,57, 22,57, 42,36, 62,9, 62,9, 60,50, 56,95, END },
    },
    {   /* 5: in one stroke; the top bar drawn last; round as an S */
        { 71,9, 35,10, 35,10, 31,43, 31,43, 53,39, 71,52, 71,75, 52,92, 24,86, END },
        { 34,11, 30,45, 30,45, 54,42, 73,58, 68,82, 46,93, 23,85, UP, 34,11, 56,10, 76,7, END },
        { 72,11, 46,11, 34,26, 42,42, 63,52, 70,70, 56,90, 27,87, END },
    },
    {   /* 6: round; with a straight back; leaning, its loop small */
        { 66,8, 41,24, 26,54, 29,81, 49,93, 69,83, 70,64, 52,55, 34,63, 28,76, END },
        { 59,6, 42,36, 28,66, 31,88, 52,93, 70,80, 67,62, 48,59, 30,75, END },
        { 50,7, 35,40, 30,72, 42,92, 60,90, 68,75, 56,64, 38,70, 33,82, END },
    },
    {   /* 7: plain; with a bar; with a hook at its beginning and a bent back; bent, with a bar */
        { 24,11, 50,10, 76,9, 76,9, 58,50, 43,94, END },
        { 24,13, 50,11, 75,9, 75,9, 58,52, 47,94, UP, 37,52, 72,50, END },
        { 24,25, 26,11, 26,11, 76,11, 76,11, 55,46, 47,93, END },
        { 23,15, 48,10, 74,11, 74,11, 71,26, 53,60, 48,94, UP, 33,55, 72,47, END },
    },
    {   /* 8: in one stroke from the top right; a ring on a ring; begun and ended in the middle */
        { 67,18, 49,7, 32,19, 40,39, 62,55, 71,76, 50,94, 28,78, 37,57, 59,40, 69,21, 58,8, END },
        { 51,7, 34,17, 36,38, 50,46, 66,37, 68,18, 53,7, UP, 50,46, 28,61, 28,84, 50,94, 72,84, 72,62, 52,47, END },
        { 50,49, 33,32, 37,12, 56,7, 68,20, 62,38, 42,54, 28,74, 38,92, 60,92, 71,76, 64,58, 47,46, END },
    },
    {   /* 9: with a straight stem; with a bent one; the stem apart; its tail to the left, from one line */
        { 69,24, 54,8, 33,14, 26,35, 39,50, 59,43, 70,20, 70,20, 69,58, 66,94, END },
        { 70,22, 53,8, 32,17, 29,38, 44,50, 62,42, 71,21, 71,21, 72,60, 61,85, 34,92, END },
        { 50,9, 32,20, 31,40, 48,49, 66,39, 67,18, 50,9, UP, 68,17, 66,56, 54,94, END },
        { 68,14, 45,8, 28,26, 36,45, 58,41, 70,20, 66,55, 52,93, END },
    },
};

/* ---- Chance ---------------------------------------------------------------------------------- */

static float between(uint64_t *rng, float low, float high)
{
    return low + (high - low) * nn_uniform(rng);
}

/* A number about 0 whose standard deviation is spread: nearly normal, never beyond 3.4 times spread. */
static float about_zero(uint64_t *rng, float spread)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += nn_uniform(rng);
    return (sum - 2.0f) * 1.7320508f * spread;
}

static int chance(uint64_t *rng, float probability)
{
    return nn_uniform(rng) < probability;
}

/* ---- The hand: from the field of 100 x 100 to pixels ------------------------------------------ */

typedef struct { float x, y; } point;

typedef struct {
    float wobble;                    /* how far a point misses its place */
    float bow_x, bow_y, fan;         /* bending: x by y squared, y by x squared, width by y */
    float xx, xy, yx, yy;            /* size, slant and rotation */
    point centre;
} hand;

static hand random_hand(uint64_t *rng)
{
    hand h;
    float height = between(rng, 16.5f, 22.0f);
    float width  = height * (0.95f + about_zero(rng, 0.15f));
    float slant  = 0.13f + about_zero(rng, 0.22f);
    float half   = about_zero(rng, 0.065f);           /* tangent of half the angle of rotation */
    float cosine = (1 - half * half) / (1 + half * half);
    float sine   = 2 * half / (1 + half * half);

    h.wobble = between(rng, 0.012f, 0.040f);
    h.bow_x  = about_zero(rng, 0.16f);
    h.bow_y  = about_zero(rng, 0.12f);
    h.fan    = about_zero(rng, 0.20f);
    h.xx = cosine * width;
    h.xy = -(cosine * slant + sine) * height;
    h.yx = sine * width;
    h.yy = (cosine - sine * slant) * height;
    h.centre.x = 0.5f * DIGITS_SIDE + about_zero(rng, 1.4f);
    h.centre.y = 0.5f * DIGITS_SIDE + about_zero(rng, 1.2f);
    return h;
}

static point place(const hand *h, uint64_t *rng, int field_x, int field_y)
{
    float x = (float)(field_x - 50) * 0.01f + about_zero(rng, h->wobble);
    float y = (float)(field_y - 50) * 0.01f + about_zero(rng, h->wobble);
    float u = x + h->bow_x * (y * y - 0.08f) + h->fan * x * y;
    float v = y + h->bow_y * (x * x - 0.04f);
    point p = { h->centre.x + h->xx * u + h->xy * v, h->centre.y + h->yx * u + h->yy * v };
    return p;
}

/* ---- The pen: strokes into the distance field ------------------------------------------------- */

enum { PIECES = 6, STROKE_POINTS = 24 };

#define FAR 2.0f /* pixels from the ink beyond which nothing is drawn */

static float least(float a, float b)    { return a < b ? a : b; }
static float greatest(float a, float b) { return a > b ? a : b; }
static float unit(float a)              { return least(greatest(a, 0), 1); }

static int pixel(float at)              { return (int)least(greatest(at, 0), DIGITS_SIDE - 1); }

/* A straight piece of a stroke, radius wide: lowers the distances around it. */
static void draw_piece(float field[DIGITS_PIXELS], point a, point b, float radius)
{
    float reach = radius + FAR;
    int left = pixel(least(a.x, b.x) - reach), right  = pixel(greatest(a.x, b.x) + reach);
    int top  = pixel(least(a.y, b.y) - reach), bottom = pixel(greatest(a.y, b.y) + reach);
    float dx = b.x - a.x, dy = b.y - a.y;
    float scale = 1 / (dx * dx + dy * dy + 1e-6f);

    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            float px = (float)x + 0.5f - a.x, py = (float)y + 0.5f - a.y;
            float along = unit((px * dx + py * dy) * scale);
            float ex = px - along * dx, ey = py - along * dy;
            float distance = sqrtf(ex * ex + ey * ey) - radius;
            float *f = &field[y * DIGITS_SIDE + x];
            *f = least(*f, distance);
        }
}

/* One stroke: a Catmull-Rom spline (1974) through its points, in straight pieces. The ends' neighbours
 * are the ends themselves. The radius runs evenly from the first point's to the last's. */
static void draw_stroke(float field[DIGITS_PIXELS], const point *p, int n, float radius, float last_radius)
{
    float widen = (last_radius - radius) / (float)((n - 1) * PIECES);

    for (int i = 0; i + 1 < n; i++) {
        point a = p[i > 0 ? i - 1 : 0], b = p[i], c = p[i + 1], d = p[i + 2 < n ? i + 2 : n - 1];
        point from = b;
        for (int k = 1; k <= PIECES; k++, radius += widen) {
            float t = (float)k / PIECES, tt = t * t, ttt = tt * t;
            float wa = 0.5f * (2 * tt - ttt - t),  wb = 0.5f * (3 * ttt - 5 * tt + 2);
            float wc = 0.5f * (4 * tt - 3 * ttt + t), wd = 0.5f * (ttt - tt);
            point to = { wa * a.x + wb * b.x + wc * c.x + wd * d.x,
                         wa * a.y + wb * b.y + wc * c.y + wd * d.y };
            draw_piece(field, from, to, radius);
            from = to;
        }
    }
}

/* All strokes of a form. */
static void draw_form(float field[DIGITS_PIXELS], uint64_t *rng, const signed char *form)
{
    hand h = random_hand(rng);
    float thick = between(rng, 0.65f, 1.75f);
    point p[STROKE_POINTS];
    int n = 0;

    for (int i = 0; ; i += form[i] < 0 ? 1 : 2) {
        if (form[i] < 0) {
            float press = about_zero(rng, 0.16f);
            draw_stroke(field, p, n, thick * (1 - press), thick * (1 + press));
            n = 0;
            if (form[i] == END)
                return;
        } else if (n > 0 && form[i] == form[i - 2] && form[i + 1] == form[i - 1]) {
            p[n] = p[n - 1]; /* a corner: both points miss their place by the same */
            n++;
        } else {
            p[n++] = place(&h, rng, form[i], form[i + 1]);
        }
    }
}

/* ---- The paper: from distances to a picture --------------------------------------------------- */

/* Pushes the ink back around a random point, as where the pen skipped or an eraser went. */
static void erase_spot(float field[DIGITS_PIXELS], uint64_t *rng)
{
    float cx = between(rng, 6, DIGITS_SIDE - 6), cy = between(rng, 4, DIGITS_SIDE - 4);
    float radius = between(rng, 0.8f, 2.4f);
    for (int y = 0; y < DIGITS_SIDE; y++)
        for (int x = 0; x < DIGITS_SIDE; x++) {
            float dx = (float)x + 0.5f - cx, dy = (float)y + 0.5f - cy;
            float *f = &field[y * DIGITS_SIDE + x];
            *f = greatest(*f, radius - sqrtf(dx * dx + dy * dy));
        }
}

static void add_speck(float field[DIGITS_PIXELS], uint64_t *rng)
{
    point a = { between(rng, 1, DIGITS_SIDE - 1), between(rng, 1, DIGITS_SIDE - 1) };
    point b = { a.x + about_zero(rng, 1.0f), a.y + about_zero(rng, 1.0f) };
    draw_piece(field, a, b, between(rng, 0.2f, 0.7f));
}

/* Grey by distance: full within the ink, none outside, a ramp of the width blur (in pixels) between. Each
 * pixel has its own grain, nearly normal: the sum of the four 16-bit parts of one random number. */
static void develop(const float field[DIGITS_PIXELS], uint64_t *rng, float image[DIGITS_PIXELS])
{
    float ink     = between(rng, 0.70f, 1.0f);
    float sharp   = 1 / between(rng, 0.9f, 2.0f);
    float grain   = between(rng, 0, 0.09f) * 1.7320508f / 65536.0f;
    uint64_t seed = nn_bits(rng);

    for (int i = 0; i < DIGITS_PIXELS; i++) {
        uint64_t bits = nn_bits_at(seed, (uint64_t)i);
        int sum = (int)(bits & 0xffff) + (int)(bits >> 16 & 0xffff)
                + (int)(bits >> 32 & 0xffff) + (int)(bits >> 48) - 2 * 65536;
        float grey = ink * unit(0.5f - field[i] * sharp) + grain * (float)sum;
        image[i] = (float)(int)(unit(grey) * 255.0f + 0.5f) / 255.0f;
    }
}

void digits_draw(uint64_t *rng, int digit, float image[DIGITS_PIXELS])
{
    uint64_t own = nn_bits(rng);
    float field[DIGITS_PIXELS];
    int count = 0;

    for (int i = 0; i < DIGITS_PIXELS; i++)
        field[i] = FAR;
    while (count < FORMS && forms[digit][count][0])
        count++;
    draw_form(field, &own, forms[digit][nn_bits(&own) % (uint64_t)count]);
    if (chance(&own, 0.25f))
        erase_spot(field, &own);
    while (chance(&own, 0.3f))
        add_speck(field, &own);
    develop(field, &own, image);
}

void digits_fill(uint64_t *rng, int n, float *images, int *labels)
{
    nn_shuffle(rng, labels, n);
    for (int i = 0; i < n; i++) {
        labels[i] %= 10;
        digits_draw(rng, labels[i], images + (long)i * DIGITS_PIXELS);
    }
}
