/* SPDX-License-Identifier: Apache-2.0 */
#include "package/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"

enum meaning {
	IGNORED, /* says what is so here anyway */
	SPEC, /* what to install; the first word is then the program */
	WITH, /* what to install besides */
	PYTHON,
	REFUSED,
};

struct option {
	const char *name;
	enum meaning meaning;
	bool has_value;
	const char *why; /* of what is refused: the sentence's end */
};

#define OWN_NETWORK "cordon resolves a package once and keeps it"

static const struct option npm_options[] = {
	{ "-y", IGNORED },
	{ "--yes", IGNORED },
	{ "-q", IGNORED },
	{ "--quiet", IGNORED },
	{ "-s", IGNORED },
	{ "--silent", IGNORED },
	{ "--prefer-online", IGNORED },
	{ "--prefer-offline", IGNORED },
	{ "--ignore-existing", IGNORED },
	{ "--no-audit", IGNORED },
	{ "--no-fund", IGNORED },
	{ "--ignore-scripts", IGNORED },
	{ "--no-update-notifier", IGNORED },
	{ "-p", SPEC, true },
	{ "--package", SPEC, true },
	{ "-c", REFUSED, true,
	    "it is a line for a shell; give the program and its arguments" },
	{ "--call", REFUSED, true,
	    "it is a line for a shell; give the program and its arguments" },
	{ "--shell-mode", REFUSED, false,
	    "it is a line for a shell; give the program and its arguments" },
	{ "--registry", REFUSED, true,
	    "set it for npm (npm config set registry URL)" },
	{ "--bun", REFUSED, false, "packages are run with Node.js here" },
	{ "--no", REFUSED, false, OWN_NETWORK },
	{ "--no-install", REFUSED, false, OWN_NETWORK },
	{ "--offline", REFUSED, false, OWN_NETWORK },
};

static const struct option python_options[] = {
	{ "-q", IGNORED },
	{ "--quiet", IGNORED },
	{ "--isolated", IGNORED },
	{ "--no-progress", IGNORED },
	{ "--no-cache", IGNORED },
	{ "-n", IGNORED },
	{ "--from", SPEC, true },
	{ "--spec", SPEC, true },
	{ "--with", WITH, true },
	{ "-w", WITH, true },
	{ "-p", PYTHON, true },
	{ "--python", PYTHON, true },
	{ "--index-url", REFUSED, true, "set it for uv (UV_DEFAULT_INDEX)" },
	{ "--default-index", REFUSED, true,
	    "set it for uv (UV_DEFAULT_INDEX)" },
	{ "--with-editable", REFUSED, true,
	    "a folder has no version to come back to" },
	{ "--with-requirements", REFUSED, true,
	    "name each package with --with" },
	{ "--offline", REFUSED, false, OWN_NETWORK },
};

struct runner {
	const char *words[3];
	const char *name;
	enum package_kind kind;
	bool takes_flags_behind; /* even behind the package, up to "--" */
};

static const struct runner runners[] = {
	{ { "npx" }, "npx", PACKAGE_NPM },
	{ { "npm", "exec" }, "npm exec", PACKAGE_NPM, true },
	{ { "npm", "x" }, "npm x", PACKAGE_NPM, true },
	{ { "pnpm", "dlx" }, "pnpm dlx", PACKAGE_NPM },
	{ { "pnpx" }, "pnpx", PACKAGE_NPM },
	{ { "bunx" }, "bunx", PACKAGE_NPM },
	{ { "bun", "x" }, "bun x", PACKAGE_NPM },
	{ { "yarn", "dlx" }, "yarn dlx", PACKAGE_NPM },
	{ { "uvx" }, "uvx", PACKAGE_PYTHON },
	{ { "uv", "tool", "run" }, "uv tool run", PACKAGE_PYTHON },
	{ { "pipx", "run" }, "pipx run", PACKAGE_PYTHON },
};

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* How many words of argv are the runner's; 0: none of them. */
static size_t
runner_match(const struct runner *runner, const char *const *argv)
{
	if (argv[0] == NULL ||
	    strcmp(base_name(argv[0]), runner->words[0]) != 0)
		return 0;
	size_t n = 1;
	for (; n < ARRAY_LEN(runner->words) && runner->words[n] != NULL; n++)
		if (argv[n] == NULL || strcmp(argv[n], runner->words[n]) != 0)
			return 0;
	return n;
}

