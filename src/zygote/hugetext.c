/* SPDX-License-Identifier: Apache-2.0 */
#include "zygote/hugetext.h"

#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"

#define PIECE (2u << 20)
#define PAGE 4096u
#define PAGES (PIECE / PAGE)
#define PRESENT (1ull << 63) /* pagemap.rst */

struct segment {
	uintptr_t start;
	uintptr_t end;
	int protection;
};

struct segments {
	struct segment list[8];
	int n;
};

/* The first object is the program itself; only what nobody writes to. */
static int
segments_take(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct segments *segments = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		if (header->p_type != PT_LOAD || (header->p_flags & PF_W) ||
		    segments->n == (int)ARRAY_LEN(segments->list))
			continue;
		const uintptr_t start = info->dlpi_addr + header->p_vaddr;
		segments->list[segments->n++] = (struct segment){
			(start + PIECE - 1) & ~(uintptr_t)(PIECE - 1),
			(start + header->p_filesz) & ~(uintptr_t)(PIECE - 1),
			PROT_READ | (header->p_flags & PF_X ? PROT_EXEC : 0)
		};
	}
	return 1;
}

static int
piece_is_touched(int pagemap_fd, uintptr_t at)
{
	uint64_t entries[PAGES];
	const off_t offset = (off_t)(at / PAGE * sizeof(entries[0]));

	if (pread(pagemap_fd, entries, sizeof(entries), offset) !=
	    sizeof(entries))
		return 0;
	for (size_t i = 0; i < PAGES; i++)
		if (entries[i] & PRESENT)
			return 1;
	return 0;
}

/* Whether [at, at + PIECE) is one huge page: proc(5), smaps. */
static int
piece_is_huge(uintptr_t at)
{
	char line[256];
	unsigned long start, end, kib;
	int inside = 0;

	auto_fclose FILE *file = fopen("/proc/self/smaps", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= at && at < end;
		else if (inside &&
		    sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			return kib >= PIECE / 1024u;
	}
	return 0;
}

static void *
piece_new(void)
{
	uint8_t *wide = mmap(NULL, 2 * PIECE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (wide == MAP_FAILED)
		return NULL;

	const uintptr_t at =
	    ((uintptr_t)wide + PIECE - 1) & ~(uintptr_t)(PIECE - 1);
	const size_t before = at - (uintptr_t)wide;
	if (before > 0)
		munmap(wide, before);
	munmap((void *)(at + PIECE), PIECE - before);
	madvise((void *)at, PIECE, MADV_HUGEPAGE);
	return (void *)at;
}

static int
piece_move(uintptr_t at, int protection, int first)
{
	void *copy = piece_new();
	if (copy == NULL)
		return 0;

	memcpy(copy, (const void *)at, PIECE);
	if ((first && !piece_is_huge((uintptr_t)copy)) ||
	    mprotect(copy, PIECE, protection) < 0 ||
	    mremap(copy, PIECE, PIECE, MREMAP_MAYMOVE | MREMAP_FIXED,
		(void *)at) == MAP_FAILED) {
		munmap(copy, PIECE);
		return 0;
	}
	return 1;
}

int
hugetext_remap(void)
{
	struct segments segments = { .n = 0 };
	int moved = 0;

	auto_close int pagemap_fd =
	    open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	dl_iterate_phdr(segments_take, &segments);
	for (int i = 0; pagemap_fd >= 0 && i < segments.n; i++) {
		const struct segment *segment = &segments.list[i];
		for (uintptr_t at = segment->start; at + PIECE <= segment->end;
		     at += PIECE) {
			if (!piece_is_touched(pagemap_fd, at))
				continue;
			if (!piece_move(at, segment->protection, moved == 0))
				return moved;
			moved++;
		}
	}
	return moved;
}
