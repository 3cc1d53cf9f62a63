/* build.c: tensors and statements, for those who write a Prog.
 *
 * A statement is made by new_statement, gets its indices by index_of, and is completed by store (which
 * appends it) or complete (which does not). */
#include <stdlib.h>
#include <string.h>

#include "program/program.h"

/* ---- Tensors --------------------------------------------------------------------------------- */

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

Tensor *new_tensor(Prog *prog, TensorRole role, const char *name, bool per_sample, int rank,
                   const int64_t *dim)
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

Tensor *tensor_like(Prog *prog, TensorRole role, const char *name, const Tensor *like)
{
    Tensor *tensor = new_tensor(prog, role, name, like->per_sample, like->rank, like->dim);
    tensor->channel = like->channel;
    return tensor;
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
    dim[0] = shape.rank == 2 ? shape.h : shape.c;
    dim[1] = shape.rank == 2 ? shape.c : shape.h;
    dim[2] = shape.w;
    return shape.rank;
}

Tensor *tensor_of(Prog *prog, const Value *value)
{
    Tensor **slot = &prog->value[value->id];
    if (!*slot) {
        int64_t dim[MAX_RANK];
        int rank = shape_dims(value->shape, dim);
        bool answer = value->id == prog->net->out->id && prog->answers;
        const char *out_name = value->producer ? format("%s.out", value->producer->name) : NULL;
        *slot = value == prog->net->in ? new_tensor(prog, TENSOR_INPUT, "input", true, rank, dim)
                : answer ? new_tensor(prog, TENSOR_OUTPUT, out_name, true, rank, dim)
                : new_tensor(prog, TENSOR_VALUE, out_name, true, rank, dim);
        (*slot)->channel = rank == 2;
        (*slot)->is_int = value->shape.of != 0;
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
        (*slot)->channel = weight->rows;
        (*slot)->active = !weight->frozen && !weight->statistic;
    }
    return *slot;
}

Tensor *part_of(Prog *prog, const char *part, int rank, const int64_t *dim)
{
    return new_tensor(prog, TENSOR_VALUE, format("%s.%s", prog->layer->name, part), true, rank, dim);
}

Tensor *part_like(Prog *prog, const char *part, const Tensor *like)
{
    return tensor_like(prog, TENSOR_VALUE, format("%s.%s", prog->layer->name, part), like);
}

Tensor *sequence_part(Prog *prog, const char *part, const int64_t dim[2])
{
    Tensor *tensor = part_of(prog, part, 2, dim);
    tensor->channel = 1;
    return tensor;
}

Tensor *part_without_channel(Prog *prog, const char *part, const Tensor *of)
{
    int64_t dim[MAX_RANK];
    for (int d = 0; d < of->rank - 1; d++)
        dim[d] = of->dim[d + (d >= of->channel)];
    return part_of(prog, part, of->rank - 1, dim);
}

Tensor *shared_part_of(Prog *prog, const char *part, int rank, const int64_t *dim)
{
    return new_tensor(prog, TENSOR_VALUE, format("%s.%s", prog->layer->name, part), false, rank, dim);
}

Tensor *kept_state(Prog *prog, const char *part, int rank, const int64_t *dim, int history)
{
    Tensor *state =
        new_tensor(prog, TENSOR_STATE, format("%s.%s", prog->layer->name, part), true, rank, dim);
    state->history = history;
    return state;
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
    Tensor *tensor =
        new_tensor(prog, TENSOR_CONSTANT, format("%s.%s", prog->layer->name, part), false, rank, dim);
    tensor->data = data;
    return tensor;
}

/* ---- Statements ------------------------------------------------------------------------------ */

Statement *new_statement(Prog *prog)
{
    Statement *s = NEW(Statement);
    s->layer = prog->layer;
    s->backward = prog->backward;
    s->recurrence = prog->recurrence;
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

int64_t least_samples(const Prog *prog)
{
    int64_t least = 1;
    for (const Statement *s = prog->statements; s && prog->training; s = s->next)
        if (s->layer->least_samples > least)
            least = s->layer->least_samples;
    return least;
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
    store(prog, new_statement(prog), STORE_ADD, access_at(prog->loss),
          mul(load(access_at(total)), share_of_mean(prog)));
}

Statement **insert_statement(Statement **link, Statement *s)
{
    s->next = *link;
    *link = s;
    return &s->next;
}

Access element(Statement *s, Tensor *tensor)
{
    static const char *const names[][3] = {{"c"}, {"c"}, {"y", "x"}, {"c", "y", "x"}},
                      *const sequence[] = {"t", "c"};
    const char *const *name = tensor->channel ? sequence : names[tensor->rank];
    Access access = {.tensor = tensor};
    for (int i = 0; i < tensor->rank; i++)
        access.at[i] = index_of(s, name[i], tensor->dim[i]);
    return access;
}
