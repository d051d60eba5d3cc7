/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/text.h"

#include <string.h>

#include "base/auto.h"
#include "base/utf8.h"

static const struct range {
	uint32_t first, last;
} hidden[] = {
	{ 0x00, 0x1f }, /* C0 */
	{ 0x7f, 0x9f }, /* DEL, C1 */
	{ 0xad, 0xad }, /* soft hyphen */
	{ 0x61c, 0x61c }, /* Arabic letter mark */
	{ 0x200b, 0x200b }, /* zero width space */
	{ 0x200e, 0x200f }, /* left-to-right, right-to-left marks */
	{ 0x2028, 0x202e }, /* separators, bidirectional embeddings */
	{ 0x2060, 0x2069 }, /* word joiner … bidirectional isolates */
	{ 0xfeff, 0xfeff }, /* byte order mark */
	{ 0xfff9, 0xfffb }, /* interlinear annotation */
	{ 0xe0000, 0xe007f }, /* tags */
};

bool
ctl_character_is_hidden(uint32_t character)
{
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return true;
	}
	return false;
}

static void
hidden_print(FILE *out, uint32_t character)
{
	if (character < 0x80)
		fprintf(out, "\\x%02x", character);
	else if (character < 0x10000)
		fprintf(out, "\\u%04x", character);
	else
		fprintf(out, "\\u{%x}", character);
}

void
ctl_line_print(FILE *out, const char *raw_text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)raw_text;
	uint32_t character = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &character);
		if (n == 0) {
			fprintf(out, "\\x%02x", bytes[at]);
			n = 1;
		} else if (ctl_character_is_hidden(character)) {
			hidden_print(out, character);
		} else {
			fwrite(bytes + at, 1, n, out);
		}
	}
}

void
ctl_text_print(FILE *out, const char *raw_text, size_t len, const char *indent)
{
	const uint8_t *bytes = (const uint8_t *)raw_text;
	uint32_t character = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &character);
		if (n == 0) {
			fprintf(out, "\\x%02x", bytes[at]);
			n = 1;
		} else if (character == '\n') {
			fprintf(out, "\n%s", indent);
		} else if (character != '\t' &&
		    ctl_character_is_hidden(character)) {
			hidden_print(out, character);
		} else {
			fwrite(bytes + at, 1, n, out);
		}
	}
}

/* Writes one character of a string of JSON; returns its length. */
static size_t
json_character_print(FILE *out, const uint8_t *bytes, size_t len)
{
	uint32_t character = 0;
	size_t n = utf8_next(bytes, len, &character);

	if (n == 0)
		n = 1;
	if (!ctl_character_is_hidden(character))
		fwrite(bytes, 1, n, out);
	else if (character < 0x10000)
		fprintf(out, "\\u%04x", character);
	else
		fprintf(out, "\\u%04x\\u%04x",
		    0xd800 + ((character - 0x10000) >> 10),
		    0xdc00 + ((character - 0x10000) & 0x3ff));
	return n;
}

/* Writes the string that starts at its quote; returns its length. */
static size_t
json_string_print(FILE *out, const char *json, size_t len)
{
	size_t at = 1;

	putc('"', out);
	while (at < len && json[at] != '"') {
		if (json[at] == '\\')
			putc(json[at++], out);
		at += json_character_print(
		    out, (const uint8_t *)json + at, len - at);
	}
	putc('"', out);
	return at + 1;
}

static void
line_break(FILE *out, int depth)
{
	fprintf(out, "\n%*s", depth * 2, "");
}

static size_t
spaces(const char *json, size_t len, size_t at)
{
	while (at < len && strchr(" \t\r\n", json[at]) != NULL)
		at++;
	return at;
}

void
ctl_json_line_print(FILE *out, const char *json, size_t len)
{
	for (size_t at = 0; at < len;) {
		if (json[at] == '"')
			at += json_string_print(out, json + at, len - at);
		else
			putc(json[at++], out);
	}
	putc('\n', out);
}

void
ctl_json_print(FILE *out, const char *json, size_t len)
{
	int depth = 0;

	for (size_t at = spaces(json, len, 0); at < len;
	     at = spaces(json, len, at)) {
		const char c = json[at];

		if (c == '"') {
			at += json_string_print(out, json + at, len - at);
			continue;
		}
		if (c == '}' || c == ']')
			line_break(out, --depth);
		putc(c, out);
		at++;
		if (c == ',') {
			line_break(out, depth);
		} else if (c == ':') {
			putc(' ', out);
		} else if (c == '{' || c == '[') {
			at = spaces(json, len, at);
			if (at < len && (json[at] == '}' || json[at] == ']'))
				putc(json[at++], out);
			else
				line_break(out, ++depth);
		}
	}
}

void
ctl_text_position(
    const char *text, size_t offset, unsigned int *line, unsigned int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			(*column)++;
		}
	}
}
