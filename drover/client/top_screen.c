// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The screen of drover top.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "client/top.h"

#include <curses.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define RETRY 1.0	 // seconds between two attempts to reach drover
#define MESSAGE_TIME 5.0 // seconds that a message stays
#define NAME_LEN 64

struct screen {
	const struct top_options *options;
	struct client client;
	json_t *sample;		 // NULL: nothing to show
	char selected[NAME_LEN]; // name of a task
	char waiting[512];	 // why there is nothing to show
	char message[256];	 // about the last key
	double message_until, next;
	int scroll;
	bool follow; // scroll to the selected task
	bool help, colour;
};

enum {
	PAIR_TITLE = 1,
	PAIR_HEAD,
	PAIR_MARK,
};

static volatile sig_atomic_t leave;

static void on_signal(int sig)
{
	(void)sig;
	leave = 1;
}

static double now_seconds(void)
{
	return (double)clock_ns() / 1e9;
}

static json_t *tasks_of(const struct screen *s)
{
	return json_object_get(s->sample, "tasks");
}

static const char *task_name(const json_t *task)
{
	const char *name = json_string_value(json_object_get(task, "name"));

	return name != NULL ? name : "";
}

// The index of the selected task; the first when it is gone; -1: there is none.
static int selected(const struct screen *s)
{
	const json_t *task;
	size_t i;

	json_array_foreach (tasks_of(s), i, task) {
		if (str_eq(task_name(task), s->selected))
			return (int)i;
	}
	return json_array_size(tasks_of(s)) > 0 ? 0 : -1;
}

static void say(struct screen *s, const char *line)
{
	snprintf(s->message, sizeof(s->message), "%s", line);
	s->message_until = now_seconds() + MESSAGE_TIME;
}

static void lose(struct screen *s, const struct err *err)
{
	client_close(&s->client);
	json_decref(s->sample);
	s->sample = NULL;
	snprintf(s->waiting, sizeof(s->waiting), "waiting for drover: %.400s", err->msg);
	s->next = now_seconds() + RETRY;
}

// The next sample, or the next attempt to connect.
static void update(struct screen *s)
{
	json_t *sample = NULL;
	struct err err;

	if (s->client.fd < 0 && client_open(&s->options->target, &s->client, &err) < 0) {
		lose(s, &err);
		return;
	}
	if (sample_take(&s->client, s->sample, &sample, &err) < 0) {
		lose(s, &err);
		return;
	}
	json_decref(s->sample);
	s->sample = sample;
	s->next = now_seconds() + s->options->interval;
}

static chtype attributes(const struct screen *s, const struct line *l)
{
	chtype selected_row = l->tag >= 0 && l->tag == selected(s) ? A_REVERSE : A_NORMAL;

	switch (l->kind) {
	case LINE_TITLE:
		return A_BOLD | (s->colour ? COLOR_PAIR(PAIR_TITLE) : 0);
	case LINE_HEAD:
		return s->colour ? COLOR_PAIR(PAIR_HEAD) : A_UNDERLINE;
	case LINE_MARK:
		return A_BOLD | (s->colour ? COLOR_PAIR(PAIR_MARK) : 0);
	case LINE_ROW:
		return selected_row;
	case LINE_TEXT:
	default:
		return A_NORMAL;
	}
}

static void help_lines(struct lines *l)
{
	static const char *const text[] = {
		"Keys of drover top",
		"",
		"  up, down      select a task; page up and down scroll",
		"  s             start or stop the selected task",
		"  + -           rate of the selected generator, a tenth up or down",
		"  c             begin all figures anew",
		"  h             this page, and back",
		"  q             quit",
		"",
		"CYC/PKT    TSC cycles a packet, of the time that had packets",
		"PKT/BURST  packets a poll that had any; 32 is a full one",
		"IDLE %     of the task's time: polls that found nothing",
		"DROPS      packets a second that were dropped, by reason",
		"LATENCY    since the start or the last clear",
	};

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		lines_add(l, i == 0 ? LINE_TITLE : LINE_TEXT, -1, "%s", text[i]);
}

// Scrolls so that the selected task is in sight.
static void follow_selection(struct screen *s, const struct lines *l, int height)
{
	int at = -1, most = (int)l->n - height;

	for (size_t i = 0; i < l->n && !s->help; i++) {
		if (l->line[i].tag >= 0 && l->line[i].tag == selected(s))
			at = (int)i;
	}
	if (s->follow && at >= 0) {
		// the head of the table stays in sight where it can
		if (at < s->scroll + 3)
			s->scroll = at - 3;
		if (at >= s->scroll + height)
			s->scroll = at - height + 1;
	}
	s->follow = false;
	s->scroll = s->scroll > most ? most : s->scroll;
	s->scroll = s->scroll < 0 ? 0 : s->scroll;
}

