// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A capture file (pcapng) and the thread that writes it. The data path hands copies over a ring and never
// waits: when the writer is behind there is no buffer for a copy.
#pragma once

#include "base/err.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define DUMP_CLOSE_SECONDS 5

struct dump_file;

struct dump_figures {
	uint64_t packets, bytes; // written; bytes of the file
	uint64_t failed;	 // packets that could not be
	int error;		 // errno of the write that ended it, 0: none
};

// Where files of dumps may be: below that folder. Before any is opened; NULL: nowhere. Control thread only.
int dump_folder(const char *folder, struct err *err);

// Makes the file where there is none, below the folder: no symbolic link and no ".." leads out of it. It must be a regular one that no other task writes. Starts its
// thread. snaplen: bytes kept of a packet; buffers: copies that may wait. The ports must be there: the file
// names them. Ends with dump_file_close.
int dump_file_open(
	const char *path,
	uint32_t snaplen,
	uint32_t buffers,
	int socket,
	struct dump_file **ret,
	struct err *err
);

// Traffic begins: what was in the file goes. Errors are those of a write, later.
void dump_file_begin(struct dump_file *f);

// Of the one lcore that has it, after dump_file_begin. A copy for the writer; false: none was free.
bool dump_file_put(struct dump_file *f, const struct rte_mbuf *m, uint64_t tsc);

// Whether a write failed: nothing more is written.
bool dump_file_failed(const struct dump_file *f);

void dump_file_figures(const struct dump_file *f, struct dump_figures *ret);

// Waits until all is written, at most DUMP_CLOSE_SECONDS: a disk may hang for ever. False: some packets are
// not. *ret: what is written. NULL: nothing to do.
bool dump_file_close(struct dump_file *f, struct dump_figures *ret);
