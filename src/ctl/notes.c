/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/auto.h"
#include "base/utf8.h"
#include "box/launch.h"
#include "ctl/text.h"
#include "json/out.h"

#define REFUSALS_MAX 1024u /* told apart; more are counted */
#define SHOWN_MAX 30u /* lines for a person; --json has all */
#define LINE_MAX_BYTES (64u << 10)

#define EVENT 64u /* a kind apart from enum box_note_kind: of the way out */

struct refusal {
	uint32_t kind; /* enum box_note_kind, EVENT */
	int32_t code;
	uint64_t count;
	const char *why; /* behind the text; "" */
	const char *word; /* behind that: for --net; "": no rule grants it */
	char text[];
};

/* What is seen at one place in the three kinds of refusal. */
static int
refusal_compare(const void *key, const void *item)
{
	const struct box_note *note = key;
	const struct refusal *refusal = item;

	if (note->kind != refusal->kind)
		return note->kind < refusal->kind ? -1 : 1;
	const int order = strcmp(note->text, refusal->text);
	if (order != 0 || note->code == refusal->code)
		return order;
	return note->code < refusal->code ? -1 : 1;
}

void
ctl_notes_init(struct ctl_notes *notes, const char *who, FILE *out)
{
	*notes = (struct ctl_notes){
		.who = who, .out = out, .refusals.compare = refusal_compare
	};
}

void
ctl_notes_fini(struct ctl_notes *notes)
{
	for (size_t i = 0; i < notes->refusals.n; i++)
		free(notes->refusals.items[i]);
	sorted_fini(&notes->refusals);
}

int
ctl_note_read(int fd, struct box_note *note)
{
	ssize_t n;

	do
		n = recv(fd, note, sizeof(*note), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < BOX_NOTE_HEAD || note->text_len > BOX_NOTE_TEXT_MAX ||
	    (size_t)n != BOX_NOTE_HEAD + note->text_len)
		return -EPROTO;
	if (note->text_len == BOX_NOTE_TEXT_MAX)
		note->text_len--;
	note->text[note->text_len] = '\0';
	return 1;
}

/* The folder of a path, which begins with '/'. */
static size_t
folder_len(const char *path)
{
	const size_t len = (size_t)(strrchr(path, '/') - path);

	return len == 0 ? 1 : len;
}

static bool
is_change_of_folder(int32_t verb)
{
	return verb == BOX_VERB_MAKE || verb == BOX_VERB_REMOVE;
}

/* One step of a path. A symbolic link is not followed. */
static int
step(int folder_fd, const char *name, size_t len)
{
	char part[NAME_MAX + 1];

	if (len > NAME_MAX)
		return -1;
	memcpy(part, name, len);
	part[len] = '\0';
	return openat(folder_fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

bool
ctl_note_is_there(const char *path, int32_t verb)
{
	auto_close int fd = open("/", O_PATH | O_CLOEXEC);

	for (const char *at = path; fd >= 0;) {
		struct statfs fs;
		struct stat st;

		at += strspn(at, "/");
		const size_t len = strcspn(at, "/");
		if (len == 0)
			return true;
		const int next = step(fd, at, len);
		if (next < 0)
			return verb == BOX_VERB_MAKE && at[len] == '\0';
		close(fd);
		fd = next;
		if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 ||
		    fs.f_type == AUTOFS_SUPER_MAGIC)
			return false;
		if (S_ISLNK(st.st_mode))
			return true;
		at += len;
	}
	return false;
}

/* What is granted for it: an option, and its value. */
struct grant {
	const char *option; /* NULL: no option does */
	const char *value;
	size_t len; /* 0: it has no value */
};

static struct grant
grant_of(const struct refusal *refusal)
{
	static const char *const options[] = {
		[BOX_VERB_READ] = "--read",
		[BOX_VERB_WRITE] = "--write",
		[BOX_VERB_MAKE] = "--write",
		[BOX_VERB_REMOVE] = "--write",
		[BOX_VERB_RUN] = "--read",
		[BOX_VERB_LOOK] = "--read",
	};
	const char *text = refusal->text;

	if (refusal->word[0] != '\0')
		return (struct grant){ "--net", refusal->word,
			strlen(refusal->word) };
	if (refusal->kind == BOX_NOTE_NET && strstr(text, "unix") != NULL)
		return (struct grant){ .option = "--unix-sockets" };
	if (refusal->kind != BOX_NOTE_FILE || text[0] != '/' ||
	    refusal->code < 0 || (size_t)refusal->code >= ARRAY_LEN(options))
		return (struct grant){ 0 };
	return (struct grant){ options[refusal->code], text,
		is_change_of_folder(refusal->code) ? folder_len(text)
						   : strlen(text) };
}

static const char *
refusal_verb(const struct refusal *refusal)
{
	if (refusal->kind == BOX_NOTE_CALL)
		return "call";
	if (refusal->kind == BOX_NOTE_NET || refusal->kind == EVENT)
		return "net";
	return box_verb_name((uint32_t)refusal->code);
}

/* Writes a word as a shell takes it; false, nothing: it cannot be shown. */
static bool
word_print(FILE *out, const char *raw, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";
	const uint8_t *bytes = (const uint8_t *)raw;
	uint32_t character = 0;
	size_t n;

	if (strspn(raw, plain) >= len) {
		fprintf(out, " %.*s", (int)len, raw);
		return true;
	}
	for (size_t at = 0; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &character);
		if (n == 0 || character == '\'' ||
		    ctl_character_is_hidden(character))
			return false;
	}
	fprintf(out, " '%.*s'", (int)len, raw);
	return true;
}

