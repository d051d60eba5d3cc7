/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <fcntl.h>

#include "base/fd.h"
#include "ctl/serve/config.h"

static int
parse(struct ctl_config *config, const char *text, struct err *err)
{
	ctl_config_init(config);
	return ctl_config_parse(config, "c.json", text, strlen(text), err);
}

static void
an_empty_one_is_the_defaults(void **state)
{
	const struct wire_limits defaults = WIRE_LIMITS_DEFAULT;
	struct ctl_server_config server;
	struct ctl_config config;

	(void)state;
	assert_int_equal(parse(&config, "{}", NULL), 0);
	ctl_config_server(&config, "any", &server);
	assert_memory_equal(&server.limits, &defaults, sizeof(defaults));
	assert_string_equal(config.listen, "127.0.0.1:7330");
	ctl_config_fini(&config);
}

static void
a_server_has_the_top_level_and_then_its_own(void **state)
{
	struct ctl_server_config server;
	struct ctl_config config;

	(void)state;
	assert_int_equal(
	    parse(&config,
		"{\"servers\":{\"a\":{\"limits\":{\"cpu\":\"2s\"},"
		"\"jit\":false,\"reuse\":7}},"
		"\"limits\":{\"cpu\":\"70ms\",\"memory\":\"64MiB\"},"
		"\"pool_max\":3,\"hosts\":[\"x\",\"y\"]}",
		NULL),
	    0);
	ctl_config_server(&config, "a", &server);
	assert_int_equal(server.limits.cpu_ns, 2000000000);
	assert_int_equal(server.limits.memory_bytes, 64u << 20);
	assert_int_equal(server.limits.flags, WIRE_LIMITS_JITLESS);
	assert_int_equal(server.limits.reuse_calls, 7);
	assert_int_equal(server.pool_max, 3);
	ctl_config_server(&config, "b", &server);
	assert_int_equal(server.limits.cpu_ns, 70000000);
	assert_int_equal(server.limits.flags, 0);
	assert_string_equal(config.hosts, "x,y");
	ctl_config_fini(&config);
}

static void
a_mistake_is_an_error_with_its_place(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "{\"limit\":{}}", "/limit is not known" },
		{ "{\"limits\":{\"cpuu\":\"50ms\"}}",
		    "/limits/cpuu is not known" },
		{ "{\"servers\":{\"a/b~\":{\"jitt\":true}}}",
		    "/servers/a~1b~0/jitt is not known" },
		{ "{\"limits\":{\"cpu\":50}}", "/limits/cpu must be" },
		{ "{\"limits\":{\"cpu\":\"50\"}}", "/limits/cpu must be" },
		{ "{\"limits\":{\"memory\":\"128 MiB\"}}",
		    "/limits/memory must be" },
		{ "{\"limits\":{\"memory\":\"1MiB\"}}", "out of range" },
		{ "{\"servers\":{\"a\":{\"limits\":{\"memory\":1}}}}",
		    "/servers/a/limits: memory of 1B" },
		{ "{\"limits\":{\"cpu\":\"1s\",\"cpu\":\"2s\"}}",
		    "/limits/cpu is there twice" },
		{ "{\"limits\":{\"cpu\":\"1s\",\"\\u0063pu\":\"2s\"}}",
		    "/limits/cpu is there twice" },
		{ "{\"servers\":{\"a\":{\"jit\":false},\"a\":{}}}",
		    "/servers/a is there twice" },
		{ "{\"servers\":{\"a\":{\"jit\":\"false\"}}}",
		    "/servers/a/jit must be true or false" },
		{ "{\"servers\":{\"a\":{\"reuse\":0}}}",
		    "/servers/a/reuse must be" },
		{ "{\"servers\":[]}", "/servers must be" },
		{ "{\"cells\":0}", "/cells must be" },
		{ "{\"cells\":1.5}", "/cells must be" },
		{ "{\"cells\":-1}", "/cells must be" },
		{ "{\"cells\":4294967296}", "/cells must be" },
		{ "{\"hosts\":\"x\"}", "/hosts must be" },
		{ "{\"hosts\":[\"x,y\"]}", "/hosts must be" },
		{ "{\"tls\":{\"cert\":\"a\"}}", "/tls must be" },
		{ "{\"tls\":{\"cert\":\"\",\"key\":\"b\"}}", "/tls/cert" },
		{ "{\"sessions\":{\"idle\":\"10ms\"}}",
		    "/sessions/idle must be" },
		{ "{\"sessions\":{\"life\":60}}", "/sessions/life must be" },
		{ "{\"sessions\":{\"asks\":0}}", "/sessions/asks must be" },
		{ "{\"sessions\":{\"resume\":\"17MiB\"}}",
		    "/sessions/resume must be" },
		{ "{\"log\":{\"format\":\"xml\"}}", "/log/format must be" },
		{ "{\"log\":{\"level\":\"info\",\"level\":\"info\"}}",
		    "/log/level is there twice" },
		{ "{\"servers\":{\"a\":{\"socket\":\"rel.sock\"}}}",
		    "/servers/a/socket must be" },
		{ "{\"servers\":{\"a\":{\"url\":\"http://a.example.com/\"}}}",
		    "/servers/a/url: the URL is not https" },
		{ "{\"servers\":{\"a\":{\"url\":"
		  "\"https://me@a.example.com/\"}}}",
		    "/servers/a/url: the URL has a user" },
		{ "{\"servers\":{\"a\":{\"url\":"
		  "\"https://a.example.com/#x\"}}}",
		    "/servers/a/url: the URL has a fragment" },
		{ "{\"servers\":{\"a\":{\"url\":\"https://localhost/\"}}}",
		    "/servers/a/url: the URL " },
		{ "{\"servers\":{\"a\":{\"url\":\"https://a.example.com/\","
		  "\"socket\":\"/x\"}}}",
		    "/servers/a must be either" },
		{ "{\"servers\":{\"a\":{\"share\":\"world\"}}}",
		    "/servers/a/share must be" },
		{ "{\"servers\":{\"a\":{\"command\":\"node\"}}}",
		    "/servers/a/command must be" },
		{ "{\"servers\":{\"a\":{\"command\":[]}}}",
		    "/servers/a/command must be" },
		{ "{\"servers\":{\"a\":{\"command\":[\"\"]}}}",
		    "/servers/a/command must be" },
		{ "{\"servers\":{\"a\":{\"command\":[\"x\",1]}}}",
		    "/servers/a/command must be" },
		{ "{\"servers\":{\"a\":{\"command\":[\"x\\u0000\"]}}}",
		    "/servers/a/command must be" },
		{ "{\"servers\":{\"a\":{\"command\":[\"x\"],"
		  "\"socket\":\"/x\"}}}",
		    "/servers/a must be either" },
		{ "{\"servers\":{\"a\":{\"policy\":{}}}}",
		    "/servers/a must be of a" },
		{ "{\"servers\":{\"a\":{\"command\":[\"x\"],\"policy\":1}}}",
		    "/servers/a/policy must be" },
		{ "{\"servers\":{\"a\":{\"box\":{\"spares\":65}}}}",
		    "/servers/a/box/spares must be" },
		{ "{\"servers\":{\"a\":{\"box\":{\"start\":\"1ms\"}}}}",
		    "/servers/a/box/start must be" },
		{ "[]", "must be a JSON object" },
		{ "{\n  \"cells\": 1,\n}", "line 3, column 1" },
		{ "", "line 1, column 1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ctl_config config;
		struct err err = { "" };

		assert_int_equal(
		    parse(&config, cases[i].text, &err), CTL_E_CONFIG);
		if (strstr(err.text, cases[i].said) == NULL ||
		    strncmp(err.text, "c.json", 6) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		ctl_config_fini(&config);
	}
}

