/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "box/base.h"
#include "ctl/learn.h"
#include "ctl/notes.h"

#define CHANGES                                                                \
	(1u << BOX_VERB_WRITE | 1u << BOX_VERB_MAKE | 1u << BOX_VERB_REMOVE)
#define LOOKED (1u << BOX_VERB_LOOK)
#define MANY 8u /* places of one folder that stand for the folder */

/* ---- secrets -------------------------------------------------------------- */

bool
ctl_lesson_is_secret(const char *path)
{
	/* fnmatch(3): '*' spans folders, too. */
	static const char *const patterns[] = { "*/.ssh", "*/.ssh/*",
		"*/.gnupg", "*/.gnupg/*", "*/.aws", "*/.aws/*", "*/.azure",
		"*/.azure/*", "*/.kube", "*/.kube/*", "*/.docker",
		"*/.docker/*", "*/.netrc", "*/.npmrc", "*/.pypirc",
		"*/.git-credentials", "*/.config/gcloud*", "*/.config/gh",
		"*/.config/gh/*", "*/.config/op*", "*/.password-store*",
		"*/.local/share/keyrings*", "*/.mozilla*", "*/.thunderbird*",
		"*/.config/google-chrome*", "*/.config/chromium*",
		"*/.config/BraveSoftware*", "*/.vault-token", "*_history",
		"*/.env", "*/.env.*", "*.pem", "*.key", "*/id_rsa",
		"*/id_ed25519", "*/id_ecdsa", "*/credentials",
		"*/credentials.json", "/etc/shadow*", "/etc/gshadow*",
		"/etc/sudoers*", "/etc/ssh*", "/etc/ssl/private*" };

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		if (fnmatch(patterns[i], path, 0) == 0)
			return true;
	return false;
}

/* ---- taking notes --------------------------------------------------------- */

