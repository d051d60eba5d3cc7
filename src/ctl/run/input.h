/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A JSON text as an operand: itself, @FILE, or - for standard input.
 */

#include "base/err.h"
#include "json/json.h"

#define CTL_INPUT_MAX (32u << 20)

/* *text is the caller's to free, on failure too; value lies in it. Refused with
 * a sentence that says where the text stops being JSON. */
int ctl_input_take(const char *argument, char **text, struct json_span *value,
    struct err *err);
