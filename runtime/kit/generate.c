/* generate.c: the command generate: token after token, each drawn from what the network answers to those
 * before it.
 *
 * A network made with --stream takes one token at a time (net_next), until its positions are used up; then
 * it begins anew with the last half of them. Others take whole windows of the last T tokens: more work, the
 * same probabilities. */
#include "data.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct talk {
    const nn_model *model;
    const nn_settings *settings;
    const void *weights;
    nn_data *names;               /* of the weights */
    alphabet *own;                /* --alphabet, or NULL */
    const alphabet *alphabet;     /* NULL: tokens are bytes */
    void  *work, *state;
    int   *window;                /* the last T tokens, from its beginning on; behind them 0 */
    size_t used;                  /* of the window */
    float *y;
    double *p;                    /* probabilities of the next token */
    size_t *order;                /* tokens, the likeliest first */
    uint64_t rng;
} talk;

/* ---- What comes next -------------------------------------------------------------------------- */

/* The network's answer at the last token, V numbers. */
static const float *ask(talk *k)
{
    const nn_model *model = k->model;
    const size_t V = model->vocabulary, positions = model->output / V;

    model->forward(k->weights, k->work, 1, (const void *)k->window, k->y);
    return k->y + (positions == 1 ? 0 : k->used - 1) * V;
}

/* With one answer for all positions the window is full: before the text stand zeros. */
static void keep_token(talk *k, int token)
{
    const size_t T = k->model->input;
    const bool only_last = k->model->output == k->model->vocabulary;

    if (k->used == 0 && only_last)
        k->used = T;
    if (k->used == T)
        memmove(k->window, k->window + 1, (T - 1) * sizeof *k->window);
    else
        k->used++;
    k->window[k->used - 1] = token;
}

/* The answer behind one more token. */
static const float *tell(talk *k, int token)
{
    const nn_model *model = k->model;

    keep_token(k, token);
    if (!model->next)
        return ask(k);
    if (model->next(k->weights, k->state, k->work, &token, k->y))
        return k->y;
    memset(k->state, 0, model->state_bytes); /* its positions are used up */
    const size_t from = k->used / 2;

    for (size_t i = from; i < k->used; i++)
        model->next(k->weights, k->state, k->work, &k->window[i], k->y);
    return k->y;
}

/* Probabilities to the power of 1 / temperature, of the greatest --top-k, from answers that may be logits. */
static int draw(talk *k, const float *y)
{
    const size_t V = k->model->vocabulary;
    const size_t top = k->settings->top_k ? (size_t)k->settings->top_k : V;
    const double temperature = k->settings->temperature;
    double most = -HUGE_VAL, sum = 0, at;
    size_t n = 0, best = 0;

    for (size_t v = 0; v < V; v++) {
        k->p[v] = k->model->logits ? (double)y[v] : log((double)y[v]);
        if (k->p[v] > most) {
            most = k->p[v];
            best = v;
        }
    }
    if (temperature == 0 || !isfinite(most))
        return isfinite(most) ? (int)best : -1;
    for (size_t v = 0; v < V; v++) { /* the greatest, by insertion */
        size_t i = n < top ? n : top;

        if (i == top && !(k->p[v] > k->p[k->order[top - 1]]))
            continue;
        n += n < top;
        for (i = n - 1; i > 0 && k->p[v] > k->p[k->order[i - 1]]; i--)
            k->order[i] = k->order[i - 1];
        k->order[i] = v;
    }
    for (size_t i = 0; i < n; i++)
        sum += exp((k->p[k->order[i]] - most) / temperature);
    at = (double)nn_uniform(&k->rng) * sum;
    for (size_t i = 0; i < n; i++)
        if ((at -= exp((k->p[k->order[i]] - most) / temperature)) < 0)
            return (int)k->order[i];
    return (int)k->order[0];
}

/* ---- The command ------------------------------------------------------------------------------ */

typedef struct prompt {
    talk *talk;
    const float *y;
} prompt;

static int take_token(void *context, uint32_t token)
{
    prompt *p = context;

    p->y = tell(p->talk, (int)token);
    return 0;
}

static void say(const talk *k, int token)
{
    char text[8];

    if (!k->alphabet)
        putchar(token);
    else
        fwrite(text, 1, kit_alphabet_symbol(k->alphabet, (size_t)token, text), stdout);
    fflush(stdout);
}

static int generate(talk *k)
{
    const nn_settings *s = k->settings;
    const char *begin = s->prompt ? s->prompt : "\n";
    prompt p = {.talk = k};
    int error = kit_text_tokens(k->model, k->alphabet, "--prompt", begin, strlen(begin), take_token, &p);

    if (error && !s->prompt) { /* no newline: the first symbol */
        p.y = tell(k, 0);
        error = 0;
    }
    if (error)
        return error;
    if (s->prompt)
        fputs(s->prompt, stdout);
    for (int i = 0; i < s->length && !ferror(stdout); i++) {
        const int token = draw(k, p.y);

        if (token < 0)
            return kit_fail(NN_EFORMAT, "the network's answer is NaN: its weights are not those of a trained "
                            "network");
        say(k, token);
        if (i + 1 < s->length)
            p.y = tell(k, token);
    }
    putchar('\n');
    return 0;
}

static int open_talk(talk *k)
{
    const nn_model *model = k->model;
    const nn_settings *s = k->settings;

    k->weights = load_weights(model, s->weights);
    if (!k->weights)
        return NN_EFORMAT;
    k->names = nn_data_names(model, s->weights);
    if (!k->names || (s->alphabet && kit_alphabet_open(s->alphabet, model, &k->own)))
        return NN_EFORMAT;
    k->alphabet = k->own ? k->own : k->names->alphabet;
    k->work = kit_memory(model->work_bytes);
    k->state = kit_memory(model->state_bytes);
    k->window = calloc(model->input, sizeof *k->window);
    k->y = kit_memory(model->output * sizeof *k->y);
    k->p = calloc(model->vocabulary, sizeof *k->p);
    k->order = calloc(model->vocabulary, sizeof *k->order);
    return k->work && k->state && k->window && k->y && k->p && k->order ? 0 : kit_no_memory();
}

int generate_command(const nn_model *model, command_line *line)
{
    const nn_settings *s = &line->settings;
    talk k = {.model = model, .settings = s, .rng = (uint64_t)s->seed};

    if (line->noperands)
        return misused(line->program, "generate takes no operands: --prompt says how the text begins");
    if (!s->weights)
        return misused(line->program, "no weights given: --weights FILE says which");
    if (!model->vocabulary || model->output % model->vocabulary
        || (model->output != model->vocabulary && model->output != model->input * model->vocabulary))
        return misused(line->program, "generate is for networks of tokens that say the next one: "
                       "`input T of V` and at the end `fc V; softmax`");
    int error = open_talk(&k);
    if (!error)
        error = generate(&k);
    kit_alphabet_close(k.own);
    nn_data_close(k.names);
    free((void *)(uintptr_t)k.weights);
    free(k.work);
    free(k.state);
    free(k.window);
    free(k.y);
    free(k.p);
    free(k.order);
    return error ? bad(line->program, nnkit_error()) : DONE;
}
