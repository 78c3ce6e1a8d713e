# A thin front: every target installs what it needs (tools/setup), configures (Meson) and builds
# (ninja).
#   make            build everything into build/
#   make demo       the tutorial's programs; URLS="https://a https://b" fetches real pages
#   make test       all tests;  TESTS="io/* core/spawn" only some
#   make help       the other targets

JOBS := $(shell nproc 2>/dev/null || echo 2)
# What tools/setup has put into build-tools, the system's being too old, comes before the system's
# own (tools/paths). make itself would not look there.
export PATH := $(CURDIR)/build-tools/bin:$(PATH)
newer := $(CURDIR)/build-tools/liburing/lib/pkgconfig
export PKG_CONFIG_PATH := $(newer)$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))
NINJA = env ninja -j$(JOBS)
URLS =
SECONDS =
SEED =
TESTS =
PYTHONS =
MACHINES =
SUITES =
SETS = test python lint
MESON_OPTIONS =
# Patterns of tests are run-tests' to expand, not the shell's.
quoted = $(foreach word,$(1),'$(word)')
MAKEFLAGS += --no-print-directory

.PHONY: all help setup demo demo-inside test test-asan test-clang test-tsan test-sim \
	test-valgrind test-aarch64 bench bench-run bench-peers soak fuzz demo-python test-python \
	test-interpreters test-frameworks test-cpython bench-python plots wheels test-wheels \
	test-debians format lint abi install deb docs first-minutes build-dir clean

all: build-dir
	@$(NINJA) --quiet -C build all meson-test-prereq

build-dir:
	@tools/setup build
	@tools/configure build $(MESON_OPTIONS)

help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

setup: ## install what the targets need, after saying what it is and what for (SETS="test lint")
	@missing=$$(tools/setup --show $(SETS)); \
		if [ -z "$$missing" ]; then echo "nothing is missing"; else tools/setup $(SETS); fi

demo: build-dir ## run the tutorial's programs (URLS="https://a https://b")
	@$(NINJA) --quiet -C build examples
	@tools/demo build $(URLS)

demo-inside: build-dir ## look into a web server with faults: bine ps, waits, leaks, top, trace
	@tools/setup test
	@$(NINJA) --quiet -C build examples src/cli/bine
	@tools/demo-inside build

test: ## build and run all tests (TESTS="io/* core/spawn": some)
	@tools/setup test
	@tools/libcurl-ares build/libcurl-ares
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build all meson-test-prereq
	@tools/run-tests -j$(JOBS) build $(call quoted,$(TESTS))

test-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup test
	@tools/libcurl-ares build/libcurl-ares
	@tools/configure build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false
	@$(NINJA) --quiet -C build-asan all meson-test-prereq
	@LD_BIND_NOW=1 ASAN_OPTIONS=detect_stack_use_after_return=0:abort_on_error=0 \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		tools/run-tests -j$(JOBS) --slower 3 build-asan $(call quoted,$(TESTS))

test-clang: ## the tests, built by clang
	@tools/setup clang
	@tools/libcurl-ares build/libcurl-ares
	@CC=clang CXX=clang++ tools/configure build-clang -Dbench=false
	@$(NINJA) --quiet -C build-clang all meson-test-prereq
	@tools/run-tests -j$(JOBS) build-clang $(call quoted,$(TESTS))

