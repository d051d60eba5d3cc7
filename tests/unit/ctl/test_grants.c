/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/grants.h"

static struct ctl_grants grants;
static struct policy *policy;
static struct err err;

static int
setup(void **state)
{
	(void)state;
	grants = (struct ctl_grants)CTL_GRANTS_NONE;
	return policy_new(&policy);
}

static int
teardown(void **state)
{
	(void)state;
	policy = policy_free(policy);
	return 0;
}

/* The policy as JSON; the caller frees. */
static char *
put(void)
{
	struct json_out out;
	size_t len;

	json_out_init(&out, 1u << 20);
	assert_int_equal(policy_put(policy, &out), 0);
	json_out_raw(&out, "", 1);
	char *text = json_out_steal(&out, &len);
	json_out_fini(&out);
	assert_non_null(text);
	return text;
}

static void
adds_each_kind_of_grant(void **state)
{
	(void)state;
	grants.reads = (struct ctl_list){ { "/a", "/b" }, 2 };
	grants.writes = (struct ctl_list){ { "/c" }, 1 };
	grants.nets = (struct ctl_list){ { "example.com:443" }, 1 };
	grants.envs = (struct ctl_list){ { "A=1", "B" }, 2 };
	grants.secrets = (struct ctl_list){ { "KEY" }, 1 };
	grants.unix_sockets = true;
	grants.denials = "calls";
	assert_int_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	auto_free char *text = put();
	for (const char *const *wanted = (const char *const[]){ "\"/a\"",
		 "\"/b\"", "\"/c\"", "example.com", "\"A\":\"1\"", "\"B\":null",
		 "\"KEY\"", "\"allowAllUnixSockets\":true",
		 "\"denials\":\"calls\"", NULL };
	     *wanted != NULL; wanted++)
		assert_non_null(strstr(text, *wanted));
}

static void
leaves_limits_alone_that_were_not_given(void **state)
{
	static const struct box_limits usual = BOX_LIMITS_DEFAULT;
	const struct box_limits *limits = policy_limits(policy);

	(void)state;
	assert_int_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	assert_memory_equal(limits, &usual, sizeof(usual));
	grants.memory_bytes = 0;
	grants.timeout_ns = 1;
	grants.cpu_milli = 500;
	assert_int_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	assert_int_equal(limits->memory_bytes, 0);
	assert_int_equal(limits->wall_ms, 1);
	assert_int_equal(limits->cpu_milli, 500);
	assert_int_equal(limits->pids, usual.pids);
}

static void
gives_a_command_its_profile_unless_told_not_to(void **state)
{
	(void)state;
	grants.profiles = (struct ctl_list){ { "none" }, 1 };
	assert_int_equal(ctl_grants_apply(&grants, "npx", policy, &err), 0);
	auto_free char *without = put();
	assert_null(strstr(without, "node"));
	grants.profiles.n_items = 0;
	assert_int_equal(ctl_grants_apply(&grants, "npx", policy, &err), 0);
	auto_free char *with = put();
	assert_non_null(strstr(with, "\"profiles\":[\"node\"]"));
}

static void
names_what_is_wrong(void **state)
{
	(void)state;
	grants.policy = "/nowhere/policy.json";
	assert_int_not_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	assert_non_null(strstr(err.text, "/nowhere/policy.json"));
	grants.policy = NULL;
	grants.denials = "some";
	assert_int_not_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	assert_non_null(strstr(err.text, "--denials"));
	grants.denials = NULL;
	grants.profiles = (struct ctl_list){ { "cobol" }, 1 };
	assert_int_not_equal(ctl_grants_apply(&grants, NULL, policy, &err), 0);
	assert_non_null(strstr(err.text, "cobol"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    adds_each_kind_of_grant, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    leaves_limits_alone_that_were_not_given, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    gives_a_command_its_profile_unless_told_not_to, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    names_what_is_wrong, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
