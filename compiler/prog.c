/* prog.c: what a network computes, as loop statements.
 *
 * A Prog is a list of statements `out[affine] (= | += | max=) expression(in[affine], ...)`, each over a
 * rectangular box of indices. Kinds build them here through a few functions (new_statement, index_of,
 * store), and nothing later needs to know which kind a statement came from: differentiation, scheduling,
 * the interpreter and the printing of C work on statements alone.
 *
 * Two rules keep them simple. A point of the box where some access falls outside its tensor is left out,
 * which says zero padding, -inf padding and leftover rows in one way, forward and backward. And the sample
 * is no index: a per-sample tensor is only ever accessed at the sample at hand. What the samples add up in a tensor
 * that all share is there once all of them have: only a statement that runs once for the call may read it (phases.c).
 *
 * An index of extent 1 is never made (index_of gives the constant 0), so later stages see no empty loops.
 */
#include <math.h>
#include <string.h>

#include "nnc.h"

const OpInfo op_info[NOPS] = {
    [OP_CONSTANT] = {"constant", 0, ""},
    [OP_LOAD] = {"load", 0, ""},
    [OP_INDEX] = {"index", 0, ""},
    [OP_RANDOM] = {"random", 0, ""},
    [OP_MEAN] = {"mean", 0, "1/samples"},
    [OP_SAMPLES] = {"samples", 0, "samples"},
    [OP_AT_HAND] = {"at_hand", 0, "m"},
    [OP_ADD] = {"add", 2, "(% + %)"},
    [OP_SUB] = {"sub", 2, "(% - %)"},
    [OP_MUL] = {"mul", 2, "% * %"},
    [OP_DIV] = {"div", 2, "% / %"},
    [OP_EXP] = {"exp", 1, "exp(%)"},
    [OP_LOG] = {"log", 1, "log(%)"},
    [OP_LOG1P] = {"log1p", 1, "log1p(%)"},
    [OP_TANH] = {"tanh", 1, "tanh(%)"},
    [OP_SIGMOID] = {"sigmoid", 1, "sigmoid(%)"},
    [OP_ERF] = {"erf", 1, "erf(%)"},
    [OP_SQRT] = {"sqrt", 1, "sqrt(%)"},
    [OP_ABS] = {"abs", 1, "abs(%)"},
    [OP_IF_LE] = {"if_le", 4, "(% <= % ? % : %)"},
    [OP_IF_EQ] = {"if_eq", 4, "(% == % ? % : %)"},
};

/* ---- Affine forms and accesses ------------------------------------------------------------------ */

Affine affine(int64_t value)
{
    Affine a = {.constant = value};
    return a;
}

Affine affine_add(Affine a, Affine b)
{
    a.constant += b.constant;
    for (int i = 0; i < MAX_TERMS; i++)
        a.coefficient[i] += b.coefficient[i];
    return a;
}

Affine affine_scale(Affine a, int64_t factor)
{
    a.constant *= factor;
    for (int i = 0; i < MAX_TERMS; i++)
        a.coefficient[i] *= factor;
    return a;
}

bool affine_equal(const Affine *a, const Affine *b)
{
    bool equal = a->constant == b->constant;
    for (int i = 0; i < MAX_TERMS; i++)
        equal = equal && a->coefficient[i] == b->coefficient[i];
    return equal;
}

bool affine_is_constant(const Affine *a)
{
    for (int i = 0; i < MAX_TERMS; i++)
        if (a->coefficient[i])
            return false;
    return true;
}

void affine_range(const Affine *a, const Statement *s, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < s->nindex; i++) {
        int64_t reach = a->coefficient[i] * (s->extent[i] - 1);
        *(reach < 0 ? least : most) += reach;
    }
    int64_t reach = s->blocks ? a->coefficient[BLOCK] * (s->blocks - 1) : 0;
    *(reach < 0 ? least : most) += reach;
}

