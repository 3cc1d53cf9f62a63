# make           build/nnc (the compiler), build/libnn.a (the runtime) and, where zlib, libpng and libjpeg are, build/libnnkit.a;
#                where mpicc is, too, build/libnnmpi.a (MPICC=mpicc.mpich: another MPI)
# make demo      installs what is missing, builds, trains LeNet on digits
# make test      installs what is missing, builds, runs all tests (SUITE=math: one suite; SEED=N: other random networks)
# make check     builds, runs the quick tests: no C compiler for generated code, under 20 seconds
# make bench     measures speed, beside PyTorch where there is one (NETS="N1 N4" ROUNDS=5 TARGET=avx2 SECONDS=0.15)
# make bare      (as root, with debootstrap) runs make demo and make test in a Debian that has nothing else (SUITE=math)
# make measure   prints what the compiler assumes of a core (compiler/schedule/machine.c), measured on this one
# make golden    rewrites the expectation files under tests/golden and tests/bugs (look at the diff!)
# make install   PREFIX=/usr/local, LIBDIR=lib and ZSHDIR=share/zsh/site-functions (below it), DESTDIR=; make uninstall
#                removes the same
# make deb       builds Debian's source package and packages, and has lintian look at them (build/deb)
# make clean
#
# CC=clang, CFLAGS=..., SANITIZE=1 or clang (into build/sanitize or sanitize-clang), V=1 (shows the commands).

PREFIX ?= /usr/local
LIBDIR ?= lib
ZSHDIR ?= share/zsh/site-functions
CFLAGS ?= $(if $(SANITIZE),-O1,-O2) -g
Q := $(if $(V),,@)
SAY = @$(if $(V),:,printf '  %-4s %s\n')

# Each compiler's sanitizers see what the other's don't. clang's build is for the tests, so it is quick to make.
ifeq ($(SANITIZE),clang)
override CC := clang
override CFLAGS := -O0 -g
endif

BUILD := $(if $(SANITIZE),build/sanitize$(if $(filter clang,$(SANITIZE)),-clang),build)
# A comma that $(if) does not take for its own.
, := ,
SANITIZERS := $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wredundant-decls

# What is built is the same, byte for byte, wherever this folder lies.
PATHS := '-ffile-prefix-map=$(CURDIR)=.'

# -MMD writes each object's headers beside it; -MP keeps a removed header from stopping the build.
COMPILER_FLAGS := -std=c11 -D_XOPEN_SOURCE=700 $(WARNINGS) $(PATHS) -Icompiler -I$(BUILD)/grammar -I$(BUILD)/fixed -MMD -MP
RUNTIME_FLAGS  := -std=c99 $(WARNINGS) $(PATHS) -O3 -fPIC -fno-math-errno -ffp-contract=off -ffunction-sections -fdata-sections -MMD -MP
KIT_FLAGS      := -std=c11 -D_POSIX_C_SOURCE=200809L $(WARNINGS) $(PATHS) $(if $(SANITIZE),-O1,-O3) -fno-math-errno -ffp-contract=off -Iruntime \
	-ffunction-sections -fdata-sections -fPIC -MMD -MP
KIT_LIBRARIES  := -lpng -ljpeg -lz -lm -lpthread
TEST_FLAGS     := -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -Icompiler -Iruntime -Iruntime/kit -Itests -I$(BUILD)/tests -MMD -MP

