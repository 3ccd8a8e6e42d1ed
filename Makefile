# Everything that can be built, tested, shown and installed. `make help` lists the goals.
#
#   make demo     set up, build, start the demonstration site        make test     set up, build, run every test
#   make          build                                              make check    layers, headers, sizes, docs
#   make install  PREFIX= DESTDIR=                                   make asan     unit tests with sanitizers
#   make unit     unit tests alone, FILTER= chooses                  make deps     install what a build needs
#   make deb      Debian packages, in build
#   make fuzz     every fuzz target, SECONDS= for each, FILTER= chooses
#
# BUILD= names another output folder (make asan and make fuzz use one of their own).

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CXX     ?= g++
CXXSTD  := -std=c++20
# Line numbers for a backtrace, in two thirds of the time; a debugger wants OPT='-O2 -g'.
OPT     ?= -O2 -g1
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror
VERSION := 2.0.0
JOBS    := $(shell nproc)
# Debian's own, which has the packages that install-deps brings, and the place where it looks for ours.
# Below a PREFIX of another kind m2sh finds its package by itself.
PYTHON     := /usr/bin/python3
PYTHON_DIR ?= $(if $(filter /usr/local,$(PREFIX)),$(shell $(PYTHON) -c \
  'import sysconfig; print(sysconfig.get_path("purelib"))'),$(PREFIX)/lib/python3/dist-packages)
LIBS    := libzmq sqlite3 simdjson spdlog libcrypto zlib libseccomp
# Library headers are system headers: their warnings are not ours. libev has no pkg-config file.
PKG_CFLAGS := $(shell pkg-config --cflags $(LIBS) | sed 's/-I/-isystem /g')
PKG_LIBS   := $(shell pkg-config --libs $(LIBS)) -lev -lpthread
CPPFLAGS += -I. -DM2_VERSION='"$(VERSION)"' -D_GNU_SOURCE
CXXFLAGS += $(CXXSTD) $(OPT) $(WARN) -fno-plt -ffunction-sections -fstack-protector-strong
LDFLAGS  += -Wl,-z,relro,-z,now -Wl,--gc-sections

SOURCES      := $(sort $(shell find common proto master worker -name '*.cc'))
MAIN_SOURCE  := master/main.cc
LIB_OBJECTS  := $(patsubst %.cc,$(BUILD)/%.o,$(filter-out $(MAIN_SOURCE),$(SOURCES)))
UNIT_SOURCES := $(sort $(shell find tests/unit -name '*.cc' 2>/dev/null))
UNIT_OBJECTS := $(patsubst %.cc,$(BUILD)/%.o,$(UNIT_SOURCES))
SERVER       := $(BUILD)/mongrel2
UNIT_TESTS   := $(BUILD)/unit_tests

# The headers that nearly all files include, compiled once; two thirds of the time of a build.
# PRECOMPILED= builds without them, as clang does, and shows a file that forgot to include one.
PRECOMPILED ?= $(if $(findstring g++,$(CXX)),$(if $(findstring clang,$(CXX)),,yes))
LIB_HEADER  := $(if $(PRECOMPILED),$(BUILD)/common/precompiled.h)
UNIT_HEADER := $(if $(PRECOMPILED),$(BUILD)/tests/unit/precompiled.h)
# GCC takes what the standard library does for ours when its headers are precompiled, and finds the
# faults in it that it leaves out elsewhere.
WARN += $(if $(PRECOMPILED),-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread \
        -Wno-restrict)
PRECOMPILED_HEADERS := $(addsuffix .gch,$(LIB_HEADER) $(UNIT_HEADER))

.PHONY: all help deps unit test demo install deb asan fuzz fuzz-targets check clean
all: $(SERVER) tests/config.sqlite

help:
	@sed -n 's/^#   //p' Makefile

deps:
	@scripts/install-deps build

$(SERVER): $(BUILD)/master/main.o $(BUILD)/libm2.a
	@echo "  link $@"
	@$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/libm2.a: $(LIB_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(UNIT_TESTS): $(UNIT_OBJECTS) $(BUILD)/libm2.a
	@echo "  link $@"
	@$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $^ -lgtest -lgtest_main $(PKG_LIBS)

# The tests themselves need no speed, and build in half the time.
$(UNIT_OBJECTS) $(addsuffix .gch,$(UNIT_HEADER)): OPT = -O0 -g1
$(UNIT_OBJECTS): HEADER = $(UNIT_HEADER)
$(UNIT_OBJECTS): $(addsuffix .gch,$(UNIT_HEADER))
$(LIB_OBJECTS) $(BUILD)/$(MAIN_SOURCE:.cc=.o): HEADER = $(LIB_HEADER)
$(LIB_OBJECTS) $(BUILD)/$(MAIN_SOURCE:.cc=.o): $(addsuffix .gch,$(LIB_HEADER))
$(BUILD)/%.o: %.cc Makefile
	@mkdir -p $(@D)
	@echo "  c++ $<"
	@$(CXX) $(CPPFLAGS) $(PKG_CFLAGS) $(CXXFLAGS) $(addprefix -include ,$(HEADER)) -MMD -MP -c -o $@ $<

$(PRECOMPILED_HEADERS): $(BUILD)/%.gch: % Makefile
	@mkdir -p $(@D)
	@echo "  c++ $<"
	@$(CXX) $(CPPFLAGS) $(PKG_CFLAGS) $(CXXFLAGS) -MMD -MP -x c++-header -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)