Access access_at(Tensor *tensor, ...)
{
    Access access = {.tensor = tensor};
    va_list ap;
    va_start(ap, tensor);
    for (int i = 0; i < tensor->rank; i++)
        access.at[i] = va_arg(ap, Affine);
    va_end(ap);
    return access;
}

Access padded(Access access)
{
    access.padded = true;
    return access;
}

Access element(Statement *s, Tensor *tensor)
{
    static const char *const names[2][3] = {{"c"}, {"c", "y", "x"}};
    Access access = {.tensor = tensor};
    for (int i = 0; i < tensor->rank; i++)
        access.at[i] = index_of(s, names[tensor->rank > 1][tensor->rank == 2 ? i + 1 : i], tensor->dim[i]);
    return access;
}

Access same_place(Access access, Tensor *tensor)
{
    access.tensor = tensor;
    return access;
}

Access without_channel(Access access, Tensor *tensor)
{
    Access rest = {.tensor = tensor};
    for (int i = 0; i < tensor->rank; i++)
        rest.at[i] = access.at[i + 1];
    return rest;
}

bool access_equal(const Access *a, const Access *b)
{
    bool equal = a->tensor == b->tensor;
    for (int i = 0; equal && i < a->tensor->rank; i++)
        equal = affine_equal(&a->at[i], &b->at[i]);
    return equal;
}

Affine position_of(Access access)
{
    Affine position = affine(0);
    for (int i = 0; i < access.tensor->rank; i++)
        position = affine_add(affine_scale(position, access.tensor->room[i]),
                              affine_add(access.at[i], affine(access.tensor->before[i])));
    return position;
}

/* ---- Expressions ---------------------------------------------------------------------------------- */

static Expr *new_expr(Op op)
{
    Expr *e = NEW(Expr);
    e->op = op;
    return e;
}

Expr *constant(double value)
{
    Expr *e = new_expr(OP_CONSTANT);
    e->value = value;
    return e;
}

Expr *load(Access access)
{
    Expr *e = new_expr(OP_LOAD);
    e->access = access;
    return e;
}

Expr *index_value(Affine index)
{
    Expr *e = new_expr(OP_INDEX);
    e->index = index;
    return e;
}

Expr *random_value(Affine number)
{
    Expr *e = new_expr(OP_RANDOM);
    e->index = number;
    return e;
}

Expr *mean_value(void)
{
    return new_expr(OP_MEAN);
}

Expr *samples_value(void)
{
    return new_expr(OP_SAMPLES);
}

Expr *at_hand_value(void)
{
    return new_expr(OP_AT_HAND);
}

Expr *share_of_mean(const Prog *prog)
{
    return prog->net->class_weights ? mean_value() : mul(mean_value(), constant(1.0 / (double)prog->net->targets));
}

bool expr_is(const Expr *e, double value)
{
    return e->op == OP_CONSTANT && e->value == value;
}

Expr *unary(Op op, Expr *a)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    return e;
}

Expr *binary(Op op, Expr *a, Expr *b)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    e->arg[1] = b;
    return e;
}

/* The four below leave out what a neutral or an absorbing constant makes needless. */
Expr *add(Expr *a, Expr *b)
{
    return expr_is(a, 0) ? b : expr_is(b, 0) ? a : binary(OP_ADD, a, b);
}

Expr *sub(Expr *a, Expr *b)
{
    return expr_is(b, 0) ? a : binary(OP_SUB, a, b);
}

Expr *mul(Expr *a, Expr *b)
{
    if (expr_is(a, 0) || expr_is(b, 1))
        return a;
    if (expr_is(b, 0) || expr_is(a, 1))
        return b;
    return binary(OP_MUL, a, b);
}

Expr *divide(Expr *a, Expr *b)
{
    return expr_is(b, 1) || expr_is(a, 0) ? a : binary(OP_DIV, a, b);
}

static Expr *conditional(Op op, Expr *a, Expr *b, Expr *c, Expr *d)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    e->arg[1] = b;
    e->arg[2] = c;
    e->arg[3] = d;
    return e;
}

Expr *if_le(Expr *a, Expr *b, Expr *c, Expr *d)
{
    return conditional(OP_IF_LE, a, b, c, d);
}

