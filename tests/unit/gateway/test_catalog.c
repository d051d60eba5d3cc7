/* SPDX-License-Identifier: Apache-2.0 */
#include "behind_fake.h"

#include "gateway/behind/catalog.h"

static const struct upstream_answer *failed;
static bool needed;
static struct endpoint all, one;
static struct catalog_entry entry;

static int
set_up(void **state)
{
	(void)state;
	fake_start(WIRE_KIND_SOCKET);
	all = (struct endpoint){ .tenant = &fake_tenant };
	one = (struct endpoint){ &fake_tenant, &fake_servers[0] };
	needed = false;
	failed = NULL;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

static void
on_needed(void *arg, const struct upstream_answer *failure)
{
	(void)arg;
	assert_false(needed);
	needed = true;
	failed = failure;
}

static void
need(const struct endpoint *endpoint)
{
	needed = false;
	assert_int_equal(catalog_need(&fake_gateway, endpoint, &fake_clients[0],
			     on_needed, NULL),
	    0);
}

/* Greets whoever asks on this link; its name tells nothing: links of servers
 * come in no order that counts here. */
static void
serve(unsigned link, const char *tools, const char *resources)
{
	char reply[2048];

	fake_greet(link, "{\"tools\":{},\"resources\":{},\"prompts\":{}}");
	for (int i = 0; i < 4; i++) {
		const char *request = fake_read(link);
		snprintf(reply, sizeof(reply), "\"result\":{\"%s\":[%s]}",
		    strstr(request, "tools/list") != NULL         ? "tools"
			: strstr(request, "prompts/list") != NULL ? "prompts"
			: strstr(request, "templates") != NULL
			? "resourceTemplates"
			: "resources",
		    strstr(request, "tools/list") != NULL ? tools
			: strstr(request, "\"resources/list") != NULL
			? resources
			: "");
		fake_reply(link, request, reply);
	}
	fake_settle();
}

static void
serve_all(void)
{
	need(&all);
	for (unsigned i = 0; i < 3; i++)
		serve(i,
		    "{\"name\":\"t\",\"inputSchema\":{},\"n\":1e999},{\"name\":"
		    "\"odd name\",\"inputSchema\":{}}",
		    "{\"uri\":\"file:///\\u00e9\",\"name\":\"f\"},{\"uri\":"
		    "\"ui://x\",\"name\":\"u\"}");
	fake_until(&needed);
	assert_null(failed);
}

static const char *
list(const struct endpoint *endpoint, enum catalog_kind kind)
{
	static char text[8192];
	struct json_span whole;
	struct json_out out;

	json_out_init(&out, sizeof(text));
	catalog_list_write(
	    &fake_gateway, endpoint, &fake_clients[0], kind, &out);
	assert_int_equal(json_check(out.bytes, out.len, &whole, NULL), 0);
	snprintf(text, sizeof(text), "%.*s", (int)out.len, out.bytes);
	json_out_fini(&out);
	return text;
}

static int
find(const struct endpoint *endpoint, enum catalog_kind kind, const char *name)
{
	entry = (struct catalog_entry){ 0 };
	return catalog_find(&fake_gateway, endpoint, &fake_clients[0], kind,
	    (struct json_span){ name, strlen(name) }, &entry);
}

static void
lists_all_servers_with_their_names(void **state)
{
	(void)state;
	serve_all();
	const char *text = list(&all, CATALOG_TOOLS);
	assert_non_null(strstr(
	    text, "{\"name\":\"alpha__t\",\"inputSchema\":{},\"n\":1e999}"));
	assert_non_null(strstr(text, "\"gamma__t\""));
	assert_non_null(strstr(text, "\"alpha__odd_name_"));
	assert_non_null(strstr(list(&all, CATALOG_RESOURCES),
	    "{\"uri\":\"cordon:beta/file:///\\u00e9\",\"name\":\"f\"}"));
	assert_non_null(strstr(list(&one, CATALOG_TOOLS), "{\"name\":\"t\","));
	assert_string_equal(list(&all, CATALOG_PROMPTS), "[]");
}

static void
finds_what_it_lists(void **state)
{
	char name[MCP_NAME_MAX];

	(void)state;
	serve_all();
	assert_int_equal(find(&all, CATALOG_TOOLS, "\"beta__t\""), 0);
	assert_ptr_equal(entry.server, &fake_servers[1]);
	assert_string_equal(entry.inner, "\"t\"");
	free(entry.inner);
	const char *odd = strstr(list(&all, CATALOG_TOOLS), "\"beta__odd");
	snprintf(name, sizeof(name), "%.*s",
	    (int)(strchr(odd + 1, '"') + 1 - odd), odd);
	assert_int_equal(find(&all, CATALOG_TOOLS, name), 0);
	assert_ptr_equal(entry.server, &fake_servers[1]);
	assert_string_equal(entry.inner, "\"odd name\"");
	free(entry.inner);
	assert_int_equal(find(&all, CATALOG_RESOURCES,
			     "\"cordon:gamma\\/file:\\/\\/\\/\\u00e9\""),
	    0);
	assert_ptr_equal(entry.server, &fake_servers[2]);
	assert_string_equal(entry.inner, "\"file:///\xc3\xa9\"");
	assert_non_null(entry.element.at);
	free(entry.inner);
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"cordon:gamma/other\""), 0);
	assert_null(entry.element.at);
	free(entry.inner);
	assert_int_equal(find(&all, CATALOG_TASKS, "\"cordon:alpha/1\""), 0);
	assert_string_equal(entry.inner, "\"1\"");
	free(entry.inner);
	assert_int_equal(find(&one, CATALOG_TOOLS, "\"t\""), 0);
	free(entry.inner);
}

