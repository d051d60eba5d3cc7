/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/option.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "ctl/ctl.h"

static int
text_set(const struct ctl_option *option, const char *text)
{
	*(const char **)option->value = text;
	return 0;
}

static int
size_set(const struct ctl_option *option, const char *text)
{
	return units_size_parse(text, option->value);
}

static int
duration_set(const struct ctl_option *option, const char *text)
{
	return units_duration_parse(text, option->value);
}

static int
count_set(const struct ctl_option *option, const char *text)
{
	uint64_t count;

	if (strspn(text, "0123456789") != strlen(text) ||
	    units_size_parse(text, &count) != 0 || count == 0 ||
	    count > UINT32_MAX)
		return UNITS_E_FORMAT;

	*(uint32_t *)option->value = (uint32_t)count;
	return 0;
}

static int
list_set(const struct ctl_option *option, const char *text)
{
	struct ctl_list *list = option->value;

	if (list->n_items == CTL_LIST_MAX)
		return UNITS_E_RANGE;

	list->items[list->n_items++] = text;
	return 0;
}

static const struct kind {
	int (*set)(const struct ctl_option *option, const char *text);
	const char *wanted;
} kinds[] = {
	[CTL_FLAG] = { NULL, NULL },
	[CTL_TEXT] = { text_set, "a value" },
	[CTL_SIZE] = { size_set, "a size such as 64KiB or 128MiB" },
	[CTL_DURATION] = { duration_set,
	    "a duration with its unit, such as 50ms or 2s" },
	[CTL_COUNT] = { count_set, "a whole number of at least 1" },
	[CTL_LIST] = { list_set, "at most 32 values" },
};

static const struct ctl_option *
option_find(const struct ctl_synopsis *synopsis, const char *name, size_t len)
{
	for (size_t i = 0; i < synopsis->n_options; i++) {
		const struct ctl_option *option = &synopsis->options[i];

		if (strlen(option->name) == len &&
		    strncmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

static const struct ctl_option *
letter_find(const struct ctl_synopsis *synopsis, char letter)
{
	for (size_t i = 0; i < synopsis->n_options; i++) {
		if (synopsis->options[i].letter == letter)
			return &synopsis->options[i];
	}
	return NULL;
}

/* "--name", "--name=value" or "-x": the option, and the value if it is
 * written in one word with it. */
static const struct ctl_option *
word_match(
    const struct ctl_synopsis *synopsis, const char *word, const char **value)
{
	*value = NULL;
	if (word[1] != '-')
		return word[2] == '\0' ? letter_find(synopsis, word[1]) : NULL;

	const char *equals = strchr(word, '=');
	if (equals != NULL)
		*value = equals + 1;
	return option_find(synopsis, word + 2,
	    equals != NULL ? (size_t)(equals - word - 2) : strlen(word + 2));
}

/* Handles the option at argv[*i]; moves *i past its value. */
static int
option_take(const struct ctl_synopsis *synopsis, int argc, char **argv, int *i,
    struct err *err)
{
	const char *word = argv[*i], *value;
	const struct ctl_option *option = word_match(synopsis, word, &value);

	if (option == NULL)
		return err_set(err, CTL_E_USAGE, "unknown option %s", word);
	if (option->kind == CTL_FLAG && value != NULL)
		return err_set(
		    err, CTL_E_USAGE, "--%s takes no value", option->name);
	if (option->kind == CTL_FLAG) {
		*(bool *)option->value = true;
		return 0;
	}

	if (value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if (value == NULL)
		return err_set(err, CTL_E_USAGE, "--%s needs %s", option->name,
		    kinds[option->kind].wanted);
	if (kinds[option->kind].set(option, value) != 0)
		return err_set(err, CTL_E_USAGE,
		    "--%s needs %s, \"%s\" is none", option->name,
		    kinds[option->kind].wanted, value);
	return 0;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int
ctl_options_parse(const struct ctl_synopsis *synopsis, int argc, char **argv,
    int *n_operands, struct err *err)
{
	bool options_end = false;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		char *word = argv[i];

		if (options_end || word[0] != '-' || word[1] == '\0') {
			argv[++n] = word;
		} else if (strcmp(word, "--") == 0) {
			options_end = true;
		} else if (is_help(word)) {
			ctl_help_print(stdout, synopsis);
			return CTL_E_HELP;
		} else {
			const int r =
			    option_take(synopsis, argc, argv, &i, err);
			if (r != 0)
				return r;
		}
	}

	*n_operands = n;
	return 0;
}

static void
option_print(FILE *out, const struct ctl_option *option)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%c --%s%s%s",
	    option->letter != 0 ? "-" : " ",
	    option->letter != 0 ? option->letter : ' ',
	    option->letter != 0 ? ',' : ' ', option->name,
	    option->argument != NULL ? " " : "",
	    option->argument != NULL ? option->argument : "");
	fprintf(out, "  %-26s  %s\n", left, option->help);
}

void
ctl_help_print(FILE *out, const struct ctl_synopsis *synopsis)
{
	fprintf(out, "Usage: %s [options] %s\n\n%s\n\nOptions:\n",
	    synopsis->command, synopsis->operands, synopsis->summary);
	for (size_t i = 0; i < synopsis->n_options; i++)
		option_print(out, &synopsis->options[i]);
	option_print(out,
	    &(const struct ctl_option){
		.name = "help", .letter = 'h', .help = "print this" });
	if (synopsis->notes != NULL)
		fprintf(out, "\n%s\n", synopsis->notes);
}

int
ctl_usage_fail(const struct ctl_synopsis *synopsis, const struct err *err)
{
	fprintf(stderr, "%s: %s\nTry: %s --help\n", synopsis->command,
	    err->text, synopsis->command);
	return CTL_EXIT_USAGE;
}
