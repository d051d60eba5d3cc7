/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON objects as an aligned table for a person. What strangers wrote is shown
 * escaped, in one line.
 */

#include <stdint.h>
#include <stdio.h>

#include "json/json.h"

#define CTL_COLUMNS_MAX 12
#define CTL_CELL_MAX 60 /* characters; what is longer is cut, with "..." */

/* Writes a value for the cell; an empty span: the member is not there. */
typedef void ctl_cell_fn(FILE *out, struct json_span value);

struct ctl_column {
	const char *title;
	const char *member; /* "quota/concurrent" is one of an inner object */
	ctl_cell_fn *print; /* NULL: the value as it is */
};

/* The rows are an array's objects; each is a line. 0, -ENOMEM. */
int ctl_table_print(FILE *out, const struct ctl_column *columns,
    size_t n_columns, struct json_span rows);

ctl_cell_fn ctl_cell_time; /* seconds since 1970, as "3m ago" or "in 2h" */
ctl_cell_fn ctl_cell_limit; /* a number, 0 is none */
ctl_cell_fn ctl_cell_bytes; /* "12.5MiB", 0 is none */
ctl_cell_fn ctl_cell_us; /* microseconds, as "1.25s" */
ctl_cell_fn ctl_cell_words; /* a list, with spaces between its words */
ctl_cell_fn ctl_cell_digest; /* the first 12 characters */

/* A member by its path; an empty span where there is none. */
struct json_span ctl_member(struct json_span object, const char *path);

/* The whole number of a member, 0 where there is none. */
uint64_t ctl_member_number(struct json_span object, const char *path);
