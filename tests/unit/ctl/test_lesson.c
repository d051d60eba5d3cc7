/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program touched, boiled down: on a tree of real files, since what does
 * not exist is no lesson.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/learn.h"
#include "test.h"

static char root[64]; /* a folder for each test */

static void
file_make(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *c = path + strlen(root) + 1; *c != '\0'; c++)
		if (*c == '/') {
			*c = '\0';
			mkdir(path, 0700);
			*c = '/';
		}
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void
touch(struct ctl_lessons *lessons, const char *name, enum box_verb verb)
{
	static struct box_note note;

	note = (struct box_note){ .kind = BOX_NOTE_FILE, .code = (int)verb };
	note.text_len = (uint32_t)snprintf(note.text, sizeof(note.text),
	    name[0] == '/' ? "%.0s%s" : "%s/%s", root, name);
	ctl_lessons_add(lessons, &note);
}

/* The paths, without the folder of the test, by comma; '!' for a secret, '+'
 * for what is to be written. */
static const char *
told(const struct ctl_lessons *lessons)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < lessons->n; i++) {
		const char *path = lessons->at[i].path;
		if (strncmp(path, root, strlen(root)) == 0)
			path += strlen(root);
		len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s",
			len > 0 ? "," : "", lessons->at[i].is_secret ? "!" : "",
			lessons->at[i].writes ? "+" : "", path);
	}
	return text;
}

static int
setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/cordon-lesson-XXXXXX");
	return mkdtemp(root) == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
what_does_not_exist_or_every_box_has_is_none(void **state)
{
	struct ctl_lessons lessons = { 0 };

	(void)state;
	file_make("there");
	touch(&lessons, "there", BOX_VERB_READ);
	touch(&lessons, "not", BOX_VERB_READ);
	touch(&lessons, "/usr/bin/env", BOX_VERB_RUN);
	touch(&lessons, "/proc/self/status", BOX_VERB_READ);
	touch(&lessons, "/etc/passwd", BOX_VERB_READ);
	touch(&lessons, "/", BOX_VERB_LOOK);
	ctl_lessons_settle(&lessons);
	assert_string_equal(told(&lessons), "/there");
	ctl_lessons_fini(&lessons);
}

static void
one_place_is_told_once_with_all_its_reasons(void **state)
{
	struct ctl_lessons lessons = { 0 };
	char why[CTL_LESSON_WHY_MAX];

	(void)state;
	file_make("a");
	touch(&lessons, "a", BOX_VERB_LOOK);
	touch(&lessons, "a", BOX_VERB_READ);
	touch(&lessons, "a", BOX_VERB_WRITE);
	ctl_lessons_settle(&lessons);
	assert_string_equal(told(&lessons), "+/a");
	ctl_lesson_why(&lessons.at[0], why);
	assert_string_equal(why, "read, written, looked at; 3 places");
	ctl_lessons_fini(&lessons);
}

static void
what_is_made_or_removed_is_a_change_of_its_folder(void **state)
{
	struct ctl_lessons lessons = { 0 };

	(void)state;
	file_make("d/old");
	touch(&lessons, "d/new", BOX_VERB_MAKE);
	touch(&lessons, "d/old", BOX_VERB_REMOVE);
	ctl_lessons_settle(&lessons);
	assert_string_equal(told(&lessons), "+/d");
	ctl_lessons_fini(&lessons);
}

static void
the_way_to_something_is_not_asked_for(void **state)
{
	struct ctl_lessons lessons = { 0 };

	(void)state;
	file_make("a/b/c");
	touch(&lessons, "a", BOX_VERB_LOOK);
	touch(&lessons, "a/b", BOX_VERB_LOOK);
	touch(&lessons, "a/b/c", BOX_VERB_READ);
	ctl_lessons_settle(&lessons);
	assert_string_equal(told(&lessons), "/a/b/c");
	ctl_lessons_fini(&lessons);
}

static void
much_of_a_folder_is_the_folder_a_little_is_not(void **state)
{
	struct ctl_lessons lessons = { 0 };
	char name[32];

	(void)state;
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		file_make(name);
		touch(&lessons, name, BOX_VERB_READ);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "few/%d", i);
		file_make(name);
		touch(&lessons, name, BOX_VERB_READ);
	}
	/* By parts: "few-more" is not in "few". */
	file_make("few-more");
	touch(&lessons, "few-more", BOX_VERB_READ);
	ctl_lessons_settle(&lessons);
	assert_string_equal(
	    told(&lessons), "/few/0,/few/1,/few/2,/few-more,/many");
	ctl_lessons_fini(&lessons);
}

static void
a_secret_is_named_and_stands_alone(void **state)
{
	struct ctl_lessons lessons = { 0 };
	char name[32];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "home/%d", i);
		file_make(name);
		touch(&lessons, name, BOX_VERB_READ);
	}
	file_make("home/.ssh/id_rsa");
	file_make("home/server.pem");
	touch(&lessons, "home/.ssh/id_rsa", BOX_VERB_READ);
	touch(&lessons, "home/server.pem", BOX_VERB_READ);
	touch(&lessons, "home", BOX_VERB_READ);
	ctl_lessons_settle(&lessons);
	assert_string_equal(
	    told(&lessons), "/home,!/home/.ssh/id_rsa,!/home/server.pem");
	ctl_lessons_fini(&lessons);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_does_not_exist_or_every_box_has_is_none, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    one_place_is_told_once_with_all_its_reasons, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_made_or_removed_is_a_change_of_its_folder, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    the_way_to_something_is_not_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    much_of_a_folder_is_the_folder_a_little_is_not, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_secret_is_named_and_stands_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
