/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "ctl/text.h"

struct json_span
ctl_member(struct json_span object, const char *path)
{
	const struct json_span none = { 0 };
	char name[64];

	while (path != NULL) {
		const char *slash = strchr(path, '/');
		const size_t len =
		    slash != NULL ? (size_t)(slash - path) : strlen(path);
		struct json_want want = { name };

		if (len >= sizeof(name))
			return none;
		memcpy(name, path, len);
		name[len] = '\0';
		if (object.at == NULL ||
		    json_members_find(object, &want, 1) != 0)
			return none;
		object = want.value;
		path = slash != NULL ? slash + 1 : NULL;
	}
	return object;
}

static uint64_t
number_of(struct json_span value)
{
	char text[24];

	if (json_kind_of(value) != JSON_KIND_NUMBER ||
	    value.len >= sizeof(text) || value.at[0] == '-')
		return 0;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	return strtoull(text, NULL, 10);
}

uint64_t
ctl_member_number(struct json_span object, const char *path)
{
	return number_of(ctl_member(object, path));
}

static bool
is_nothing(struct json_span value)
{
	return value.at == NULL || json_kind_of(value) == JSON_KIND_NULL ||
	    json_string_equals(value, "");
}

static void
string_print(FILE *out, struct json_span value)
{
	auto_free char *text = malloc(value.len + 1);
	size_t len = 0;

	if (text == NULL ||
	    json_string_copy(value, text, value.len + 1, &len) != 0)
		return;
	ctl_line_print(out, text, len);
}

static void
list_print(FILE *out, struct json_span value, const char *between)
{
	struct json_span item;
	struct json_iter iter;
	size_t n = 0;

	(void)json_iter_init(&iter, value);
	while (json_iter_element(&iter, &item)) {
		fputs(n++ > 0 ? between : "", out);
		if (json_kind_of(item) == JSON_KIND_STRING)
			string_print(out, item);
		else
			ctl_line_print(out, item.at, item.len);
	}
	if (n == 0)
		fputc('-', out);
}

static void
value_print(FILE *out, struct json_span value)
{
	if (is_nothing(value))
		fputc('-', out);
	else if (json_kind_of(value) == JSON_KIND_STRING)
		string_print(out, value);
	else if (json_kind_of(value) == JSON_KIND_ARRAY)
		list_print(out, value, ",");
	else if (json_kind_of(value) == JSON_KIND_BOOL)
		fputs(json_value_is_true(value) ? "yes" : "no", out);
	else
		ctl_line_print(out, value.at, value.len);
}

void
ctl_cell_words(FILE *out, struct json_span value)
{
	if (json_kind_of(value) == JSON_KIND_ARRAY)
		list_print(out, value, " ");
	else
		value_print(out, value);
}

static void
span_print(FILE *out, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && seconds < units[i].seconds)
		i++;
	fprintf(
	    out, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
}

void
ctl_cell_time(FILE *out, struct json_span value)
{
	const uint64_t now = (uint64_t)time(NULL);
	const uint64_t then = number_of(value);

	if (then == 0) {
		fputc('-', out);
	} else if (then > now) {
		fputs("in ", out);
		span_print(out, then - now);
	} else {
		span_print(out, now - then);
		fputs(" ago", out);
	}
}

void
ctl_cell_limit(FILE *out, struct json_span value)
{
	const uint64_t number = number_of(value);

	if (number == 0)
		fputc('-', out);
	else
		fprintf(out, "%" PRIu64, number);
}

void
ctl_cell_bytes(FILE *out, struct json_span value)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double bytes = (double)number_of(value);
	size_t i = 0;

	if (bytes < 1) {
		fputc('-', out);
		return;
	}
	for (; bytes >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		bytes /= 1024;
	fprintf(out, i == 0 ? "%.0f%s" : "%.1f%s", bytes, units[i]);
}