static bool
is_a(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "a") == 0;
}

static void
a_server_that_is_not_served_is_an_error(void **state)
{
	struct ctl_config config;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, "{\"servers\":{\"a\":{}}}", &err), 0);
	assert_int_equal(ctl_config_names_check(&config, is_a, NULL, &err), 0);
	ctl_config_fini(&config);
	assert_int_equal(parse(&config, "{\"servers\":{\"A\":{}}}", &err), 0);
	assert_int_equal(
	    ctl_config_names_check(&config, is_a, NULL, &err), CTL_E_CONFIG);
	assert_non_null(strstr(err.text, "/servers/A"));
	ctl_config_fini(&config);
}

static char *
doc_read(const char *name, struct json_span *value)
{
	char path[1024];
	uint8_t *bytes = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", DOC_FOLDER, name);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, 1 << 20, &bytes, &len), 0);
	assert_int_equal(json_check((char *)bytes, len, value, NULL), 0);
	return (char *)bytes;
}

static struct json_span
member(struct json_span object, const char *name)
{
	struct json_want want = { name };

	assert_int_equal(json_members_find(object, &want, 1), 0);
	return want.value;
}

/* Every member of `object` is one of the part, and the other way round. */
static void
assert_same_names(struct json_span object, const char *part)
{
	struct json_span key, value;
	struct json_iter iter;
	size_t n = 0, i = 0;

	assert_int_equal(json_iter_init(&iter, object), 0);
	while (json_iter_member(&iter, &key, &value))
		n++;
	for (; ctl_config_member(part, i) != NULL; i++) {
		if (member(object, ctl_config_member(part, i)).at == NULL)
			fail_msg("no \"%s\"", ctl_config_member(part, i));
	}
	assert_int_equal(n, i);
}

static void
the_schema_and_the_example_have_the_same_names(void **state)
{
	static const char *const inner[] = { "limits", "tls", "sessions", "log",
		"egress", "vault" };
	struct json_span schema, example, servers;
	auto_free char *schema_text = doc_read("config.schema.json", &schema);
	auto_free char *text = doc_read("cordon.example.json", &example);
	struct ctl_config config;
	struct err err;

	(void)state;
	assert_non_null(schema_text);
	if (parse(&config, text, &err) != 0)
		fail_msg("%s", err.text);
	ctl_config_fini(&config);

	const struct json_span parts = member(schema, "$defs");
	assert_same_names(member(schema, "properties"), "");
	assert_same_names(
	    member(member(parts, "server"), "properties"), "server");
	assert_same_names(example, "");
	for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
		assert_same_names(
		    member(member(parts, inner[i]), "properties"), inner[i]);
		assert_same_names(member(example, inner[i]), inner[i]);
	}
	servers = member(example, "servers");
	for (size_t i = 0; ctl_config_member("server", i) != NULL; i++) {
		const char *name = ctl_config_member("server", i);

		assert_true(
		    member(member(servers, "report"), name).at != NULL ||
		    member(member(servers, "notes"), name).at != NULL ||
		    member(member(servers, "tickets"), name).at != NULL ||
		    member(member(servers, "files"), name).at != NULL);
	}
	assert_same_names(member(member(parts, "box"), "properties"), "box");
	assert_same_names(member(member(servers, "files"), "box"), "box");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_is_the_defaults),
		cmocka_unit_test(a_server_has_the_top_level_and_then_its_own),
		cmocka_unit_test(a_mistake_is_an_error_with_its_place),
		cmocka_unit_test(a_server_that_is_not_served_is_an_error),
		cmocka_unit_test(
		    the_schema_and_the_example_have_the_same_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
