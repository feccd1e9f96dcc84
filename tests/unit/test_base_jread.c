// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static json_t *parsed(const char *text)
{
	json_t *j = NULL;
	struct err err;

	assert_ok(jread_parse(text, strlen(text), "request 'x'", &j, &err), &err);
	return j;
}

static void takes_an_object(void **)
{
	_cleanup_json_ json_t *j = parsed(" { \"a\" : 1 } \n");

	assert_int_equal(json_object_size(j), 1);
}

static void refuses_what_is_no_strict_json(void **)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[]",
		"1",
		"null",
		"\"x\"",
		"{} {}",
		"{} x",
		"{\"a\":1,}",
		"{'a':1}",
		"{a:1}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":{\"b\":1,\"b\":1}}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"\\u0000\":1}",
		"{\"a\":NaN}",
		"{\"a\":1e999}",
		"{\"a\":99999999999999999999}",
		"// c\n{}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *j = NULL;
		struct err err;

		assert_fails(
			jread_parse(bad[i], strlen(bad[i]), "request 'x'", &j, &err),
			&err,
			"read request 'x': "
		);
		assert_null(j);
	}
}

static void names_the_line_and_the_duplicate(void **)
{
	static const char text[] = "{\n\"cpus\": \"0\",\n\"cpus\": \"1\"}";
	json_t *j = NULL;
	struct err err;

	assert_fails(jread_parse(text, strlen(text), "r", &j, &err), &err, "line 3");
	assert_contains(err.msg, "cpus");
}

static void a_nul_inside_is_refused(void **)
{
	json_t *j = NULL;
	struct err err;

	assert_fails(jread_parse("{}\0{}", 5, "r", &j, &err), &err, "read r");
}

static void has_limits(void **)
{
	size_t len = (1u << 20) + 1;
	_cleanup_free_ char *text = malloc(len);
	json_t *j = NULL;
	struct err err;

	assert_non_null(text);
	memset(text, ' ', len);
	memcpy(text, "{}", 2);
	assert_fails(jread_parse(text, len, "r", &j, &err), &err, "longer than 1 MiB");
	assert_int_equal(err.code, EFBIG);
	assert_ok(jread_parse(text, len - 1, "r", &j, &err), &err);
	json_decref(j);
	j = NULL;

	memset(text, '[', len);
	memcpy(text, "{\"a\":", 5);
	assert_fails(jread_parse(text, len - 1, "r", &j, &err), &err, "depth");
}

static void names_the_nearest_key(void **)
{
	static const char *const known[] = {"cpus", "mems", "hugepages", NULL};
	_cleanup_json_ json_t *good = parsed("{\"cpus\":\"0\",\"mems\":\"0\"}");
	_cleanup_json_ json_t *near = parsed("{\"cpu\":\"0\"}");
	_cleanup_json_ json_t *far = parsed("{\"zzzzzz\":\"0\"}");
	_cleanup_json_ json_t *odd = parsed("{\"a\\nb\\u001b[0m\":1}");
	_cleanup_json_ json_t *empty = parsed("{\"\":1}");
	struct err err;

	assert_ok(jread_keys(good, "r", known, &err), &err);
	assert_fails(jread_keys(near, "r", known, &err), &err, "'cpu'; did you mean 'cpus'?");
	assert_fails(jread_keys(far, "r", known, &err), &err, "unknown key 'zzzzzz'");
	assert_null(strstr(err.msg, "did you mean"));
	assert_fails(jread_keys(odd, "r", known, &err), &err, "unknown key 'a b [0m'");
	assert_fails(jread_keys(empty, "r", known, &err), &err, "unknown key ''");
}

static void reads_values(void **)
{
	_cleanup_json_ json_t *j =
		parsed("{\"s\":\"x\",\"n\":7,\"t\":true,\"c\":\"0-3\",\"z\":\"2M\",\"a\":[1]}");
	const char *s = NULL;
	uint64_t n = 0, z = 0;
	bool t = false;
	struct idset c = {0};
	json_t *a = NULL;
	struct err err;

	assert_ok(jread_str(j, "r", "s", true, &s, &err), &err);
	assert_string_equal(s, "x");
	assert_ok(jread_u64(j, "r", "n", true, 7, &n, &err), &err);
	assert_int_equal(n, 7);
	assert_ok(jread_bool(j, "r", "t", &t, &err), &err);
	assert_true(t);
	assert_ok(jread_idset(j, "r", "c", true, &c, &err), &err);
	assert_int_equal(idset_count(&c), 4);
	assert_ok(jread_size(j, "r", "z", true, &z, &err), &err);
	assert_int_equal(z, 2 << 20);
	assert_ok(jread_array(j, "r", "a", &a, &err), &err);
	assert_int_equal(json_array_size(a), 1);
}