Expr *if_eq(Expr *a, Expr *b, Expr *c, Expr *d)
{
    return conditional(OP_IF_EQ, a, b, c, d);
}

void visit_loads(const Expr *e, void (*visit)(const Access *, void *), void *context)
{
    if (e->op == OP_LOAD)
        visit(&e->access, context);
    for (int i = 0; i < op_info[e->op].arity; i++)
        visit_loads(e->arg[i], visit, context);
}

/* ---- Tensors ---------------------------------------------------------------------------------------- */

/* Two names that would be one name in C may not stand in one Prog. */
static bool same_in_c(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
            return false;
    return *a == *b;
}

static unsigned hash_in_c(const char *name)
{
    unsigned hash = 5381;
    for (; *name; name++)
        hash = 33 * hash + (unsigned char)(*name == '.' ? '_' : *name);
    return hash % NAME_BUCKETS;
}

Tensor *new_tensor(Prog *prog, TensorRole role, const char *name, bool per_sample, int rank, const int64_t *dim)
{
    Tensor **bucket = &prog->names[hash_in_c(name)];
    for (Tensor *other = *bucket; other; other = other->same_hash)
        if (same_in_c(other->name, name))
            return new_tensor(prog, role, format("%s_", name), per_sample, rank, dim);
    Tensor *tensor = NEW(Tensor);
    tensor->id = prog->ntensors++;
    tensor->name = name;
    tensor->role = role;
    tensor->per_sample = per_sample;
    tensor->rank = rank;
    tensor->count = 1;
    for (int i = 0; i < rank; i++)
        tensor->count *= tensor->dim[i] = tensor->room[i] = dim[i];
    for (int i = 0; i < rank; i++)
        tensor->axis[i] = i;
    tensor->floats = tensor->count;
    tensor->same_hash = *bucket;
    *bucket = tensor;
    if (prog->last_tensor)
        prog->last_tensor->next = tensor;
    else
        prog->tensors = tensor;
    return prog->last_tensor = tensor;
}

Tensor *find_tensor(const Prog *prog, const char *name)
{
    for (Tensor *tensor = prog->names[hash_in_c(name)]; tensor; tensor = tensor->same_hash)
        if (!strcmp(tensor->name, name))
            return tensor;
    return NULL;
}

int shape_dims(Shape shape, int64_t dim[MAX_RANK])
{
    dim[0] = shape.c;
    dim[1] = shape.h;
    dim[2] = shape.w;
    return shape.rank;
}

Tensor *tensor_of(Prog *prog, const Value *value)
{
    Tensor **slot = &prog->value[value->id];
    if (!*slot) {
        int64_t dim[MAX_RANK];
        int rank = shape_dims(value->shape, dim);
        bool answer = value->id == prog->net->out->id && !prog->training;
        const char *out_name = value->producer ? format("%s.out", value->producer->name) : NULL;
        *slot = value == prog->net->in ? new_tensor(prog, TENSOR_INPUT, "input", true, rank, dim)
                : answer ? new_tensor(prog, TENSOR_OUTPUT, out_name, true, rank, dim)
                : new_tensor(prog, TENSOR_VALUE, out_name, true, rank, dim);
    }
    return *slot;
}

Tensor *weight_tensor(Prog *prog, const Weight *weight)
{
    return weight_view(prog, weight, weight->rank, weight->dim);
}

Tensor *weight_view(Prog *prog, const Weight *weight, int rank, const int64_t *dim)
{
    Tensor **slot = &prog->weight[weight->id];
    if (!*slot) {
        *slot = new_tensor(prog, TENSOR_WEIGHT, weight->name, false, rank, dim);
        (*slot)->weight = weight;
        (*slot)->active = !weight->frozen && !weight->statistic;
    }
    return *slot;
}

Tensor *part_of(Prog *prog, const char *part, int rank, const int64_t *dim)
{
    return new_tensor(prog, TENSOR_VALUE, format("%s.%s", prog->layer->name, part), true, rank, dim);
}

