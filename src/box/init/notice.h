/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What notes and guards share: the payload's memory, and telling once. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "box/inside.h"

union box_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* So many bytes of it, or as many as there are. */
ssize_t box_memory_read(pid_t tid, uint64_t address, void *to, size_t size);

/* A string of the payload's, copied once. -EFAULT, -ENAMETOOLONG (no NUL in
 * size bytes), -EACCES (its memory is closed to us). */
int box_string_read(pid_t tid, uint64_t address, char *text, size_t size);

/* Each note once, and so many at most. */
void box_note_once(struct box_init *init, enum box_note_kind kind, int code,
    uint32_t pid, const char *text);