# The database of the manual's first test run (2.4, 3.2), whose folders the user makes after this.
tests/config.sqlite: tests/sample_conf.py $(wildcard scripts/m2sh scripts/mongrel2/*)
	@scripts/m2sh config -db $@ -config tests/sample_conf.py -force

# FILTER= takes a GoogleTest pattern.
unit: $(UNIT_TESTS)
	$(UNIT_TESTS) --gtest_brief=1 $(if $(FILTER),--gtest_filter='$(FILTER)')

# The build runs again inside, because install-deps may have brought what this one did not find.
test:
	@scripts/install-deps build demo test
	@$(MAKE) -j$(JOBS) all $(UNIT_TESTS)
	@scripts/run-tests $(BUILD)

demo:
	@scripts/install-deps build demo
	@deploy/demo/run -check
	@$(MAKE) -j$(JOBS) all
	@MONGREL2_BIN="$${MONGREL2_BIN:-$(SERVER)}" deploy/demo/run

# Faults end a test at once. In a folder of its own, so that it does not undo the other build.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
asan:
	@$(MAKE) -j$(JOBS) BUILD=build-asan OPT='-O1 -g $(SANITIZE)' unit FILTER='$(FILTER)'

# Each tests/fuzz/NAME.cc is a target of libFuzzer, its inputs are in tests/fuzz/corpus/NAME. Only the
# rooms that parse are built for them, with clang, for the compiler of the server has no libFuzzer.
SECONDS      ?= 60
FUZZ_CXX     ?= clang++
FUZZ_TARGETS := $(patsubst tests/%.cc,$(BUILD)/%,$(sort $(wildcard tests/fuzz/*.cc)))
FUZZ_OBJECTS := $(filter $(BUILD)/common/% $(BUILD)/proto/%,$(LIB_OBJECTS))
fuzz:
	@$(MAKE) -j$(JOBS) BUILD=build-fuzz CXX='$(FUZZ_CXX)' WARN= \
	  OPT='-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link' fuzz-targets
	@scripts/fuzz build-fuzz '$(SECONDS)' $(FILTER)

fuzz-targets: $(FUZZ_TARGETS)

$(BUILD)/libparsers.a: $(FUZZ_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libparsers.a
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CXX) $(CXXFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

# All of them run, so that one call shows everything.
check: $(SERVER)
	@status=0; \
	scripts/check_layers || status=1; \
	scripts/check_sizes || status=1; \
	scripts/check_headers $(CXX) $(CPPFLAGS) $(PKG_CFLAGS) $(CXXSTD) || status=1; \
	scripts/format -check || status=1; \
	scripts/check_docs $(SERVER) || status=1; \
	exit $$status

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PYTHON_DIR)
	install -m 755 $(SERVER) $(DESTDIR)$(PREFIX)/bin/mongrel2
	install -m 755 scripts/m2sh $(DESTDIR)$(PREFIX)/bin/m2sh
	install -D -m 644 deploy/include/mongrel2/handler.hpp \
	  $(DESTDIR)$(PREFIX)/include/mongrel2/handler.hpp
	install -d $(DESTDIR)$(PREFIX)/share/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' deploy/include/mongrel2.pc.in \
	  > $(DESTDIR)$(PREFIX)/share/pkgconfig/mongrel2.pc
	rm -rf $(DESTDIR)$(PYTHON_DIR)/mongrel2
	cd scripts && find mongrel2 -name '*.py' -o -name 'mimetypes.txt' -o -name py.typed | while read -r file; do \
	  install -D -m 644 $$file $(DESTDIR)$(PYTHON_DIR)/$$file; done
	$(PYTHON) -m compileall -q -s '$(DESTDIR)' -p / $(DESTDIR)$(PYTHON_DIR)/mongrel2

# Packages mongrel2, python3-mongrel2 and libmongrel2-dev in build, for the Debian that they are built on.
deb: all
	@deploy/debian/build $(SERVER) $(VERSION)

clean:
	rm -rf build build-* tests/config.sqlite scripts/mongrel2.egg-info
