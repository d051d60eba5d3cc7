/* SPDX-License-Identifier: Apache-2.0
 *
 * zygote: runs as cordon-zygote's own uid in namespaces of its own, started by
 * the supervisor. This object is preloaded into the engine's binary (which is
 * a Node.js executable) by the dynamic loader, and takes the process over
 * before Node starts; Node's main never runs. It must never read a byte that a
 * stranger wrote: that is what templates are for.
 */
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zygote/zygote.h"

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void),
    void (*)(void), void *);

/*
 * Node's V8 marks its heap MADV_DONTFORK, since Node never forks without exec.
 * Here the fork is the point: drop that advice, or every child would crash.
 */
__attribute__((visibility("default"))) int
madvise(void *address, size_t len, int advice)
{
	if (advice == MADV_DONTFORK)
		return 0;
	return (int)syscall(SYS_madvise, address, len, advice);
}

void *mmap64(
    void *hint, size_t len, int protection, int flags, int fd, off64_t offset);

#define CHUNK ((uintptr_t)256 << 10) /* what V8 takes at once, and aligns to */
#define CHUNKS_MAX ((size_t)64 << 20) /* larger ones go where they like */

/*
 * V8 scatters its chunks: each asks for a random address, and each then costs
 * three pages of page tables, which every fork copies and every exit frees.
 * The first address stays random, the next chunks follow it. (A hint that is
 * taken is passed over by the kernel.)
 */
__attribute__((visibility("default"))) void *
mmap64(
    void *hint, size_t len, int protection, int flags, int fd, off64_t offset)
{
	static uintptr_t next;

	if (hint != NULL && fd < 0 && len <= CHUNKS_MAX &&
	    (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0) {
		if (next == 0)
			next = (uintptr_t)hint & ~(CHUNK - 1);
		hint = (void *)next;
		/* It asks for more, to align, and gives the rest back. */
		next += len < CHUNK ? CHUNK : len & ~(CHUNK - 1);
	}
	return (void *)syscall(
	    SYS_mmap, hint, len, protection, flags, fd, offset);
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* The C library's entry point, called by the binary's _start. */
__attribute__((visibility("default"))) int
__libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_fn *real =
	    (start_fn *)(uintptr_t)dlsym(RTLD_NEXT, "__libc_start_main");

	(void)main;
	return real(zygote_main, argc, argv, init, fini, rtld_fini, stack_end);
}
