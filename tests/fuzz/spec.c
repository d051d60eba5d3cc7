/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A box spec from anywhere: what is accepted is one that the launcher takes,
 * and writing it again gives the same bytes.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/spec.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
write_again(const struct box_spec *spec, const uint8_t *bytes, size_t len)
{
	int again = -1;

	CHECK(box_spec_complaint(spec) == NULL);
	CHECK(box_spec_seal(spec, &again) == 0);
	auto_close int fd = again;
	auto_free uint8_t *written = malloc(len + 1);
	CHECK(written != NULL);
	CHECK(pread(fd, written, len + 1, 0) == (ssize_t)len);
	/* Behind the head's padding, which nobody reads. */
	CHECK(memcmp(written + 88, bytes + 88, len - 88) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct box_spec spec;
	auto_free void *memory = NULL;

	auto_close int fd = memfd_create("spec", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	const int code = box_spec_read(fd, &spec, &memory);
	CHECK(code == 0 || code == BOX_E_FORMAT);
	if (code == 0)
		write_again(&spec, bytes, len);
	return 0;
}
