// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Variables that clean up after themselves when they leave their scope.
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define scope_cleanup(fn) __attribute__((cleanup(fn)))

static inline void scope_free(void *p)
{
	free(*(void **)p);
}

static inline void scope_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void scope_fclose(FILE **f)
{
	if (*f != NULL)
		fclose(*f);
}

static inline void scope_closedir(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

#define _cleanup_free_ scope_cleanup(scope_free)
#define _cleanup_close_ scope_cleanup(scope_close)
#define _cleanup_fclose_ scope_cleanup(scope_fclose)
#define _cleanup_closedir_ scope_cleanup(scope_closedir)

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

// Hands a pointer over: the variable no longer owns it.
#define steal_ptr(p)                     \
	({                               \
		typeof(p) _stolen = (p); \
		(p) = NULL;              \
		_stolen;                 \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
