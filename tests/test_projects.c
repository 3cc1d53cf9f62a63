/* test_projects.c: nnc in the builds of others, once it is installed: GNU make with nnc.mk, CMake with its package,
 * Meson with a generator; and a Debian package of nnc itself.
 *
 * The build files are those that nnc(1) shows. Each project is built in a folder of its own, which sees no more of nnc
 * than what `make install` has put there; then its network is changed, then a file that the network includes, and each
 * time the program that is built again must be the new one. Nothing is made anew where nothing has changed. */
#include "pages.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/projects"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static page manual;

static int start(void)
{
    return session_start(SCRATCH) || session_install() || !page_read(&manual, "compiler/nnc.1");
}

static int end(void)
{
    page_free(&manual);
    return 0;
}

/* It says how many weights there are: 2 w + w + w m + m in `input 2; fc w; tanh; fc m`. */
static const char program[] =
    "#include \"net.h\"\n#include <stdio.h>\n\n"
    "static net_params p, g;\nstatic net_work w;\n\n"
    "int main(void)\n{\n"
    "    static const float x[NET_INPUT] = {1, 2};\n    static const float t[NET_OUTPUT];\n"
    "    net_init(&p, 1);\n    float loss = net_backward(&p, &w, 1, x, t, &g);\n"
    "    printf(\"%d weights, %d\\n\", NET_PARAMS, loss > 0);\n    return 0;\n}\n";

static void write_network(int width, int answers)
{
    char text[200];
    snprintf(text, sizeof text, "include \"answers.nn\"\ninput 2; fc %d; tanh; answers()\n", width);
    session_write("net.nn", text, strlen(text));
    snprintf(text, sizeof text, "block answers() { fc %d }\n", answers);
    session_write("answers.nn", text, strlen(text));
}

