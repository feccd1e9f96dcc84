// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What host prepare keeps for later boots, in a root of its own.

#include "scratch.h"

#include "base/jread.h"
#include "base/str.h"
#include "grant/grant.h"
#include "prepare/prepare.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define WANTS PREPARE_UNITS "/multi-user.target.wants/pinfold-prepare.service"

static char update[96]; // the program that makes GRUB's configuration of this root

static char *at(const char *path)
{
	static char ret[PATH_MAX];

	snprintf(ret, sizeof(ret), "%s%s", top, path);
	return ret;
}

static void put(const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *dir = strdup(at(path));
	struct err err;
	FILE *f;
	int fd;

	*strrchr(dir, '/') = '\0';
	fd = fs_mkdirs(dir, 0755, &err);
	assert_ok(fd, &err);
	close(fd);
	f = fopen(at(path), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(at(path), mode), 0);
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(at(path), &st) == 0;
}

static char *text_of(const char *path)
{
	static char *ret;

	free(ret);
	ret = NULL;
	assert_int_equal(fs_read_file(at(path), 1 << 20, &ret, NULL), 0);
	return ret;
}

// With systemd, and a GRUB whose configuration is the words that it finds.
static int machine(void **state)
{
	_cleanup_free_ char *script = NULL;

	if (setup(state) < 0)
		return -1;
	put(PREPARE_UNITS "/other.service", "", 0644);
	put("/etc/default/grub", "", 0644);
	script = str_printf(
		"#!/bin/sh\ncat %s%s/*.cfg >%s/made; test ! -e %s/broken\n",
		top,
		PREPARE_GRUB_DIR,
		top,
		top
	);
	put(PREPARE_UPDATE_GRUB, script, 0755);
	strcpy(update, at(PREPARE_UPDATE_GRUB));
	return 0;
}

static int keep_with(const char *what, const char *words, json_t *files, struct err *err)
{
	_cleanup_json_ json_t *unused = json_array();
	_cleanup_free_ char *unit = str_printf(
		"# Made by pinfold host prepare --persist; pinfold host undo removes it.\n"
		"[Unit]\nDescription=%s\n",
		what
	);

	return prepare_keep(topfd, update, unit, words, files != NULL ? files : unused, err);
}

static int keep(const char *words, json_t *files, struct err *err)
{
	return keep_with("one", words, files, err);
}

static int forget(json_t *files, struct err *err)
{
	_cleanup_json_ json_t *unused = json_array();

	return prepare_forget(topfd, update, files != NULL ? files : unused, err);
}

static void kept_and_forgotten(void **)
{
	_cleanup_json_ json_t *made = json_array(), *gone = json_array();
	char target[PATH_MAX] = "";
	struct err err;

	assert_int_equal(keep("isolcpus=1 nohz_full=1", made, &err), 0);
	assert_string_equal(json_string_value(json_array_get(made, 0)), PREPARE_UNIT);
	assert_string_equal(json_string_value(json_array_get(made, 1)), PREPARE_GRUB);
	assert_true(readlink(at(WANTS), target, sizeof(target) - 1) > 0);
	assert_string_equal(target, PREPARE_UNIT);
	assert_contains(
		text_of("/made"),
		"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX pinfold.words=begin isolcpus=1 "
		"nohz_full=1 pinfold.words=end\"\n"
	);
	assert_int_equal(forget(gone, &err), 0);
	assert_true(json_equal(made, gone));
	assert_null(strstr(text_of("/made"), "isolcpus"));
	assert_false(there(PREPARE_UNIT) || there(WANTS) || there(PREPARE_GRUB));
	assert_true(there(PREPARE_UNITS "/other.service"));
	assert_int_equal(forget(NULL, &err), 0); // nothing is there
}

// The last one counts; without words GRUB's file goes.
static void kept_anew(void **)
{
	struct err err;

	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_int_equal(keep("isolcpus=2", NULL, &err), 0);
	assert_contains(text_of("/made"), " isolcpus=2 ");
	assert_null(strstr(text_of("/made"), "isolcpus=1"));
	assert_int_equal(keep("", NULL, &err), 0);
	assert_false(there(PREPARE_GRUB));
	assert_true(there(PREPARE_UNIT));
	assert_null(strstr(text_of("/made"), "isolcpus"));
}

// Killed before the link was made, before GRUB's configuration was, and between the steps of an undo.
static void half_of_it(void **)
{
	struct err err;

	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_int_equal(unlink(at(WANTS)), 0);
	assert_int_equal(unlink(at("/made")), 0);
	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_true(there(WANTS));
	assert_contains(text_of("/made"), "isolcpus=1");
	assert_int_equal(unlink(at(WANTS)), 0);
	put(PREPARE_UNITS "/.pinfold-prepare.service.77.tmp", "", 0644);
	put(PREPARE_GRUB_DIR "/.90-pinfold.cfg.77.tmp", "", 0644);
	assert_int_equal(forget(NULL, &err), 0);
	assert_false(there(PREPARE_UNIT) || there(PREPARE_GRUB));
	assert_false(there(PREPARE_UNITS "/.pinfold-prepare.service.77.tmp"));
	assert_false(there(PREPARE_GRUB_DIR "/.90-pinfold.cfg.77.tmp"));
}

