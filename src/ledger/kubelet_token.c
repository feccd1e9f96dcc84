// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/fs.h"
#include "base/scope.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static char *file_of(const char *grant)
{
	return str_printf("%s.token", grant);
}

int token_read(
	const struct ledger *l, const char *grant, char ret[static TOKEN_STR], struct err *err
)
{
	_cleanup_free_ char *file = file_of(grant), *text = NULL;
	size_t len = 0;
	int r;

	if (file == NULL)
		return err_oom(err);
	r = l->defs < 0 ? -ENOENT : fs_read_system(l->defs, file, TOKEN_STR, &text, &len);
	if (r == 0 && (len != TOKEN_STR - 1 || strspn(text, "0123456789abcdef") != len))
		r = -EINVAL;
	if (r < 0)
		return err_set(
			err,
			-r,
			"grant '%s' has no token for kubelet; make one: pinfold cdi generate",
			grant
		);
	memcpy(ret, text, TOKEN_STR);
	return 0;
}

int token_make(
	const struct ledger *l, const char *grant, char ret[static TOKEN_STR], struct err *err
)
{
	_cleanup_free_ char *file = file_of(grant);
	unsigned char random[(TOKEN_STR - 1) / 2];
	char text[TOKEN_STR];
	int r = token_read(l, grant, ret, err);

	// of one that cannot be read just now kubelet may have handed out what it says
	if (r != -ENOENT && r != -EINVAL)
		return r;
	if (file == NULL)
		return err_oom(err);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(err, errno, "make a token");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(text + 2 * i, 3, "%02x", random[i]);
	if (fs_write_durable(l->defs, file, text, sizeof(text) - 1, 0600, err) < 0)
		return -err->code;
	memcpy(ret, text, sizeof(text));
	return 0;
}

int token_remove(const struct ledger *l, const char *grant, struct err *err)
{
	_cleanup_free_ char *file = file_of(grant);

	if (file == NULL)
		return err_oom(err);
	if (unlinkat(l->defs, file, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s'", file);
	return 0;
}

// However much of it is right, it takes as long.
bool token_equal(const char *a, const char *b)
{
	volatile unsigned char differs = 0;
	const size_t n = strlen(a);

	if (n != strlen(b))
		return false;
	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}