static void absent_keys(void **)
{
	_cleanup_json_ json_t *j = parsed("{}");
	const char *s = "as it was";
	uint64_t n = 3;
	bool t = true;
	struct idset c = {{5}};
	json_t *a = j;
	struct err err;

	assert_ok(jread_str(j, "r", "s", false, &s, &err), &err);
	assert_string_equal(s, "as it was");
	assert_ok(jread_u64(j, "r", "s", false, 1, &n, &err), &err);
	assert_ok(jread_size(j, "r", "s", false, &n, &err), &err);
	assert_int_equal(n, 3);
	assert_ok(jread_bool(j, "r", "s", &t, &err), &err);
	assert_true(t);
	assert_ok(jread_idset(j, "r", "s", false, &c, &err), &err);
	assert_int_equal(c.word[0], 5);
	assert_ok(jread_array(j, "r", "s", &a, &err), &err);
	assert_null(a);
	assert_fails(jread_str(j, "r", "s", true, &s, &err), &err, "read r: key 's' is missing");
	assert_fails(jread_u64(j, "r", "s", true, 1, &n, &err), &err, "'s' is missing");
	assert_fails(jread_size(j, "r", "s", true, &n, &err), &err, "'s' is missing");
	assert_fails(jread_idset(j, "r", "s", true, &c, &err), &err, "'s' is missing");
}

static void copies_what_has_room(void **)
{
	_cleanup_json_ json_t *j = parsed("{\"s\": \"four\"}");
	char is[8] = "before";
	struct err err;

	assert_ok(jread_text(j, "r", "s", true, is, 5, &err), &err);
	assert_string_equal(is, "four");
	assert_ok(jread_text(j, "r", "t", false, is, 5, &err), &err);
	assert_fails(jread_text(j, "r", "s", true, is, 4, &err), &err, "read r: 's' is too long");
	assert_string_equal(is, "four");
}

static void wrong_types(void **)
{
	static const char *const values[] = {
		"null",
		"true",
		"1",
		"-1",
		"1.0",
		"\"x\"",
		"[]",
		"{}",
		"9223372036854775807",
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const char *v = values[i];
		bool string = v[0] == '"', array = v[0] == '[', boolean = v[0] == 't';
		bool small = strcmp(v, "1") == 0;
		_cleanup_json_ json_t *j = NULL;
		char text[64];
		const char *s = NULL;
		uint64_t n = 3;
		bool t = false;
		struct idset c = {{5}};
		json_t *untouched = json_null(), *a = untouched;
		struct err err;

		snprintf(text, sizeof(text), "{\"k\":%s}", v);
		j = parsed(text);
		if (!string)
			assert_fails(
				jread_str(j, "r", "k", false, &s, &err), &err, "'k' is not a string"
			);
		if (!small)
			assert_fails(
				jread_u64(j, "r", "k", false, 9, &n, &err),
				&err,
				"'k' is not a whole number from 0 to 9"
			);
		if (!boolean)
			assert_fails(jread_bool(j, "r", "k", &t, &err), &err, "not true or false");
		if (!array)
			assert_fails(jread_array(j, "r", "k", &a, &err), &err, "not an array");
		// no value above is a list or a size
		assert_fails(jread_idset(j, "r", "k", false, &c, &err), &err, "'k'");
		assert_fails(jread_size(j, "r", "k", false, &n, &err), &err, "'k'");
		assert_true(array || a == untouched);
		assert_int_equal(n, 3);
		assert_int_equal(c.word[0], 5);
	}
}

static void reads_files(void **)
{
	char dir[] = "/tmp/pinfold-unit-XXXXXX";
	_cleanup_close_ int fd = -1;
	json_t *j = NULL;
	struct err err;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_ok(fs_write_atomic(fd, "a.json", "{\"x\":1}", 7, 0600, &err), &err);
	assert_ok(jread_file(fd, "a.json", "grant 'a'", &j, &err), &err);
	json_decref(j);
	assert_fails(
		jread_file(fd, "b.json", "grant 'b'", &j, &err), &err, "read grant 'b': No such"
	);
	assert_int_equal(err.code, ENOENT);
	assert_ok(fs_write_atomic(fd, "a.json", "{", 1, 0600, &err), &err);
	assert_fails(
		jread_file(fd, "a.json", "grant 'a'", &j, &err), &err, "read grant 'a': line 1"
	);
	unlinkat(fd, "a.json", 0);
	rmdir(dir);
}

static void writes_what_it_reads(void **)
{
	struct idset set;
	struct err err;
	_cleanup_json_ json_t *c = NULL;
	_cleanup_json_ json_t *z = json_size(2 << 20);
	_cleanup_json_ json_t *none = json_int_or_null(-1), *no = json_real_or_null(-1);
	_cleanup_json_ json_t *some = json_int_or_null(0), *half = json_real_or_null(0.5);

	assert_ok(idset_parse("0-3,9", &set, &err), &err);
	c = json_idset(&set);
	assert_string_equal(json_string_value(c), "0-3,9");
	assert_string_equal(json_string_value(z), "2M");
	assert_true(json_is_null(none) && json_is_null(no));
	assert_true(json_is_integer(some) && json_real_value(half) == 0.5);
}

static void makes_plain(void **)
{
	_cleanup_json_ json_t *v = json_pack(
		"{s:s, s:[s, {s:s}], s:i}",
		"a",
		"x\x1b[2J",
		"b",
		"\xc2\x9b",
		"c",
		"\xe2\x80\xae",
		"n",
		1
	);
	_cleanup_free_ char *text = NULL;

	json_plain(v);
	text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"a\":\"x [2J\",\"b\":[\"  \",{\"c\":\"   \"}],\"n\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_an_object),
		cmocka_unit_test(refuses_what_is_no_strict_json),
		cmocka_unit_test(names_the_line_and_the_duplicate),
		cmocka_unit_test(a_nul_inside_is_refused),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(names_the_nearest_key),
		cmocka_unit_test(reads_values),
		cmocka_unit_test(absent_keys),
		cmocka_unit_test(copies_what_has_room),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(makes_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