static void
refusal_print(FILE *out, const struct refusal *refusal)
{
	fprintf(out, "%-7s ", refusal_verb(refusal));
	ctl_line_print(out, refusal->text, strlen(refusal->text));
	if (refusal->why[0] != '\0') {
		fputs(": ", out);
		ctl_line_print(out, refusal->why, strlen(refusal->why));
	}
	if (refusal->count > 1)
		fprintf(out, "  (%" PRIu64 " times)", refusal->count);
	putc('\n', out);
}

static void
member_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
grant_add(struct json_out *out, const struct refusal *refusal)
{
	const struct grant grant = grant_of(refusal);

	if (grant.option == NULL)
		return;
	member_add(out, ",\"grant\":[", grant.option);
	if (grant.len > 0) {
		json_out_text(out, ",");
		json_out_string(out, grant.value, grant.len);
	}
	json_out_text(out, "]");
}

static void
refusal_add(struct json_out *out, const struct refusal *refusal)
{
	switch (refusal->kind) {
	case BOX_NOTE_FILE:
		member_add(
		    out, "{\"kind\":\"file\",\"verb\":", refusal_verb(refusal));
		member_add(out, ",\"path\":", refusal->text);
		break;
	case BOX_NOTE_CALL:
		member_add(out, "{\"kind\":\"call\",\"call\":", refusal->text);
		json_out_text(out, ",\"number\":");
		json_out_uint(out, (uint32_t)refusal->code);
		break;
	case EVENT:
		member_add(out, "{\"kind\":\"net\",\"to\":", refusal->text);
		member_add(out, ",\"why\":", refusal->why);
		break;
	default:
		member_add(out, "{\"kind\":\"net\",\"text\":", refusal->text);
		break;
	}
	json_out_text(out, ",\"count\":");
	json_out_uint(out, refusal->count);
	grant_add(out, refusal);
	json_out_text(out, "}");
}

static void
refusal_json_print(FILE *to, const struct refusal *refusal)
{
	struct json_out out;

	json_out_init(&out, LINE_MAX_BYTES);
	refusal_add(&out, refusal);
	if (json_out_status(&out) == 0)
		ctl_json_line_print(to, out.bytes, out.len);
	json_out_fini(&out);
}

void
ctl_notes_say(struct ctl_notes *notes, const char *kind, const char *text)
{
	struct json_out out;

	if (!notes->json) {
		fprintf(notes->out, "%s: ", notes->who);
		ctl_line_print(notes->out, text, strlen(text));
		putc('\n', notes->out);
		return;
	}
	json_out_init(&out, LINE_MAX_BYTES);
	member_add(&out, "{\"kind\":", kind);
	member_add(&out, ",\"text\":", text);
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0)
		ctl_json_line_print(notes->out, out.bytes, out.len);
	json_out_fini(&out);
}

static void
refusal_tell(struct ctl_notes *notes, const struct refusal *refusal)
{
	if (notes->json) {
		refusal_json_print(notes->out, refusal);
		return;
	}
	fprintf(notes->out, "%s: refused: ", notes->who);
	refusal_print(notes->out, refusal);
}

/* What the table looks up by, and what comes with it. */
struct told {
	const struct box_note *note; /* its kind, code, count and text */
	const char *why;
	const char *word;
};

