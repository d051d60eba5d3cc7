/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "policy/policy.h"
#include "policy/read.h"
#include "test.h"

static int
parse(const char *text, bool is_srt, struct policy **policyp, struct err *err)
{
	assert_int_equal(policy_new(policyp), 0);
	return policy_json(*policyp, text, strlen(text), is_srt, "test", err);
}

static char *
doc_read(const char *name, struct json_span *value)
{
	char path[256], *text = calloc(1, 65536);

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s", DOC_FOLDER, name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	const size_t len = fread(text, 1, 65535, file);
	fclose(file);
	assert_int_equal(json_check(text, len, value, NULL), 0);
	return text;
}

static struct json_span
member(struct json_span object, const char *name)
{
	struct json_want want = { name };

	assert_int_equal(json_members_find(object, &want, 1), 0);
	return want.value;
}

static void
a_mistake_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} mistakes[] = {
		{ "", "test:1:1: is empty" },
		{ "{\n \"env\": ,}", "test:2:9: is no JSON" },
		{ "[]", "test: the whole must be an object" },
		{ "{\"filesytem\":{}}",
		    "/filesytem is not known; did you mean \"filesystem\"?" },
		{ "{\"filesystem\":{\"allowreed\":[]}}",
		    "/filesystem/allowreed is not known; did you mean "
		    "\"allowRead\"?" },
		{ "{\"allowRead\":[]}",
		    "/allowRead is not known here; it belongs in filesystem" },
		{ "{\"a~b/c\":1}",
		    "/a~0b~1c is not known; here may be: $schema, denials, "
		    "env, filesystem, limits, network, profiles, secrets" },
		{ "{\"env\":{},\"env\":{}}", "/env is there twice" },
		{ "{\"env\":{\"A\":\"x\",\"A\":\"y\"}}",
		    "/env/A is there twice" },
		{ "{\"filesystem\":{\"denyRead\":[\"a\",1]}}",
		    "/filesystem/denyRead/1 must be a text" },
		{ "{\"filesystem\":{\"denyRead\":[\"\"]}}",
		    "/filesystem/denyRead/0 must be a text that is not" },
		{ "{\"filesystem\":{\"denyRead\":[\"a\\u0000b\"]}}",
		    "/filesystem/denyRead/0 must be a shorter text, without" },
		{ "{\"filesystem\":{\"denyRead\":\"a\"}}",
		    "/filesystem/denyRead must be a list" },
		{ "{\"profiles\":[\"ruby\"]}",
		    "/profiles/0: \"ruby\" is no profile; there are: node, "
		    "python, workspace" },
		{ "{\"env\":{\"A-B\":\"x\"}}",
		    "/env/A-B must be the name of a variable" },
		{ "{\"env\":{\"A\":1}}", "/env/A must be a text" },
		{ "{\"secrets\":[\"A=b\"]}",
		    "/secrets/0 must be the name of a secret, never" },
		{ "{\"limits\":{\"memory\":\"5 potatoes\"}}",
		    "/limits/memory must be a size: \"512MiB\"" },
		{ "{\"limits\":{\"timeout\":30}}",
		    "/limits/timeout must be a duration with its unit" },
		{ "{\"limits\":{\"grace\":\"2h\"}}", "at most an hour" },
		{ "{\"limits\":{\"cpu\":0.001}}", "/limits/cpu must be" },
		{ "{\"limits\":{\"cpu\":1e3}}", "/limits/cpu must be" },
		{ "{\"limits\":{\"pids\":-1}}", "/limits/pids must be" },
		{ "{\"denials\":\"some\"}", "/denials must be \"none\"" },
		{ "{\"network\":{\"allowedDomains\":[\"*\"]}}",
		    "/network/allowedDomains/0: \"*\" has a '*' that is not" },
		{ "{\"network\":{\"allowedDomains\":[\"ftp://a.b\"]}}",
		    "/network/allowedDomains/0: \"ftp://a.b\" has a scheme" },
		{ "{\"network\":{\"allowedDomains\":[\"a.b:0\"]}}",
		    "/network/allowedDomains/0: \"a.b:0\"" },
		{ "{\"network\":{\"allowedDomains\":[\"10.0.0.1\"]}}",
		    "which is never dialled: " },
		{ "{\"network\":{\"allowedDomains\":[\"8.8.8.0/24\"]}}",
		    "names a range of addresses" },
		{ "{\"network\":{\"allowedDomains\":[\"localhost:80\"]}}",
		    "names this machine: only `cordon wrap`" },
		{ "{\"network\":{\"deniedDomains\":[\"*:0\"]}}",
		    "/network/deniedDomains/0" },
		{ "{\"network\":{\"deniedDomains\":[\"*:65536\"]}}",
		    "/network/deniedDomains/0" },
		{ "{\"network\":{\"rules\":[{}]}}",
		    "/network/rules/0 must be an object with a \"url\"" },
		{ "{\"network\":{\"rules\":[{\"url\":\"a.b\"}]}}",
		    "/network/rules/0: \"a.b\" has no scheme" },
		{ "{\"network\":{\"rules\":[{\"url\":\"https://a.b\","
		  "\"methods\":[\"get\"]}]}}",
		    "/network/rules/0/methods must be a list of GET" },
		{ "{\"network\":{\"rules\":[{\"url\":\"https://a.b\","
		  "\"methods\":[]}]}}",
		    "/network/rules/0/methods must be a list that is not" },
		{ "{\"network\":{\"rules\":[{\"url\":\"tcp://a.b:1\","
		  "\"methods\":[\"GET\"]}]}}",
		    "has methods, but bytes have none" },
		{ "{\"network\":{\"rules\":[{\"url\":\"https://a.b\","
		  "\"method\":[\"GET\"]}]}}",
		    "did you mean \"methods\"?" },
		{ "{\"network\":{\"concurrent\":-1}}",
		    "/network/concurrent must be a whole number" },
		{ "{\"network\":{\"bytesIn\":\"much\"}}",
		    "/network/bytesIn must be a size" },
		{ "{\"network\":{\"allowAllUnixSockets\":1}}",
		    "/network/allowAllUnixSockets must be true or false" },
		{ "{\"bwrapPath\":\"/x\"}",
		    "/bwrapPath is a setting of srt's that a policy has not" },
	};
	struct policy *policy;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct err err = { "" };

		assert_int_equal(
		    parse(mistakes[i].text, false, &policy, &err), -EINVAL);
		if (strstr(err.text, mistakes[i].said) == NULL)
			fail_msg("%s: %s", mistakes[i].text, err.text);
		policy_free(policy);
	}
}