Tensor *shared_part_of(Prog *prog, const char *part, int rank, const int64_t *dim)
{
    return new_tensor(prog, TENSOR_VALUE, format("%s.%s", prog->layer->name, part), false, rank, dim);
}

Tensor *find_part(Prog *prog, const char *part)
{
    const char *name = format("%s.%s", prog->layer->name, part);
    Tensor *tensor = find_tensor(prog, name);
    if (!tensor)
        bug("there is no %s", name);
    return tensor;
}

Tensor *constant_tensor(Prog *prog, const char *part, int rank, const int64_t *dim, const double *data)
{
    Tensor *tensor = new_tensor(prog, TENSOR_CONSTANT, format("%s.%s", prog->layer->name, part), false, rank, dim);
    tensor->data = data;
    return tensor;
}

/* ---- Statements ---------------------------------------------------------------------------------------- */

Statement *new_statement(Prog *prog)
{
    Statement *s = NEW(Statement);
    s->layer = prog->layer;
    s->backward = prog->backward;
    return s;
}

Affine index_of(Statement *s, const char *name, int64_t extent)
{
    Affine a = affine(0);
    if (extent == 1)
        return a;
    if (s->nindex == MAX_INDEX)
        bug("a statement of %s has more than %d indices", s->layer->name, MAX_INDEX);
    s->index_name[s->nindex] = name;
    s->extent[s->nindex] = extent;
    a.coefficient[s->nindex++] = 1;
    return a;
}

static bool occurs(const Access *access, int index)
{
    for (int i = 0; i < access->tensor->rank; i++)
        if (access->at[i].coefficient[index])
            return true;
    return false;
}

Affine substitute(Affine a, const Affine *map)
{
    Affine result = affine(a.constant);
    result.coefficient[BLOCK] = a.coefficient[BLOCK];
    for (int i = 0; i < MAX_INDEX; i++)
        if (a.coefficient[i])
            result = affine_add(result, affine_scale(map[i], a.coefficient[i]));
    return result;
}

Access substitute_access(Access access, const Affine *map)
{
    for (int i = 0; i < access.tensor->rank; i++)
        access.at[i] = substitute(access.at[i], map);
    return access;
}

Expr *substitute_expr(const Expr *e, const Affine *map)
{
    Expr *copy = new_expr(e->op);
    *copy = *e;
    if (e->op == OP_LOAD)
        copy->access = substitute_access(e->access, map);
    copy->index = substitute(e->index, map);
    for (int i = 0; i < op_info[e->op].arity; i++)
        copy->arg[i] = substitute_expr(e->arg[i], map);
    return copy;
}

int64_t least_samples(const Prog *prog)
{
    int64_t least = 1;
    for (const Statement *s = prog->statements; s && prog->training; s = s->next)
        if (s->layer->least_samples > least)
            least = s->layer->least_samples;
    return least;
}

int output_indices(const Statement *s)
{
    int n = 0;
    while (n < s->nindex && occurs(&s->out, n))
        n++;
    return n;
}

static void note_per_sample(const Access *access, void *s)
{
    if (access->tensor->per_sample)
        ((Statement *)s)->per_sample = true;
}

/* The indices that occur in out come first, in row-major order of out; the others keep their order. */
void complete(Statement *s, Store how, Access out, Expr *rhs)
{
    Statement old = *s;
    Affine map[MAX_INDEX] = {{0}};
    bool placed[MAX_INDEX] = {false};
    s->nindex = 0;
    for (int d = 0; d < out.tensor->rank; d++)
        for (;;) {
            int widest = -1;
            for (int i = 0; i < old.nindex; i++)
                if (out.at[d].coefficient[i] && !placed[i]
                    && (widest < 0 || out.at[d].coefficient[i] > out.at[d].coefficient[widest]))
                    widest = i;
            if (widest < 0)
                break;
            placed[widest] = true;
            map[widest] = index_of(s, old.index_name[widest], old.extent[widest]);
        }
    for (int i = 0; i < old.nindex; i++)
        if (!placed[i])
            map[i] = index_of(s, old.index_name[i], old.extent[i]);
    s->store = how;
    s->out = substitute_access(out, map);
    s->rhs = substitute_expr(rhs, map);
    note_per_sample(&s->out, s);
    visit_loads(s->rhs, note_per_sample, s);
}

