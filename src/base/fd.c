/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/auto.h"

int
fd_write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0) {
		const ssize_t n = write(fd, next, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		next += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One byte of room is always kept for the NUL. */
static int
buffer_grow(uint8_t **bytes, size_t *capacity, size_t len, size_t max)
{
	if (len + 1 < *capacity)
		return 0;

	const size_t wanted = *capacity == 0 ? 65536 : *capacity * 2;
	uint8_t *grown = realloc(*bytes, wanted > max + 2 ? max + 2 : wanted);
	if (grown == NULL)
		return -ENOMEM;

	*bytes = grown;
	*capacity = wanted > max + 2 ? max + 2 : wanted;
	return 0;
}

int
fd_read_all(int fd, size_t max, uint8_t **bytes, size_t *len)
{
	auto_free uint8_t *buffer = NULL;
	size_t capacity = 0, used = 0;

	if (max > SIZE_MAX / 4)
		return -EINVAL;

	for (;;) {
		const int r = buffer_grow(&buffer, &capacity, used, max);
		if (r < 0)
			return r;

		const ssize_t n = read(fd, buffer + used, capacity - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return -EFBIG;
	}

	buffer[used] = '\0';
	*bytes = steal_ptr(&buffer);
	*len = used;
	return 0;
}

int
fd_memfd_seal(const char *name, const void *bytes, size_t len, int *memfd)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;

	const int r = fd_write_all(fd, bytes, len);
	if (r < 0)
		return r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;

	*memfd = fd_steal(&fd);
	return 0;
}

int
fd_inherit(int fd)
{
	const int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}
