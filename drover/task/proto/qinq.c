// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/qinq.h"

#include <errno.h>

int qinq_stype(uint32_t configured, uint16_t *ret, struct err *err)
{
	switch (configured) {
	case 0:
	case 0x88a8:
	case 0xa888:
		*ret = RTE_ETHER_TYPE_QINQ;
		return 0;
	case 0x8100:
	case 0x0081:
		*ret = RTE_ETHER_TYPE_VLAN;
		return 0;
	default:
		return err_set(
			err,
			EINVAL,
			"qinq tag=0x%04x: the S-tag's type is 0x88a8 or 0x8100",
			configured
		);
	}
}