COMPILER := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard compiler/*.c compiler/*/*.c)))
GRAMMAR  := $(BUILD)/grammar/nnc.tab.o $(BUILD)/grammar/nnc.lex.o
RUNTIME  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard runtime/*.c)))
KIT      := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/nnmpi.c,$(sort $(wildcard runtime/kit/*.c))))
SUITES   := $(sort $(wildcard tests/test_*.c))
TESTS    := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/*.c)))

.PHONY: all core no-kit demo check test bare bench bench-save measure golden install uninstall deb clean need-demo need-check need-test need-bench FORCE
.DELETE_ON_ERROR:

# Without the libraries that read data sets there is everything but libnnkit.a.
HAS_KIT = $(shell printf '\043include <%s>\n' stddef.h stdio.h zlib.h png.h jpeglib.h | $(CC) -E - >/dev/null 2>&1 && echo yes)

# Without an MPI there is no libnnmpi.a.
MPICC ?= mpicc
HAS_MPI = $(if $(HAS_KIT),$(shell command -v $(MPICC) 2>/dev/null))

all: core $(if $(HAS_KIT),$(BUILD)/libnnkit.a,no-kit) $(if $(HAS_MPI),$(BUILD)/libnnmpi.a)

core: $(BUILD)/nnc $(BUILD)/libnn.a

no-kit:
	@echo "libnnkit.a is left out: it needs zlib, libpng and libjpeg (apt-get install zlib1g-dev libpng-dev libjpeg-dev)"

# ---- The compiler ----------------------------------------------------------------------------------

$(BUILD)/nnc: $(COMPILER) $(GRAMMAR) $(BUILD)/libnn.a
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(SANITIZERS) $(LDFLAGS) -o $@ $^ -lm

$(BUILD)/compiler/%.o: compiler/%.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(COMPILER_FLAGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZERS) -c -o $@ $<

$(BUILD)/compiler/front/parse.o: | $(BUILD)/grammar/nnc.tab.h

# What nnc prints as it stands there: compiler/back/fixed.c has it as a table.
FIXED := $(sort $(wildcard compiler/back/fixed/*.h compiler/back/fixed/*.c)) runtime/nn.h

$(BUILD)/compiler/back/fixed.o: | $(BUILD)/fixed/fixed.inc

$(BUILD)/fixed/fixed.inc: compiler/back/fixed/embed.awk $(FIXED)
	$(SAY) AWK $@
	$(Q)mkdir -p $(@D)
	$(Q)awk -f $< $(FIXED) > $@

# The networks that --example prints.
NETWORKS := $(sort $(wildcard examples/*.nn))

$(BUILD)/compiler/about.o: | $(BUILD)/fixed/examples.inc

$(BUILD)/fixed/examples.inc: $(NETWORKS)
	$(SAY) AWK $@
	$(Q)mkdir -p $(@D)
	$(Q)awk 'FNR == 1 { if (NR > 1) print "},"; name = FILENAME; gsub(/.*\/|\.nn$$/, "", name); print "{\"" name "\"," } \
		{ gsub(/["\\]/, "\\\\&"); print "    \"" $$0 "\\n\"" } END { print "}," }' $(NETWORKS) > $@

# What bison and flex write is theirs: it compiles, but it leaves functions unused.
$(BUILD)/grammar/%.o: $(BUILD)/grammar/%.c $(BUILD)/grammar/nnc.tab.h $(BUILD)/flags
	$(SAY) CC $<
	$(Q)$(CC) $(COMPILER_FLAGS) -Wno-unused-function $(CPPFLAGS) $(CFLAGS) $(SANITIZERS) -c -o $@ $<

$(BUILD)/grammar/nnc.tab.c $(BUILD)/grammar/nnc.tab.h &: grammar/nnc.y
	$(SAY) YACC $<
	$(Q)mkdir -p $(@D)
	$(Q)bison -Wall -Werror --defines=$(BUILD)/grammar/nnc.tab.h -o $(BUILD)/grammar/nnc.tab.c $<

$(BUILD)/grammar/nnc.lex.c: grammar/nnc.l
	$(SAY) LEX $<
	$(Q)mkdir -p $(@D)
	$(Q)flex -o $@ $<

# ---- The runtime -----------------------------------------------------------------------------------

$(BUILD)/libnn.a: $(RUNTIME)
	$(SAY) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/runtime/%.o: runtime/%.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(RUNTIME_FLAGS) $(SANITIZERS) -c -o $@ $<

$(BUILD)/libnnkit.a: $(KIT)
	$(SAY) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/runtime/kit/%.o: runtime/kit/%.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(KIT_FLAGS) $(SANITIZERS) -c -o $@ $<

# MPI's headers are none of this compiler's affair: mpicc has its own.
$(BUILD)/libnnmpi.a: runtime/kit/nnmpi.c runtime/kit/nnmpi.h runtime/kit/nnkit.h runtime/nn.h $(BUILD)/flags
	$(SAY) MPI $<
	$(Q)mkdir -p $(@D)/runtime/kit
	$(Q)$(MPICC) $(CPPFLAGS) $(CFLAGS) -std=c11 -Wall -Wextra $(PATHS) -Iruntime -fPIC $(SANITIZERS) -c -o $(BUILD)/runtime/kit/nnmpi.o $<
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(BUILD)/runtime/kit/nnmpi.o

# ---- The demonstration and the tests -----------------------------------------------------------------
#
# All begin by installing what this machine lacks, so what they build they build in a second make.

# As many jobs as processors, unless the user has said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))

# What random tests draw: a number that stays, so that what passes here passes elsewhere. SEED=N draws others.
SEED ?= 3156521794

demo: need-demo
	$(Q)$(MAKE) --no-print-directory $(JOBS) core $(BUILD)/libnnkit.a
	$(Q)$(MAKE) --no-print-directory -C examples run-lenet

test: need-test
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(BUILD)/tests/run
	$(Q)$(MAKE) --no-print-directory $(JOBS) SANITIZE=1 $(addprefix build/sanitize/,nnc tests/fuzz_data)
	$(Q)$(MAKE) --no-print-directory $(JOBS) SANITIZE=clang build/sanitize-clang/nnc
	SEED=$(SEED) $(BUILD)/tests/run $(if $(SUITE),"$(SUITE)")

check: need-check
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(BUILD)/tests/run
	SEED=$(SEED) $(BUILD)/tests/run --check

bare:
	$(Q)sh .ci/bare $(if $(SUITE),"$(SUITE)")

# The speed of the networks in tests/bench. bench-save keeps the ratios, and later runs are compared with them.
NETS := $(basename $(notdir $(sort $(wildcard tests/bench/N*.nn tests/bench/C*.nn))))
ROUNDS := 5
SECONDS := 0.15
TARGET := best

bench bench-save: need-bench
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(BUILD)/bench/bench
	$(Q)$(BUILD)/bench/bench $(BUILD)/nnc "$(CC)" $(TARGET) $(BUILD)/bench $(ROUNDS) $(SECONDS) tests/bench/baseline.txt \
		$(if $(filter bench-save,$@),save,compare) $(NETS)

$(BUILD)/bench/bench: tests/bench/bench.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -o $@ $< -lm

measure: $(BUILD)/bench/measure
	$(Q)$(BUILD)/bench/measure

$(BUILD)/bench/measure: tests/bench/measure.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 $(if $(filter x86_64 i%86,$(shell uname -m)),-march=native) -o $@ $<

golden: $(BUILD)/nnc $(BUILD)/tests/run
	UPDATE=1 $(BUILD)/tests/run golden
	UPDATE=1 $(BUILD)/tests/run bugs
	UPDATE=1 $(BUILD)/tests/run manual
	UPDATE=1 $(BUILD)/tests/run editors

need-demo need-check need-test need-bench: need-%:
	$(Q)sh .ci/need $*

$(BUILD)/tests/run: $(TESTS) $(filter-out %/main.o,$(COMPILER)) $(GRAMMAR) $(BUILD)/libnnkit.a $(BUILD)/libnn.a
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(SANITIZERS) $(LDFLAGS) -o $@ $^ -lcunit -ldl $(KIT_LIBRARIES)

$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZERS) -c -o $@ $<

$(BUILD)/tests/fuzz_data: tests/helpers/fuzz_data.c $(BUILD)/libnnkit.a $(BUILD)/libnn.a
	$(SAY) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZERS) -o $@ $^ $(KIT_LIBRARIES)

# tests/test_X.c brings the suite X, by its function add_X_suite: a new file is all that a new suite takes.
$(TESTS): | $(BUILD)/tests/suites.inc

$(BUILD)/tests/suites.inc: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf 'SUITE(%s)\n' $(SUITES:tests/test_%.c=%) > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# ---- Around ------------------------------------------------------------------------------------------

# Holds the flags of the last build; it is new when they are, and everything after it.
$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(CC) $(MPICC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(COMPILER_FLAGS) $(RUNTIME_FLAGS) $(KIT_FLAGS) $(TEST_FLAGS)' > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@

VERSION := $(shell sed -n 's/^\#define NNC_VERSION "\(.*\)"/\1/p' compiler/nnc.h)
DOCUMENTS := $(wildcard README.md LICENSE* COPYING* CHANGELOG.md)

MANUALS := $(sort $(wildcard compiler/*.[1-9] grammar/*.[1-9] runtime/*.[1-9] runtime/kit/*.[1-9]))
EDITORS := $(sort $(wildcard grammar/vim/*/*.vim grammar/vscode/*.json))

# What is installed, a word each: the folder below PREFIX, the mode, the file. uninstall removes the same.
INSTALLED = bin:755:$(BUILD)/nnc include:644:runtime/nn.h $(LIBDIR):644:$(BUILD)/libnn.a $(LIBDIR)/pkgconfig:644:$(BUILD)/nnc.pc \
	include:644:runtime/nnc.mk $(LIBDIR)/cmake/nnc:644:runtime/nnc-config.cmake $(LIBDIR)/cmake/nnc:644:$(BUILD)/nnc-config-version.cmake \
	$(if $(HAS_KIT),include:644:runtime/kit/nnkit.h $(LIBDIR):644:$(BUILD)/libnnkit.a) \
	$(if $(HAS_MPI),include:644:runtime/kit/nnmpi.h $(LIBDIR):644:$(BUILD)/libnnmpi.a) \
	$(foreach page,$(MANUALS),share/man/man$(subst .,,$(suffix $(page))):644:$(page)) \
	share/bash-completion/completions:644:compiler/nnc.bash $(ZSHDIR):644:compiler/_nnc \
	$(foreach file,$(EDITORS),share/nnc/$(patsubst grammar/%/,%,$(dir $(file))):644:$(file)) \
	$(DOCUMENTS:%=share/doc/nnc:644:%)

install: all $(BUILD)/nnc.pc $(BUILD)/nnc-config-version.cmake
	$(Q)for word in $(INSTALLED); do \
		folder=$(DESTDIR)$(PREFIX)/$${word%%:*}; file=$${word##*:}; mode=$${word#*:}; \
		echo "  PUT  $$folder/$${file##*/}"; \
		install -d "$$folder" && install -m $${mode%%:*} $$file "$$folder" || exit; \
	done

uninstall:
	$(Q)for word in $(INSTALLED); do \
		file=$${word##*:}; rm -f "$(DESTDIR)$(PREFIX)/$${word%%:*}/$${file##*/}"; done
	$(Q)rmdir $(addprefix "$(DESTDIR)$(PREFIX)"/,share/doc/nnc $(LIBDIR)/cmake/nnc \
		share/nnc/vim/syntax share/nnc/vim/ftdetect share/nnc/vim share/nnc/vscode share/nnc) 2>/dev/null || :

$(BUILD)/nnc.pc $(BUILD)/nnc-config-version.cmake: $(BUILD)/%: runtime/%.in FORCE
	$(Q)rm -f $@
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' $< > $@

deb:
	$(Q)sh .ci/deb $(VERSION)

clean:
	rm -rf build

-include $(COMPILER:.o=.d) $(GRAMMAR:.o=.d) $(RUNTIME:.o=.d) $(KIT:.o=.d) $(TESTS:.o=.d)
