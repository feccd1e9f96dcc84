// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/meter/source.h"

#include "task/meter/meter.h"

#include <errno.h>
#include <stddef.h>

static struct meter_source sources[METER_STREAMS];

int source_add(uint8_t stream, const struct meter_source *s, struct err *err)
{
	if (sources[stream].sent != NULL)
		return err_set(
			err,
			EEXIST,
			"stream=%u is what task '%.48s' sends: give each generator its own "
			"stream=, or "
			"meter=no",
			stream,
			sources[stream].task
		);
	sources[stream] = *s;
	return 0;
}

void source_remove(uint8_t stream, const uint64_t *sent)
{
	if (sources[stream].sent == sent)
		sources[stream] = (struct meter_source){0};
}

const struct meter_source *source_find(uint8_t stream)
{
	return sources[stream].sent != NULL ? &sources[stream] : NULL;
}
