/* SPDX-License-Identifier: Apache-2.0
 *
 * A spec comes out of its memfd as it went in, and what is no spec is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/spec.h"
#include "test.h"

static const char *const argv[] = { "node", "server.js", "--flag", NULL };
static const char *const env[] = { "PATH=/usr/bin", "EMPTY=", NULL };
static const struct box_grant grants[] = {
	{ "/home/u/project", "", BOX_ACCESS_WRITE, BOX_GRANT_GUARD },
	{ "/home/u/project/.git", "", BOX_ACCESS_READ, BOX_GRANT_OPTIONAL },
	{ "/var/lib/x", "/opt/x", BOX_ACCESS_READ, 0 },
};

static const uint16_t ports[] = { 80, 443, 65535 };
static const uint32_t addresses[] = { 0x08080808, 0x5db8d822 };

static struct box_spec
spec_good(void)
{
	return (struct box_spec){ .argv = argv,
		.env = env,
		.grants = grants,
		.n_argv = 3,
		.n_env = 2,
		.n_grants = ARRAY_LEN(grants),
		.flags = BOX_OWN_SESSION,
		.notes = BOX_NOTES_FILES,
		.cwd = "/home/u/project",
		.home = "/home/u",
		.limits = BOX_LIMITS_DEFAULT,
		.ports = ports,
		.n_ports = ARRAY_LEN(ports),
		.addresses = addresses,
		.n_addresses = ARRAY_LEN(addresses) };
}

static void
assert_words_equal(
    const char *const *got, const char *const *wanted, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		assert_string_equal(got[i], wanted[i]);
	assert_null(got[n]);
}

static void
a_spec_comes_out_as_it_went_in(void **state)
{
	const struct box_spec spec = spec_good();
	struct box_spec read = { .n_argv = 0 };
	auto_free void *memory = NULL;
	int fd = -1;

	(void)state;
	assert_int_equal(box_spec_seal(&spec, &fd), 0);
	assert_int_equal(box_spec_read(fd, &read, &memory), 0);
	assert_words_equal(read.argv, argv, 3);
	assert_words_equal(read.env, env, 2);
	assert_int_equal(read.n_grants, spec.n_grants);
	for (uint32_t i = 0; i < read.n_grants; i++) {
		assert_string_equal(read.grants[i].path, grants[i].path);
		assert_string_equal(read.grants[i].at, grants[i].at);
		assert_int_equal(read.grants[i].access, grants[i].access);
		assert_int_equal(read.grants[i].flags, grants[i].flags);
	}
	assert_string_equal(read.cwd, spec.cwd);
	assert_string_equal(read.home, spec.home);
	assert_int_equal(read.flags, spec.flags);
	assert_int_equal(read.notes, spec.notes);
	assert_memory_equal(&read.limits, &spec.limits, sizeof(spec.limits));
	assert_int_equal(read.n_ports, spec.n_ports);
	assert_memory_equal(read.ports, ports, sizeof(ports));
	assert_int_equal(read.n_addresses, spec.n_addresses);
	assert_memory_equal(read.addresses, addresses, sizeof(addresses));
	close(fd);
}

static void
it_is_sealed(void **state)
{
	const struct box_spec spec = spec_good();
	int fd = -1;

	(void)state;
	assert_int_equal(box_spec_seal(&spec, &fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
}

static void
assert_refused(const struct box_spec *spec, const char *why)
{
	const char *complaint = box_spec_complaint(spec);
	int fd = -1;

	assert_non_null(complaint);
	assert_non_null(strstr(complaint, why));
	assert_int_equal(box_spec_seal(spec, &fd), BOX_E_FORMAT);
}

static void
what_cannot_be_a_box_is_refused(void **state)
{
	static const char *const bad_env[] = { "=x" };
	static const struct {
		struct box_grant grants[2];
		const char *why;
	} bad_grants[] = {
		{ { { "relative", "", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/a/../b", "", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/a//b", "", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/a/.", "", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/a/", "", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/a", "b", 0, 0 }, { "/z", "", 0, 0 } }, "plain" },
		{ { { "/", "", 0, 0 }, { "/z", "", 0, 0 } }, "root" },
		{ { { "/a", "/", 0, 0 }, { "/z", "", 0, 0 } }, "root" },
		{ { { "/a", "", 3, 0 }, { "/z", "", 0, 0 } }, "kind" },
		{ { { "/a", "", 0, 8 }, { "/z", "", 0, 0 } }, "kind" },
		{ { { "/b", "", 0, 0 }, { "/a", "", 0, 0 } }, "order" },
		{ { { "/a", "", 0, 0 }, { "/a", "", 1, 0 } }, "twice" },
		{ { { "/a", "/c", 0, 0 }, { "/b", "", 0, 0 } }, "order" },
	};

	(void)state;
	struct box_spec spec = spec_good();
	spec.n_argv = 0;
	assert_refused(&spec, "command");
	spec = spec_good();
	spec.cwd = "here";
	assert_refused(&spec, "folder");
	spec = spec_good();
	spec.home = "/";
	assert_refused(&spec, "folder");
	spec = spec_good();
	spec.flags = 64;
	assert_refused(&spec, "flags");
	spec = spec_good();
	spec.notes = BOX_NOTES_ALL + 1;
	assert_refused(&spec, "flags");
	spec = spec_good();
	spec.env = bad_env;
	spec.n_env = 1;
	assert_refused(&spec, "environment");
	for (size_t i = 0; i < ARRAY_LEN(bad_grants); i++) {
		spec = spec_good();
		spec.grants = bad_grants[i].grants;
		spec.n_grants = 2;
		assert_refused(&spec, bad_grants[i].why);
	}
}

static void
a_way_out_that_cannot_be_is_refused(void **state)
{
	static const struct {
		uint16_t ports[2];
		uint32_t addresses[2];
		uint32_t n_ports, n_addresses, flags;
		const char *why;
	} bad[] = {
		{ { 0, 80 }, { 0 }, 2, 0, 0, "ports out of order" },
		{ { 443, 80 }, { 0 }, 2, 0, 0, "ports out of order" },
		{ { 80, 80 }, { 0 }, 2, 0, 0, "twice" },
		{ { 80 }, { 0 }, 1, 1, 0, "addresses out of order" },
		{ { 80 }, { 9, 8 }, 1, 2, 0, "addresses out of order" },
		{ { 80 }, { 8, 8 }, 1, 2, 0, "twice" },
		{ { 80 }, { 0x7f000001 }, 1, 1, 0, "of the box's own" },
		{ { 80 }, { BOX_NET_SELF }, 1, 1, 0, "of the box's own" },
		{ { 80 }, { 0xc613ffff }, 1, 1, 0, "of the box's own" },
		{ { 0 }, { 8 }, 0, 1, 0, "no port" },
		{ { 80 }, { 0 }, 1, 0, BOX_HOST_NETWORK, "the host's network" },
		{ { 80 }, { 0 }, BOX_PORTS_MAX + 1, 0, 0, "too many" },
		{ { 80 }, { 0 }, 1, BOX_PORTS_MAX + 1, 0, "too many" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct box_spec spec = spec_good();
		spec.ports = bad[i].ports;
		spec.n_ports = bad[i].n_ports;
		spec.addresses = bad[i].addresses;
		spec.n_addresses = bad[i].n_addresses;
		spec.flags = bad[i].flags;
		assert_refused(&spec, bad[i].why);
	}
	struct box_spec spec = spec_good();
	spec.n_ports = spec.n_addresses = 0;
	assert_null(box_spec_complaint(&spec));
}

static int
bytes_read(const void *bytes, size_t len)
{
	struct box_spec spec;
	auto_free void *memory = NULL;

	auto_close int fd = memfd_create("spec", MFD_CLOEXEC);
	assert_true(write(fd, bytes, len) == (ssize_t)len);
	return box_spec_read(fd, &spec, &memory);
}

static void
every_cut_and_every_changed_length_is_refused(void **state)
{
	const struct box_spec spec = spec_good();
	static char bytes[4096];
	int fd = -1;

	(void)state;
	assert_int_equal(box_spec_seal(&spec, &fd), 0);
	const ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
	close(fd);
	assert_true(len > 0 && len < (ssize_t)sizeof(bytes));
	assert_int_equal(bytes_read(bytes, (size_t)len), 0);
	for (ssize_t cut = 0; cut < len; cut++)
		assert_int_equal(bytes_read(bytes, (size_t)cut), BOX_E_FORMAT);
	bytes[len] = 'x';
	assert_int_equal(bytes_read(bytes, (size_t)len + 1), BOX_E_FORMAT);
	/* The numbers of argv, env and grants; the strings' length, the numbers
	 * of ports and addresses. */
	for (size_t at = 4; at < 36; at += at == 12 ? 12 : 4) {
		bytes[at]++;
		assert_int_equal(bytes_read(bytes, (size_t)len), BOX_E_FORMAT);
		bytes[at]--;
	}
}

static void
the_base_is_known_by_path(void **state)
{
	(void)state;
	assert_true(box_base_has("/usr"));
	assert_true(box_base_has("/usr/bin/env"));
	assert_false(box_base_has("/usrlocal"));
	assert_true(box_base_has("/etc/ssl/certs/x.pem"));
	assert_false(box_base_has("/etc/ssl/private"));
	assert_false(box_base_has("/etc/shadow"));
	assert_false(box_base_has("/home"));
	assert_true(box_path_below("/a/b", "/a"));
	assert_true(box_path_below("/a", "/a"));
	assert_true(box_path_below("/a", "/"));
	assert_false(box_path_below("/ab", "/a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_comes_out_as_it_went_in),
		cmocka_unit_test(it_is_sealed),
		cmocka_unit_test(what_cannot_be_a_box_is_refused),
		cmocka_unit_test(a_way_out_that_cannot_be_is_refused),
		cmocka_unit_test(every_cut_and_every_changed_length_is_refused),
		cmocka_unit_test(the_base_is_known_by_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