static struct refusal *
refusal_make(const struct told *told)
{
	const struct box_note *note = told->note;
	const size_t why_len = strlen(told->why) + 1;
	const size_t word_len = strlen(told->word) + 1;
	struct refusal *refusal =
	    malloc(sizeof(*refusal) + note->text_len + 1 + why_len + word_len);

	if (refusal == NULL)
		return NULL;
	*refusal = (struct refusal){ .kind = note->kind,
		.code = note->code,
		.count = note->count == 0 ? 1 : note->count };
	char *at = mempcpy(refusal->text, note->text, note->text_len + 1);
	refusal->why = at;
	at = mempcpy(at, told->why, why_len);
	refusal->word = at;
	memcpy(at, told->word, word_len);
	return refusal;
}

static void
refusal_new(struct ctl_notes *notes, const struct told *told)
{
	struct refusal *refusal =
	    notes->refusals.n >= REFUSALS_MAX ? NULL : refusal_make(told);

	if (refusal == NULL ||
	    sorted_add(&notes->refusals, told->note, refusal) != 0) {
		free(refusal);
		notes->n_lost += told->note->count == 0 ? 1 : told->note->count;
		return;
	}
	if (notes->live)
		refusal_tell(notes, refusal);
}

static bool
is_rule(const char *word)
{
	struct addr_rule rules[2];
	size_t n;

	return addr_rule_parse(word, strlen(word), ADDR_RULE_LOOPBACK, rules,
		   &n, NULL) == 0;
}

/* "connect 93.184.216.34:443": an address may be granted, if it may ever. */
static const char *
address_word(const struct box_note *note)
{
	const char *word = note->text + strlen("connect ");

	return note->kind == BOX_NOTE_NET &&
		strncmp(note->text, "connect ", strlen("connect ")) == 0 &&
		is_rule(word)
	    ? word
	    : "";
}

static void
refusal_take(struct ctl_notes *notes, const struct box_note *note)
{
	struct refusal *refusal = sorted_find(&notes->refusals, note);
	const struct told told = { note, "", address_word(note) };

	if (refusal != NULL)
		refusal->count += note->count == 0 ? 1 : note->count;
	else if (note->kind != BOX_NOTE_FILE || note->text[0] != '/' ||
	    ctl_note_is_there(note->text, note->code))
		refusal_new(notes, &told);
}

/* ---- the way out ------------------------------------------------------------ */

static bool
is_denied(const struct policy_network *network, const char *host)
{
	const size_t len = strlen(host);

	for (size_t i = 0; network != NULL && i < network->n_rules; i++) {
		const struct addr_rule *rule = &network->rules[i];
		const size_t end = strlen(rule->host);

		if ((rule->flags & ADDR_RULE_DENY) == 0)
			continue;
		if (!rule->is_suffix && strcmp(rule->host, host) == 0)
			return true;
		if (rule->is_suffix && len > end + 1 &&
		    host[len - end - 1] == '.' &&
		    strcmp(host + len - end, rule->host) == 0)
			return true;
	}
	return false;
}

/* "example.com" is both of its usual ports; of what is granted in part, the
 * path that was asked for. */
static void
word_put(const struct wire_egress_event *event,
    const struct policy_network *network, char text[ADDR_RULE_TEXT_MAX])
{
	struct addr_rule rule = { .port = event->port,
		.scheme = event->scheme };
	const bool is_usual = event->scheme == 0 ||
	    (event->scheme == ADDR_HTTPS && event->port == 443) ||
	    (event->scheme == ADDR_HTTP && event->port == 80);
	const bool is_part = network != NULL && event->path[0] == '/' &&
	    addr_rules_look_inside(
		network->rules, network->n_rules, event->host, event->port);

	memcpy(rule.host, event->host, sizeof(rule.host));
	if (is_part)
		memcpy(rule.path, event->path, sizeof(event->path));
	if (is_usual && !is_part)
		snprintf(text, ADDR_RULE_TEXT_MAX, "%s", event->host);
	else
		addr_rule_put(&rule, text);
}

bool
ctl_event_word(const struct wire_egress_event *event,
    const struct policy_network *network, char word[CTL_EVENT_WORD_MAX])
{
	char text[ADDR_RULE_TEXT_MAX];

	if (event->end != WIRE_EGRESS_NO_RULE || event->host[0] == '\0' ||
	    is_denied(network, event->host))
		return false;
	word_put(event, network, text);
	if (strlen(text) >= CTL_EVENT_WORD_MAX || !is_rule(text))
		return false;
	strcpy(word, text);
	return true;
}

