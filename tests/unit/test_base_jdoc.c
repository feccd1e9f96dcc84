// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/jdoc.h"
#include "base/jread.h"

static void same(const char *text)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *printed = NULL;
	struct err err;

	assert_ok(jdoc_parse(text, strlen(text), "it", &doc, &err), &err);
	printed = jdoc_print(doc);
	assert_string_equal(printed, text);
}

// Numbers as they were written, whatever they are; members in their order.
static void kept(void **)
{
	same("{}");
	same("{\"b\":18446744073709551615,\"a\":-9223372036854775809}");
	same("{\"a\":[0.1,1e3,-2.50E-7,0,-1,123456789012345678901234567890]}");
	same("{\"18446744073709551615\":\"0.1\",\"s\":\"12345678901234567890123 \\\"0.1\\\" \\\\\"}"
	);
	same("{\"nul\":\"a\\u0000b\"}");
}

static void refused(const char *text, const char *like)
{
	_cleanup_json_ json_t *doc = NULL;
	struct err err;

	assert_fails(jdoc_parse(text, strlen(text), "it", &doc, &err), &err, like);
}

static void refuses(void **)
{
	refused("", "read it");
	refused("[]", "no JSON object");
	refused("{\"a\":01}", "read it");
	refused("{\"a\":1.}", "read it");
	refused("{\"a\":--1}", "read it");
	refused("{\"a\":00000000000000000000001}", "read it");
	refused("{\"a\":1,\"a\":2}", "duplicate");
	refused("{\"a\":\"\\uDBFF\\udfff1\"}", "U+10FFFF");
	refused("{\"a\":\"\xf4\x8f\xbf\xbf\"}", "U+10FFFF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
