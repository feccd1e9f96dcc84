// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// `drover explain`: who takes packets from where and sends them where, as text. Cores that one section
// describes are drawn once.

#include "base/str.h"
#include "config/config.h"
#include "config/kind/core_names.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 512

static const char *const protos[] = {
	[PROTO_IPV4] = "ipv4",
	[PROTO_ARP] = "arp",
	[PROTO_IPV6] = "ipv6",
};

static const char *core_text(const struct conf_core *c, char buf[static CORE_NAME_STR])
{
	struct core_name name = {c->id, c->socket, c->hyperthread};

	return core_name_format(&name, buf);
}

// Appends to buf of LIST_MAX bytes, with a comma in between; too much becomes "…".
static void append(char *buf, const char *what)
{
	size_t len = strlen(buf);

	if (len + strlen(what) + 16 < LIST_MAX)
		sprintf(buf + len, "%s%s", len > 0 ? ", " : "", what);
	else if (len > 0 && !str_eq(buf + len - strlen("…"), "…"))
		strcat(buf, ", …");
}

// "3s0-6s0": cores i to last - 1 are of one section, in the order of its list.
static void core_list(const struct conf *c, unsigned i, unsigned last, char *buf)
{
	char first_name[CORE_NAME_STR], last_name[CORE_NAME_STR], item[2 * CORE_NAME_STR + 2];

	buf[0] = '\0';
	while (i < last) {
		const struct conf_core *first = &c->cores[i], *end = first;

		while (i + 1 < last && c->cores[i + 1].id == end->id + 1
		       && c->cores[i + 1].socket == end->socket
		       && c->cores[i + 1].hyperthread == end->hyperthread)
			end = &c->cores[++i];
		i++;
		core_text(first, first_name);
		core_text(end, last_name);
		snprintf(item, sizeof(item), end == first ? "%s" : "%s-%s", first_name, last_name);
		append(buf, item);
	}
}

static bool sends_to(const struct conf_targets *to, unsigned from, unsigned last, unsigned task)
{
	for (unsigned i = 0; i < to->n; i++) {
		if (to->list[i].core >= from && to->list[i].core < last && to->list[i].task == task)
			return true;
	}
	return false;
}

// Who sends to a task of cores from … last - 1. Returns how many rings lead to each at most.
static unsigned senders(
	const struct conf *c, unsigned from, unsigned last, unsigned task, char *buf
)
{
	char name[CORE_NAME_STR], item[CORE_NAME_STR + 48];
	unsigned rings = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < c->ncores; i++) {
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			const struct conf_task *t = &c->cores[i].tasks[k];

			for (unsigned proto = 0; proto < PROTO_COUNT; proto++) {
				if (!sends_to(&t->tx_cores[proto], from, last, task))
					continue;
				rings++;
				snprintf(
					item,
					sizeof(item),
					"%st%u %.20s%s%s",
					core_text(&c->cores[i], name),
					t->id,
					c->cores[i].name,
					proto > 0 ? " " : "",
					proto > 0 ? protos[proto] : ""
				);
				append(buf, item);
			}
		}
	}
	return rings;
}

// "(3s0-6s0)t1 (control path)"
static void target_list(const struct conf *c, const struct conf_targets *to, char *buf)
{
	char name[CORE_NAME_STR], last_name[CORE_NAME_STR], item[2 * CORE_NAME_STR + 16];

	buf[0] = '\0';
	for (unsigned i = 0; i < to->n; i++) {
		unsigned end = i;
		const struct conf_core *core = &c->cores[to->list[i].core];
		unsigned id = core->tasks[to->list[i].task].id;

		while (end + 1 < to->n && to->list[end + 1].task == to->list[i].task
		       && to->list[end + 1].core == to->list[end].core + 1
		       && c->cores[to->list[end + 1].core].line == core->line)
			end++;
		core_text(core, name);
		core_text(&c->cores[to->list[end].core], last_name);
		if (end == i)
			snprintf(item, sizeof(item), "%st%u", name, id);
		else
			snprintf(item, sizeof(item), "%s…%s t%u", name, last_name, id);
		append(buf, item);
		i = end;
	}
	if (to->n > 0 && to->list[0].kind == TARGET_CONTROL)
		append(buf, "looked at now and then");
}

