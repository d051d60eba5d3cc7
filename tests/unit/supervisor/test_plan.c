/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "base/fd.h"
#include "supervisor/supervisor.h"

/* A plan as `cordon` writes it, to be broken in one place. */
struct written {
	struct wire_plan plan;
	struct wire_deployment deployments[2];
};

static struct written
good_plan(void)
{
	struct written written = {
		.plan = { .magic = WIRE_PLAN_MAGIC,
		    .n_deployments = 2,
		    .client_fd = -1,
		    .listen_fd = 5,
		    .cells_max = 8,
		    .hosts = "tools.example" },
	};
	for (size_t i = 0; i < 2; i++)
		written.deployments[i] =
		    (struct wire_deployment){ .name = "tool-1.a_b",
			    .tenant = "default",
			    .bundle_fd = 3,
			    .pool_max = 1,
			    .limits = WIRE_LIMITS_DEFAULT };
	return written;
}

static int
read_bytes(const void *bytes, size_t len, struct err *err)
{
	struct supervisor supervisor = { .plan_fd = -1 };
	auto_close int fd = -1;

	assert_int_equal(fd_memfd_seal("plan", bytes, len, &fd), 0);
	const int code = plan_read(&supervisor, fd, err);
	assert_int_equal(supervisor.plan_fd, code == 0 ? fd : -1);
	if (code == 0)
		assert_int_equal(supervisor.plan.magic, WIRE_PLAN_MAGIC);
	deployments_free(&supervisor);
	return code;
}

static void
assert_refused(const struct written *written, size_t len, const char *why)
{
	struct err err = { "" };

	assert_int_equal(read_bytes(written, len, &err), -EINVAL);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void
takes_a_good_plan(void **state)
{
	struct written written = good_plan();
	(void)state;

	assert_int_equal(read_bytes(&written, sizeof(written), NULL), 0);
	written.plan.client_fd = 4;
	written.plan.listen_fd = -1;
	assert_int_equal(read_bytes(&written, sizeof(written), NULL), 0);
	written.plan.n_deployments = 0;
	assert_int_equal(read_bytes(&written, sizeof(written.plan), NULL), 0);
}

static void
refuses_another_magic_or_count(void **state)
{
	struct written written = good_plan();
	(void)state;

	written.plan.magic++;
	assert_refused(&written, sizeof(written), "not a plan of this build");
	written = good_plan();
	written.plan.n_deployments = WIRE_DEPLOYMENTS_MAX + 1;
	assert_refused(&written, sizeof(written), "not a plan of this build");
	written.plan.n_deployments = UINT32_MAX;
	assert_refused(&written, sizeof(written), "not a plan of this build");
}

static void
refuses_another_length(void **state)
{
	const struct written written = good_plan();
	struct written longer[2] = { written, written };
	(void)state;

	for (size_t len = 0; len < sizeof(written); len += 8)
		assert_refused(&written, len,
		    len < sizeof(written.plan) ? "not a plan of this build"
					       : "wrong length");
	assert_refused(&written, sizeof(written) - 1, "wrong length");
	assert_refused(longer, sizeof(written) + 1, "wrong length");
}

static void
refuses_names_that_are_none(void **state)
{
	static const char *const names[] = { "", ".", "..", ".hidden", "-x",
		"_x", "../up", "a/b", "/", "a b", "A", "a\n", "a\"", "a\\b",
		"t\xc3\xb6st" };
	(void)state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(names); i++) {
		struct written written = good_plan();
		char *field = i % 2 == 0 ? written.deployments[1].name
					 : written.deployments[1].tenant;
		memset(field, 0, WIRE_NAME_MAX);
		strcpy(field, names[i / 2]);
		assert_refused(&written, sizeof(written), "a name is not");
	}
}

static void
refuses_strings_without_an_end(void **state)
{
	struct written written = good_plan();
	(void)state;

	memset(written.deployments[0].name, 'a', WIRE_NAME_MAX);
	assert_refused(&written, sizeof(written), "a name is not");
	written = good_plan();
	memset(written.deployments[1].tenant, 'a', WIRE_NAME_MAX);
	assert_refused(&written, sizeof(written), "a name is not");
	written = good_plan();
	memset(written.plan.hosts, 'a', sizeof(written.plan.hosts));
	assert_refused(&written, sizeof(written), "do not end");
	written = good_plan();
	memset(written.plan.origins, 'a', sizeof(written.plan.origins));
	assert_refused(&written, sizeof(written), "do not end");
}