static const struct runner *
runner_find(const char *const *argv, size_t *n_words)
{
	for (size_t i = 0; i < ARRAY_LEN(runners); i++) {
		*n_words = runner_match(&runners[i], argv);
		if (*n_words > 0)
			return &runners[i];
	}
	return NULL;
}

bool
package_is_command(const char *const *argv)
{
	size_t n;

	return runner_find(argv, &n) != NULL;
}

/* -- specs ---------------------------------------------------------------- */

static bool
all_of(const char *text, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];
		const bool is_word = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_word && strchr(others, c) == NULL)
			return false;
	}
	return true;
}

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool
ends_with(const char *text, const char *end)
{
	const size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static bool
is_archive(const char *text)
{
	return ends_with(text, ".tgz") || ends_with(text, ".tar.gz") ||
	    ends_with(text, ".tar") || ends_with(text, ".whl");
}

/* Why a word is no package of a registry. */
static int
spec_refuse(const char *spec, struct err *err)
{
	if (spec[0] == '.' || spec[0] == '/' || spec[0] == '~' ||
	    starts_with(spec, "file:") || is_archive(spec))
		return err_set(err, -EINVAL,
		    "%s is a file or a folder: nothing has to be resolved; "
		    "run what is in it (node FILE, python3 FILE)",
		    spec);
	if (strstr(spec, ":") != NULL || strchr(spec, '/') != NULL)
		return err_set(err, -EINVAL,
		    "%s is an address: only packages of a registry are "
		    "resolved, they have a version and an integrity; "
		    "write NAME@VERSION",
		    spec);
	return err_set(err, -EINVAL,
	    "%s is no package name: write NAME or NAME@VERSION", spec);
}

/* The length of "name" or "@scope/name"; 0: neither. */
static size_t
npm_name_len(const char *spec)
{
	size_t len = 0;

	if (spec[0] == '@') {
		len = strcspn(spec, "/");
		if (len < 2 || spec[len] == '\0' ||
		    !all_of(spec + 1, len - 1, "-_.~"))
			return 0;
		len++;
	}
	const char *name = spec + len;
	const size_t name_len = strcspn(name, "@");
	if (name_len == 0 || len + name_len >= PACKAGE_NAME_MAX ||
	    strchr("._-", name[0]) != NULL || !all_of(name, name_len, "-_.~"))
		return 0;
	return len + name_len;
}

/* "name", "name@range", "alias@npm:name@range". */
static bool
npm_spec_is_good(const char *spec, bool may_be_alias)
{
	const size_t len = npm_name_len(spec);

	if (len == 0 || is_archive(spec))
		return false;
	if (spec[len] == '\0')
		return true;
	const char *range = spec + len + 1;
	if (may_be_alias && starts_with(range, "npm:"))
		return npm_spec_is_good(range + strlen("npm:"), false);
	return range[0] != '\0' && range[0] != '.' &&
	    strlen(range) < PACKAGE_VERSION_MAX &&
	    all_of(range, strlen(range), "-_.+^~<>=*| ");
}

static int
npm_spec_make(const char *word, char **spec, struct err *err)
{
	if (!npm_spec_is_good(word, true))
		return spec_refuse(word, err);
	*spec = strdup(word);
	return *spec != NULL ? 0 : -ENOMEM;
}

/* The length of "name" or "name[extra,…]"; 0: neither. */
static size_t
python_name_len(const char *spec)
{
	size_t len = strcspn(spec, "[@=<>!~ ");

	if (len == 0 || strchr("-_.", spec[0]) != NULL ||
	    !all_of(spec, len, "-_."))
		return 0;
	if (spec[len] == '[') {
		const size_t inner = strcspn(spec + len, "]");
		if (spec[len + inner] == '\0' ||
		    !all_of(spec + len + 1, inner - 1, "-_.,"))
			return 0;
		len += inner + 1;
	}
	return len < PACKAGE_NAME_MAX ? len : 0;
}

/* "name@1.2" becomes "name==1.2", "name@latest" the name; else as it is. */
static int
python_spec_make(const char *word, char **spec, struct err *err)
{
	const size_t len = python_name_len(word);
	const char *rest = word + len;
	const bool is_at = rest[0] == '@';

	if (len == 0 || is_archive(word) ||
	    strlen(rest) >= PACKAGE_VERSION_MAX || strcmp(rest, "@") == 0 ||
	    !all_of(rest + is_at, strlen(rest) - is_at,
		is_at ? "-_.+!" : "-_.+!=<>~*, "))
		return spec_refuse(word, err);
	if (!is_at) {
		*spec = strdup(word);
		return *spec != NULL ? 0 : -ENOMEM;
	}
	const bool is_latest = strcmp(rest, "@latest") == 0;
	const int r = asprintf(spec, "%.*s%s%s", (int)len, word,
	    is_latest ? "" : "==", is_latest ? "" : rest + 1);
	return r < 0 ? -ENOMEM : 0;
}

void
package_spec_name(const char *spec, char name[PACKAGE_NAME_MAX])
{
	const size_t scope = spec[0] == '@';
	size_t len = scope + strcspn(spec + scope, "@[=<>!~ ");

	if (len >= PACKAGE_NAME_MAX)
		len = PACKAGE_NAME_MAX - 1;
	memcpy(name, spec, len);
	name[len] = '\0';
}

static int
spec_add(struct package_command *command, const char *word, struct err *err)
{
	if (command->n_specs == PACKAGE_SPECS_MAX)
		return err_set(err, -E2BIG,
		    "%s: more than %d packages in one command", command->runner,
		    PACKAGE_SPECS_MAX);
	char **spec = &command->specs[command->n_specs];
	const int r = command->kind == PACKAGE_NPM
	    ? npm_spec_make(word, spec, err)
	    : python_spec_make(word, spec, err);
	if (r == 0)
		command->n_specs++;
	return r == -ENOMEM ? err_set(err, r, "no memory") : r;
}

/* -- options -------------------------------------------------------------- */

struct reader {
	const char *const *words; /* the next one */
	struct package_command *command;
	const char *with[PACKAGE_SPECS_MAX]; /* they come behind */
	size_t n_with;
	bool has_spec; /* --package, --from: the first word is the program */
};

static const struct option *
option_find(enum package_kind kind, const char *word, size_t len)
{
	const bool is_npm = kind == PACKAGE_NPM;
	const struct option *options = is_npm ? npm_options : python_options;
	const size_t n =
	    is_npm ? ARRAY_LEN(npm_options) : ARRAY_LEN(python_options);

	for (size_t i = 0; i < n; i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, word, len) == 0)
			return &options[i];
	return NULL;
}

