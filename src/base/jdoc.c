// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jdoc.h"

#include "base/scope.h"

#include <stdbool.h>
#include <string.h>

// Before the digits of a number that is kept as a string: U+10FFFF, which is no character and stands for nothing
// anywhere. A document that has it is refused.
#define MARK "\xf4\x8f\xbf\xbf"
#define DIGITS "+-.0123456789Ee"

// A string of the text, with its quotes; the rest of the text when it does not end.
static size_t string_length(const char *s, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (s[i] == '\\')
			i++;
		else if (s[i] == '"')
			return i + 1;
	}
	return len;
}

// 18 digits always fit.
static bool is_plain(const char *s, size_t len)
{
	size_t digits = len - (s[0] == '-');

	return digits <= 18 && strspn(s + len - digits, "0123456789") >= digits;
}

// What the reader would say of it, it says of the digits too: they go in as they are.
static bool is_number(const char *s, size_t len)
{
	size_t i = s[0] == '-', whole;

	whole = strspn(s + i, "0123456789");
	if (whole == 0 || i + whole > len || (whole > 1 && s[i] == '0'))
		return false;
	i += whole;
	if (i < len && s[i] == '.') {
		whole = strspn(s + i + 1, "0123456789");
		if (whole == 0)
			return false;
		i += 1 + whole;
	}
	if (i < len && (s[i] == 'e' || s[i] == 'E')) {
		i += s[i + 1] == '+' || s[i + 1] == '-' ? 2 : 1;
		whole = strspn(s + i, "0123456789");
		if (whole == 0)
			return false;
		i += whole;
	}
	return i == len;
}

// text ends with a NUL. A new string, NULL when memory is out.
static char *mark_numbers(const char *text, size_t len, size_t *ret_len)
{
	char *to = NULL;
	FILE *f = open_memstream(&to, ret_len);
	bool failed;

	if (f == NULL)
		return NULL;
	for (size_t i = 0, n; i < len; i += n) {
		bool number = false;

		n = 1;
		if (text[i] == '"') {
			n = string_length(text + i, len - i);
		} else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			n = strspn(text + i, DIGITS);
			number = !is_plain(text + i, n) && is_number(text + i, n);
		}
		if (number)
			fputs("\"" MARK, f);
		fwrite(text + i, 1, n, f);
		if (number)
			fputs("\"", f);
	}
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(to);
		return NULL;
	}
	return to;
}

int jdoc_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err)
{
	_cleanup_free_ char *marked = NULL;
	json_error_t e;
	json_t *doc;
	size_t n;

	if (len > JDOC_MAX)
		return err_set(err, EFBIG, "read %s: it is larger than %u bytes", what, JDOC_MAX);
	if (memmem(text, len, MARK, strlen(MARK)) != NULL
	    || strcasestr(text, "\\udbff\\udfff") != NULL)
		return err_set(err, EINVAL, "read %s: it has the character U+10FFFF", what);
	marked = mark_numbers(text, len, &n);
	if (marked == NULL)
		return err_oom(err);
	doc = json_loadb(marked, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (doc != NULL && json_is_object(doc)) {
		*ret = doc;
		return 0;
	}
	json_decref(doc);
	if (doc != NULL)
		return err_set(err, EINVAL, "read %s: it is no JSON object", what);
	return err_set(err, EINVAL, "read %s: line %d: %s", what, e.line, e.text);
}

static char *print(const json_t *doc, size_t flags)
{
	char *text = json_dumps(doc, flags), *to, *from, *mark;
	const size_t n = strlen("\"" MARK);

	if (text == NULL)
		return NULL;
	// shorter each time: in place
	for (to = from = text; (mark = strstr(from, "\"" MARK)) != NULL;) {
		size_t before = (size_t)(mark - from), digits = strspn(mark + n, DIGITS);

		memmove(to, from, before);
		memmove(to + before, mark + n, digits);
		to += before + digits;
		from = mark + n + digits + 1; // the other quote
	}
	memmove(to, from, strlen(from) + 1);
	return text;
}

char *jdoc_print(const json_t *doc)
{
	return print(doc, JSON_COMPACT);
}

char *jdoc_print_lines(const json_t *doc)
{
	_cleanup_free_ char *text = print(doc, JSON_INDENT(4));
	char *line = NULL;

	if (text != NULL && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	return line;
}
