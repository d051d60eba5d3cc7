/* SPDX-License-Identifier: Apache-2.0
 *
 * What a terminal can be told to do to whoever reads from it next. On standard
 * input, be it a terminal or not: a filter does not know.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL(name, request, argument)                                      \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		(void)place;                                                   \
		return attack_reached(                                         \
		    syscall(SYS_ioctl, 0, request, argument), ENOTTY);         \
	}

static char letter[8] = "x";
static int discipline = 0;

TERMINAL(push, TIOCSTI, letter)
TERMINAL(push_high, 0x100000000ul | TIOCSTI, letter)
TERMINAL(push_higher, 0xffffffff00000000ul | TIOCSTI, letter)
TERMINAL(paste, TIOCLINUX, letter)
TERMINAL(paste_high, 0x7700000000ul | TIOCLINUX, letter)
TERMINAL(discipline_set, TIOCSETD, &discipline)
TERMINAL(discipline_high, 0x100000000ul | TIOCSETD, &discipline)
TERMINAL(console_take, TIOCCONS, NULL)
TERMINAL(hang_up, TIOCVHANGUP, NULL)

/* Another terminal of the host's. */
static long
terminals(const struct attack_place *place)
{
	char path[32] = "/dev/pts/0";

	(void)place;
	for (char c = '0'; c <= '9'; c++) {
		path[9] = c;
		const int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -(long)errno;
}

static const struct attack attacks[] = {
	ATTACK(TERMINAL, push),
	ATTACK(TERMINAL, push_high),
	ATTACK(TERMINAL, push_higher),
	ATTACK(USER, paste),
	ATTACK(USER, paste_high),
	ATTACK(TERMINAL, discipline_set),
	ATTACK(TERMINAL, discipline_high),
	ATTACK(USER, console_take),
	ATTACK(USER, hang_up),
	ATTACK(TERMINAL, terminals),
};

const struct attack_table attack_terminal = { "tty", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