static bool
is_of_every_box(const char *path)
{
	static const char *const folders[] = { "/proc", "/dev", "/run",
		"/sys" };
	static const char *const places[] = { "/", "/etc", "/etc/passwd",
		"/etc/group", "/tmp", "/var", "/var/tmp", "/home" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (box_path_below(path, folders[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(path, places[i]) == 0)
			return true;
	return box_base_has(path) || box_base_is_habit(path);
}

/* A box has a home of its own, and a way there. To list the caller's is no
 * reason to grant all of a person's files. */
static bool
holds_home(const char *path)
{
	const char *home = getenv("HOME");

	return home != NULL && home[0] == '/' && box_path_below(home, path);
}

/* What is made or removed is a change of the folder. */
static void
folder_cut(char *path)
{
	char *slash = strrchr(path, '/');

	*(slash == path ? slash + 1 : slash) = '\0';
}

static bool
lesson_append(struct ctl_lessons *lessons, const char *path, uint32_t verb)
{
	if (lessons->n == lessons->room) {
		const size_t room = lessons->room * 2 + 64;
		struct ctl_lesson *at =
		    reallocarray(lessons->at, room, sizeof(*at));
		if (at == NULL)
			return false;
		lessons->at = at;
		lessons->room = room;
	}
	char *copy = strdup(path);
	if (copy == NULL)
		return false;
	lessons->at[lessons->n++] = (struct ctl_lesson){ .path = copy,
		.verbs = 1u << verb,
		.n_places = 1,
		.writes = (1u << verb & CHANGES) != 0,
		.is_secret = ctl_lesson_is_secret(path) };
	return true;
}

void
ctl_lessons_add(struct ctl_lessons *lessons, const struct box_note *note)
{
	char path[BOX_NOTE_TEXT_MAX];
	const uint32_t verb = (uint32_t)note->code;

	if (note->text[0] != '/' || verb > BOX_VERB_LOOK ||
	    note->text_len >= sizeof(path))
		return;
	memcpy(path, note->text, note->text_len);
	path[note->text_len] = '\0';
	if (verb == BOX_VERB_MAKE || verb == BOX_VERB_REMOVE)
		folder_cut(path);
	if (is_of_every_box(path) || holds_home(path) ||
	    !ctl_note_is_there(path, BOX_VERB_READ))
		return;
	if (!lesson_append(lessons, path, verb))
		lessons->is_short = true;
}

/* ---- boiling down --------------------------------------------------------- */

/* By parts: what is in a folder stands right behind it. */
static int
path_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	if (*a == '/' || *b == '/') {
		if (*a == '\0' || *b == '\0')
			return *a == '\0' ? -1 : 1;
		return *a == '/' ? -1 : 1;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

static int
lesson_compare(const void *a, const void *b)
{
	const struct ctl_lesson *one = a, *other = b;

	return path_compare(one->path, other->path);
}

static void
lesson_join(struct ctl_lesson *to, struct ctl_lesson *from)
{
	to->verbs |= from->verbs;
	to->writes |= from->writes;
	to->n_places += from->n_places;
	free(from->path);
	from->path = NULL;
}

static void
gaps_close(struct ctl_lessons *lessons)
{
	size_t n = 0;

	for (size_t i = 0; i < lessons->n; i++)
		if (lessons->at[i].path != NULL)
			lessons->at[n++] = lessons->at[i];
	lessons->n = n;
}

/* The same place twice; and what is in a folder that is granted as much. */
static void
same_join(struct ctl_lessons *lessons)
{
	size_t last = 0;

	for (size_t i = 1; i < lessons->n; i++) {
		struct ctl_lesson *folder = &lessons->at[last];
		struct ctl_lesson *lesson = &lessons->at[i];
		const bool is_same = strcmp(folder->path, lesson->path) == 0;
		if (is_same ||
		    (box_path_below(lesson->path, folder->path) &&
			folder->verbs != LOOKED && !lesson->is_secret &&
			!folder->is_secret && folder->writes >= lesson->writes))
			lesson_join(folder, lesson);
		else
			last = i;
	}
	gaps_close(lessons);
}

/* On the way to something else: there it is anyhow, as a place to mount. */
static void
ways_drop(struct ctl_lessons *lessons)
{
	for (size_t i = 0; i + 1 < lessons->n; i++) {
		struct ctl_lesson *lesson = &lessons->at[i];
		if (lesson->verbs != LOOKED ||
		    !box_path_below(lessons->at[i + 1].path, lesson->path))
			continue;
		free(lesson->path);
		lesson->path = NULL;
	}
	gaps_close(lessons);
}

/* Not what holds all of a person, or of the machine. */
static bool
may_stand_for(const char *folder)
{
	unsigned n_parts = 0;

	for (const char *c = folder; *c != '\0'; c++)
		n_parts += *c == '/';
	return n_parts >= 3 && !holds_home(folder);
}

static size_t
folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash == path ? 0 : (size_t)(slash - path);
}

/* One round: runs of neighbours of one folder become the folder. */
static bool
folders_join(struct ctl_lessons *lessons)
{
	bool is_changed = false;

	for (size_t i = 0; i < lessons->n;) {
		const size_t len = folder_len(lessons->at[i].path);
		size_t end = i;
		while (end < lessons->n && !lessons->at[end].is_secret &&
		    lessons->at[end].writes == lessons->at[i].writes &&
		    folder_len(lessons->at[end].path) == len &&
		    strncmp(lessons->at[end].path, lessons->at[i].path, len) ==
			0)
			end++;
		if (end - i >= MANY) {
			lessons->at[i].path[len] = '\0';
			if (may_stand_for(lessons->at[i].path)) {
				for (size_t j = i + 1; j < end; j++)
					lesson_join(
					    &lessons->at[i], &lessons->at[j]);
				is_changed = true;
			} else {
				lessons->at[i].path[len] = '/';
			}
		}
		i = end > i ? end : i + 1;
	}
	gaps_close(lessons);
	return is_changed;
}

void
ctl_lessons_settle(struct ctl_lessons *lessons)
{
	do {
		if (lessons->n > 1)
			qsort(lessons->at, lessons->n, sizeof(*lessons->at),
			    lesson_compare);
		same_join(lessons);
	} while (folders_join(lessons));
	ways_drop(lessons);
}

void
ctl_lessons_fini(struct ctl_lessons *lessons)
{
	for (size_t i = 0; i < lessons->n; i++)
		free(lessons->at[i].path);
	free(lessons->at);
	*lessons = (struct ctl_lessons){ 0 };
}

/* ---- reasons -------------------------------------------------------------- */

void
ctl_lesson_why(const struct ctl_lesson *lesson, char why[CTL_LESSON_WHY_MAX])
{
	static const struct {
		enum box_verb verb;
		const char *text;
	} words[] = {
		{ BOX_VERB_RUN, "run" },
		{ BOX_VERB_READ, "read" },
		{ BOX_VERB_WRITE, "written" },
		{ BOX_VERB_MAKE, "something made in it" },
		{ BOX_VERB_REMOVE, "something removed from it" },
		{ BOX_VERB_LOOK, "looked at" },
	};
	size_t len = 0;

	why[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (lesson->verbs & 1u << words[i].verb)
			len += (size_t)snprintf(why + len,
			    CTL_LESSON_WHY_MAX - len, "%s%s",
			    len > 0 ? ", " : "", words[i].text);
	if (lesson->n_places > 1)
		len += (size_t)snprintf(why + len, CTL_LESSON_WHY_MAX - len,
		    "; %u places", lesson->n_places);
	if (lesson->is_secret)
		snprintf(why + len, CTL_LESSON_WHY_MAX - len,
		    "; looks like a secret: grant it yourself, if it must be");
}

/* ---- hosts ----------------------------------------------------------------- */

void
ctl_hosts_add(struct ctl_hosts *hosts, const char *word, const char *why)
{
	for (size_t i = 0; i < hosts->n; i++)
		if (strcmp(hosts->at[i].word, word) == 0)
			return;
	if (hosts->n == CTL_HOSTS_MAX)
		return;
	if (hosts->at == NULL)
		hosts->at = calloc(CTL_HOSTS_MAX, sizeof(*hosts->at));
	if (hosts->at == NULL)
		return;
	struct ctl_host host = { strdup(word), strdup(why) };
	if (host.word != NULL && host.why != NULL) {
		hosts->at[hosts->n++] = host;
		return;
	}
	free(host.word);
	free(host.why);
}

void
ctl_hosts_fini(struct ctl_hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		free(hosts->at[i].word);
		free(hosts->at[i].why);
	}
	free(hosts->at);
	*hosts = (struct ctl_hosts){ 0 };
}
