// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A workload in a virtual machine. QEMU runs in the container of the grant, and pinfold-inside with it:
//
//   machine        the container's first process: starts QEMU, pins its threads, and is the host's end of the program
//   attach         the host's end of another program, for pinfold exec
//   guest          the guest's first process: modules and ports
//   guest_nics     its NICs
//   guest_root     what its programs see
//   guest_program  the guest's end of one program
//
// Whatever the guest says is read by machine and attach, which have no more rights than the container.
#pragma once

#include "base/err.h"
#include "base/jread.h"
#include "inside/vm/pump.h"

#include <jansson.h>

// The names of the virtio-serial ports: the first is of the workload's own program.
#define VM_PORT "pinfold."
#define VM_SLOTS 9
#define VM_DIR "/run/pinfold/vm" // in the container: job.json
#define VM_SOCKETS "/run/vm"	 // of QEMU, one a slot

// Commands of the container.
int inside_machine(int argc, char **argv);
int inside_attach(int argc, char **argv);
// And the first process of a guest, whatever its arguments.
int guest_main(void);

// guest_program.c: starts the program of the next FRAME_START that comes over the pump, and is its end until it has ended.
// another: of pinfold exec, beside the workload's own, with whose end all ends. Returns the exit status.
int attend(struct pump *p, bool another);
// The same of the program that takes the place of this process, the guest's first; another attends it. Returns when
// none comes.
void attend_first(struct pump *p);
