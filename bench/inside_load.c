/* SPDX-License-Identifier: Apache-2.0
 *
 * What calls of the kernel cost where this runs: outside, or in a box.
 *
 *     inside-load SECONDS
 *
 * One line of JSON: nanoseconds a call; of a loop that calls nothing, of a turn.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "load.h"

#define FILE_THERE "/usr/bin/env"
#define FILE_MISSING "/usr/bin/cordon-bench-is-not-there"
#define TURNS 64 /* between two looks at the clock */

static int zero_fd, null_fd;

static void
getpid_call(void)
{
	syscall(SYS_getpid);
}

static void
read_write(void)
{
	char byte;

	if (read(zero_fd, &byte, 1) != 1 || write(null_fd, &byte, 1) != 1)
		load_die("read, write");
}

static void
open_close(void)
{
	const int fd = open(FILE_THERE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		load_die("open");
	close(fd);
}

static void
open_missing(void)
{
	if (open(FILE_MISSING, O_RDONLY | O_CLOEXEC) >= 0)
		load_die("a file that should not be there");
}

static void
stat_call(void)
{
	struct stat status;

	if (stat(FILE_THERE, &status) < 0)
		load_die("stat");
}

static void
compute(void)
{
	static volatile uint64_t value = 1;

	for (int i = 0; i < 1000; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
}

static const struct {
	const char *name;
	void (*call)(void);
} works[] = {
	{ "compute", compute },
	{ "getpid", getpid_call },
	{ "readWrite", read_write },
	{ "openClose", open_close },
	{ "openMissing", open_missing },
	{ "stat", stat_call },
};

/* The fastest of the pieces: what the machine does besides only adds. */
static double
measure(void (*call)(void), double seconds)
{
	const uint64_t end_ns = load_now_ns() + (uint64_t)(seconds * 1e9);
	double best = 0;

	for (uint64_t now = load_now_ns(); now < end_ns;) {
		for (int i = 0; i < TURNS; i++)
			call();
		const uint64_t then = load_now_ns();
		const double each = (double)(then - now) / TURNS;
		if (best <= 0 || each < best)
			best = each;
		now = then;
	}
	return best;
}

int
main(int argc, char **argv)
{
	const double seconds = argc == 2 ? atof(argv[1]) : 0;

	if (seconds <= 0)
		load_die("inside-load SECONDS");
	zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(works); i++)
		printf("%s\"%s\":%.1f", i == 0 ? "{" : ",", works[i].name,
		    measure(works[i].call, seconds / ARRAY_LEN(works)));
	printf("}\n");
	return 0;
}
