// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which of equally good CPUs are taken: those that share an L3 cache, and of these those that share an L2.

#include "base/scope.h"
#include "grant/choose.h"

#include <string.h>

// The CPUs of a set that share a cache with one of it; where the kernel does not say, all of the set.
static struct idset sharers(
	const struct host *host, const struct idset *from, const struct host_cpu *c, unsigned level
)
{
	struct idset found = {0};

	idset_foreach (id, from) {
		const struct host_cpu *other = host_cpu(host, (unsigned)id);

		if (level == 3 ? other->l3 == c->l3 : other->l2 == c->l2)
			idset_add(&found, (unsigned)id);
	}
	return found;
}

// Interrupts and the kernel live on CPU 0.
static struct idset core_of_zero(const struct host *host)
{
	const struct host_cpu *zero = host_cpu(host, 0);

	return zero != NULL ? zero->siblings : (struct idset){0};
}

// Smaller is better: beside what is chosen already; room for all; without the core of CPU 0; of those the one
// with the least room, as whole ones stay for others; else the one with the most.
static void judge(
	const struct host *host,
	const struct idset *cpus,
	const struct idset *chosen,
	unsigned count,
	unsigned level,
	unsigned key[static 4]
)
{
	const struct host_cpu *c = host_cpu(host, (unsigned)idset_first(cpus));
	struct idset beside = sharers(host, chosen, c, level), quiet = *cpus;
	struct idset zero = core_of_zero(host);
	unsigned n = idset_count(cpus);

	idset_andnot(&quiet, &zero);
	key[0] = idset_empty(&beside);
	key[1] = n < count;
	key[2] = idset_count(&quiet) < (n < count ? n : count);
	key[3] = n < count ? UINT32_MAX - n : n;
}

static struct idset best_sharers(
	const struct host *host,
	const struct idset *from,
	const struct idset *chosen,
	unsigned count,
	unsigned level
)
{
	struct idset left = *from, best = {0};
	unsigned best_key[4], key[4];

	while (!idset_empty(&left)) {
		struct idset cpus =
			sharers(host, &left, host_cpu(host, (unsigned)idset_first(&left)), level);
		unsigned k = 0;

		idset_andnot(&left, &cpus);
		judge(host, &cpus, chosen, count, level, key);
		while (k < ARRAY_LEN(key) && !idset_empty(&best) && key[k] == best_key[k])
			k++;
		if (idset_empty(&best) || (k < ARRAY_LEN(key) && key[k] < best_key[k])) {
			memcpy(best_key, key, sizeof(key));
			best = cpus;
		}
	}
	return best;
}

// Those without a cache in common in the order of their numbers, the core of CPU 0 at the end.
static void take_in_order(
	const struct host *host, const struct idset *from, unsigned count, struct idset *chosen
)
{
	struct idset zero = core_of_zero(host);

	for (int last = 0; last < 2; last++) {
		idset_foreach (id, from) {
			if (count > 0 && idset_has(&zero, (unsigned)id) == (last == 1)) {
				idset_add(chosen, (unsigned)id);
				count--;
			}
		}
	}
}

static void take(
	const struct host *host,
	struct idset from,
	unsigned count,
	unsigned level,
	struct idset *chosen
)
{
	if (level < 2 || idset_count(&from) <= count) {
		take_in_order(host, &from, count, chosen);
		return;
	}
	while (count > 0) {
		struct idset cpus = best_sharers(host, &from, chosen, count, level);
		unsigned n = idset_count(&cpus);

		n = n < count ? n : count;
		take(host, cpus, n, level - 1, chosen);
		idset_andnot(&from, &cpus);
		count -= n;
	}
}

void choose_close(
	const struct host *host, const struct idset *from, unsigned count, struct idset *chosen
)
{
	take(host, *from, count, 3, chosen);
}

// ---- kinds

// The fastest kind that is slower than one.
static unsigned slower(const struct host *host, const struct idset *from, unsigned than)
{
	unsigned best = 0;

	idset_foreach (id, from) {
		unsigned speed = host_cpu(host, (unsigned)id)->speed;

		if (speed < than && speed > best)
			best = speed;
	}
	return best;
}

void choose_kind(const struct host *host, unsigned count, struct idset *left)
{
	struct idset sets[2] = {*left, *left};
	unsigned fastest = slower(host, left, UINT32_MAX);

	if (slower(host, left, fastest) == 0)
		return; // all alike
	idset_and(&sets[0], &host->isolated);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		for (unsigned s = fastest; s > 0; s = slower(host, left, s)) {
			struct idset kind = {0};

			idset_foreach (id, &sets[i]) {
				if (host_cpu(host, (unsigned)id)->speed == s)
					idset_add(&kind, (unsigned)id);
			}
			if (idset_count(&kind) >= count) {
				*left = kind;
				return;
			}
		}
	}
}