static int
option_take(struct reader *reader, const struct option *option,
    const char *value, struct err *err)
{
	struct package_command *command = reader->command;

	switch (option->meaning) {
	case IGNORED:
		return 0;
	case SPEC:
		reader->has_spec = true;
		return spec_add(command, value, err);
	case WITH:
		if (reader->n_with == PACKAGE_SPECS_MAX)
			return err_set(err, -E2BIG, "%s: too many %s",
			    command->runner, option->name);
		reader->with[reader->n_with++] = value;
		return 0;
	case PYTHON:
		command->python = value;
		return 0;
	case REFUSED:
		break;
	}
	return err_set(err, -EINVAL, "%s %s is not taken: %s", command->runner,
	    option->name, option->why);
}

static int
option_read(struct reader *reader, struct err *err)
{
	const char *runner = reader->command->runner;
	const char *word = *reader->words++;
	const size_t len = strcspn(word, "=");
	const struct option *option =
	    option_find(reader->command->kind, word, len);

	if (option == NULL || (word[len] == '=' && !option->has_value))
		return err_set(err, -EINVAL,
		    "%s %s is an option that cordon does not know: leave it "
		    "out, or write it behind the package if the package is to "
		    "have it",
		    runner, word);
	if (!option->has_value)
		return option_take(reader, option, NULL, err);
	const char *value = word[len] == '=' ? word + len + 1 : *reader->words;
	if (value == NULL || value[0] == '\0')
		return err_set(err, -EINVAL, "%s %s: its value is missing",
		    runner, option->name);
	if (word[len] != '=')
		reader->words++;
	return option_take(reader, option, value, err);
}

