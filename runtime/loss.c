/* loss.c: losses on plain arrays, for networks with `loss none`: the mean, and its gradient.
 *
 * The definitions are PyTorch's (torch.nn, reduction "mean"); nn.h has the formulas. Elements are worked out
 * in float, and their sum is kept in double, so that a mean over many has the digits of one. */
#define NN_COMPUTES
#include "nn.h"

#include <math.h>

/* ---- Of elements ----------------------------------------------------------------------------- */

float nn_mse(size_t n, const float *y, const float *t, float *d)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float e = y[i] - t[i];
        sum += (double)e * e;
        if (d)
            d[i] = 2 * e / (float)n;
    }
    return (float)(sum / (double)n);
}

float nn_l1(size_t n, const float *y, const float *t, float *d)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float e = y[i] - t[i];
        sum += fabsf(e);
        if (d)
            d[i] = e > 0 ? 1 / (float)n : e < 0 ? -1 / (float)n : e; /* 0, or a NaN */
    }
    return (float)(sum / (double)n);
}

float nn_huber(size_t n, float delta, const float *y, const float *t, float *d)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float e = y[i] - t[i], size = fabsf(e);
        sum += size <= delta ? 0.5f * e * e : delta * (size - 0.5f * delta);
        if (d)
            d[i] = (e > delta ? delta : e < -delta ? -delta : e) / (float)n;
    }
    return (float)(sum / (double)n);
}

/* max(x, 0) + log(1 + exp(-|x|)) is log(1 + exp(x)) in a form that never overflows; likewise the sigmoid. */
float nn_bce(size_t n, const float *logits, const float *t, float *d)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float x = logits[i], small = expf(-fabsf(x));
        sum += (x > 0 ? x : x < 0 ? 0 : x) - x * t[i] + log1pf(small); /* a NaN stays one */
        if (d)
            d[i] = ((x >= 0 ? 1 : small) / (1 + small) - t[i]) / (float)n;
    }
    return (float)(sum / (double)n);
}

/* ---- Of rows --------------------------------------------------------------------------------- */

/* The greatest; a NaN wins. */
static float greatest(const float *row, size_t n)
{
    float most = row[0];
    for (size_t i = 1; i < n; i++)
        if (row[i] > most || row[i] != row[i])
            most = row[i];
    return most;
}

/* log(sum of exp(row[c] - most)) */
static double log_sum(const float *row, size_t n, float most)
{
    double sum = 0;
    for (size_t c = 0; c < n; c++)
        sum += expf(row[c] - most);
    return log(sum);
}

/* d[c] = (softmax(logits)[c] total - t[c]) / n, where total is the sum of t. */
float nn_kl(size_t n, size_t classes, const float *logits, const float *t, float *d)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++, logits += classes, t += classes) {
        const float most = greatest(logits, classes);
        const double whole = log_sum(logits, classes, most);
        double total = 0;
        for (size_t c = 0; c < classes; c++) {
            total += t[c];
            if (t[c] != 0)
                loss += t[c] * (log(t[c]) + (whole + (most - logits[c])));
        }
        for (size_t c = 0; d && c < classes; c++)
            d[i * classes + c] = (float)((exp(logits[c] - most - whole) * total - t[c]) / (double)n);
    }
    return (float)(loss / (double)n);
}

enum { NOT_COUNTED = -100 };

float nn_crossentropy(size_t n, size_t classes, const float *logits, const int *t, float *d)
{
    size_t counted = 0;
    double loss = 0;
    for (size_t i = 0; i < n; i++)
        counted += t[i] != NOT_COUNTED;
    for (size_t i = 0; i < n; i++) {
        const float *row = logits + i * classes;
        const int is_class = t[i] >= 0 && (size_t)t[i] < classes;
        const float most = greatest(row, classes);
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += expf(row[c] - most);
        if (t[i] != NOT_COUNTED)
            loss += is_class ? log(sum) + (most - row[t[i]]) : NAN;
        for (size_t c = 0; d && c < classes; c++) {
            float p = (float)(expf(row[c] - most) / sum), one = is_class && c == (size_t)t[i];
            d[i * classes + c] = t[i] == NOT_COUNTED ? 0 : is_class ? (p - one) / (float)counted : NAN;
        }
    }
    return (float)(loss / (double)counted);
}
