# The front door. Every target installs nothing by itself except `deps`, on which demo, test and package depend.
SHELL := /bin/bash
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
JOBS ?= $(shell nproc)
PRESET ?= release

.PHONY: help deps build dev demo demo-week test test-online asan tsan memcheck faults fuzz fuzz-campaign bench bench-peers kinds format lint tidy analyze install package clean
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## deps         install what building and testing needs (Debian 12, root or sudo)
deps:
	@tools/install-deps.sh

build/%/build.ninja:
	cmake --preset $* -DCMAKE_INSTALL_PREFIX=/usr

## build        the release build: liftlock-low and liftlock-high in build/release/src/cli
build: deps build/release/build.ninja
	cmake --build build/release -j $(JOBS)

## dev          incremental debug build with warnings as errors, and its unit tests
dev: build/dev/build.ninja
	cmake --build build/dev -j $(JOBS)
	cd build/dev && ctest -L unit -j $(JOBS) --output-on-failure

## demo         the whole crossing, in view
demo: build
	tests/demo/demo.sh

## demo-week    an operator's week, in view: overtaking, withholding, approvals, a full disk, a witness
demo-week: build
	tests/demo/week.sh

## test         all tests that need no upstream
test: build
	cd build/release && ctest -LE 'online|bench' -j $(JOBS) --output-on-failure

## test-online  the tests that talk to the package registries of this machine's own clients
test-online: build
	cd build/release && ctest -L online -j $(JOBS) --output-on-failure

## asan, tsan   the tests under sanitizers
asan tsan: deps
	$(MAKE) build/$@/build.ninja
	cmake --build build/$@ -j $(JOBS)
	cd build/$@ && ctest -L unit -j $(JOBS) --output-on-failure

## memcheck     the unit tests under valgrind, but those of tools/memcheck-left-out.txt
memcheck: build
	tools/memcheck.py build/release

## faults       each step of a crossing killed, starved, refused and cut short at every system call, a sync cut at every byte, the power cut at every flush, the medium pulled out; every bit flipped
faults: build
	tests/faults/faults_test.py build/release/src/cli/liftlock-low build/release/src/cli/liftlock-high --short-write build/release/tests/short_write.so
	LIFTLOCK_EVERY_BYTE=1 tests/faults/cut_test.py build/release/src/cli/liftlock-low build/release/src/cli/liftlock-high
	tests/faults/power_test.py build/release/src/cli/liftlock-low build/release/src/cli/liftlock-high
	tests/faults/medium_test.py build/release/src/cli/liftlock-low build/release/src/cli/liftlock-high
	LIFTLOCK_EVERY_BIT=1 build/release/src/bundle/pack_test --gtest_filter='BitsTest.*'
	LIFTLOCK_EVERY_BIT=1 build/release/src/audit/audit_test --gtest_filter='*NoSingleBit*'

FUZZ_SECONDS ?= 60
## fuzz         every fuzz target for FUZZ_SECONDS (default 60)
fuzz: deps build/fuzz/build.ninja
	xargs cmake --build build/fuzz -j $(JOBS) --target < build/fuzz/fuzzers.txt
	tools/fuzz.py build/fuzz $(FUZZ_SECONDS)

## fuzz-campaign each of FUZZ_TARGETS (default all) is brought to FUZZ_SECONDS in fuzz/ledger.tsv; may be stopped and continued
fuzz-campaign: deps build/fuzz/build.ninja
	echo $(or $(FUZZ_TARGETS),$$(cat build/fuzz/fuzzers.txt)) | xargs cmake --build build/fuzz -j $(JOBS) --target
	tools/fuzz.py build/fuzz $(FUZZ_SECONDS) --ledger fuzz/ledger.tsv $(FUZZ_TARGETS)

## bench        the table of bench/README.md, measured here
bench: build
	bench/run.sh

## bench-peers  the race: the same content through Liftlock and what people use today, which bench/peers-deps.sh installs (PEERS: options)
bench-peers: build
	PATH="$(CURDIR)/build/peers:$$PATH" bench/peers.py build/release build/bench-work $(PEERS)

## kinds        the README's table of kinds, with the clients that the tests really used (talks to registries)
kinds: build
	rm -f build/clients.tsv
	cd build/release && LIFTLOCK_CLIENTS=$(CURDIR)/build/clients.tsv ctest -R '^(interop|online)' --output-on-failure
	tools/kinds_table.py build/clients.tsv README.md

## format       clang-format over all sources
format:
	git ls-files '*.cpp' '*.hpp' | xargs clang-format-16 -i

## lint         formatting, room boundaries, words that must not stand in the repository
lint: build
	tools/lint.sh build/release

## tidy         clang-tidy over all sources, or over what changed against TIDY_BASE
tidy: build
	tools/tidy.sh build/release

## analyze      cppcheck over all sources; gcc's own analyzer does not do C++ in Debian 12's version
analyze: deps
	tools/analyze.sh

DESTDIR ?=
## install      binary, man pages, completion, systemd unit (SIDE=low or high, default high)
install: build
	DESTDIR=$(DESTDIR) cmake --install build/release --component $(or $(SIDE),high)

## package      build/liftlock-low_*.deb and build/liftlock-high_*.deb
package: build
	tools/package.sh build/release

clean:
	rm -rf build