static int
options_read(struct reader *reader, struct err *err)
{
	while (*reader->words != NULL && (*reader->words)[0] == '-') {
		if (strcmp(*reader->words, "--") == 0) {
			reader->words++;
			return 0;
		}
		const int r = option_read(reader, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -- the whole ------------------------------------------------------------ */

static int
program_take(struct package_command *command, const char *word, struct err *err)
{
	if (word[0] == '\0' || strchr(".-", word[0]) != NULL ||
	    !all_of(word, strlen(word), "-_.+"))
		return err_set(err, -EINVAL,
		    "%s %s: the name of a program that the package brings is "
		    "wanted",
		    command->runner, word);
	command->program = strdup(word);
	return command->program != NULL ? 0
					: err_set(err, -ENOMEM, "no memory");
}

/* The first word: the package, or a program of the packages named before. */
static int
word_read(struct reader *reader, struct err *err)
{
	struct package_command *command = reader->command;
	const char *word = *reader->words;

	if (word == NULL)
		return err_set(err, -EINVAL, "%s: %s", command->runner,
		    reader->has_spec
			? "which program of the package is to run? Write it "
			  "behind the options"
			: "no package is named");
	reader->words++;
	if (reader->has_spec)
		return program_take(command, word, err);
	int r = spec_add(command, word, err);
	if (r == 0 && command->kind == PACKAGE_PYTHON) {
		char name[PACKAGE_NAME_MAX];
		package_spec_name(word, name);
		r = program_take(command, name, err);
	}
	return r;
}

/* npm exec reads flags wherever they stand; what it would keep for itself must
 * not reach the package here. A "--" ends that. */
static int
args_read(struct reader *reader, const struct runner *runner, struct err *err)
{
	reader->command->args = reader->words;
	if (!runner->takes_flags_behind)
		return 0;
	if (*reader->words != NULL && strcmp(*reader->words, "--") == 0) {
		reader->command->args++;
		return 0;
	}
	for (const char *const *word = reader->words; *word != NULL; word++)
		if ((*word)[0] == '-')
			return err_set(err, -EINVAL,
			    "%s would keep %s for itself: write -- before what "
			    "the package is to have",
			    runner->name, *word);
	return 0;
}

static int
command_read(
    struct reader *reader, const struct runner *runner, struct err *err)
{
	int r = options_read(reader, err);
	const bool is_over = r == 0 && strcmp(reader->words[-1], "--") == 0;

	if (r == 0)
		r = word_read(reader, err);
	for (size_t i = 0; r == 0 && i < reader->n_with; i++)
		r = spec_add(reader->command, reader->with[i], err);
	if (r != 0)
		return r;
	reader->command->args = reader->words;
	return is_over ? 0 : args_read(reader, runner, err);
}

int
package_command_parse(
    const char *const *argv, struct package_command *out, struct err *err)
{
	size_t n_words;
	const struct runner *runner = runner_find(argv, &n_words);

	if (runner == NULL)
		return PACKAGE_E_NONE;
	struct package_command command = {
		.kind = runner->kind,
		.runner = runner->name,
	};
	struct reader reader = {
		.words = argv + n_words,
		.command = &command,
	};
	const int r = command_read(&reader, runner, err);
	if (r != 0) {
		package_command_fini(&command);
		return r;
	}
	*out = command;
	return 0;
}

void
package_command_fini(struct package_command *command)
{
	for (size_t i = 0; i < command->n_specs; i++)
		free(command->specs[i]);
	free(command->program);
	*command = (struct package_command){ 0 };
}
