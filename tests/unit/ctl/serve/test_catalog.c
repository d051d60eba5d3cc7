/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include "ctl/serve/catalog.h"

static void
names_are_stems_in_lower_case(void **state)
{
	static const struct {
		const char *file, *name; /* NULL: refused */
		bool is_folder;
	} cases[] = {
		{ "pricing.js", "pricing", false },
		{ "Pricing.mjs", "pricing", false },
		{ "my-tool_2.v1.js", "my-tool_2.v1", false },
		{ "server.v2", "server.v2", true },
		{ "x.js", "x.js", true },
		{ ".hidden.js", NULL, false },
		{ "-x.js", NULL, false },
		{ "two words.js", NULL, false },
		{ "a/b.js", NULL, false },
		{ "caf\xc3\xa9.js", NULL, false },
		{ "", NULL, true },
		{ ".js", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[WIRE_NAME_MAX] = "untouched";
		const int r =
		    ctl_server_name(cases[i].file, cases[i].is_folder, name);

		if (cases[i].name == NULL) {
			assert_int_equal(r, CTL_E_CATALOG);
			assert_string_equal(name, "untouched");
		} else {
			assert_int_equal(r, 0);
			assert_string_equal(name, cases[i].name);
		}
	}
}

static void
a_name_has_63_letters_at_most(void **state)
{
	char file[WIRE_NAME_MAX + 8], name[WIRE_NAME_MAX];

	(void)state;
	memset(file, 'a', sizeof(file));
	strcpy(file + WIRE_NAME_MAX - 1, ".js");
	assert_int_equal(ctl_server_name(file, false, name), 0);
	assert_int_equal(strlen(name), WIRE_NAME_MAX - 1);
	memset(file, 'a', sizeof(file));
	strcpy(file + WIRE_NAME_MAX, ".js");
	assert_int_equal(ctl_server_name(file, false, name), CTL_E_CATALOG);
}

static void
finds_files_and_bundles_and_nothing_else(void **state)
{
	struct ctl_catalog catalog = { 0 };
	struct err err;

	(void)state;
	file_make("zoo.js", "z");
	file_make("alpha.mjs", "a");
	file_make("readme.md", "r");
	file_make("cordon.json", "{}");
	file_make(".hidden.js", "h");
	assert_int_equal(mkdir("bundle", 0700), 0);
	file_make("bundle/index.js", "i");
	assert_int_equal(mkdir("data", 0700), 0);
	file_make("data/rows.csv", "d");
	assert_int_equal(ctl_catalog_add(&catalog, ".", &err), 0);
	assert_int_equal(ctl_catalog_read(&catalog, &err), 0);
	assert_int_equal(catalog.n_servers, 3);
	assert_string_equal(catalog.servers[0].name, "alpha");
	assert_string_equal(catalog.servers[1].name, "bundle");
	assert_true(catalog.servers[1].bundle.is_folder);
	assert_string_equal(catalog.servers[2].name, "zoo");
	assert_true(catalog.servers[2].bundle.fd >= 0);
	assert_non_null(ctl_catalog_find(&catalog, "zoo"));
	assert_null(ctl_catalog_find(&catalog, "data"));
	ctl_catalog_fini(&catalog);
}

static void
two_of_one_name_end_the_start(void **state)
{
	struct ctl_catalog catalog = { 0 };
	struct err err;

	(void)state;
	file_make("pricing.js", "1");
	file_make("Pricing.mjs", "2");
	assert_int_equal(ctl_catalog_add(&catalog, ".", &err), CTL_E_CATALOG);
	assert_non_null(strstr(err.text, "pricing.js"));
	assert_non_null(strstr(err.text, "Pricing.mjs"));
	ctl_catalog_fini(&catalog);
}

static void
takes_a_single_file_too(void **state)
{
	struct ctl_catalog catalog = { 0 };
	struct err err;

	(void)state;
	file_make("tool.js", "1");
	file_make("notes.txt", "2");
	assert_int_equal(ctl_catalog_add(&catalog, "./tool.js", &err), 0);
	assert_string_equal(catalog.servers[0].name, "tool");
	assert_int_equal(
	    ctl_catalog_add(&catalog, "notes.txt", &err), CTL_E_CATALOG);
	assert_int_not_equal(ctl_catalog_add(&catalog, "nowhere", &err), 0);
	ctl_catalog_fini(&catalog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_stems_in_lower_case),
		cmocka_unit_test(a_name_has_63_letters_at_most),
		folder_test(finds_files_and_bundles_and_nothing_else),
		folder_test(two_of_one_name_end_the_start),
		folder_test(takes_a_single_file_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
