/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "package/command.h"

#define WORDS_MAX 16

/* Splits at blanks: no test needs a blank inside a word. */
struct words {
	char text[512];
	const char *argv[WORDS_MAX];
};

static void
split(struct words *words, const char *line)
{
	size_t n = 0;

	snprintf(words->text, sizeof(words->text), "%s", line);
	for (char *save, *word = strtok_r(words->text, " ", &save);
	     word != NULL; word = strtok_r(NULL, " ", &save)) {
		assert_true(n + 1 < WORDS_MAX);
		words->argv[n++] = word;
	}
	words->argv[n] = NULL;
}

struct good {
	const char *line;
	enum package_kind kind;
	const char *specs; /* joined by a blank */
	const char *program; /* NULL: the package's own */
	const char *args; /* joined by a blank */
};

static const struct good goods[] = {
	{ "npx server", PACKAGE_NPM, "server", NULL, "" },
	{ "npx -y server", PACKAGE_NPM, "server", NULL, "" },
	{ "/usr/bin/npx --yes server@1.2.3 a -b", PACKAGE_NPM, "server@1.2.3",
	    NULL, "a -b" },
	{ "npx -y @scope/server-files@latest /srv", PACKAGE_NPM,
	    "@scope/server-files@latest", NULL, "/srv" },
	{ "npx -y @scope/server@^2.0 -y", PACKAGE_NPM, "@scope/server@^2.0",
	    NULL, "-y" },
	{ "npx -p typescript -p ts-node@10 tsc --version", PACKAGE_NPM,
	    "typescript ts-node@10", "tsc", "--version" },
	{ "npx --package=@scope/a -- a-program -- x", PACKAGE_NPM, "@scope/a",
	    "a-program", "-- x" },
	{ "npx -y -- server --flag", PACKAGE_NPM, "server", NULL, "--flag" },
	{ "npx alias@npm:@scope/real@1.0.0", PACKAGE_NPM,
	    "alias@npm:@scope/real@1.0.0", NULL, "" },
	{ "npm exec --yes server -- --port 1", PACKAGE_NPM, "server", NULL,
	    "--port 1" },
	{ "npm exec -- server --port 1", PACKAGE_NPM, "server", NULL,
	    "--port 1" },
	{ "npm x server a", PACKAGE_NPM, "server", NULL, "a" },
	{ "pnpm dlx --package a b", PACKAGE_NPM, "a", "b", "" },
	{ "bunx server@1", PACKAGE_NPM, "server@1", NULL, "" },
	{ "bun x server", PACKAGE_NPM, "server", NULL, "" },
	{ "yarn dlx -q server", PACKAGE_NPM, "server", NULL, "" },
	{ "pnpx server", PACKAGE_NPM, "server", NULL, "" },
	{ "uvx mcp-server-git --repository /srv", PACKAGE_PYTHON,
	    "mcp-server-git", "mcp-server-git", "--repository /srv" },
	{ "uvx mcp-server-git@2025.1.14", PACKAGE_PYTHON,
	    "mcp-server-git==2025.1.14", "mcp-server-git", "" },
	{ "uvx a@latest", PACKAGE_PYTHON, "a", "a", "" },
	{ "uvx --from a[cli]==1.0 --with b --python 3.12 c d", PACKAGE_PYTHON,
	    "a[cli]==1.0 b", "c", "d" },
	{ "uv tool run a", PACKAGE_PYTHON, "a", "a", "" },
	{ "pipx run --spec a==1 b", PACKAGE_PYTHON, "a==1", "b", "" },
};

static void
join(char *text, size_t size, const char *const *words, size_t n)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && words[i] != NULL; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s",
		    i == 0 ? "" : " ", words[i]);
}

static void
reads_what_people_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		const struct good *good = &goods[i];
		struct package_command command;
		struct words words;
		struct err err = { "" };
		char text[512];

		split(&words, good->line);
		const int r = package_command_parse(words.argv, &command, &err);
		if (r != 0)
			fail_msg("%s: %d %s", good->line, r, err.text);
		assert_true(package_is_command(words.argv));
		assert_int_equal(command.kind, good->kind);
		join(text, sizeof(text), (const char *const *)command.specs,
		    command.n_specs);
		assert_string_equal(text, good->specs);
		if (good->program == NULL)
			assert_null(command.program);
		else
			assert_string_equal(command.program, good->program);
		join(text, sizeof(text), command.args, WORDS_MAX);
		assert_string_equal(text, good->args);
		package_command_fini(&command);
	}
}

