/* test_linking.c: what else a network and the runtime are linked into than an ordinary program.
 *
 * A shared library, such as a Python module or a plugin: everything in libnn.a must be position-independent, the message
 * that each thread keeps for nn_error, too. And a program under the thread sanitizer: two threads train a network each and
 * save and load weights, all with memory of their own but for the samples. */
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/linking"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static const char network[] = "input 2; batch 4; fc 3; tanh; fc 2; softmax\n";

/* Saves and loads: what of the runtime an archive member of its own has, is in the library. */
static const char plugin[] =
    "#include \"net.h\"\n#include <string.h>\n\n"
    "static net_params p, q;\nstatic net_work work;\n\n"
    "int plugin(const char *path);\n"
    "int plugin(const char *path)\n{\n"
    "    static const float x[2] = {0.5f, -1};\n    float y[2], z[2];\n"
    "    net_init(&p, 1);\n"
    "    if (nn_save(&net_model, &p, path) || nn_load(&net_model, &q, path))\n        return 1;\n"
    "    net_forward(&p, &work, 1, x, y);\n    net_forward(&q, &work, 1, x, z);\n"
    "    if (nn_load(&net_model, &q, \"/none\") == 0 || !strstr(nn_error(NN_EIO), \"/none\"))\n        return 2;\n"
    "    return memcmp(y, z, sizeof y) ? 3 : 0;\n}\n";

static const char host[] =
    "#include <dlfcn.h>\n#include <stdio.h>\n\n"
    "int main(void)\n{\n"
    "    void *library = dlopen(\"./plugin.so\", RTLD_NOW);\n"
    "    int (*plugin)(const char *) = library ? (int (*)(const char *))dlsym(library, \"plugin\") : 0;\n"
    "    if (!plugin)\n        return puts(dlerror()), 9;\n"
    "    return plugin(\"plugin.safetensors\");\n}\n";

static const char threads[] =
    "#include \"net.h\"\n#include <pthread.h>\n#include <stdio.h>\n\n"
    "static const float x[NET_BATCH * NET_INPUT] = {1, 2, -1, 0.5f, 0, 1, -2, -1};\n"
    "static const int t[NET_BATCH] = {0, 1, 1, 0};\n\n"
    "static struct memory {\n    net_params p, g;\n    net_work work;\n    float state[NN_STATE_HEAD + 2 * NET_FLOATS];\n"
    "    const char *path;\n    float loss;\n} memory[2];\n\n"
    "static void *train(void *of)\n{\n"
    "    struct memory *m = of;\n    nn_optimizer adam = nn_adam(0.1f);\n"
    "    net_init(&m->p, 1);\n"
    "    for (int i = 0; i < 50; i++) {\n"
    "        m->loss = net_backward(&m->p, &m->work, NET_BATCH, x, t, &m->g);\n"
    "        nn_step(&adam, (float *)&m->p, (const float *)&m->g, m->state, NET_FLOATS);\n"
    "        if (nn_save(&net_model, &m->p, m->path) || nn_load(&net_model, &m->p, m->path) ||\n"
    "            !nn_load(&net_model, &m->p, \"/none\") || !nn_error(NN_EIO))\n"
    "            m->loss = 9;\n    }\n"
    "    return NULL;\n}\n\n"
    "int main(void)\n{\n    pthread_t thread[2];\n"
    "    memory[0].path = \"a.safetensors\";\n    memory[1].path = \"b.safetensors\";\n"
    "    for (int i = 0; i < 2; i++)\n        pthread_create(&thread[i], NULL, train, &memory[i]);\n"
    "    for (int i = 0; i < 2; i++)\n        pthread_join(thread[i], NULL);\n"
    "    printf(\"%g %g\\n\", memory[0].loss, memory[1].loss);\n"
    "    return !(memory[0].loss == memory[1].loss && memory[0].loss < 0.1f);\n}\n";

/* Uses one function of all that a file of --static has. */
static const char includes[] =
    "#include \"s.c\"\n#include <stdio.h>\n\n"
    "int main(void)\n{\n    static net_params p;\n    static net_work w;\n    static float x[NET_INPUT], y[NET_OUTPUT];\n"
    "    net_forward(&p, &w, 1, x, y);\n    return !(y[0] == y[0]) && NET_FLOATS == NET_PARAMS;\n}\n";

