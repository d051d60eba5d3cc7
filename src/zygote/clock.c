/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "zygote/engine.h"
#include "zygote/zygote.h"

static struct {
	timer_t soft;
	timer_t hard;
} clocks;

static void
on_soft(int sig)
{
	const int saved = errno;

	engine_interrupt(
	    sig == SIGXCPU ? WIRE_CODE_TIMEOUT_CPU : WIRE_CODE_TIMEOUT_WALL);
	errno = saved;
}

int
clock_create(void)
{
	struct sigevent soft = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGXCPU };
	struct sigevent hard = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGKILL };
	struct sigaction action = { .sa_handler = on_soft };

	if (sigaction(SIGXCPU, &action, NULL) < 0 ||
	    sigaction(SIGALRM, &action, NULL) < 0)
		return -errno;
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &soft, &clocks.soft) < 0 ||
	    timer_create(CLOCK_PROCESS_CPUTIME_ID, &hard, &clocks.hard) < 0)
		return -errno;
	return 0;
}

static struct itimerspec
after(uint64_t ns)
{
	return (struct itimerspec){ .it_value = {
					.tv_sec = (time_t)(ns / 1000000000u),
					.tv_nsec = (long)(ns % 1000000000u) } };
}

int
clock_arm(uint64_t soft_ns, uint64_t hard_ns)
{
	const struct itimerspec soft = after(soft_ns), hard = after(hard_ns);

	if (timer_settime(clocks.soft, 0, &soft, NULL) < 0 ||
	    timer_settime(clocks.hard, 0, &hard, NULL) < 0)
		return -errno;
	return 0;
}