static void
options_are_told_what_is_wrong(void **state)
{
	struct policy *policy;
	struct err err;

	(void)state;
	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_read(policy, "", &err), -EINVAL);
	assert_int_equal(policy_env(policy, "1=x", &err), -EINVAL);
	assert_int_equal(policy_env(policy, "=x", &err), -EINVAL);
	assert_int_equal(policy_secret(policy, "A=b", &err), -EINVAL);
	assert_non_null(strstr(err.text, "a name alone here"));
	assert_int_equal(policy_secret(policy, "1A", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "*", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "a.b:65536", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "::1", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "[::1]:443", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "localhost:80", &err), -EINVAL);
	policy_allow_loopback(policy);
	assert_int_equal(policy_net(policy, "localhost:80", &err), 0);
	assert_int_equal(policy_net(policy, "localhost", &err), -EINVAL);
	assert_int_equal(policy_net(policy, "*.a.com", &err), 0);
	assert_null(policy_remark(policy, 0));
	policy_free(policy);
}

static void
the_later_of_two_texts_wins_and_lists_add_up(void **state)
{
	static const char *const second =
	    "{\"env\":{\"A\":\"2\"},\"limits\":{\"pids\":3},"
	    "\"filesystem\":{\"allowRead\":[\"/b\",\"/a\"]}}";
	struct json_out out;
	struct policy *policy;
	struct err err;

	(void)state;
	assert_int_equal(parse("{\"env\":{\"A\":\"1\",\"B\":null},\"limits\":{"
			       "\"pids\":9,\"files\":8},\"filesystem\":{"
			       "\"allowRead\":[\"/a\"]}}",
			     false, &policy, &err),
	    0);
	assert_int_equal(
	    policy_json(policy, second, strlen(second), false, "b", &err), 0);
	json_out_init(&out, 4096);
	assert_int_equal(policy_put(policy, &out), 0);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"env\":{\"A\":\"2\",\"B\":null},\"filesystem\":{\"allowRead\":["
	    "\"/a\",\"/b\"]},\"limits\":{\"files\":8,\"pids\":3}}");
	json_out_fini(&out);
	policy_free(policy);
}