/* All headers from C++, which takes nnkit.h from C++11 on, for long long. */
static const char cplusplus[] =
    "#include \"net.h\"\n#include \"nnkit.h\"\n#include <cstring>\n\n"
    "int main()\n{\n    static net_params p;\n    net_init(&p, 1);\n"
    "    nn_settings settings;\n    nn_defaults(&settings);\n"
    "    return settings.epochs == 10 && nn_data_open(\"none\", &net_model, NULL) == NULL\n"
    "        && std::strstr(nnkit_error(), \"none\") ? 0 : 1;\n}\n";

/* Is what nnc makes of a file of weights what nn_load makes of it? To the bit, unless a share of the answer may differ. */
static const char constant[] =
    "#include \"k.h\"\n#include <math.h>\n#include <stdio.h>\n#include <string.h>\n\n"
    "int main(int argc, char **argv)\n{\n"
    "    static net_params p;\n    static net_work w;\n    static float x[2 * NET_INPUT], y[2 * NET_OUTPUT], z[2 * NET_OUTPUT];\n"
    "    if (nn_load(&net_model, &p, argv[1]))\n        return puts(nn_error(nn_load(&net_model, &p, argv[1]))), 9;\n"
    "    for (int i = 0; i < 2 * NET_INPUT; i++)\n        x[i] = (float)(i % 13) / 6 - 1;\n"
    "    net_forward(&p, &w, 2, x, y);\n    net_forward(&net_weights, &w, 2, x, z);\n"
    "#ifdef net_weights /* as far as they are read */\n"
    "    if (sizeof net_prepared_weights >= sizeof p)\n        return puts(\"nothing is left out\"), 2;\n#endif\n"
    "    for (int i = 0; i < 2 * NET_OUTPUT; i++)\n"
    "        if (!(fabsf(y[i] - z[i]) <= (argc > 2 ? 1e-6f : 0)))\n            return printf(\"%g %g\\n\", y[i], z[i]), 1;\n"
    "    return 0;\n}\n";

/* Writes weights for --weights. */
static const char saves[] =
    "#include \"k.h\"\n\nint main(int argc, char **argv)\n{\n    static net_params p;\n    net_init(&p, (uint64_t)argc);\n"
    "    return nn_save(&net_model, &p, argv[1]);\n}\n";

static int start(void)
{
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", network, sizeof network - 1);
    file_write(SCRATCH "/plugin.c", plugin, sizeof plugin - 1);
    file_write(SCRATCH "/host.c", host, sizeof host - 1);
    file_write(SCRATCH "/threads.c", threads, sizeof threads - 1);
    file_write(SCRATCH "/main.cc", cplusplus, sizeof cplusplus - 1);
    file_write(SCRATCH "/includes.c", includes, sizeof includes - 1);
    file_write(SCRATCH "/constant.c", constant, sizeof constant - 1);
    file_write(SCRATCH "/saves.c", saves, sizeof saves - 1);
    process run = nnc_run(SCRATCH, "net.nn", NULL);
    int status = run.status;
    process_free(&run);
    return status;
}

static void runs(const char *script)
{
    char command[1500];
    snprintf(command, sizeof command, "exec 2>&1; R=../../../..; %s", script);
    process run = process_run(SCRATCH, (const char *const[]){"sh", "-c", command, NULL}, NULL, 0, NULL);
    check(run.status == 0, "%s\nexit status %d: %.1000s", script, run.status, run.out);
    process_free(&run);
}

static void shared_library(void)
{
    runs("for cc in gcc clang; do $cc -O1 -fPIC -shared -I$R/runtime -o plugin.so plugin.c net.c $R/build/libnn.a -lm && "
         "$cc -o host host.c -ldl && ./host || exit 1; done");
}