// What was kept is kept, and what is removed is not kept anew by somebody else's update. As long as the configuration may have
// the words the next undo finds them.
static void update_that_fails(void **)
{
	struct err err;

	put("/broken", "", 0644);
	assert_fails(keep("isolcpus=1", NULL, &err), &err, "call it by hand");
	assert_false(there(PREPARE_UNIT) || there(WANTS) || there(PREPARE_GRUB));
	assert_int_equal(unlink(at("/broken")), 0);
	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	put("/broken", "", 0644);
	assert_fails(keep_with("two", "isolcpus=2", NULL, &err), &err, "call it by hand");
	assert_contains(text_of(PREPARE_UNIT), "=one\n");
	assert_contains(text_of(PREPARE_GRUB), "isolcpus=1");
	assert_fails(keep_with("two", "", NULL, &err), &err, "call it by hand");
	assert_contains(text_of(PREPARE_UNIT), "=one\n");
	assert_contains(text_of(PREPARE_GRUB), "isolcpus=1");
	assert_fails(forget(NULL, &err), &err, "call it by hand");
	assert_true(there(PREPARE_GRUB));
	assert_null(strstr(text_of(PREPARE_GRUB), "isolcpus"));
	assert_int_equal(unlink(at("/broken")), 0);
	assert_int_equal(forget(NULL, &err), 0);
	assert_false(there(PREPARE_GRUB));
}

// GRUB's configuration is as before, too.
static void unit_that_cannot_be_wanted(void **)
{
	struct err err;

	put(PREPARE_UNITS "/multi-user.target.wants", "", 0644);
	assert_fails(keep("isolcpus=1", NULL, &err), &err, "multi-user.target.wants");
	assert_false(there(PREPARE_UNIT) || there(PREPARE_GRUB));
	assert_int_equal(unlink(at(PREPARE_UNITS "/multi-user.target.wants")), 0);
	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_int_equal(unlink(at(WANTS)), 0);
	assert_int_equal(rmdir(at(PREPARE_UNITS "/multi-user.target.wants")), 0);
	put(PREPARE_UNITS "/multi-user.target.wants", "", 0644);
	assert_fails(keep_with("two", "isolcpus=2", NULL, &err), &err, "multi-user.target.wants");
	assert_contains(text_of(PREPARE_UNIT), "=one\n");
	assert_contains(text_of(PREPARE_GRUB), "isolcpus=1");
	assert_contains(text_of("/made"), "isolcpus=1");
}

static void other_machines(void **)
{
	_cleanup_json_ json_t *files = json_array();
	struct err err;

	assert_true(prepare_has_grub(topfd));
	assert_int_equal(unlink(update), 0);
	assert_false(prepare_has_grub(topfd)); // and its words go nowhere
	assert_int_equal(keep("isolcpus=1", files, &err), 0);
	assert_int_equal(json_array_size(files), 1);
	assert_int_equal(mkdir(at(PREPARE_GRUB_DIR), 0755), 0);
	assert_int_equal(keep("isolcpus=1", NULL, &err), 1); // by hand
	assert_true(there(PREPARE_GRUB));
	assert_int_equal(forget(NULL, &err), 1);
	assert_int_equal(unlink(at(PREPARE_UNITS "/other.service")), 0);
	assert_int_equal(rmdir(at(PREPARE_UNITS)), 0);
	assert_fails(keep("isolcpus=1", NULL, &err), &err, "there is no systemd here");
	assert_fails(prepare_can_keep(topfd, &err), &err, "there is no systemd here");
	assert_int_equal(forget(NULL, &err), 0);
}

static void files_of_others(void **)
{
	struct err err;

	assert_ok(prepare_can_keep(topfd, &err), &err);
	put(PREPARE_UNIT, "[Unit]\n", 0644);
	assert_fails(keep("", NULL, &err), &err, "is not of pinfold host prepare");
	assert_fails(prepare_can_keep(topfd, &err), &err, PREPARE_UNIT);
	assert_int_equal(forget(NULL, &err), 0);
	assert_string_equal(text_of(PREPARE_UNIT), "[Unit]\n");
	assert_int_equal(unlink(at(PREPARE_UNIT)), 0);
	put(PREPARE_GRUB, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX quiet\"\n", 0644);
	assert_fails(prepare_can_keep(topfd, &err), &err, PREPARE_GRUB);
	assert_fails(keep("isolcpus=1", NULL, &err), &err, "is not of pinfold host prepare");
	assert_int_equal(forget(NULL, &err), 0);
	assert_contains(text_of(PREPARE_GRUB), "quiet");
}