void
ctl_notes_event(struct ctl_notes *notes, const struct wire_egress_event *event)
{
	struct box_note note = {
		.kind = EVENT, .code = (int32_t)event->end, .count = 1
	};
	char word[CTL_EVENT_WORD_MAX] = "", port[8] = "";

	notes->n_lost += event->lost;
	if (!event->refused)
		return;
	if (event->port != 0)
		snprintf(port, sizeof(port), ":%u", event->port);
	note.text_len = (uint32_t)snprintf(note.text, sizeof(note.text),
	    strchr(event->host, ':') != NULL ? "[%s]%s" : "%s%s", event->host,
	    port);
	ctl_event_word(event, notes->network, word);
	struct refusal *refusal = sorted_find(&notes->refusals, &note);
	const struct told told = { &note, event->text, word };
	if (refusal != NULL)
		refusal->count++;
	else
		refusal_new(notes, &told);
}

void
ctl_notes_take(struct ctl_notes *notes, const struct box_note *note)
{
	switch (note->kind) {
	case BOX_NOTE_FILE:
	case BOX_NOTE_CALL:
	case BOX_NOTE_NET:
		refusal_take(notes, note);
		break;
	case BOX_NOTE_FAILED:
		ctl_notes_say(notes, "failed", note->text);
		break;
	case BOX_NOTE_LIMIT:
		ctl_notes_say(notes, "limit", note->text);
		break;
	case BOX_NOTE_STARTED:
		if (notes->json)
			ctl_notes_say(notes, "started", note->text);
		break;
	case BOX_NOTE_LOST:
		notes->n_lost += note->count;
		break;
	default:
		break;
	}
}

/* Whether an earlier refusal is granted by the same words. */
static bool
is_granted_before(const struct ctl_notes *notes, size_t i)
{
	const struct grant grant = grant_of(notes->refusals.items[i]);

	for (size_t at = 0; at < i; at++) {
		const struct refusal *other = notes->refusals.items[at];
		const struct grant theirs = grant_of(other);

		if (theirs.option != NULL && theirs.len == grant.len &&
		    strcmp(theirs.option, grant.option) == 0 &&
		    (grant.len == 0 ||
			strncmp(theirs.value, grant.value, grant.len) == 0))
			return true;
	}
	return false;
}

static void
grants_print(const struct ctl_notes *notes, size_t n_shown)
{
	const char *before = "  granted by ";

	for (size_t i = 0; i < n_shown; i++) {
		const struct refusal *refusal = notes->refusals.items[i];
		const struct grant grant = grant_of(refusal);
		auto_free char *word = NULL;
		size_t len = 0;

		if (grant.option == NULL || is_granted_before(notes, i))
			continue;
		auto_fclose FILE *text = open_memstream(&word, &len);
		if (text == NULL ||
		    (grant.len > 0 &&
			!word_print(text, grant.value, grant.len)) ||
		    fflush(text) != 0)
			continue;
		fprintf(notes->out, "%s%s%s", before, grant.option, word);
		before = " ";
	}
	if (before[1] == '\0')
		putc('\n', notes->out);
}

static bool
has_kind(const struct ctl_notes *notes, uint32_t kind)
{
	for (size_t i = 0; i < notes->refusals.n; i++) {
		const struct refusal *refusal = notes->refusals.items[i];

		if (refusal->kind == kind && grant_of(refusal).option == NULL)
			return true;
	}
	return false;
}

static void
refusals_print(struct ctl_notes *notes)
{
	const size_t n = notes->refusals.n;
	const size_t n_shown = n < SHOWN_MAX ? n : SHOWN_MAX;

	fprintf(notes->out, "%s: the box refused\n", notes->who);
	for (size_t i = 0; i < n_shown; i++) {
		fputs("  ", notes->out);
		refusal_print(notes->out, notes->refusals.items[i]);
	}
	if (n > n_shown)
		fprintf(notes->out, "  and %zu more: --json has all\n",
		    n - n_shown);
	grants_print(notes, n_shown);
	if (notes->network == NULL && has_kind(notes, BOX_NOTE_NET))
		fputs("  this box has no network\n", notes->out);
	if (has_kind(notes, BOX_NOTE_CALL))
		fputs("  such calls are granted by no option\n", notes->out);
}

void
ctl_notes_end(struct ctl_notes *notes, int exit_code)
{
	const bool has_refusals = notes->refusals.n > 0;
	char text[64];

	if (notes->json && !notes->live) {
		for (size_t i = 0; i < notes->refusals.n; i++)
			refusal_json_print(
			    notes->out, notes->refusals.items[i]);
	} else if (!notes->json && !notes->live && has_refusals) {
		refusals_print(notes);
	}
	if (notes->n_lost > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " more refusals",
		    notes->n_lost);
		ctl_notes_say(notes, "lost", text);
	}
	if (notes->hint != NULL && exit_code != BOX_EXIT_FAILED &&
	    (has_refusals || exit_code != 0))
		ctl_notes_say(notes, "hint", notes->hint);
}
