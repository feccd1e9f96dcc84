// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/progress.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void progress_begin(struct progress *p)
{
	*p = (struct progress){.terminal = isatty(STDERR_FILENO)};
}

static void left_of(const struct progress *p, char *buf, size_t len)
{
	int64_t seconds = (p->until_ms - clock_ms()) / 1000;

	buf[0] = '\0';
	if (p->until_ms == 0)
		return;
	if (seconds >= 90)
		snprintf(buf, len, "; about %d min left", (int)((seconds + 30) / 60));
	else if (seconds > 0)
		snprintf(buf, len, "; about %d s left", (int)(seconds + 9) / 10 * 10);
	else
		snprintf(buf, len, "; longer than expected");
}

void progress_say(struct progress *p, const char *text)
{
	struct winsize w = {0};
	char left[48];
	int width = 79;

	left_of(p, left, sizeof(left));
	if (!p->terminal) {
		// each experiment's first word only: a log is to stay readable
		size_t n = strcspn(text, ":");

		if (strncmp(p->last, text, n) == 0 && p->last[n] == ':')
			return;
		snprintf(p->last, sizeof(p->last), "%s", text);
		fprintf(stderr, "%.*s%s\n", (int)n, text, left);
		return;
	}
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
		width = w.ws_col - 1;
	fprintf(stderr, "\r%.*s\033[K", width, text);
	if ((int)(strlen(text) + strlen(left)) <= width)
		fputs(left, stderr);
	fflush(stderr);
	p->shown = true;
}

void progress_clear(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
