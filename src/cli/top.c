// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold top: pinfold stats again and again on a terminal, or drover's own screen in one workload.

#include "stats/stats.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wrap.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char usage[] = "Usage: pinfold top [--seconds N]\n"
			    "       pinfold top NAME [OPTION ...]\n"
			    "\n"
			    "What pinfold stats says, again each second or N, until q; of the "
			    "workload NAME, what drover\n"
			    "top says in it, with its options.";

// Other screen, no cursor, no lines that go on in the next; and all of that back.
#define SCREEN_BEGIN "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_END "\033[?7h\033[?25h\033[?1049l"
#define LINES_ABOVE 2 // of the table's rows

static volatile sig_atomic_t leave;

static void on_signal(int sig)
{
	(void)sig;
	leave = 1;
}

static void draw(const struct stats *from, const struct stats *to, const struct err *passed)
{
	const char *const *keys;
	_cleanup_json_ json_t *rows = stats_rows(from, to), *table = stats_table(rows, &keys);
	struct winsize size = {.ws_row = 24};
	size_t n = json_array_size(table), room;
	char clock[16];
	time_t now = time(NULL);
	struct tm tm;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	room = size.ws_row > LINES_ABOVE + 2 ? size.ws_row - LINES_ABOVE - 2u : 1;
	while (json_array_size(table) > room)
		json_array_remove(table, json_array_size(table) - 1);
	strftime(clock, sizeof(clock), "%T", gmtime_r(&now, &tm));
	printf("\033[H\033[Jpinfold top  %s  %zu workload%s  q quits\n", clock, n, n == 1 ? "" : "s"
	);
	cli_print_figures(table, keys, stats_dropped, false);
	if (n > room)
		printf("and %zu more\n", n - room);
	if (passed != NULL)
		printf("%s\n", passed->msg);
	fflush(stdout);
}

// Waits until then. False: it is to end.
static bool wait_until(int64_t then)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	while (!leave) {
		int64_t left = then - clock_ms();
		// a key is heard also when the look took all the time that there was
		int n = poll(&in, 1, left > 0 ? (int)left : 0);
		char key;

		if (n == 0)
			return true;
		if (n < 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
			return false;
	}
	return false;
}

static int watch(const struct ledger *l, unsigned seconds, struct err *err)
{
	struct stats from scope_cleanup(stats_done) = {0};
	struct err passed;
	int r = stats_take(l, NULL, &from, err);
	// a first look soon
	int64_t next = clock_ms() + 300;

	if (from.ticks == NULL)
		return r;
	while (wait_until(next)) {
		struct stats to = {0};

		next = clock_ms() + seconds * 1000;
		r = stats_take(l, NULL, &to, &passed);
		if (to.ticks == NULL) {
			*err = passed;
			return r;
		}
		draw(&from, &to, r < 0 ? &passed : NULL);
		stats_done(&from);
		from = to;
	}
	return 0;
}

// In a mode of the terminal that gives each key at once; what it was before is back at the end.
static int on_screen(const struct ledger *l, unsigned seconds, struct err *err)
{
	const struct sigaction end = {.sa_handler = on_signal};
	struct termios before, now;
	int r;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_sys(err, errno, "top: the terminal");
	now = before;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &now);
	fputs(SCREEN_BEGIN, stdout);
	r = watch(l, seconds, err);
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return r;
}

// Where drover is in the workload: the workload itself, or else by the name.
static const char *drover_of(const char *name, struct lease *lease)
{
	static const char usual[] = "drover";
	char *program = lease->command, *last;
	struct hostfs fs;
	struct ledger l;
	struct err unused;
	int r;

	if (geteuid() != 0 || cli_open_real(false, &fs, &l, &unused) < 0)
		return usual;
	r = lease_read(&l, name, lease, &unused);
	cli_close_real(&fs, &l);
	if (r < 0)
		return usual;
	program[strcspn(program, " ")] = '\0';
	last = strrchr(program, '/');
	return last != NULL && str_eq(last + 1, usual) ? program : usual;
}

// pinfold exec [-it] NAME -- drover top OPTION...
static int drover_top(int argc, char **argv)
{
	char *exec = (char[]){"exec"}, *terminal = (char[]){"-it"}, *end = (char[]){"--"};
	_cleanup_free_ char **words = calloc((size_t)argc + 8, sizeof(*words));
	_cleanup_free_ char *program = NULL;
	struct lease lease;
	int n = 0;

	program = strdup(drover_of(argv[0], &lease));
	if (words == NULL || program == NULL)
		return cli_refuse("out of memory");
	words[n++] = exec;
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		words[n++] = terminal;
	words[n++] = argv[0];
	words[n++] = end;
	words[n++] = program;
	words[n++] = (char[]){"top"};
	for (int i = 1; i < argc; i++)
		words[n++] = argv[i];
	return cmd_exec(n, words);
}

int cmd_top(int argc, char **argv)
{
	unsigned seconds = 0;
	const struct option_row rows[] = {
		{"help", 'h'},
		{"seconds", .number = &seconds, .min = 1, .max = STATS_SECONDS},
		{0}};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = cli_read_options(argc, argv, false, rows, &err);

	if (r > 0)
		wrap_print(usage);
	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind < argc && seconds > 0)
		return cli_refuse(
			"top: --seconds is for all workloads; of one, drover top's options "
			"come after its name"
		);
	if (optind < argc)
		return drover_top(argc - optind, argv + optind);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_refuse("top: this is no terminal; pinfold stats prints it once");
	if (geteuid() != 0)
		return cli_refuse("top: what runs is root's to see; use sudo");
	if (cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = on_screen(&l, seconds > 0 ? seconds : 1, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
