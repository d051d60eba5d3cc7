/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a test says by lines on stdin, as messages of wire/wire.h, and what
 * comes back, as a line of JSON each on stdout:
 *
 *     bundle NAME FILE [NETWORK]    socket NAME PATH    commit    link
 *     egress FD   (hands the store this descriptor as egress' stream)
 *     vault KEYS  (the keys from now on)
 */

/* Says what failed, and ends. */
void play_must(int condition, const char *what);

/* Prints one message. 0: the other end is gone. */
int play_hear(int fd);

/* Does what the next line says. 0: there is no more. */
int play_obey(int fd);

/* A memfd of these keys. */
int play_vault(const char *keys);

/* STORE with a descriptor, which is closed. */
void play_link(int fd, int gateway_fd);