# What several threads touch. Not the pthread locks: a lock that one greenlet takes and another one
# gives back is a wrong unlock to ThreadSanitizer, which then forgets the order that the lock made.
CROSS_THREAD_TESTS = core/* sync/* choose/* net/* io/names io/offload io/pollers@*
tsan_tests = $(call quoted,$(or $(TESTS),$(CROSS_THREAD_TESTS)))
test-tsan: ## what several threads touch, under ThreadSanitizer
	@tools/setup test
	@tools/configure build-tsan -Db_sanitize=thread -Db_lundef=false -Dbench=false
	@$(NINJA) --quiet -C build-tsan build.ninja
	@$(NINJA) --quiet -C build-tsan $$(tools/run-tests --targets build-tsan $(tsan_tests))
	@TSAN_OPTIONS=halt_on_error=1:report_mutex_bugs=0:detect_deadlocks=0:die_after_fork=0 \
		tools/run-tests -j$(JOBS) --slower 5 build-tsan $(tsan_tests)

test-sim: ## what runs on the simulator, with many seeds (SEEDS=100)
	@tools/setup test
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build all meson-test-prereq
	@tools/run-tests -j$(JOBS) --seeds $(or $(SEEDS),100) build $(call quoted,$(TESTS))

# Not core/asan_program, which would have two of the kind.
VALGRIND_TESTS = [!c]* ch* cl* cx* core/[!a]*
suppressions = --suppressions=$(CURDIR)/tests/valgrind.supp
test-valgrind: ## the tests under valgrind's memcheck
	@tools/setup valgrind
	@tools/libcurl-ares build/libcurl-ares
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build all meson-test-prereq
	@tools/run-tests -j$(JOBS) --slower 20 build $(call quoted,$(or $(TESTS),$(VALGRIND_TESTS))) \
		--wrapper 'valgrind -q --error-exitcode=99 --leak-check=no $(suppressions)'

# Not the programs, examples and client libraries: these need a system of that architecture around
# them.
AARCH64_TESTS = harness/* core/* io/* sync/* choose/* net/* locks/* patch/*
aarch64_tests = $(call quoted,$(or $(TESTS),$(AARCH64_TESTS)))
test-aarch64: ## the library's tests, cross-compiled, under qemu
	@tools/setup aarch64
	@tools/configure build-aarch64 --cross-file tools/aarch64-linux-gnu.ini -Dbench=false
	@$(NINJA) --quiet -C build-aarch64 build.ninja
	@$(NINJA) --quiet -C build-aarch64 $$(tools/run-tests --targets build-aarch64 $(aarch64_tests))
	@tools/run-tests -j$(JOBS) --slower 10 --wrapper qemu-aarch64 build-aarch64 $(aarch64_tests)

bench: ## measure Bine beside the raw limits and the installed peers (QUICK=1: two minutes)
	@tools/setup bench
	@tools/configure build $(MESON_OPTIONS)
	@bench/run build $(if $(QUICK),--quick)

bench-run: ## measure programs with threads under `bine run` beside plain threads (ROUNDS=5)
	@tools/setup bench
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build bench/load bench/bine-server bench/threads-server \
		bench/threads-core src/cli/bine src/run/libbine-run.so
	@bench/threads/run build $(ROUNDS)

bench-peers: ## install the peers (State Threads, Boost, Pth, Go), then bench
	@tools/setup bench-peers
	@$(MAKE) bench

soak: ## ten minutes of random kills, timeouts, closes and forks (SECONDS=120, SEED=7)
	@tools/setup test
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build all meson-test-prereq
	@build/tests/soak $(or $(SECONDS),600) $(SEED)

fuzz: ## throw inputs at what reads strangers' bytes (SECONDS=600 each; 0: the seeds only)
	@tools/setup fuzz
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build
	@tools/fuzz build $(or $(SECONDS),600) $(TARGETS)

demo-python: ## the tutorial in Python, by Bine's names and gevent's (URLS="https://a https://b")
	@tools/setup demo-python
	@tools/demo-python $(URLS)

test-python: ## the Python tests on every CPython that is found (PYTHONS="python3": only these)
	@tools/setup python
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build src/cli/bine # which tests of the package call
	@tools/test-python $(PYTHONS)

test-interpreters: ## the Python tests on a static and a free-threaded CPython, which it builds
	@tools/setup interpreters
	@tools/configure build $(MESON_OPTIONS)
	@$(NINJA) --quiet -C build src/cli/bine
	@pythons=$$(tools/interpreters build-interpreters) && DRIVERS=1 tools/test-python $$pythons

test-frameworks: ## what stands on gevent, as its users start it: gunicorn ... (TESTS="-k celery")
	@tools/setup frameworks
	@tools/test-frameworks $(or $(PYTHONS),python3) $(TESTS)

test-cpython: ## CPython's own tests, everything patched (PYTHONS="python3.12" TESTS="test_socket")
	@tools/setup python
	@tools/test-cpython $(PYTHONS) $(TESTS)

bench-python: ## measure the Python package beside gevent and asyncio
	@tools/setup python
	@tools/bench-python

plots: ## draw the pictures of docs/performance.md, from what the last full benches measured
	@test -x build-python/plot/bin/python || python3 -m venv build-python/plot
	@build-python/plot/bin/python -m pip install -q --disable-pip-version-check matplotlib
	@build-python/plot/bin/python bench/plot.py --page docs/pictures \
		$(wildcard build/bench-results.json build-python/bench.json)

wheels: ## wheels and an sdist into dist/ (PYTHONS="3.11" MACHINES="x86_64": only these)
	@tools/setup wheels
	@tools/wheels/build $(if $(PYTHONS),--python '$(PYTHONS)') \
		$(if $(MACHINES),--machine '$(MACHINES)')

test-wheels: ## try the wheels of dist/ in roots without a compiler (PYTHONS="3.11": only these)
	@tools/setup wheels
	@tools/wheels/test $(PYTHONS)

test-debians: ## build and try Bine in bare Debians (SUITES="bullseye trixie": only these)
	@tools/setup roots
	@tools/test-debians $(SUITES)

first-minutes: ## what a newcomer does, in bare Debians, three ways (SUITES="bookworm trixie")
	@tools/setup roots
	@tools/first-minutes $(SUITES)

format: ## lay out the C sources that lint looks at
	@tools/setup format
	@git ls-files '*.[ch]' '*.[ch]pp' '*.cc' | xargs clang-format -i

lint: ## formatters, linters and the house rules find nothing (QUICK=1: no clang-tidy, cppcheck)
	@tools/setup lint
	@tools/configure build $(MESON_OPTIONS)
	@QUICK=$(QUICK) tools/lint build

abi: all ## say that a change of the public interface is meant: renew the dumps in packaging/abi
	@tests/install/abi.py --renew $(CURDIR) $(wildcard build/libbine.so \
		build/src/tls/libbine-tls.so build/src/http/libbine-http.so)

# What is installed is built, and nothing else.
installed = meson introspect build --targets | python3 -c 'import json, sys; \
	print(*(file for target in json.load(sys.stdin) if target["installed"] \
	for file in target["filename"]))'

install: build-dir ## headers, libraries, files for builds (DESTDIR=, MESON_OPTIONS=--prefix=/usr)
	@$(NINJA) --quiet -C build $$($(installed) | xargs realpath --relative-to=build)
	@env meson install -C build --no-rebuild --quiet

docs: ## the documentation site, into build-docs/html; every link within it is checked
	@tools/setup docs
	@tools/docs build-docs

deb: ## packages for this Debian, into build-deb/; lintian looks at them
	@tools/setup deb
	@JOBS=$(JOBS) tools/deb build-deb

clean: ## remove all build directories
	@rm -rf build build-asan build-tsan build-aarch64 build-wheels build-deb build-docs build-roots \
		build-tools