void store(Prog *prog, Statement *s, Store how, Access out, Expr *rhs)
{
    complete(s, how, out, rhs);
    if (prog->last_statement)
        prog->last_statement->next = s;
    else
        prog->statements = s;
    prog->last_statement = s;
}

bool covers_tensor(const Statement *s, const Access *access)
{
    bool used[MAX_INDEX] = {false};
    for (int d = 0; d < access->tensor->rank; d++) {
        const Affine *a = &access->at[d];
        if (a->constant)
            return false;
        /* One dimension may be a mixed-radix number of several indices: sort them by coefficient. */
        int64_t unit = 1;
        for (;;) {
            int next = -1;
            for (int i = 0; i < s->nindex; i++)
                if (a->coefficient[i] == unit && !used[i])
                    next = i;
            if (next < 0)
                break;
            used[next] = true;
            unit *= s->extent[next];
        }
        if (unit != access->tensor->dim[d])
            return false;
        for (int i = 0; i < s->nindex; i++)
            if (a->coefficient[i] && !used[i])
                return false;
    }
    for (int i = 0; i < s->nindex; i++)
        if (!used[i])
            return false;
    return true;
}

Affine window_at(const Window *w, int axis, Affine position, Affine tap)
{
    Affine at = affine_add(affine_scale(position, w->stride[axis]), affine_scale(tap, w->dilation[axis]));
    at.constant -= w->padding[axis];
    return at;
}

void lower_pointwise(Prog *prog, const Layer *layer, Expr *(*function)(Expr *in, const Layer *))
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, same_place(in, tensor_of(prog, layer->out)), function(load(in), layer));
}

/* Summed up for each sample first: one float for a whole call would lose digits over many elements. */
void add_to_loss(Prog *prog, Statement *s, Expr *term)
{
    if (!s->nindex) {
        store(prog, s, STORE_ADD, access_at(prog->loss), mul(term, share_of_mean(prog)));
        return;
    }
    Tensor *total = part_of(prog, "total", 0, NULL);
    store(prog, new_statement(prog), STORE_SET, access_at(total), constant(0));
    store(prog, s, STORE_ADD, access_at(total), term);
    store(prog, new_statement(prog), STORE_ADD, access_at(prog->loss), mul(load(access_at(total)), share_of_mean(prog)));
}

/* ---- lower: Net to Prog ----------------------------------------------------------------------------------- */

Prog *lower(const Net *net, bool training)
{
    Prog *prog = NEW(Prog);
    prog->net = net;
    prog->training = training;
    prog->value = NEW_ARRAY(Tensor *, 2 * net->nvalues); /* commute.c makes further ones */
    prog->weight = NEW_ARRAY(Tensor *, net->nweights + 1);
    prog->x = tensor_of(prog, net->in);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const Layer *follower = followed_by(net, layer);
        prog->layer = layer;
        if (follower)
            lower_commuted(prog, layer, follower);
        else if (!follows_maximum(net, layer))
            layer->kind->lower(prog, layer);
    }
    if (training) {
        int64_t dim[MAX_RANK] = {net->targets};
        int rank = 1;
        if (!net->int_targets)
            rank = shape_dims(net->out->shape, dim);
        else if (net->out->shape.rank == 3) {
            rank = 2;
            dim[0] = net->out->shape.h;
            dim[1] = net->out->shape.w;
        }
        prog->t = new_tensor(prog, TENSOR_TARGET, "target", true, rank, dim);
        prog->t->is_int = net->int_targets;
        prog->loss = new_tensor(prog, TENSOR_LOSS, "loss", false, 0, NULL);
        prog->layer = net->loss;
        net->loss->kind->lower(prog, net->loss);
    } else
        prog->y = tensor_of(prog, net->out);
    remove_unused(prog);
    return prog;
}