static bool
is_remarked(const struct policy *policy, const char *begin)
{
	const char *remark;

	for (size_t i = 0; (remark = policy_remark(policy, i)) != NULL; i++) {
		if (strncmp(remark, begin, strlen(begin)) == 0)
			return true;
	}
	return false;
}

static void
srt_settings_are_a_policy(void **state)
{
	struct json_span value;
	auto_free char *text = doc_read("examples/srt-settings.json", &value);
	struct policy *policy;
	struct err err;

	(void)state;
	if (parse(text, true, &policy, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(is_remarked(policy, "network.allowUnixSockets: "));
	assert_true(is_remarked(policy, "ignoreViolations: "));
	assert_true(is_remarked(policy, "filesystem: "));
	/* What says nothing needs no answer. */
	assert_false(is_remarked(policy, "enableWeaker"));
	assert_false(is_remarked(policy, "allowAppleEvents"));
	assert_null(policy_remark(policy, 3));
	policy_free(policy);
}

/* Every member of its schema (0.0.78). */
static void
all_that_srt_knows_is_accepted(void **state)
{
	static const char *const settings =
	    "{\"network\":{\"allowedDomains\":[\"a.b:443\",\"[::1]:443\"],"
	    "\"deniedDomains\":[\"*\",\"*:22\"],\"deniedDomainReasons\":{"
	    "\"*:22\":\"no\"},\"strictAllowlist\":true,"
	    "\"deniedResolvedAddresses\":[\"10.0.0.0/8\"],"
	    "\"allowUnixSockets\":[\"/x\"],\"allowAllUnixSockets\":true,"
	    "\"allowLocalBinding\":true,\"allowMachLookup\":[\"*\"],"
	    "\"httpProxyPort\":1,\"socksProxyPort\":2,\"mitmProxy\":{"
	    "\"socketPath\":\"/s\",\"domains\":[\"a.b\"]},"
	    "\"tlsTerminate\":{\"caCertPath\":\"/c\"},"
	    "\"parentProxy\":{\"http\":\"http://p\"}},"
	    "\"filesystem\":{\"disabled\":true,\"denyRead\":[\"~\"],"
	    "\"allowRead\":[\".\"],\"allowWrite\":[\"src/**\"],"
	    "\"denyWrite\":[\".env\"],\"allowGitConfig\":true},"
	    "\"credentials\":{\"files\":[{\"path\":\"~/.netrc\",\"mode\":"
	    "\"mask\",\"extract\":\"(x)\"}],\"envVars\":[{\"name\":\"T\","
	    "\"mode\":\"deny\"}],\"allowPlaintextInject\":true,\"awsPairs\":"
	    "[],\"sigv4\":{}},\"ignoreViolations\":{\"*\":[\"/x\"]},"
	    "\"enableWeakerNestedSandbox\":true,"
	    "\"enableWeakerNetworkIsolation\":true,\"allowAppleEvents\":true,"
	    "\"ripgrep\":{\"command\":\"rg\"},\"mandatoryDenySearchDepth\":3,"
	    "\"allowPty\":true,\"seccomp\":{\"applyPath\":\"/x\"},"
	    "\"bwrapPath\":\"/b\",\"socatPath\":\"/s\","
	    "\"javaAgentJarPath\":\"/j\",\"windows\":{\"sandboxUser\":\"x\"},"
	    "\"git\":{\"safeDirectories\":[\"/x\"]}}";
	struct policy *policy;
	struct json_out out;
	struct err err;

	(void)state;
	if (parse(settings, true, &policy, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(is_remarked(policy, "filesystem.disabled: the wall"));
	assert_true(is_remarked(policy, "enableWeakerNestedSandbox: a box is"));
	assert_true(
	    is_remarked(policy, "credentials.files: nothing is masked"));
	assert_true(is_remarked(
	    policy, "network.allowedDomains.1: left out: \"[::1]:443\" "));
	json_out_init(&out, 4096);
	assert_int_equal(policy_put(policy, &out), 0);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"filesystem\":{\"allowRead\":[\".\"],\"allowWrite\":"
	    "[\"src/**\"],\"denyRead\":[\"~\",\"~/.netrc\"],\"denyWrite\":"
	    "[\".env\"]},\"network\":{\"allowAllUnixSockets\":true,"
	    "\"allowedDomains\":[\"a.b:443\"],"
	    "\"deniedDomains\":[\"*\",\"*:22\"]}}");
	json_out_fini(&out);
	policy_free(policy);

	/* A misspelt deny would be an allow. */
	assert_int_equal(parse("{\"filesystem\":{\"denyReads\":[\"~\"]}}", true,
			     &policy, &err),
	    -EINVAL);
	policy_free(policy);
}

/* Both ways: what the parser reads is published, and what is published is
 * read. */
static void
assert_same_names(struct json_span properties, const struct policy_part *part)
{
	struct json_span key, value;
	struct json_iter iter;
	size_t published = 0, read = 0;

	assert_int_equal(json_iter_init(&iter, properties), 0);
	while (json_iter_member(&iter, &key, &value))
		published++;
	for (size_t i = 0; i < part->n_members; i++) {
		if (part->members[i].remark != NULL)
			continue;
		read++;
		if (member(properties, part->members[i].name).at == NULL)
			fail_msg("%s: %s is not in the schema", part->name,
			    part->members[i].name);
	}
	assert_int_equal(published, read);
}

static struct json_span
first(struct json_span list)
{
	struct json_span item = { 0 };
	struct json_iter iter;

	assert_int_equal(json_iter_init(&iter, list), 0);
	assert_true(json_iter_element(&iter, &item));
	return item;
}

static void
the_schema_and_the_parser_have_the_same_names(void **state)
{
	struct json_span schema, example;
	auto_free char *text = doc_read("policy.schema.json", &schema);
	auto_free char *other = doc_read("examples/policy.json", &example);
	const struct policy_part *part;

	(void)state;
	assert_non_null(text);
	assert_non_null(other);
	for (size_t i = 0; (part = policy_part_at(i)) != NULL; i++) {
		if (strcmp(part->name, "credentials") == 0)
			continue; /* srt's alone */
		const bool is_rule = strcmp(part->name, "rule") == 0;
		const bool is_top = part->name[0] == '\0';
		const struct json_span object = is_top
		    ? schema
		    : member(member(schema, "$defs"), part->name);

		assert_same_names(member(object, "properties"), part);
		assert_same_names(is_rule
			? first(member(member(example, "network"), "rules"))
			: is_top ? example
				 : member(example, part->name),
		    part);
	}
}

static void
the_examples_are_policies(void **state)
{
	static const char *const names[] = { "examples/policy.json",
		"examples/policy-filesystem-server.json" };
	struct json_span value;
	struct policy *policy;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_free char *text = doc_read(names[i], &value);

		if (parse(text, false, &policy, &err) != 0)
			fail_msg("%s", err.text);
		policy_free(policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistake_is_told_with_its_place),
		cmocka_unit_test(options_are_told_what_is_wrong),
		cmocka_unit_test(the_later_of_two_texts_wins_and_lists_add_up),
		cmocka_unit_test(srt_settings_are_a_policy),
		cmocka_unit_test(all_that_srt_knows_is_accepted),
		cmocka_unit_test(the_schema_and_the_parser_have_the_same_names),
		cmocka_unit_test(the_examples_are_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