static void
leaves_other_commands_alone(void **state)
{
	static const char *const lines[] = { "node x.js", "npm install a",
		"npm", "bun run x", "uv run x", "uv tool install a", "pipx",
		"python3 -m a", "npxx a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct package_command command;
		struct words words;

		split(&words, lines[i]);
		assert_false(package_is_command(words.argv));
		assert_int_equal(
		    package_command_parse(words.argv, &command, NULL),
		    PACKAGE_E_NONE);
	}
}

struct bad {
	const char *line;
	const char *says;
};

static const struct bad bads[] = {
	{ "npx", "no package is named" },
	{ "npx -y", "no package is named" },
	{ "npx -p a", "which program" },
	{ "npx -p", "its value is missing" },
	{ "npx ./server", "a file or a folder" },
	{ "npx ../server", "a file or a folder" },
	{ "npx /srv/server", "a file or a folder" },
	{ "npx ~/server", "a file or a folder" },
	{ "npx server.tgz", "a file or a folder" },
	{ "npx file:server", "a file or a folder" },
	{ "npx user/repository", "an address" },
	{ "npx github:user/repository", "an address" },
	{ "npx git+https://host/x.git", "an address" },
	{ "npx https://host/x.js", "an address" },
	{ "npx a@https://host/x.js", "an address" },
	{ "npx a@file:../x", "an address" },
	{ "npx a@user/repository", "an address" },
	{ "npx a@..", "no package name" },
	{ "npx a@x.tgz", "a file or a folder" },
	{ "npx a@npm:b@npm:c", "an address" },
	{ "npx a@npm:../b", "an address" },
	{ "npx @scope", "no package name" },
	{ "npx @scope/", "an address" },
	{ "npx @/a", "an address" },
	{ "npx @a/b/c", "an address" },
	{ "npx @a/../c", "an address" },
	{ "npx a@", "no package name" },
	{ "npx _a", "no package name" },
	{ "npx a$b", "no package name" },
	{ "npx -p a ../../bin/b", "a program that the package brings" },
	{ "npx -p a .b", "a program that the package brings" },
	{ "npx -c a", "a line for a shell" },
	{ "npx --registry=x a", "set it for npm" },
	{ "npx --node-options=x a", "does not know" },
	{ "npx --yes=false a", "does not know" },
	{ "npm exec a --flag", "before what the package is to have" },
	{ "bunx --bun a", "Node.js" },
	{ "uvx .", "a file or a folder" },
	{ "uvx --from git+https://host/x a", "an address" },
	{ "uvx --from ./x a", "a file or a folder" },
	{ "uvx --from x.whl a", "a file or a folder" },
	{ "uvx a@", "no package name" },
	{ "uvx a[b", "no package name" },
	{ "uvx --with-editable . a", "not taken" },
};

static void
refuses_the_rest_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct package_command command;
		struct words words;
		struct err err = { "" };

		split(&words, bads[i].line);
		const int r = package_command_parse(words.argv, &command, &err);
		if (r >= 0 || strstr(err.text, bads[i].says) == NULL)
			fail_msg("%s: %d %s", bads[i].line, r, err.text);
	}
}

static void
bounds_the_number_of_packages(void **state)
{
	const char *argv[2 * PACKAGE_SPECS_MAX + 5] = { "npx" };
	struct package_command command;
	struct err err = { "" };
	size_t n = 1;

	(void)state;
	for (size_t i = 0; i <= PACKAGE_SPECS_MAX; i++) {
		argv[n++] = "-p";
		argv[n++] = "a";
	}
	argv[n] = "a";
	assert_int_equal(package_command_parse(argv, &command, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than"));
}

static void
finds_the_name_in_a_spec(void **state)
{
	static const char *const pairs[][2] = { { "a", "a" }, { "a@1", "a" },
		{ "@s/a", "@s/a" }, { "@s/a@^1", "@s/a" }, { "b@npm:a@1", "b" },
		{ "a[b,c]>=1", "a" } };
	char name[PACKAGE_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		package_spec_name(pairs[i][0], name);
		assert_string_equal(name, pairs[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_people_write),
		cmocka_unit_test(leaves_other_commands_alone),
		cmocka_unit_test(refuses_the_rest_with_a_sentence),
		cmocka_unit_test(bounds_the_number_of_packages),
		cmocka_unit_test(finds_the_name_in_a_spec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