Statement **insert_statement(Statement **link, Statement *s)
{
    s->next = *link;
    *link = s;
    return &s->next;
}

/* ---- The dump ------------------------------------------------------------------------------------------------ */

static void dump_affine(FILE *f, const Affine *a, const Statement *s)
{
    bool first = true;
    for (int n = -1; n < s->nindex; n++) {
        int64_t k = a->coefficient[n < 0 ? BLOCK : n];
        if (!k)
            continue;
        fputs(first ? k < 0 ? "-" : "" : k < 0 ? " - " : " + ", f);
        if (k != 1 && k != -1)
            fprintf(f, "%lld", (long long)(k < 0 ? -k : k));
        fputs(n < 0 ? "block" : s->index_name[n], f);
        first = false;
    }
    if (first)
        fprintf(f, "%lld", (long long)a->constant);
    else if (a->constant)
        fprintf(f, " %c %lld", a->constant < 0 ? '-' : '+', (long long)(a->constant < 0 ? -a->constant : a->constant));
}

static void dump_access(FILE *f, const Access *access, const Statement *s)
{
    fprintf(f, "%s", access->tensor->name);
    for (int i = 0; i < access->tensor->rank; i++) {
        fputs(i ? ", " : "[", f);
        dump_affine(f, &access->at[i], s);
    }
    if (access->tensor->rank)
        fputc(']', f);
}

static void dump_expr(FILE *f, const Expr *e, const Statement *s)
{
    switch (e->op) {
    case OP_CONSTANT:
        fprintf(f, "%.9g", e->value);
        return;
    case OP_LOAD:
        dump_access(f, &e->access, s);
        return;
    case OP_INDEX:
    case OP_RANDOM:
        fputs(e->op == OP_RANDOM ? "random(" : "(", f);
        dump_affine(f, &e->index, s);
        fputc(')', f);
        return;
    default: {
        int operand = 0;
        for (const char *c = op_info[e->op].text; *c; c++) {
            if (*c != '%') {
                fputc(*c, f);
                continue;
            }
            const Expr *arg = e->arg[operand++];
            bool divisor = e->op == OP_DIV && operand == 2 && (arg->op == OP_MUL || arg->op == OP_DIV);
            fputs(divisor ? "(" : "", f);
            dump_expr(f, arg, s);
            fputs(divisor ? ")" : "", f);
        }
    }
    }
}

void dump_statement(FILE *f, const Statement *s)
{
    dump_access(f, &s->out, s);
    fputs(s->store == STORE_SET ? " = " : s->store == STORE_ADD ? " += " : " max= ", f);
    dump_expr(f, s->rhs, s);
    if (s->position)
        fprintf(f, ", first at %s", s->position->name);
    for (int i = 0; i < s->nindex; i++)
        fprintf(f, "%s %s<%lld", i ? "" : "   for", s->index_name[i], (long long)s->extent[i]);
    fputc('\n', f);
}

void dump_prog(FILE *f, const Prog *prog)
{
    static const char *const roles[] = {
        [TENSOR_INPUT] = "input", [TENSOR_OUTPUT] = "output", [TENSOR_TARGET] = "target",
        [TENSOR_WEIGHT] = "weight", [TENSOR_GRADIENT] = "gradient", [TENSOR_LOSS] = "loss",
        [TENSOR_CONSTANT] = "constant", [TENSOR_VALUE] = "value",
    };
    fprintf(f, "prog %s\n", prog->training ? "training" : "inference");
    for (const Tensor *t = prog->tensors; t; t = t->next) {
        fprintf(f, "  %-8s %s", roles[t->role], t->name);
        for (int i = 0; i < t->rank; i++)
            fprintf(f, "%c%lld", i ? 'x' : ' ', (long long)t->dim[i]);
        fprintf(f, "%s%s\n", t->is_int ? " int" : "", t->per_sample ? " per sample" : "");
    }
    const Layer *layer = NULL;
    bool backward = false;
    for (const Statement *s = prog->statements; s; s = s->next) {
        if (s->layer != layer || s->backward != backward)
            fprintf(f, "%s%s: %s\n", s->layer->name, s->backward ? " backward" : "", s->layer->text);
        layer = s->layer;
        backward = s->backward;
        fputs("    ", f);
        dump_statement(f, s);
    }
}