static void
finds_nothing_else(void **state)
{
	static const char *const unknown[] = { "\"t\"", "\"alpha__u\"",
		"\"delta__t\"", "\"alpha__odd name\"", "\"alpha__\"", "\"\"",
		"7", "\"alpha__odd_name_00000000000000000000\"" };

	(void)state;
	serve_all();
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_int_equal(
		    find(&all, CATALOG_TOOLS, unknown[i]), CATALOG_E_UNKNOWN);
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"file:///a\""), CATALOG_E_UNKNOWN);
	assert_int_equal(find(&all, CATALOG_RESOURCES, "\"cordon:delta/a\""),
	    CATALOG_E_UNKNOWN);
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"ui://x\""), CATALOG_E_AMBIGUOUS);
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"ui://y\""), CATALOG_E_UNKNOWN);
	assert_int_equal(
	    find(&one, CATALOG_TOOLS, "\"alpha__t\""), CATALOG_E_UNKNOWN);
}

/* Whoever else lists it must not be read in its place. */
static void
reads_a_ui_from_whose_tool_names_it(void **state)
{
	static const struct {
		const char *tools, *resources;
	} offers[] = {
		{ "{\"name\":\"t\",\"inputSchema\":{},\"_meta\":{\"ui\":"
		  "{\"resourceUri\":\"ui:\\/\\/x\"}}},"
		  "{\"name\":\"v\",\"inputSchema\":{},\"_meta\":{\"ui\":"
		  "{\"resourceUri\":\"ui://z\"}}}",
		    "" },
		{ "{\"name\":\"t\",\"inputSchema\":{},\"_meta\":{"
		  "\"ui/resourceUri\":\"ui://y\"}}",
		    "{\"uri\":\"ui://x\",\"name\":\"x\"},"
		    "{\"uri\":\"ui://y\",\"name\":\"y\"},"
		    "{\"uri\":\"ui://w\",\"name\":\"w\"}" },
		{ "{\"name\":\"t\",\"inputSchema\":{},\"_meta\":{\"ui\":"
		  "{\"resourceUri\":\"ui://z\"}}}",
		    "{\"uri\":\"ui://x\",\"name\":\"x\"},"
		    "{\"uri\":\"ui://z\",\"name\":\"z\"}" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(offers); i++) {
		const struct endpoint own = { &fake_tenant, &fake_servers[i] };
		need(&own);
		serve(i, offers[i].tools, offers[i].resources);
		fake_until(&needed);
	}
	assert_int_equal(find(&all, CATALOG_RESOURCES, "\"ui://x\""), 0);
	assert_ptr_equal(entry.server, &fake_servers[0]);
	assert_null(entry.element.at);
	free(entry.inner);
	assert_int_equal(find(&all, CATALOG_RESOURCES, "\"ui://y\""), 0);
	assert_ptr_equal(entry.server, &fake_servers[1]);
	assert_non_null(entry.element.at);
	free(entry.inner);
	assert_int_equal(find(&all, CATALOG_RESOURCES, "\"ui://w\""), 0);
	assert_ptr_equal(entry.server, &fake_servers[1]);
	free(entry.inner);
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"ui://z\""), CATALOG_E_AMBIGUOUS);
}

static void
puts_names_back(void **state)
{
	static const char params[] =
	    "{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"cordon:beta/"
	    "file:///\\u00e9\",\"x\":1},\"argument\":{}}";
	struct json_out out;

	(void)state;
	serve_all();
	assert_int_equal(
	    find(&all, CATALOG_RESOURCES, "\"cordon:beta/file:///\\u00e9\""),
	    0);
	json_out_init(&out, 4096);
	assert_int_equal(
	    catalog_params_write(&out,
		(struct json_span){ params, strlen(params) }, "ref", &entry),
	    0);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"file:///\xc3\xa9\","
	    "\"x\":1},\"argument\":{}}");
	json_out_fini(&out);
	free(entry.inner);
}

static void
goes_on_without_a_slow_server(void **state)
{
	(void)state;
	need(&all);
	serve(0, "{\"name\":\"t\",\"inputSchema\":{}}", "");
	serve(2, "{\"name\":\"t\",\"inputSchema\":{}}", "");
	assert_false(needed);
	fake_until(&needed);
	assert_null(failed);
	assert_int_equal(fake_n_changed, 0);
	assert_non_null(strstr(list(&all, CATALOG_TOOLS), "alpha__t"));
	assert_null(strstr(list(&all, CATALOG_TOOLS), "beta__t"));
	/* Nobody waits for it a second time. */
	need(&all);
	assert_true(needed);
	/* It comes late, and is announced. */
	serve(1, "{\"name\":\"t\",\"inputSchema\":{}}", "");
	assert_int_equal(fake_n_changed, 1);
	assert_non_null(strstr(list(&all, CATALOG_TOOLS), "beta__t"));
}

static void
fails_with_a_single_server(void **state)
{
	(void)state;
	fake_link_failure = "no";
	need(&one);
	fake_until(&needed);
	assert_non_null(failed);
	need(&all);
	fake_until(&needed);
	assert_null(failed);
	assert_string_equal(list(&all, CATALOG_TOOLS), "[]");
}

static void
can_be_forgotten(void **state)
{
	(void)state;
	need(&all);
	catalog_forget(&fake_gateway, on_needed, NULL);
	serve(0, "", "");
	serve(1, "", "");
	serve(2, "", "");
	assert_false(needed);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(lists_all_servers_with_their_names),
		T(finds_what_it_lists),
		T(finds_nothing_else),
		T(reads_a_ui_from_whose_tool_names_it),
		T(puts_names_back),
		T(goes_on_without_a_slow_server),
		T(fails_with_a_single_server),
		T(can_be_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
