// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What differs between the releases of DPDK that drover is built with, 22.11 and later.
#pragma once

#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_pcapng.h>
#include <rte_telemetry.h>
#include <rte_thread.h>
#include <rte_version.h>

// Why a call failed. DPDK leaves 0 behind where it has no reason, which is none, and not "Success".
static inline const char *dpdk_why(int code)
{
	return code != 0 ? rte_strerror(code) : "DPDK gives no reason";
}

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

// Beside the lcores, on CPUs that they do not have.
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
typedef void *dpdk_thread_result;

static inline int dpdk_thread(
	pthread_t *ret, const char *name, dpdk_thread_result (*f)(void *), void *arg
)
{
	return rte_ctrl_thread_create(ret, name, NULL, f, arg);
}
#else
typedef uint32_t dpdk_thread_result;

static inline int dpdk_thread(
	pthread_t *ret, const char *name, dpdk_thread_result (*f)(void *), void *arg
)
{
	rte_thread_t thread;
	int r = rte_thread_create_control(&thread, name, f, arg);

	if (r == 0)
		*ret = (pthread_t)thread.opaque_id;
	return r;
}
#endif

// A copy of an incoming packet as a block of a file. No function: its user says that it takes what is experimental.
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define dpdk_pcapng_copy(port, m, pool, len) \
	rte_pcapng_copy(port, 0, m, pool, len, 0, RTE_PCAPNG_DIRECTION_IN)
#elif RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
#define dpdk_pcapng_copy(port, m, pool, len) \
	rte_pcapng_copy(port, 0, m, pool, len, 0, RTE_PCAPNG_DIRECTION_IN, NULL)
#else
#define dpdk_pcapng_copy(port, m, pool, len) \
	rte_pcapng_copy(port, 0, m, pool, len, RTE_PCAPNG_DIRECTION_IN, NULL)
#endif

// Whether a block has the TSC until it is written, which the library then makes a time of by EAL's figure of
// it; before, it has the time in nanoseconds.
#define DPDK_PCAPNG_TSC (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0))