static void names_list(const struct key_names *names, char *buf)
{
	buf[0] = '\0';
	for (unsigned i = 0; i < names->n; i++)
		append(buf, names->name[i]);
}

static void draw_task(const struct conf *c, unsigned from, unsigned last, const struct conf_task *t)
{
	static const char *const by[] = {
		[TX_TASK] = "",
		[TX_ROUTES] = " (by next hop)",
		[TX_CPES] = " (by port of the CPE)",
	};
	unsigned task = (unsigned)(t - c->cores[from].tasks), rings;
	char buf[LIST_MAX];

	printf("  task %u  %s%s\n", t->id, t->mode->name, t->drop ? "" : ", waits for full outputs"
	);
	if (t->rx_ports.n > 0) {
		names_list(&t->rx_ports, buf);
		printf("    <--  port %s\n", buf);
	}
	rings = senders(c, from, last, task, buf);
	if (rings > 0)
		printf("    <==  %u ring%s from %s\n", rings, rings > 1 ? "s" : "", buf);
	if (t->tx_ports.n > 0) {
		names_list(&t->tx_ports, buf);
		printf("    -->  port %s%s\n", buf, by[t->tx_by]);
	}
	for (unsigned proto = 0; proto < PROTO_COUNT; proto++) {
		const struct conf_targets *to = &t->tx_cores[proto];

		if (to->n == 0)
			continue;
		target_list(c, to, buf);
		printf("    ==>  %u ring%s of %u%s%s to %s%s\n",
		       to->n,
		       to->n > 1 ? "s" : "",
		       t->ring_size,
		       t->mode->by_proto ? " " : "",
		       t->mode->by_proto ? protos[proto] : "",
		       buf,
		       by[t->tx_by]);
	}
}

static void draw_ports(const struct conf *c)
{
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *p = &c->ports[i];

		if (p->used)
			printf("port %u  %s  %s\n",
			       i,
			       p->name,
			       p->device[0] != '\0' ? p->device : "(no device yet)");
	}
}

static void count(const char *before, size_t n, const char *what)
{
	printf("%s%zu %s%s", before, n, what, n == 1 ? "" : "s");
}

void conf_explain(const struct conf *c)
{
	char buf[LIST_MAX];
	unsigned tasks = 0, cores = 0;

	printf("%s%s%s\n", c->file, c->name[0] != '\0' ? ": " : "", c->name);
	draw_ports(c);
	for (unsigned i = 0, last; i < c->ncores; i = last) {
		const struct conf_core *core = &c->cores[i];

		for (last = i + 1; last < c->ncores && c->cores[last].line == core->line;)
			last++;
		core_list(c, i, last, buf);
		printf("\ncore%s %s  %s%s\n",
		       last > i + 1 ? "s" : "",
		       buf,
		       core->name,
		       core->master ? " (control)" : "");
		for (unsigned k = 0; k < core->ntasks; k++)
			draw_task(c, i, last, &core->tasks[k]);
		tasks += core->ntasks * (last - i);
		cores += core->ntasks > 0 ? last - i : 0;
	}
	for (const struct spec *s = c->specs.first; s != NULL; s = s->next) {
		printf("\ntable %s:", s->name);
		if (s->routes != NULL) {
			count(" ", s->routes->nroutes, "route");
			count(" to ", s->routes->nhops, "next hop");
		}
		if (s->users != NULL)
			count(" ", s->users->n, "subscriber");
		if (s->cpes != NULL)
			count(" ", s->cpes->n, "CPE");
	}
	count("\n", tasks, "task");
	count(" on ", cores, "polling core");
	putchar('\n');
}
