/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a program in a box would try. One table a file; main.c runs them by
 * name, each in a child of its own, and prints a line of JSON for each.
 *
 * An attack answers 0 or more when it *worked*, and a negative errno when it
 * was refused. Some calls would do harm where they are allowed: these are made
 * with arguments that the kernel refuses only after it has checked the rights
 * (attack_reached()), so to be told so is to have got through.
 */

#include <stddef.h>

/* Where the attack must work, to be worth anything. */
enum attack_control {
	CONTROL_USER, /* an ordinary user, in a pid namespace of its own */
	CONTROL_NEAR, /* the same without that namespace */
	CONTROL_ROOT, /* root, in namespaces of its own */
	CONTROL_SPACE, /* root of a user namespace without other walls */
	CONTROL_TERMINAL, /* as USER, on a terminal */
	CONTROL_LIMITS, /* as USER, without limits */
	CONTROL_WORK, /* as USER, in the folder work/ */
};

/* What the host side has laid out (host.c). */
struct attack_place {
	const char *folder; /* with secret/, granted/, readonly/, home/, … */
	const char *name; /* of the abstract sockets and the queue */
	long pid; /* of a process outside, of the same user */
	long shm; /* ids of System V objects */
	long sem;
	long msg;
	long tcp; /* ports of listeners on loopback */
	long tcp6;
	long udp;
};

struct attack {
	const char *name;
	enum attack_control control;
	long (*run)(const struct attack_place *place);
};

#define ATTACK(control, name)                                                  \
	{                                                                      \
#name, CONTROL_##control, name                                 \
	}

struct attack_table {
	const char *group;
	const struct attack *attacks;
	size_t n;
};

extern const struct attack_table attack_files, attack_proc, attack_spaces,
    attack_calls, attack_modes, attack_ipc, attack_terminal, attack_net,
    attack_limits, attack_guarded;

/* What a system call answered: its result or a negative errno. */
long attack_said(long result);

/* 0 when the kernel did the call, or refused it with this errno. */
long attack_reached(long result, int with_errno);

/* A path below the place; one of eight static buffers in turn. */
const char *attack_path(const struct attack_place *place, const char *below);

/* 0 when the file is there and says the secret. */
long attack_read_secret(const char *path);
long attack_read_secret_at(int folder_fd, const char *path);

/* 0 when it may be opened so. */
long attack_open(const char *path, int flags);

/* The exit status of a child: 0, or the errno that it left with, negative. */
long attack_child(long pid);

#define ATTACK_SECRET "cordon-secret"

/* The host's side: lays out System V objects and listeners in the place, tells
 * of them, waits for the end of its input and tells who came. */
int host_main(const char *folder);

/* Every system call number, and how it is answered. */
int numbers_main(unsigned int first, unsigned int last);

/* Programs without an end or without manners, by name. */
int bomb_main(const char *name, const char *argument);
