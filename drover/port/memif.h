// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

// On EAL's interrupt thread, which both wait for (intr_thread.h).

// Nobody connects any more to the memif server with that socket, and nobody waits to be let in.
void memif_deafen(const char *path);

// Once its port is closed: nobody who connected is heard any more.
void memif_forget(const char *path);
