// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Memory, steps and time that a script may take. Steps are counted by Lua's machine, but one step may take hours: a
// table whose keys all collide grows, sort compares long strings, tables are shifted entry by entry. So the CPU time
// of the process is limited too. When it is over, the next step fails; when there is none within a second, nothing in
// this process can end the call, so the process ends. Scripts run before anything else is started.

#include "lua/private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

// ---- memory and steps

// A script that catches errors gets no further.
void script_end_it(struct script *l)
{
	if (l->state != NULL)
		lua_sethook(l->state, script_on_steps, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

void *script_allocate(void *arg, void *old, size_t old_size, size_t size)
{
	struct script *l = arg;
	size_t had = old != NULL ? old_size : 0;
	void *p;

	if (size == 0) {
		free(old);
		l->used -= had;
		return NULL;
	}
	if (size > had && l->used - had + size > SCRIPT_MEMORY_MAX) {
		l->short_of_memory = true;
		script_end_it(l);
		return NULL;
	}
	p = realloc(old, size);
	if (p != NULL)
		l->used = l->used - had + size;
	else
		l->short_of_memory = true;
	return p;
}

void script_on_steps(lua_State *s, lua_Debug *d)
{
	struct script *l = script_of(s);

	(void)d;
	l->steps += SCRIPT_HOOK_STEPS;
	if (l->short_of_memory)
		luaL_error(s, "more than %d MiB of memory", (int)(SCRIPT_MEMORY_MAX >> 20));
	if (l->out_of_time)
		luaL_error(s, SCRIPT_TIME_TEXT);
	if (l->steps < SCRIPT_STEPS_MAX)
		return;
	script_end_it(l);
	luaL_error(
		s,
		"more than %d million steps: is there a loop without an end?",
		(int)(SCRIPT_STEPS_MAX / 1000000)
	);
}

// ---- time

// What the handler needs: one script runs at a time.
static struct script *timed;
static char last_words[512];
static size_t last_words_len;
static struct sigaction before;

static void on_time(int number)
{
	ssize_t n;

	(void)number;
	if (!timed->out_of_time) {
		timed->out_of_time = true;
		script_end_it(timed); // lua_sethook may be called here
		return;
	}
	n = write(STDERR_FILENO, last_words, last_words_len);
	_exit(n == 0 ? 2 : 1);
}

int script_limit_begin(struct script *l, const char *name, struct err *err)
{
	const struct itimerval limit = {
		.it_value.tv_sec = SCRIPT_SECONDS_MAX,
		.it_interval.tv_sec = 1,
	};
	struct sigaction act = {.sa_handler = on_time, .sa_flags = SA_RESTART};
	int n = snprintf(
		last_words,
		sizeof(last_words),
		"drover: %.256s: [lua]: " SCRIPT_TIME_TEXT "\n",
		name
	);

	last_words_len = (size_t)n < sizeof(last_words) ? (size_t)n : sizeof(last_words) - 1;
	timed = l;
	if (sigaction(SIGPROF, &act, &before) < 0 || setitimer(ITIMER_PROF, &limit, NULL) < 0)
		return err_sys(err, errno, "%s: [lua]: limit its time", name);
	return 0;
}

void script_limit_end(void)
{
	const struct itimerval none = {0};

	setitimer(ITIMER_PROF, &none, NULL);
	sigaction(SIGPROF, &before, NULL);
}
