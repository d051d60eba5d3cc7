/* SPDX-License-Identifier: Apache-2.0
 *
 * The load of http_load.c towards an MCP server over stdio: JSON-RPC lines to a
 * child's stdin, answers off its stdout, so many in flight at once. What a
 * gateway adds is the difference to this.
 *
 *     line-load IN-FLIGHT CALLS SECONDS REQUEST-FILE EXPECT COMMAND…
 *
 * The file holds one line a message: the handshake first (a line that has an id
 * waits for its answer), the call last.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "load.h"

#define LOAD_IN_FLIGHT_MAX 256
#define LOAD_RING 65536 /* calls that one may be overtaken by */

static struct load {
	int in_fd, out_fd;
	pid_t pid;
	uint32_t in_flight, n_wanted, n_started, n_answered;
	uint64_t end_ns;
	const char *expect;
	char *request;
	size_t request_len;
	char *id; /* the eight digits within it */
	uint64_t started_ns[LOAD_RING]; /* by id, modulo */
	size_t len;
	char lines[LOAD_ANSWER_MAX + 1];
	struct load_samples samples;
} load;

static void
child_start(char **command)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		load_die("pipe: %s", strerror(errno));
	load.pid = fork();
	if (load.pid < 0)
		load_die("fork: %s", strerror(errno));
	if (load.pid == 0) {
		if (dup2(to[0], STDIN_FILENO) < 0 ||
		    dup2(from[1], STDOUT_FILENO) < 0)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	load.in_fd = to[1];
	load.out_fd = from[0];
}

static void
line_send(const char *line, size_t len)
{
	const int code = fd_write_all(load.in_fd, line, len);

	if (code != 0)
		load_die("the server's stdin: %s", strerror(-code));
}

/* The next line, without its end; valid until the next call. */
static char *
line_next(void)
{
	static size_t taken;

	load.len -= taken;
	memmove(load.lines, load.lines + taken, load.len);
	taken = 0;
	for (;;) {
		char *end = memchr(load.lines, '\n', load.len);
		if (end != NULL) {
			*end = '\0';
			taken = (size_t)(end - load.lines) + 1;
			return load.lines;
		}
		struct pollfd one = { .fd = load.out_fd, .events = POLLIN };
		if (poll(&one, 1, LOAD_STALL_MS) <= 0)
			load_die("no answer for %d s", LOAD_STALL_MS / 1000);
		const ssize_t n = read(load.out_fd, load.lines + load.len,
		    LOAD_ANSWER_MAX - load.len);
		if (n <= 0)
			load_die(
			    "the server ended after %u calls", load.n_answered);
		load.len += (size_t)n;
	}
}

/* Everything but the last line of the file; that is the call. */
static void
handshake(char *text)
{
	char *line = text;

	for (char *end; (end = strchr(line, '\n')) != NULL && end[1] != '\0';
	     line = end + 1) {
		const size_t len = (size_t)(end - line) + 1;
		line_send(line, len);
		if (memmem(line, len, "\"id\"", 4) != NULL)
			line_next();
	}
	load.request = line;
	load.request_len = strlen(line);
	load.id = strstr(line, "10000000");
	if (load.id == NULL)
		load_die("the call has no id 10000000");
}

static void
call_send(void)
{
	char digits[16];

	if (load.n_started >= load.n_wanted || load_now_ns() >= load.end_ns)
		return;
	snprintf(
	    digits, sizeof(digits), "%08u", LOAD_ID_FIRST + load.n_started);
	memcpy(load.id, digits, 8);
	load.started_ns[load.n_started % LOAD_RING] = load_now_ns();
	load.n_started++;
	line_send(load.request, load.request_len);
}

static void
answer_take(const char *line)
{
	const char *id = strstr(line, "\"id\":");

	if (id == NULL)
		return; /* a notification */
	const unsigned long n = strtoul(id + 5, NULL, 10);
	if (n < LOAD_ID_FIRST || n >= LOAD_ID_FIRST + load.n_started)
		load_die("an answer to nobody: %.60s", line);
	load.n_answered++;
	load_sample(
	    &load.samples, load.started_ns[(n - LOAD_ID_FIRST) % LOAD_RING]);
	if (strstr(line, load.expect) == NULL)
		load_fail(&load.samples, line);
}

int
main(int argc, char **argv)
{
	if (argc < 7)
		load_die(
		    "IN-FLIGHT CALLS SECONDS REQUEST-FILE EXPECT COMMAND…");
	load.in_flight = (uint32_t)strtoul(argv[1], NULL, 10);
	load.n_wanted = (uint32_t)strtoul(argv[2], NULL, 10);
	load.expect = argv[5];
	if (load.in_flight == 0 || load.in_flight >= LOAD_IN_FLIGHT_MAX)
		load_die("1 to %d in flight", LOAD_IN_FLIGHT_MAX - 1);
	auto_close int fd = open(argv[4], O_RDONLY | O_CLOEXEC);
	uint8_t *text = NULL;
	size_t len = 0;
	if (fd < 0 || fd_read_all(fd, LOAD_ANSWER_MAX, &text, &len) != 0 ||
	    len == 0)
		load_die("%s: cannot be read", argv[4]);
	text[len - 1] = '\n';
	char *lines = strndup((const char *)text, len);

	signal(SIGPIPE, SIG_IGN);
	child_start(argv + 6);
	handshake(lines);
	const uint64_t began_ns = load_now_ns();
	load.end_ns = began_ns + (uint64_t)(strtod(argv[3], NULL) * 1e9);
	for (uint32_t i = 0; i < load.in_flight; i++)
		call_send();
	while (load.n_answered < load.n_started) {
		answer_take(line_next());
		call_send();
	}
	load_report(&load.samples, (double)(load_now_ns() - began_ns) / 1e9);
	close(load.in_fd);
	waitpid(load.pid, NULL, 0);
	free(lines);
	free(text);
	return 0;
}