void
ctl_cell_us(FILE *out, struct json_span value)
{
	const double us = (double)number_of(value);

	if (is_nothing(value))
		fputc('-', out);
	else if (us < 1e3)
		fprintf(out, "%.0fus", us);
	else if (us < 1e6)
		fprintf(out, "%.1fms", us / 1e3);
	else
		fprintf(out, "%.1fs", us / 1e6);
}

void
ctl_cell_digest(FILE *out, struct json_span value)
{
	char text[128];

	if (json_kind_of(value) == JSON_KIND_STRING &&
	    json_string_copy(value, text, sizeof(text), NULL) == 0)
		ctl_line_print(out, text, strnlen(text, 12));
	else
		fputc('-', out);
}

/* One cell; its text is owned by the caller. */
struct cell {
	char *text;
	size_t len;
	int width; /* characters */
};

/* Characters, and where the text is cut if there are too many. */
static void
cell_measure(struct cell *cell)
{
	size_t cut = 0;

	cell->width = 0;
	for (size_t i = 0; i < cell->len; i++) {
		if (((unsigned char)cell->text[i] & 0xc0) == 0x80)
			continue;
		if (cell->width++ == CTL_CELL_MAX - 3)
			cut = i;
	}
	if (cell->width <= CTL_CELL_MAX)
		return;
	memcpy(cell->text + cut, "...", 4);
	cell->width = CTL_CELL_MAX;
}

static int
cell_make(
    struct cell *cell, const struct ctl_column *column, struct json_span row)
{
	FILE *out = open_memstream(&cell->text, &cell->len);

	if (out == NULL)
		return -ENOMEM;
	const struct json_span value = ctl_member(row, column->member);
	if (column->print != NULL)
		column->print(out, value);
	else
		value_print(out, value);
	if (fclose(out) != 0)
		return -ENOMEM;
	cell_measure(cell);
	return 0;
}

static void
row_print(
    FILE *out, const struct cell *cells, size_t n_columns, const int *widths)
{
	for (size_t i = 0; i < n_columns; i++) {
		fputs(cells[i].text, out);
		if (i + 1 < n_columns)
			fprintf(out, "%*s", widths[i] - cells[i].width + 2, "");
	}
	fputc('\n', out);
}

static void
cells_free(struct cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(cells[i].text);
	free(cells);
}

static size_t
rows_count(struct json_span rows)
{
	struct json_span row;
	struct json_iter iter;
	size_t n = 0;

	if (json_kind_of(rows) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, rows) != 0)
		return 0;
	while (json_iter_element(&iter, &row))
		n++;
	return n;
}

static int
cells_fill(struct cell *cells, const struct ctl_column *columns,
    size_t n_columns, struct json_span rows)
{
	struct json_span row;
	struct json_iter iter;
	size_t at = n_columns;
	int r = 0;

	for (size_t i = 0; i < n_columns; i++) {
		cells[i].text = strdup(columns[i].title);
		if (cells[i].text == NULL)
			return -ENOMEM;
		cells[i].width = (int)strlen(columns[i].title);
	}
	if (json_kind_of(rows) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, rows) != 0)
		return 0;
	while (r == 0 && json_iter_element(&iter, &row)) {
		for (size_t i = 0; i < n_columns && r == 0; i++)
			r = cell_make(&cells[at++], &columns[i], row);
	}
	return r;
}

int
ctl_table_print(FILE *out, const struct ctl_column *columns, size_t n_columns,
    struct json_span rows)
{
	const size_t n_rows = rows_count(rows) + 1;
	struct cell *cells = calloc(n_rows * n_columns, sizeof(*cells));
	int widths[CTL_COLUMNS_MAX] = { 0 };

	if (cells == NULL)
		return -ENOMEM;
	const int r = cells_fill(cells, columns, n_columns, rows);
	for (size_t i = 0; r == 0 && i < n_rows * n_columns; i++) {
		int *width = &widths[i % n_columns];

		*width = cells[i].width > *width ? cells[i].width : *width;
	}
	for (size_t i = 0; r == 0 && i < n_rows; i++)
		row_print(out, cells + i * n_columns, n_columns, widths);
	cells_free(cells, n_rows * n_columns);
	return r;
}
