/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/option.h"

#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

static int
text_set(void *value, const char *text)
{
	*(const char **)value = text;
	return 0;
}

static int
size_set(void *value, const char *text)
{
	return units_size_parse(text, value);
}

static int
duration_set(void *value, const char *text)
{
	return units_duration_parse(text, value);
}

static int
count_set(void *value, const char *text)
{
	uint64_t count;

	if (strspn(text, "0123456789") != strlen(text) ||
	    units_size_parse(text, &count) != 0 || count == 0 ||
	    count > UINT32_MAX)
		return UNITS_E_FORMAT;

	*(uint32_t *)value = (uint32_t)count;
	return 0;
}

static int
milli_set(void *value, const char *text)
{
	uint64_t milli;

	if (units_milli_parse(text, &milli) != 0 || milli == 0 ||
	    milli > UINT32_MAX)
		return UNITS_E_FORMAT;

	*(uint32_t *)value = (uint32_t)milli;
	return 0;
}

static int
list_set(void *value, const char *text)
{
	struct ctl_list *list = value;

	if (list->n_items == CTL_LIST_MAX)
		return UNITS_E_RANGE;

	list->items[list->n_items++] = text;
	return 0;
}

static const struct kind {
	int (*set)(void *value, const char *text);
	const char *wanted;
} kinds[] = {
	[CTL_FLAG] = { NULL, NULL },
	[CTL_TEXT] = { text_set, "a value" },
	[CTL_SIZE] = { size_set, "a size such as 64KiB or 128MiB" },
	[CTL_DURATION] = { duration_set,
	    "a duration with its unit, such as 50ms or 2s" },
	[CTL_COUNT] = { count_set, "a whole number of at least 1" },
	[CTL_MILLI] = { milli_set, "a number such as 0.5 or 2" },
	[CTL_LIST] = { list_set, "at most 32 values" },
};