#define LIMIT(field, value)                                                    \
	{                                                                      \
		offsetof(struct wire_limits, field), value                     \
	}

static void
refuses_limits_out_of_range(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
	} bad[] = {
		LIMIT(memory_bytes, 0),
		LIMIT(memory_bytes, (8 << 20) - 1),
		LIMIT(memory_bytes, (1ull << 40) + 1),
		LIMIT(memory_bytes, UINT64_MAX),
		LIMIT(cpu_ns, 0),
		LIMIT(wall_ns, 0),
		LIMIT(load_cpu_ns, 0),
		LIMIT(load_wall_ns, 0),
		LIMIT(result_bytes, 0),
		LIMIT(result_bytes, WIRE_FRAME_MAX + 1),
		LIMIT(result_bytes, UINT64_MAX),
		LIMIT(log_bytes, WIRE_FRAME_MAX + 1),
		LIMIT(log_bytes, UINT64_MAX),
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct written written = good_plan();
		memcpy((char *)&written.deployments[1].limits + bad[i].at,
		    &bad[i].value, sizeof(bad[i].value));
		assert_refused(
		    &written, sizeof(written), "limits of 'tool-1.a_b'");
	}
	struct written written = good_plan();
	written.deployments[0].limits.reuse_calls = 0;
	assert_refused(&written, sizeof(written), "limits of");
}

static void
refuses_the_standard_streams_as_anything_else(void **state)
{
	(void)state;

	for (int fd = -2; fd < 3; fd++) {
		struct written written = good_plan();
		written.deployments[1].bundle_fd = fd;
		assert_refused(&written, sizeof(written), "is broken");
		written = good_plan();
		written.plan.listen_fd = fd;
		assert_refused(&written, sizeof(written), "who calls");
		written = good_plan();
		written.plan.client_fd = fd;
		if (fd >= 0)
			assert_refused(&written, sizeof(written), "who calls");
	}
	struct written written = good_plan();
	written.deployments[1].pool_max = 0;
	assert_refused(&written, sizeof(written), "is broken");
	written = good_plan();
	written.plan.cells_max = 0;
	assert_refused(&written, sizeof(written), "no cell");
}

static void
takes_a_box_only_with_a_spec(void **state)
{
	struct written written = good_plan();
	struct wire_deployment *record = &written.deployments[1];
	(void)state;

	record->kind = WIRE_KIND_BOX;
	assert_int_equal(read_bytes(&written, sizeof(written), NULL), 0);
	record->bundle_fd = -1;
	assert_refused(&written, sizeof(written), "is broken");
}

static void
takes_a_socket_only_with_a_path(void **state)
{
	struct written written = good_plan();
	struct wire_deployment *record = &written.deployments[1];
	(void)state;

	record->kind = WIRE_KIND_SOCKET;
	record->bundle_fd = -1;
	strcpy(record->socket, "/run/tools.sock");
	assert_int_equal(read_bytes(&written, sizeof(written), NULL), 0);
	strcpy(record->socket, "run/tools.sock");
	assert_refused(&written, sizeof(written), "is broken");
	memset(record->socket, '/', sizeof(record->socket));
	assert_refused(&written, sizeof(written), "is broken");
	record->socket[1] = '\0';
	record->kind = WIRE_KIND_BOX + 1;
	assert_refused(&written, sizeof(written), "is broken");
	record->kind = WIRE_KIND_SOCKET;
	record->share = WIRE_SHARE_ALL + 1;
	assert_refused(&written, sizeof(written), "is broken");
}

static void
takes_servers_from_one_place(void **state)
{
	struct written written = good_plan();
	(void)state;

	written.plan.store_fd = 6;
	assert_refused(&written, sizeof(written), "servers come from it");
	written.plan.n_deployments = 0;
	assert_int_equal(read_bytes(&written, sizeof(written.plan), NULL), 0);
	written.plan.client_fd = 4;
	assert_refused(&written, sizeof(written.plan), "servers come from it");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_good_plan),
		cmocka_unit_test(refuses_another_magic_or_count),
		cmocka_unit_test(refuses_another_length),
		cmocka_unit_test(refuses_names_that_are_none),
		cmocka_unit_test(refuses_strings_without_an_end),
		cmocka_unit_test(refuses_limits_out_of_range),
		cmocka_unit_test(takes_a_box_only_with_a_spec),
		cmocka_unit_test(takes_a_socket_only_with_a_path),
		cmocka_unit_test(takes_servers_from_one_place),
		cmocka_unit_test(refuses_the_standard_streams_as_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
