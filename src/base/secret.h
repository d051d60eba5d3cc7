/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secrets as tools see them: by name, never by value. A tool that reads its key
 * from the environment finds the placeholder there, "cordon-secret-NAME", and
 * sends it as if it were the key; egress puts the value in, towards the one
 * host that it is bound to, and refuses a placeholder towards any other.
 */

#include <stdbool.h>
#include <stddef.h>

#define SECRET_PLACEHOLDER "cordon-secret-"
#define SECRET_NAME_MAX 64 /* with the NUL */
#define SECRET_PLACEHOLDER_MAX                                                 \
	(sizeof(SECRET_PLACEHOLDER) + SECRET_NAME_MAX) /* with the NUL */
/* A shorter value is refused: it would be found, and blotted out, in answers
 * that have nothing to do with it. */
#define SECRET_VALUE_MIN 8

/* [A-Za-z_][A-Za-z0-9_]*, as the name of an environment variable. */
bool secret_name_is_good(const char *name);
/* "cordon-secret-NAME"; the name is good. */
void
secret_placeholder_put(const char *name, char text[SECRET_PLACEHOLDER_MAX]);
/* The bytes of the name that a text begins with, 0: none. */
size_t secret_name_span(const char *text, size_t len);