static const struct ctl_option *
option_find(const struct ctl_command *command, const char *name, size_t len)
{
	for (size_t i = 0; i < command->n_options; i++) {
		const struct ctl_option *option = &command->options[i];

		if (strlen(option->name) == len &&
		    strncmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

static const struct ctl_option *
letter_find(const struct ctl_command *command, char letter)
{
	for (size_t i = 0; i < command->n_options; i++) {
		if (command->options[i].letter == letter)
			return &command->options[i];
	}
	return NULL;
}

/* "--name", "--name=value" or "-x": the option, and the value if it is
 * written in one word with it. */
static const struct ctl_option *
word_match(
    const struct ctl_command *command, const char *word, const char **value)
{
	*value = NULL;
	if (word[1] != '-')
		return word[2] == '\0' ? letter_find(command, word[1]) : NULL;

	const char *equals = strchr(word, '=');
	if (equals != NULL)
		*value = equals + 1;
	return option_find(command, word + 2,
	    equals != NULL ? (size_t)(equals - word - 2) : strlen(word + 2));
}

/* Handles the option at argv[*i]; moves *i past its value. */
static int
option_take(const struct ctl_command *command, void *values, int argc,
    char **argv, int *i, struct err *err)
{
	const char *word = argv[*i], *value;
	const struct ctl_option *option = word_match(command, word, &value);

	if (option == NULL)
		return err_set(err, CTL_E_USAGE, "unknown option %s", word);

	void *field = (char *)values + option->offset;
	if (option->kind == CTL_FLAG && value != NULL)
		return err_set(
		    err, CTL_E_USAGE, "--%s takes no value", option->name);
	if (option->kind == CTL_FLAG) {
		*(bool *)field = true;
		return 0;
	}

	if (value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if (value == NULL)
		return err_set(err, CTL_E_USAGE, "--%s needs %s", option->name,
		    kinds[option->kind].wanted);
	if (kinds[option->kind].set(field, value) != 0)
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
ctl_options_parse(const struct ctl_command *command, void *values, int argc,
    char **argv, int *n_operands, struct err *err)
{
	bool options_end = false;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		char *word = argv[i];

		if (options_end || word[0] != '-' || word[1] == '\0') {
			argv[++n] = word;
			options_end = options_end || command->starts_command;
		} else if (strcmp(word, "--") == 0) {
			options_end = true;
		} else if (is_help(word)) {
			ctl_help_print(stdout, command);
			return CTL_E_HELP;
		} else {
			const int r =
			    option_take(command, values, argc, argv, &i, err);
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
ctl_help_print(FILE *out, const struct ctl_command *command)
{
	fprintf(out, "Usage: %s [options]%s%s\n\n%s\n\nOptions:\n",
	    command->name, command->operands[0] == '\0' ? "" : " ",
	    command->operands, command->summary);
	for (size_t i = 0; i < command->n_options; i++)
		option_print(out, &command->options[i]);
	option_print(out,
	    &(const struct ctl_option){
		.name = "help", .letter = 'h', .help = "print this" });
	if (command->notes != NULL)
		fprintf(out, "\n%s\n", command->notes);
}

int
ctl_usage_fail(const struct ctl_command *command, const struct err *err)
{
	fprintf(stderr, "%s: ", command->name);
	ctl_line_print(stderr, err->text, strlen(err->text));
	fprintf(stderr, "\nTry: %s --help\n", command->name);
	return CTL_EXIT_USAGE;
}

static int
operands_check(const struct ctl_command *command, int n, struct err *err)
{
	if (n < command->least)
		return err_set(err, CTL_E_USAGE, "%s wanted: %s",
		    n == 0 ? "an operand is" : "another operand is",
		    command->operands);
	if (command->most == 0 && n > 0)
		return err_set(err, CTL_E_USAGE, "no operand is wanted");
	if (command->most != CTL_OPERANDS_ANY && n > command->most)
		return err_set(err, CTL_E_USAGE, "too many operands: %s",
		    command->operands);
	return 0;
}

int
ctl_command_run(
    const struct ctl_command *command, void *values, int argc, char **argv)
{
	struct err err;
	int n = 0;

	int r = ctl_options_parse(command, values, argc, argv, &n, &err);
	if (r == CTL_E_HELP)
		return CTL_EXIT_OK;
	if (r == 0)
		r = operands_check(command, n, &err);
	return r == 0 ? command->run(values, n, argv + 1)
		      : ctl_usage_fail(command, &err);
}

static const char *
last_word(const char *name)
{
	return strrchr(name, ' ') + 1;
}

static void
group_print(FILE *out, const struct ctl_group *group)
{
	fprintf(out,
	    "Usage: %s COMMAND [options] [operands]\n\n%s\n\n"
	    "Commands:\n",
	    group->name, group->summary);
	for (size_t i = 0; i < group->n_commands; i++) {
		const struct ctl_command *command = &group->commands[i];

		if (command->operands[0] == '\0')
			fprintf(out, "  %s\n", last_word(command->name));
		else
			fprintf(out, "  %-8s %s\n", last_word(command->name),
			    command->operands);
	}
	fprintf(out, "\n%s COMMAND --help tells more.\n", group->name);
}

int
ctl_group_run(
    const struct ctl_group *group, void *values, int argc, char **argv)
{
	if (argc < 2) {
		group_print(stderr, group);
		return CTL_EXIT_USAGE;
	}
	if (is_help(argv[1])) {
		group_print(stdout, group);
		return CTL_EXIT_OK;
	}
	for (size_t i = 0; i < group->n_commands; i++) {
		const struct ctl_command *command = &group->commands[i];

		if (strcmp(last_word(command->name), argv[1]) == 0)
			return ctl_command_run(
			    command, values, argc - 1, argv + 1);
	}
	fprintf(stderr, "%s: there is no \"%s\"\nTry: %s --help\n", group->name,
	    argv[1], group->name);
	return CTL_EXIT_USAGE;
}
