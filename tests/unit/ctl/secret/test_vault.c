/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <sys/stat.h>

#include "ctl/secret/vault.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
#define KEY_C "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM="

static char folder[PATH_MAX / 2];

static const char *
path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
file_put(const char *name, const char *text, mode_t mode)
{
	const int fd =
	    open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/cordon-vault-XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("CORDON_STATE", path_of("state"), 1);
	unsetenv("CREDENTIALS_DIRECTORY");
	return 0;
}

static int
entry_remove(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The last byte of the first key; 0 and the sentence: there is none. */
static int
found(const char *path, struct err *err)
{
	struct vault_ring ring = { .n = 0 }, sealed;
	int fd = -1;

	if (ctl_vault_find(path, &ring, &fd, err) != 0)
		return 0;
	assert_true(ring.n > 0);
	assert_int_equal(pread(fd, &sealed, sizeof(sealed), 0), sizeof(sealed));
	assert_memory_equal(&sealed, &ring, sizeof(ring));
	close(fd);
	return ring.keys[0][VAULT_KEY - 1];
}

static void
makes_a_key_once(void **state)
{
	struct vault_ring ring, again;
	uint8_t public_key[VAULT_PUBLIC], ours[VAULT_PUBLIC];
	struct err err = { "" };
	struct stat stat_;
	int fd = -1;
	(void)state;

	assert_int_equal(ctl_vault_public(ours, &err), -ENOENT);
	assert_int_equal(ctl_vault_find("", &ring, &fd, &err), 0);
	close(fd);
	assert_int_equal(stat(path_of("state/vault.key"), &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0600);
	assert_int_equal(ctl_vault_find("", &again, &fd, &err), 0);
	close(fd);
	assert_memory_equal(&ring, &again, sizeof(ring));
	vault_public(&ring, public_key);
	assert_int_equal(ctl_vault_public(ours, &err), 0);
	assert_memory_equal(ours, public_key, sizeof(ours));
}

static void
takes_the_first_that_is_there(void **state)
{
	struct err err = { "" };
	(void)state;

	mkdir(path_of("state"), 0700);
	file_put("state/vault.key", KEY_A "\n", 0600);
	assert_int_equal(found("", &err), 1);
	file_put("cordon-vault-key", KEY_B, 0440);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(found("", &err), 2);

	char settings[PATH_MAX];
	file_put("own.key", KEY_C, 0600);
	strcpy(settings, path_of("own.key"));
	assert_int_equal(found(settings, &err), 3);
}

static void
refuses_a_file_that_others_read_and_shows_no_key(void **state)
{
	struct err err = { "" };
	char path[PATH_MAX];
	(void)state;

	file_put("own.key", KEY_A, 0640);
	strcpy(path, path_of("own.key"));
	assert_int_equal(found(path, &err), 0);
	assert_non_null(strstr(err.text, "chmod 600"));
	file_put("own.key", "AAAA-not-a-key", 0600);
	assert_int_equal(found(path, &err), 0);
	assert_null(strstr(err.text, "AAAA"));
	assert_int_equal(found(folder, &err), 0);
	assert_non_null(strstr(err.text, "no regular file"));
	unlink(path);
	assert_int_equal(found(path, &err), 0);
	assert_non_null(strstr(err.text, "secret rotate --key-file"));
}

static void
rotates_by_a_key_before_the_others(void **state)
{
	struct vault_ring before, after;
	char written[PATH_MAX];
	struct err err = { "" };
	int fd = -1;
	(void)state;

	assert_int_equal(ctl_vault_find("", &before, &fd, &err), 0);
	close(fd);
	for (uint32_t n = 2; n <= VAULT_KEYS_MAX; n++) {
		assert_int_equal(ctl_vault_rotate(NULL, written, &err), 0);
		assert_int_equal(ctl_vault_find("", &after, &fd, &err), 0);
		close(fd);
		assert_int_equal(after.n, n);
		assert_memory_equal(
		    after.keys[n - 1], before.keys[0], VAULT_KEY);
	}
	assert_string_equal(written, path_of("state/vault.key"));
	assert_int_not_equal(ctl_vault_rotate(NULL, written, &err), 0);
	assert_non_null(strstr(err.text, "remove the last ones"));
}

/* What a start does where no key is named. */
static int
start(struct err *err)
{
	struct vault_ring ring;
	int fd = -1;

	const int r = ctl_vault_find("", &ring, &fd, err);
	if (r == 0)
		close(fd);
	return r;
}

static void
rotates_no_file_that_the_host_does_not_read(void **state)
{
	char settings[PATH_MAX], written[PATH_MAX];
	struct err err = { "" };
	(void)state;

	file_put("own.key", KEY_C, 0600);
	strcpy(settings, path_of("own.key"));
	assert_int_equal(found(settings, &err), 3);
	assert_int_not_equal(ctl_vault_rotate(NULL, written, &err), 0);
	assert_non_null(strstr(err.text, "say --key-file"));
	assert_int_not_equal(access(path_of("state/vault.key"), F_OK), 0);
	file_put("state/vault.key", KEY_A, 0600);
	assert_int_not_equal(ctl_vault_rotate(NULL, written, &err), 0);
	assert_int_equal(ctl_vault_rotate(settings, written, &err), 0);

	/* Twice before the host is started anew, and before its first start. */
	unlink(path_of("state/vault.key"));
	assert_int_equal(start(&err), 0);
	assert_int_equal(ctl_vault_rotate(NULL, written, &err), 0);
	assert_int_equal(ctl_vault_rotate(NULL, written, &err), 0);
	unlink(path_of("state/vault.pub"));
	unlink(path_of("state/vault.key"));
	assert_int_equal(ctl_vault_rotate(NULL, written, &err), 0);
}

static void
starts_where_one_of_its_number_was_killed(void **state)
{
	struct err err = { "" };
	char name[64];
	(void)state;

	mkdir(path_of("state"), 0700);
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "state/vault.%s.%ld",
		    i == 0 ? "key" : "pub", (long)getpid());
		file_put(name, "half a", 0600);
	}
	assert_int_equal(start(&err), 0);
}

/* Last: what was taken stays taken. */
static void
the_environment_is_wiped(void **state)
{
	struct err err = { "" };
	(void)state;

	setenv("CORDON_VAULT_KEY", KEY_B, 1);
	char *value = getenv("CORDON_VAULT_KEY");
	ctl_vault_env_take();
	assert_null(getenv("CORDON_VAULT_KEY"));
	assert_true(sodium_is_zero((uint8_t *)value, strlen(KEY_B)));
	assert_int_equal(found("", &err), 2);
	assert_int_not_equal(access(path_of("state/vault.key"), F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(makes_a_key_once),
		TEST(takes_the_first_that_is_there),
		TEST(refuses_a_file_that_others_read_and_shows_no_key),
		TEST(rotates_by_a_key_before_the_others),
		TEST(rotates_no_file_that_the_host_does_not_read),
		TEST(starts_where_one_of_its_number_was_killed),
		TEST(the_environment_is_wiped),
#undef TEST
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