static bool leads(const char *path, const char *to)
{
	char is[64] = "";

	return readlink(at(path), is, sizeof(is) - 1) > 0 && str_eq(is, to);
}

// Also where they lead nowhere: systemctl mask says never so.
static void links_of_others(void **)
{
	static const char *const paths[] = {PREPARE_UNIT, PREPARE_GRUB, WANTS};
	struct err err;

	put(PREPARE_UNITS "/multi-user.target.wants/other.service", "", 0644);
	put(PREPARE_GRUB_DIR "/other.cfg", "", 0644);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_int_equal(symlink("/dev/null", at(paths[i])), 0);
		assert_fails(prepare_can_keep(topfd, &err), &err, paths[i]);
		assert_fails(keep("isolcpus=1", NULL, &err), &err, "is not of pinfold host");
		assert_int_equal(forget(NULL, &err), 0);
		assert_true(leads(paths[i], "/dev/null"));
		assert_int_equal(unlink(at(paths[i])), 0);
	}
	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_true(leads(WANTS, PREPARE_UNIT));
	assert_int_equal(unlink(at(WANTS)), 0);
	assert_int_equal(symlink("/elsewhere", at(WANTS)), 0);
	assert_int_equal(forget(NULL, &err), 0);
	assert_true(leads(WANTS, "/elsewhere") && !there(PREPARE_UNIT));
	assert_int_equal(unlink(at(WANTS)), 0);
	// as systemctl enable makes it
	assert_int_equal(symlink("../pinfold-prepare.service", at(WANTS)), 0);
	assert_int_equal(keep("isolcpus=1", NULL, &err), 0);
	assert_int_equal(forget(NULL, &err), 0);
	assert_false(there(WANTS));
}

static void what_the_unit_calls(void **)
{
	struct prepare_want want = {.nmodules = 1, .modules = {"vfio-pci"}};
	_cleanup_free_ char *text = NULL;
	struct err err;

	assert_ok(request_set_flag(&want.request, "hugepages", "2M=64", &err), &err);
	assert_ok(request_set_flag(&want.request, "hugepages", "1G=2@1", &err), &err);
	assert_ok(request_set_flag(&want.request, "cpus", "1,4-6", &err), &err);
	text = prepare_unit(&want, "/usr/bin/pinfold", &err);
	assert_non_null(text);
	assert_contains(
		text,
		"\nExecStart=/usr/bin/pinfold host prepare --hugepages 2M=64 --hugepages 1G=2@1 "
		"--cpus 1,4-6 --module vfio-pci\n"
	);
	assert_null(prepare_unit(&want, "/a b/pinfold", &err));
	assert_contains(err.msg, "install pinfold");
	assert_null(prepare_unit(&want, "/%n/pinfold", &err));
}

// What root runs at each boot, root alone may change.
static void whose_program_it_is(void **)
{
	char shell[PATH_MAX];
	struct err err;

	assert_non_null(realpath("/bin/sh", shell));
	assert_ok(prepare_check_program(shell, &err), &err);
	put("/pinfold", "", 0755);
	assert_fails(prepare_check_program(at("/pinfold"), &err), &err, "install pinfold");
	if (geteuid() != 0)
		return;
	assert_contains(err.msg, "may change '/tmp'"); // where the directories above it are root's
	assert_int_equal(chmod(top, 0777), 0);
	assert_fails(prepare_check_program(at("/pinfold"), &err), &err, top);
	assert_int_equal(chmod(at("/pinfold"), 0757), 0);
	assert_fails(prepare_check_program(at("/pinfold"), &err), &err, "/pinfold'; install");
	assert_int_equal(chmod(at("/pinfold"), 0755), 0);
	assert_int_equal(chown(at("/pinfold"), 1, 0), 0);
	assert_fails(prepare_check_program(at("/pinfold"), &err), &err, "/pinfold'; install");
	assert_int_equal(chown(at("/pinfold"), 0, 1), 0);
	assert_int_equal(chmod(at("/pinfold"), 0775), 0);
	assert_fails(prepare_check_program(at("/pinfold"), &err), &err, "/pinfold'; install");
	assert_fails(prepare_check_program(at("/none"), &err), &err, "look at");
}

#define test(name) cmocka_unit_test_setup_teardown(name, machine, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(kept_and_forgotten),
		test(kept_anew),
		test(half_of_it),
		test(update_that_fails),
		test(unit_that_cannot_be_wanted),
		test(other_machines),
		test(files_of_others),
		test(links_of_others),
		cmocka_unit_test(what_the_unit_calls),
		test(whose_program_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