static void draw_status(struct screen *s, int row, int width)
{
	const char *keys = "q quit  arrows select  s start/stop  +/- rate  c clear  h help";

	if (s->message[0] != '\0' && now_seconds() < s->message_until)
		keys = s->message;
	attron(A_DIM);
	mvaddnstr(row, 0, keys, width);
	attroff(A_DIM);
}

static void draw(struct screen *s)
{
	int height = getmaxy(stdscr), width = getmaxx(stdscr), body = height - 1;
	struct lines l = {0};

	erase();
	if (s->help)
		help_lines(&l);
	else if (s->sample != NULL)
		page_lines(s->sample, (size_t)width, &l);
	else
		lines_wrap(&l, LINE_MARK, (size_t)width, s->waiting);
	follow_selection(s, &l, body);
	for (int i = 0; i < body && (size_t)(i + s->scroll) < l.n; i++) {
		const struct line *line = &l.line[i + s->scroll];
		chtype a = attributes(s, line);

		attron(a);
		mvaddnstr(i, 0, line->text, width);
		if ((a & A_REVERSE) != 0 && (int)strlen(line->text) < width)
			hline(' ' | a, width - (int)strlen(line->text));
		attroff(a);
	}
	if (body > 0)
		draw_status(s, body, width - 1);
	lines_done(&l);
	refresh();
}

static void act(struct screen *s, enum top_action action)
{
	int at = selected(s);
	char line[256] = "";
	struct err err;

	if (s->sample == NULL)
		return;
	if (action_do(
		    &s->client,
		    action,
		    at >= 0 ? json_array_get(tasks_of(s), (size_t)at) : NULL,
		    line,
		    sizeof(line),
		    &err
	    )
	    < 0)
		lose(s, &err);
	else
		say(s, line);
}

static void move_selection(struct screen *s, int by)
{
	int n = (int)json_array_size(tasks_of(s)), at = selected(s) + by;

	if (s->help || n == 0)
		return;
	at = at < 0 ? 0 : at >= n ? n - 1 : at;
	s->follow = true;
	snprintf(
		s->selected,
		sizeof(s->selected),
		"%s",
		task_name(json_array_get(tasks_of(s), (size_t)at))
	);
}

static void on_key(struct screen *s, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		leave = 1;
		break;
	case 'h':
	case '?':
		s->help = !s->help;
		s->scroll = 0;
		break;
	case KEY_UP:
	case 'k':
		move_selection(s, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_selection(s, 1);
		break;
	case KEY_PPAGE:
		s->scroll -= getmaxy(stdscr) / 2;
		break;
	case KEY_NPAGE:
		s->scroll += getmaxy(stdscr) / 2;
		break;
	case 's':
		act(s, ACTION_TOGGLE);
		break;
	case 'c':
		act(s, ACTION_CLEAR);
		break;
	case '+':
	case '=':
		act(s, ACTION_FASTER);
		break;
	case '-':
		act(s, ACTION_SLOWER);
		break;
	default:
		break; // also KEY_RESIZE: the next draw sees the new size
	}
}

// Waits for a key or the next sample.
static void wait_and_read(struct screen *s)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	double left = s->next - now_seconds();
	int key, r = poll(&p, 1, left > 0 ? (int)ceil(left * 1000) : 0);

	// the terminal is gone
	if (r > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		leave = 1;
	while ((key = getch()) != ERR)
		on_key(s, key);
}

static void set_up(struct screen *s)
{
	const char *no_colour = getenv("NO_COLOR");
	struct sigaction a = {.sa_handler = on_signal}; // no SA_RESTART: poll ends

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	s->colour = (no_colour == NULL || *no_colour == '\0') && has_colors() && start_color() == OK
		    && use_default_colors() == OK;
	if (s->colour) {
		init_pair(PAIR_TITLE, COLOR_CYAN, -1);
		init_pair(PAIR_HEAD, COLOR_GREEN, -1);
		init_pair(PAIR_MARK, COLOR_YELLOW, -1);
	}
}

int screen_run(const struct top_options *o, struct err *err)
{
	struct screen s = {.options = o, .client = CLIENT_INIT};
	const char *term = getenv("TERM");
	SCREEN *terminal;
	int r;

	// several, or a wrong name: that does not pass by waiting
	r = client_open(&o->target, &s.client, err);
	if (r == -EEXIST || r == -EINVAL || r == -EPROTO)
		return r;
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL) {
		client_close(&s.client);
		return err_set(
			err,
			ENOTTY,
			"terminal '%.40s' is not known here; set TERM, or use --once",
			term != NULL ? term : ""
		);
	}
	set_up(&s);
	while (!leave) {
		if (now_seconds() >= s.next)
			update(&s);
		draw(&s);
		wait_and_read(&s);
	}
	endwin();
	delscreen(terminal);
	client_close(&s.client);
	json_decref(s.sample);
	return 0;
}