/* ---- The verifier ----------------------------------------------------------------------------------------------- */

typedef struct Verification {
    const Prog *prog;
    const Statement *s;
    bool *defined;
    bool *summed;        /* over the samples */
} Verification;

static void verify_access(const Access *access, const Verification *v)
{
    const Tensor *tensor = access->tensor;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t least, most;
        affine_range(&access->at[i], v->s, &least, &most);
        if (!access->padded && (least < 0 || most >= tensor->dim[i]))
            bug("%s: %s is accessed outside its dimension %d", v->s->layer->name, tensor->name, i);
        for (int k = v->s->nindex; k < MAX_INDEX; k++)
            if (access->at[i].coefficient[k])
                bug("%s: %s is accessed by an index that the statement lacks", v->s->layer->name, tensor->name);
    }
}

static void verify_load(const Access *access, void *context)
{
    const Verification *v = context;
    verify_access(access, v);
    if (access->tensor->role == TENSOR_VALUE && !v->defined[access->tensor->id])
        bug("%s: %s is read before it is written", v->s->layer->name, access->tensor->name);
    bool in_place = access->tensor->role == TENSOR_WEIGHT && v->s->store == STORE_SET && access_equal(access, &v->s->out);
    if (access->tensor == v->s->out.tensor && !in_place)
        bug("%s: %s is read by the statement that writes it", v->s->layer->name, access->tensor->name);
    bool sums = access->tensor->role == TENSOR_GRADIENT || access->tensor->role == TENSOR_LOSS || v->summed[access->tensor->id];
    if (sums && v->s->per_sample)
        bug("%s: %s sums over samples and is read inside their loop", v->s->layer->name, access->tensor->name);
}

void verify_prog(const Prog *prog)
{
    Verification v = {prog, NULL, NEW_ARRAY(bool, prog->ntensors), NEW_ARRAY(bool, prog->ntensors)};
    for (const Statement *s = prog->statements; s; s = s->next) {
        v.s = s;
        Tensor *out = s->out.tensor;
        verify_access(&s->out, &v);
        visit_loads(s->rhs, verify_load, &v);
        for (int i = 0; i < s->nindex; i++)
            if (s->extent[i] < 2 || (i >= output_indices(s) && occurs(&s->out, i)))
                bug("%s: index %s is out of order", s->layer->name, s->index_name[i]);
        /* Training keeps statistics; inference works in the place of its weights before the first sample. */
        bool kept = out->role == TENSOR_WEIGHT && !s->per_sample && (out->weight->statistic || !prog->training);
        if (out->role == TENSOR_INPUT || out->role == TENSOR_TARGET || (out->role == TENSOR_WEIGHT && !kept)
            || out->role == TENSOR_CONSTANT)
            bug("%s: %s is written", s->layer->name, out->name);
        if (out->per_sample && !s->per_sample)
            bug("%s: %s is written for no sample", s->layer->name, out->name);
        if (s->per_sample && !out->per_sample && s->store != STORE_ADD)
            bug("%s: %s, which the samples share, is set for each of them", s->layer->name, out->name);
        v.summed[out->id] |= s->per_sample && !out->per_sample;
        bool starts = s->store != STORE_ADD || out->role == TENSOR_GRADIENT || out->role == TENSOR_LOSS;
        if (!starts && !v.defined[out->id])
            bug("%s: %s is added to before it is set", s->layer->name, out->name);
        if (s->position && s->store != STORE_MAX)
            bug("%s: only a maximum has a position", s->layer->name);
        v.defined[out->id] = true;
        if (s->position)
            v.defined[s->position->id] = true;
    }
}