/* Makes the folder of a project, with the build file that nnc(1) shows under that name, and stands there. */
static void begin(const char *folder, const char *name)
{
    char command[500];
    snprintf(command, sizeof command, "mkdir -p $root/%s && cd $root/%s", folder, folder);
    CU_ASSERT_TRUE_FATAL(session_succeeds(command));
    const block *found = NULL;
    for (int i = 0; i < manual.nblocks; i++) {
        const char *file = strchr(manual.blocks[i].info, ' ');
        if (file && strcmp(file + 1, name) == 0)
            found = &manual.blocks[i];
    }
    check(found, "compiler/nnc.1, section IN A BUILD, shows no %s", name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    session_write(name, found->text, strlen(found->text));
    session_write("train.c", program, sizeof program - 1);
    write_network(3, 2);
}

/* What is built and run prints the sizes. */
static void builds(const char *build, const char *run, int width, int answers)
{
    char command[500], wanted[100];
    snprintf(command, sizeof command, "%s && %s", build, run);
    snprintf(wanted, sizeof wanted, "%d weights, 1\n", 3 * width + width * answers + answers);
    process p = session(command, false);
    check(p.status == 0 && strstr(p.out, wanted), "%s\nexit status %d, wanted %s%s", command, p.status, wanted, p.out);
    process_free(&p);
}

/* Three builds, and a fourth that has nothing to do: `idle` is what it prints then. */
static void build_and_change(const char *build, const char *run, const char *idle)
{
    builds(build, run, 3, 2);
    write_network(4, 2);
    builds(build, run, 4, 2);
    CU_ASSERT_TRUE(session_succeeds("sed -i 's/fc 2/fc 5/' answers.nn"));
    builds(build, run, 4, 5);
    process p = session(build, false);
    check(p.status == 0 && strstr(p.out, idle) && !strstr(p.out, "net.nn"), "%s\nmakes anew what is up to date: %s", build,
          p.out);
    process_free(&p);
}

static void make_project(void)
{
    begin("by-make", "Makefile");
    build_and_change("make -I $root/usr/include", "./train", "up to date");
}

static void cmake_project(void)
{
    begin("by-cmake", "CMakeLists.txt");
    CU_ASSERT_TRUE_FATAL(session_succeeds("cmake -S . -B build -DCMAKE_PREFIX_PATH=$root/usr >configured 2>&1"));
    build_and_change("cmake --build build", "build/train", "Built target train");
}

static void ninja_project(void)
{
    begin("by-ninja", "CMakeLists.txt");
    CU_ASSERT_TRUE_FATAL(session_succeeds("cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH=$root/usr >configured 2>&1"));
    build_and_change("cmake --build build", "build/train", "no work to do");
}

static void meson_project(void)
{
    begin("by-meson", "meson.build");
    CU_ASSERT_TRUE_FATAL(session_succeeds("PKG_CONFIG_PATH=$root/usr/lib/pkgconfig meson setup build >configured 2>&1"));
    build_and_change("ninja -C build", "build/train", "no work to do");
}

/* A target that isn't there becomes a library; options and several networks. */
static void cmake_library(void)
{
    static const char lists[] =
        "cmake_minimum_required(VERSION 3.16)\nproject(two C)\nset(CMAKE_C_FLAGS -O1)\nfind_package(nnc 0.2 REQUIRED)\n"
        "nnc_add_network(networks one.nn two.nn OPTIONS --inference --target=scalar)\n"
        "add_executable(both both.c)\ntarget_link_libraries(both networks)\n";
    static const char both[] =
        "#include \"one.h\"\n#include \"two.h\"\nint main(void) { return one_model.output + two_model.output == 5 ? 0 : 1; }\n";
    static const char one[] = "input 4; fc 2\n", two[] = "input 4; fc 3\n";
    CU_ASSERT_TRUE_FATAL(session_succeeds("mkdir -p $root/library && cd $root/library"));
    session_write("CMakeLists.txt", lists, sizeof lists - 1);
    session_write("both.c", both, sizeof both - 1);
    session_write("one.nn", one, sizeof one - 1);
    session_write("two.nn", two, sizeof two - 1);
    process p = session("cmake -S . -B build -DCMAKE_PREFIX_PATH=$root/usr && cmake --build build && build/both", false);
    check(p.status == 0, "exit status %d: %s", p.status, p.out);
    process_free(&p);
}

/* Source package and packages, as lintian likes them; without optimisation, and the tests of nnc are others. */
static void debian_package(void)
{
    process p = session("cd $root/nnc && DEB_BUILD_OPTIONS='nocheck noopt noautodbgsym' make deb && cd build/deb && "
                        "dpkg-deb -c nnc_*_*.deb && dpkg-deb -I nnc_*_*.deb", false);
    check(p.status == 0 && strstr(p.out, "./usr/bin/nnc\n") && strstr(p.out, "/nnc.1.gz\n") && strstr(p.out, "/nnc.mk\n")
          && strstr(p.out, "/libnnkit.a\n"), "exit status %d: %s", p.status,
          p.out + (strlen(p.out) > 3000 ? strlen(p.out) - 3000 : 0));
    process_free(&p);
}

static bool has_debian(void)
{
    return command_succeeds("command -v dpkg-buildpackage && command -v dh && command -v lintian && "
                            "dpkg -s libpng-dev libjpeg-dev zlib1g-dev libcunit1-dev");
}

static bool has_cmake(void) { return command_succeeds("cmake --version"); }
static bool has_ninja(void) { return command_succeeds("cmake --version && ninja --version"); }
static bool has_meson(void) { return command_succeeds("meson --version && ninja --version && pkg-config --version"); }

void add_projects_suite(void)
{
    static CU_TestInfo tests[] = {
        {"make and nnc.mk", make_project}, {"CMake", cmake_project}, {"CMake with Ninja", ninja_project},
        {"a library by CMake", cmake_library}, {"Meson", meson_project},
        {"make deb", debian_package}, CU_TEST_INFO_NULL,
    };
    static const test_need cmake = {has_cmake, "cmake", "cmake"}, ninja = {has_ninja, "cmake and ninja", "cmake ninja-build"},
        meson = {has_meson, "meson", "meson ninja-build pkgconf"},
        debian = {has_debian, "debhelper and lintian", "dpkg-dev debhelper lintian"};
    add_suite("projects", start, end, tests);
    add_need("projects", "CMake", &cmake);
    add_need("projects", "a library by CMake", &cmake);
    add_need("projects", "CMake with Ninja", &ninja);
    add_need("projects", "Meson", &meson);
    add_need("projects", "make deb", &debian);
}
