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

/* A number for each piece of all segments, in order. */
#define PIECES_MAX 128
struct heats {
	uint8_t list[PIECES_MAX];
};
#define HOT 2 /* from here on a piece is worth 2 MiB */

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

/* How many runs of 16 pages were faulted in (the kernel maps about so many at
 * once): pagemap.rst. */
static unsigned int
piece_heat(int pagemap_fd, uintptr_t at)
{
	uint64_t entries[PAGES];
	const off_t offset = (off_t)(at / PAGE * sizeof(entries[0]));
	unsigned int heat = 0;

	if (pread(pagemap_fd, entries, sizeof(entries), offset) !=
	    sizeof(entries))
		return 0;
	for (size_t i = 0; i < PAGES; i += 16)
		for (size_t k = i; k < i + 16; k++)
			if (entries[k] & PRESENT) {
				heat++;
				break;
			}
	return heat;
}

/* In a child: what a trial touched, as a table of heats through a pipe. */
static void
trial_run(hugetext_trial *trial, const struct segments *segments, int out_fd)
{
	struct heats heats = { 0 };
	int n = 0;

	trial();
	auto_close int pagemap_fd =
	    open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	for (int i = 0; pagemap_fd >= 0 && i < segments->n; i++)
		for (uintptr_t at = segments->list[i].start;
		     at + PIECE <= segments->list[i].end && n < PIECES_MAX;
		     at += PIECE)
			heats.list[n++] = (uint8_t)piece_heat(pagemap_fd, at);
	_exit(write(out_fd, &heats, sizeof(heats)) == sizeof(heats) ? 0 : 1);
}

static void
trial_learn(
    hugetext_trial *trial, const struct segments *segments, struct heats *heats)
{
	struct heats seen = { 0 };
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return;
	auto_close int in_fd = pipe_fds[0];
	auto_close int out_fd = pipe_fds[1];
	const pid_t pid = _Fork();
	if (pid == 0)
		trial_run(trial, segments, out_fd);
	close(fd_steal(&out_fd));
	if (pid < 0 || read(in_fd, &seen, sizeof(seen)) != sizeof(seen))
		return;
	for (int i = 0; i < PIECES_MAX; i++)
		if (seen.list[i] > heats->list[i])
			heats->list[i] = seen.list[i];
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

/* Anonymous memory that begins where a huge page may. */
static void *
run_new(size_t len)
{
	uint8_t *wide = mmap(NULL, len + PIECE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (wide == MAP_FAILED)
		return NULL;

	const uintptr_t at =
	    ((uintptr_t)wide + PIECE - 1) & ~(uintptr_t)(PIECE - 1);
	const size_t before = at - (uintptr_t)wide;
	if (before > 0)
		munmap(wide, before);
	munmap((void *)(at + len), PIECE - before);
	madvise((void *)at, len, MADV_HUGEPAGE);
	return (void *)at;
}

/* Moves neighbours together: one mapping, not one for each. */
static int
run_move(uintptr_t at, size_t len, int protection)
{
	void *copy = run_new(len);
	if (copy == NULL)
		return 0;

	memcpy(copy, (const void *)at, len);
	if (!piece_is_huge((uintptr_t)copy) ||
	    mprotect(copy, len, protection) < 0 ||
	    mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at) ==
		MAP_FAILED) {
		munmap(copy, len);
		return 0;
	}
	return (int)(len / PIECE);
}

static int
segment_move(const struct segment *segment, const uint8_t *heats)
{
	const size_t n = segment->end > segment->start
	    ? (segment->end - segment->start) / PIECE
	    : 0;
	int moved = 0;

	for (size_t i = 0, run = 0; i <= n; i++) {
		if (i < n && heats[i] >= HOT) {
			run++;
			continue;
		}
		if (run > 0)
			moved += run_move(segment->start + (i - run) * PIECE,
			    run * PIECE, segment->protection);
		run = 0;
	}
	return moved;
}

int
hugetext_remap(hugetext_trial *const *trials, int n_trials)
{
	struct segments segments = { .n = 0 };
	struct heats heats = { 0 };
	int moved = 0;
	size_t at = 0;

	dl_iterate_phdr(segments_take, &segments);
	for (int i = 0; i < n_trials; i++)
		trial_learn(trials[i], &segments, &heats);
	for (int i = 0; i < segments.n; i++) {
		const struct segment *segment = &segments.list[i];
		const size_t n = segment->end > segment->start
		    ? (segment->end - segment->start) / PIECE
		    : 0;
		if (at + n > PIECES_MAX)
			break;
		moved += segment_move(segment, heats.list + at);
		at += n;
	}
	return moved;
}