/* A file of --static leaves no names to the linker but main, and neither compiler warns of what the program does not use. */
static void one_file(void)
{
    runs("for n in 'input 8; fc 4; dropout; softmax|' 'input 3x6x6; conv 8 k3; batchnorm; relu; fc 2|--inference' "
         "'input 8; fc 4; batchnorm|--loss=none' 'input 8; fc 4; gelu|--target=scalar --unroll=full'; do "
         "echo \"${n%|*}\" | $R/build/nnc --static --prefix=net ${n#*|} - -o s.c && test ! -f s.h || exit 1; "
         "for cc in 'gcc -O2' 'gcc -O0' 'clang -O1'; do "
         "$cc -Wall -Wextra -Werror -I$R/runtime -c includes.c && test \"$(nm includes.o | grep -c ' [A-TV-Z] ')\" = 1 && "
         "$cc includes.o $R/build/libnn.a -lm -o includes && ./includes || exit 1; done; done");
}

static void headers_in_cplusplus(void)
{
    runs("gcc -O1 -c -I$R/runtime net.c && for std in c++11 c++17 c++20; do"
         " g++ -std=$std -Wall -Wextra -pedantic -Werror -I$R/runtime -I$R/runtime/kit -o main main.cc net.o $R/build/libnnkit.a"
         " $R/build/libnn.a -lpng -ljpeg -lz -lm -lpthread && ./main || exit 1; done");
}

/* LeNet, the network of the Cortex-M4 example, and one whose weights net_prepare works out, which nnc then does. */
static void weights_in_the_code(void)
{
    runs("B=\"gcc -O1 -march=native -Wall -Wextra -Werror -I$R/runtime\"; L=\"$R/build/libnn.a -lm\"; N=\"$R/build/nnc --prefix=net -o k.c\"; "
         "echo 'input 3x6x6; \"a.b\": conv 9 k3; batchnorm; relu; fc 2' >fold.nn; cp $R/examples/lenet.nn $R/examples/card.nn .; "
         "for n in 'lenet|' 'card|--input=3x32x32 --inference --target=scalar' 'fold|--inference'; do "
         "o=${n#*|}; $N ${o%%--inference*} ${n%|*}.nn && $B saves.c k.c $L -o saves && ./saves w.st && "
         "$N $o --weights=w.st -MD ${n%|*}.nn && grep -q 'nn w.st$' k.nn.d && $B constant.c k.c $L -o constant && "
         "./constant w.st $(test ${n%|*} = fold && echo close) || exit 1; done; "
         "$N --weights=w.st lenet.nn; test $? = 2 && $R/build/nnc --static --prefix=net --inference --weights=w.st -o s.h fold.nn && "
         "echo '#include \"s.h\"\nint main(void) { return 0; }' >one.c && $B one.c $L -o one && ./one");
}

#define WITH_THREADS(cc, files) cc " -g -O1 -fsanitize=thread " files " -o threads-" cc " -lm -lpthread && ./threads-" cc

static void threads_of_gcc(void)   { runs(WITH_THREADS("gcc", "-I$R/runtime threads.c net.c $R/runtime/*.c")); }
static void threads_of_clang(void) { runs(WITH_THREADS("clang", "-I$R/runtime threads.c net.c $R/runtime/*.c")); }

/* Whether a program built so runs: the sanitizer may be missing, or dislike how this system lays out memory. */
#define CAN(cc) "dir=$(mktemp -d) && cd $dir && echo 'int main(void) { return 0; }' >x.c && " WITH_THREADS(cc, "x.c") "; " \
    "s=$?; rm -r $dir; exit $s"

static bool has_gcc_threads(void)   { return command_succeeds(CAN("gcc")); }
static bool has_clang_threads(void) { return command_succeeds(CAN("clang")); }

void add_linking_suite(void)
{
    static CU_TestInfo tests[] = {
        {"a shared library", shared_library}, {"the headers in C++", headers_in_cplusplus},
        {"--static", one_file}, {"--weights", weights_in_the_code}, {"gcc's thread sanitizer", threads_of_gcc},
        {"clang's thread sanitizer", threads_of_clang}, CU_TEST_INFO_NULL,
    };
    static const test_need gcc = {has_gcc_threads, "gcc's thread sanitizer", "gcc"};
    static const test_need clang = {has_clang_threads, "clang's thread sanitizer", "clang libclang-rt-dev"};
    add_suite("linking", start, NULL, tests);
    add_need("linking", "gcc's thread sanitizer", &gcc);
    add_need("linking", "clang's thread sanitizer", &clang);
}
