/* SPDX-License-Identifier: Apache-2.0
 *
 * The positive control: the same attacks where cordon's walls are absent. Each
 * runs in a child of its own; one JSON line each. Started by the test inside
 * namespaces of its own, so that what works does no harm.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "payload.h"

static void
attack(const char *name)
{
	struct payload_outcome outcome = { 0 };
	int status = 0;

	const pid_t pid = fork();
	if (pid == 0) {
		const int code = payload_run(name, &outcome);
		printf("{\"name\":\"%s\",\"result\":%ld,\"error\":%d}\n", name,
		    code == 0 ? outcome.result : -1, outcome.error);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("{\"name\":\"%s\",\"signal\":%d}\n", name,
		    WTERMSIG(status));
}

int
main(void)
{
	const char *name;

	for (int i = 0; (name = payload_name(i)) != NULL; i++)
		attack(name);
	return 0;
}
