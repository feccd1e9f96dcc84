# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# A thin front to meson, ninja and the scripts. See CONTRIBUTING.md.

BUILD ?= build
DESTDIR ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 10
# the name of one fuzz target, or nothing for all
FUZZ ?=

.PHONY: all check lint tidy unit asan fuzz e2e guest bench install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

check:
	./check

lint: $(BUILD)/build.ninja
	scripts/lint

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

bench: all
	/usr/bin/python3 -B tests/bench/run.py

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-asan build-fuzz
