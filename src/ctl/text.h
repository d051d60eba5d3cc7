/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Showing a person what a stranger wrote: nothing of it may move the cursor,
 * recolour the screen, reorder a line or look like a line of ours.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Controls, bidirectional overrides, invisible separators and tags. */
bool ctl_character_is_hidden(uint32_t character);

/*
 * Writes raw text. Hidden characters come out as \x1b or \u202e, bytes that
 * are not UTF-8 as \xff; a line break is followed by `indent`, so that no
 * second line stands at the margin. A tab stays.
 */
void
ctl_text_print(FILE *out, const char *raw_text, size_t len, const char *indent);

/* The same in one line: line breaks and tabs come out as \x0a and \x09. */
void ctl_line_print(FILE *out, const char *raw_text, size_t len);

/*
 * Writes a checked JSON text (json_check) in lines with two spaces of indent
 * a level; hidden characters, which can only be inside strings, become \u
 * escapes, which mean the same.
 */
void ctl_json_print(FILE *out, const char *json, size_t len);

/* The same without any other change: the layout stays; a line break follows. */
void ctl_json_line_print(FILE *out, const char *json, size_t len);

/* Line and column, counted from 1, of an offset; columns are characters. */
void ctl_text_position(
    const char *text, size_t offset, unsigned int *line, unsigned int *column);
