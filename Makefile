# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# A thin front to meson, ninja and the scripts. See CONTRIBUTING.md.

BUILD ?= build
DESTDIR ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 10
# the name of one fuzz target, or nothing for all
FUZZ ?=

.PHONY: all check lint format golden tidy unit asan fuzz e2e guest bench bench-drover bench-bounds install uninstall clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

check:
	./check

lint: $(BUILD)/build.ninja
	scripts/lint

format:
	scripts/lint --fix

# what tests compare with; read the difference before you commit it
golden: all
	UPDATE_GOLDEN=1 tests/run e2e tests/e2e/pinfold/test_plan.py tests/e2e/pinfold/test_doctor.py -k test_golden
	/usr/bin/python3 -B tests/e2e/lib/golden_packets.py >tests/golden/drover-packets.txt

tidy: $(BUILD)/build.ninja
	scripts/lint tidy

unit: $(BUILD)/build.ninja
	ninja -C $(BUILD) unit
	tests/run unit $(BUILD)

build-asan/build.ninja:
	meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false

asan: build-asan/build.ninja
	ninja -C build-asan unit
	tests/run unit build-asan

build-fuzz/build.ninja:
	CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=false \
		-Db_sanitize=address,undefined -Db_lundef=false

fuzz: build-fuzz/build.ninja
	ninja -C build-fuzz fuzz
	tests/fuzz/run $(FUZZ) $(FUZZ_SECONDS)

e2e: all
	tests/run e2e

guest: all
	tests/run guest

# the figures and tables of the paper, 20 minutes: BENCH='--full throughput', or other words of pinfold bench run
BENCH ?= --quick all
bench: all
	$(BUILD)/src/cli/pinfold bench run $(BENCH)

# drover beside bare loops and others' programs
bench-drover: all
	tests/bench/run.py

# what a start and a virtual machine are to reach, five minutes
bench-bounds: all
	tests/bench/bounds.py

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

# what the last install from this build directory put somewhere, DESTDIR and all
uninstall:
	ninja -C $(BUILD) uninstall

clean:
	rm -rf $(BUILD) build-asan build-fuzz
