/* SPDX-License-Identifier: Apache-2.0
 *
 * What the payload's filter sends to init. A refused call is noted and fails; a
 * call on a file or an address is noted if the policy does not grant it, and
 * goes on to the kernel, which decides: what is read here of the payload's
 * memory may change behind our back, and decides nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/init/guard.h"
#include "box/init/notice.h"
#include "box/inside.h"
#include "box/payload.h"
#include "box/root.h"

/* Different notes of a box; of one that is to tell all, more. */
#define SEEN_MAX 1024u
#define SEEN_ALL_MAX 16384u
/* Kept for refused calls: no number of files looked for hides them. */
#define SEEN_CALLS_MORE 512u

static uint64_t seen[SEEN_ALL_MAX * 2];
static unsigned n_seen;
static uint32_t n_lost;

/* ---- sending -------------------------------------------------------------- */

void
box_note_send(struct box_init *init, enum box_note_kind kind, int code,
    uint32_t pid, const char *text, size_t len)
{
	static struct box_note note;

	if (init->notes_fd < 0)
		return;
	if (len > BOX_NOTE_TEXT_MAX)
		len = BOX_NOTE_TEXT_MAX;
	note = (struct box_note){ .kind = kind,
		.code = code,
		.pid = pid,
		.count = kind == BOX_NOTE_LOST ? n_lost : 1,
		.text_len = (uint32_t)len };
	if (len > 0)
		memcpy(note.text, text, len);
	/* Where all is to be told, who hears it is waited for. */
	const int flags = MSG_NOSIGNAL |
	    (init->spec->notes == BOX_NOTES_ALL ? 0 : MSG_DONTWAIT);
	if (send(init->notes_fd, &note, BOX_NOTE_HEAD + len, flags) < 0)
		n_lost++;
}

void
box_notes_end(struct box_init *init)
{
	if (n_lost > 0)
		box_note_send(init, BOX_NOTE_LOST, 0, 0, NULL, 0);
}

/* FNV-1a: who makes two notes look the same hides one of his own. */
static uint64_t
hash_of(uint32_t kind, int code, const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u ^ kind ^ (uint64_t)code << 8;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return hash != 0 ? hash : 1;
}

static unsigned
seen_max(const struct box_init *init)
{
	return init->spec->notes == BOX_NOTES_ALL ? SEEN_ALL_MAX : SEEN_MAX;
}

/* True: it was not seen before, and there is room for it. What there is no room
 * for is counted, and not sent: a flood of refusals wakes nobody outside. */
static bool
is_news(uint64_t hash, unsigned max)
{
	size_t at = hash % ARRAY_LEN(seen);

	while (seen[at] != 0 && seen[at] != hash)
		at = (at + 1) % ARRAY_LEN(seen);
	if (seen[at] == hash)
		return false;
	if (n_seen >= max) {
		n_lost++;
		return false;
	}
	seen[at] = hash;
	n_seen++;
	return true;
}

/* Each note once, and so many at most. */
void
box_note_once(struct box_init *init, enum box_note_kind kind, int code,
    uint32_t pid, const char *text)
{
	const size_t len = strlen(text);

	if (is_news(hash_of(kind, code, text, len), seen_max(init)))
		box_note_send(init, kind, code, pid, text, len);
}

/* ---- the payload's memory ------------------------------------------------- */

ssize_t
box_memory_read(pid_t tid, uint64_t address, void *to, size_t size)
{
	const struct iovec here = { to, size };
	const struct iovec there = { (void *)(uintptr_t)address, size };

	return process_vm_readv(tid, &here, 1, &there, 1, 0);
}

int
box_string_read(pid_t tid, uint64_t address, char *text, size_t size)
{
	for (size_t done = 0; done < size;) {
		/* Page by page: the next one may be none. */
		const uint64_t at = address + done;
		size_t n = 4096 - at % 4096;
		if (n > size - done)
			n = size - done;
		const ssize_t r = box_memory_read(tid, at, text + done, n);
		if (r <= 0)
			return r < 0 && errno != EFAULT ? -EACCES : -EFAULT;
		if (memchr(text + done, '\0', (size_t)r) != NULL)
			return 0;
		done += (size_t)r;
	}
	return -ENAMETOOLONG;
}

/* ---- files ---------------------------------------------------------------- */

static const struct file_call {
	int nr;
	int dir; /* argument; -1: the working directory */
	int path; /* argument */
	enum box_verb verb;
	int flags; /* argument with O_…; -1: none */
} file_calls[] = {
#if defined(SYS_open)
	{ SYS_open, -1, 0, BOX_VERB_READ, 1 },
	{ SYS_creat, -1, 0, BOX_VERB_MAKE, -1 },
	{ SYS_mkdir, -1, 0, BOX_VERB_MAKE, -1 },
	{ SYS_rmdir, -1, 0, BOX_VERB_REMOVE, -1 },
	{ SYS_unlink, -1, 0, BOX_VERB_REMOVE, -1 },
	{ SYS_rename, -1, 1, BOX_VERB_MAKE, -1 },
	{ SYS_link, -1, 1, BOX_VERB_MAKE, -1 },
	{ SYS_symlink, -1, 1, BOX_VERB_MAKE, -1 },
	{ SYS_mknod, -1, 0, BOX_VERB_MAKE, -1 },
	{ SYS_stat, -1, 0, BOX_VERB_LOOK, -1 },
	{ SYS_lstat, -1, 0, BOX_VERB_LOOK, -1 },
	{ SYS_access, -1, 0, BOX_VERB_LOOK, -1 },
	{ SYS_readlink, -1, 0, BOX_VERB_LOOK, -1 },
#endif
#if defined(SYS_renameat)
	{ SYS_renameat, 2, 3, BOX_VERB_MAKE, -1 },
#endif
	{ SYS_openat, 0, 1, BOX_VERB_READ, 2 },
	{ SYS_truncate, -1, 0, BOX_VERB_WRITE, -1 },
	{ SYS_mkdirat, 0, 1, BOX_VERB_MAKE, -1 },
	{ SYS_unlinkat, 0, 1, BOX_VERB_REMOVE, -1 },
	{ SYS_renameat2, 2, 3, BOX_VERB_MAKE, -1 },
	{ SYS_linkat, 2, 3, BOX_VERB_MAKE, -1 },
	{ SYS_symlinkat, 1, 2, BOX_VERB_MAKE, -1 },
	{ SYS_mknodat, 0, 1, BOX_VERB_MAKE, -1 },
	{ SYS_execve, -1, 0, BOX_VERB_RUN, -1 },
	{ SYS_execveat, 0, 1, BOX_VERB_RUN, -1 },
	{ SYS_newfstatat, 0, 1, BOX_VERB_LOOK, -1 },
	{ SYS_statx, 0, 1, BOX_VERB_LOOK, -1 },
	{ SYS_faccessat, 0, 1, BOX_VERB_LOOK, -1 },
	{ SYS_faccessat2, 0, 1, BOX_VERB_LOOK, -1 },
	{ SYS_readlinkat, 0, 1, BOX_VERB_LOOK, -1 },
};

const char *
box_verb_name(uint32_t verb)
{
	static const char *const names[] = {
		[BOX_VERB_READ] = "read",
		[BOX_VERB_WRITE] = "write",
		[BOX_VERB_MAKE] = "make",
		[BOX_VERB_REMOVE] = "remove",
		[BOX_VERB_RUN] = "run",
		[BOX_VERB_LOOK] = "look",
	};

	return verb < ARRAY_LEN(names) ? names[verb] : "touch";
}

/* Without ".", ".." and empty parts; as text, whatever links there are. */
static void
normalize(char *path)
{
	char *out = path;

	for (const char *at = path; *at != '\0';) {
		const size_t slashes = strspn(at, "/");
		const size_t len = strcspn(at + slashes, "/");
		at += slashes;
		if (len == 2 && memcmp(at, "..", 2) == 0) {
			while (out > path && *--out != '/')
				;
		} else if (len > 0 && !(len == 1 && *at == '.')) {
			*out++ = '/';
			memmove(out, at, len);
			out += len;
		}
		at += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

static bool
folder_read(pid_t pid, int dir_fd, char *path, size_t size)
{
	char link[64];

	if (dir_fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, dir_fd);
	const ssize_t n = readlink(link, path, size - 1);
	if (n <= 0 || path[0] != '/')
		return false;
	path[n] = '\0';
	return true;
}

/* The path that a call names, absolute. */
static bool
path_read(
    const struct seccomp_notif *notif, const struct file_call *call, char *path)
{
	char word[BOX_PATH_MAX];
	const pid_t pid = (pid_t)notif->pid;
	const int dir_fd =
	    call->dir < 0 ? AT_FDCWD : (int)notif->data.args[call->dir];

	if (box_string_read(
		pid, notif->data.args[call->path], word, sizeof(word)) != 0 ||
	    word[0] == '\0')
		return false; /* it means the descriptor itself */
	size_t len = 0;
	if (word[0] != '/') {
		if (!folder_read(pid, dir_fd, path, BOX_PATH_MAX))
			return false;
		len = strlen(path);
		path[len++] = '/';
	}
	memcpy(path + len, word, strlen(word) + 1);
	normalize(path);
	return true;
}

/* The grant that a path falls under, NULL; the deepest. */
static const struct box_grant *
grant_find(const struct box_spec *spec, const char *path)
{
	const struct box_grant *deepest = NULL;

	/* In order: whatever is below another comes after it. */
	for (uint32_t i = 0; i < spec->n_grants; i++)
		if (box_path_below(path, box_grant_place(&spec->grants[i])))
			deepest = &spec->grants[i];
	return deepest;
}

static bool
is_private(const struct box_spec *spec, const char *path)
{
	return box_path_below(path, "/tmp") ||
	    box_path_below(path, "/var/tmp") || box_path_below(path, "/dev") ||
	    box_path_below(path, spec->home);
}

static bool
is_granted(const struct box_spec *spec, const char *path, enum box_verb verb)
{
	const bool writes = verb == BOX_VERB_WRITE || verb == BOX_VERB_MAKE ||
	    verb == BOX_VERB_REMOVE;
	const struct box_grant *grant = grant_find(spec, path);

	if (grant != NULL)
		return grant->access == BOX_ACCESS_WRITE ||
		    (grant->access == BOX_ACCESS_READ && !writes);
	/* Empty at first: what a program looks for may be the user's own. */
	if (is_private(spec, path))
		return writes || verb == BOX_VERB_LOOK ||
		    faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return !writes &&
	    (strcmp(path, "/") == 0 || box_base_is_habit(path) ||
		box_path_below(path, "/proc") || strcmp(path, "/etc") == 0 ||
		strcmp(path, "/etc/passwd") == 0 ||
		strcmp(path, "/etc/group") == 0 || box_base_has(path));
}

static enum box_verb
verb_of(const struct seccomp_notif *notif, const struct file_call *call)
{
	if (call->flags < 0)
		return call->verb;
	const uint64_t flags = notif->data.args[call->flags];
	if (flags & O_CREAT)
		return BOX_VERB_MAKE;
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)
		return BOX_VERB_WRITE;
	return flags & O_PATH ? BOX_VERB_LOOK : call->verb;
}

static void
file_notice(struct box_init *init, const struct seccomp_notif *notif,
    const struct file_call *call)
{
	static char path[BOX_PATH_MAX * 2];
	const bool tells_all = init->spec->notes == BOX_NOTES_ALL;

	if (!path_read(notif, call, path))
		return;
	const enum box_verb verb = verb_of(notif, call);
	if (!is_granted(init->spec, path, verb))
		box_note_once(init, BOX_NOTE_FILE, (int)verb, notif->pid, path);
	else if (tells_all)
		box_note_once(
		    init, BOX_NOTE_TOUCHED, (int)verb, notif->pid, path);
}

/* ---- addresses ------------------------------------------------------------ */

static bool
has_port(const struct box_spec *spec, uint16_t port)
{
	for (uint32_t i = 0; i < spec->n_ports; i++)
		if (spec->ports[i] == port)
			return true;
	return false;
}

static bool
has_address(const struct box_spec *spec, uint32_t address)
{
	for (uint32_t i = 0; i < spec->n_addresses; i++)
		if (spec->addresses[i] == address)
			return true;
	return address >> (32 - BOX_NET_BITS) == BOX_NET >> (32 - BOX_NET_BITS);
}

/* Whether egress hears of it, and decides; or the program talks to itself. A
 * connected UDP socket without a port asks for a route alone. */
static bool
leads_somewhere(const struct box_spec *spec, const struct sockaddr_in *to)
{
	const uint32_t address = ntohl(to->sin_addr.s_addr);
	const uint16_t port = ntohs(to->sin_port);

	if (address >> 24 == 127)
		return spec->n_ports > 0 || port != 53;
	if (spec->n_ports == 0 || !has_address(spec, address))
		return false;
	return port == 0 || has_port(spec, port) ||
	    (address == BOX_NET_SELF &&
		(port == 53 || port == BOX_HTTP_PROXY_PORT ||
		    port == BOX_SOCKS_PORT));
}

/* False: it is no refusal. */
static bool
address_put(const struct box_spec *spec, const union box_address *address,
    char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	switch (address->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
		snprintf(text, size, "connect %s:%u%s", host,
		    ntohs(address->in.sin_port),
		    ntohs(address->in.sin_port) == 53 ? " (a name server)"
						      : "");
		return !leads_somewhere(spec, &address->in);
	case AF_INET6:
		inet_ntop(
		    AF_INET6, &address->in6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "connect [%s]:%u", host,
		    ntohs(address->in6.sin6_port));
		return !IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
	default:
		return false;
	}
}

static void
connect_notice(struct box_init *init, const struct seccomp_notif *notif)
{
	union box_address address = { 0 };
	char text[128];
	uint64_t len = notif->data.args[2];

	if (init->spec->flags & BOX_HOST_NETWORK || len < sizeof(sa_family_t))
		return;
	if (len > sizeof(address))
		len = sizeof(address);
	if (box_memory_read((pid_t)notif->pid, notif->data.args[1], &address,
		len) != (ssize_t)len)
		return;
	if (address_put(init->spec, &address, text, sizeof(text)))
		box_note_once(init, BOX_NOTE_NET, 0, notif->pid, text);
}

/* ---- calls ---------------------------------------------------------------- */

static void
call_notice(struct box_init *init, const struct seccomp_notif *notif)
{
	char text[160];

	snprintf(text, sizeof(text), "%s(0x%llx, 0x%llx, 0x%llx)",
	    payload_call_name(notif->data.nr),
	    (unsigned long long)notif->data.args[0],
	    (unsigned long long)notif->data.args[1],
	    (unsigned long long)notif->data.args[2]);
	/* By its name alone: addresses in its arguments make no two calls. */
	if (!is_news(hash_of(BOX_NOTE_CALL, notif->data.nr, "", 0),
		seen_max(init) + SEEN_CALLS_MORE))
		return;
	box_note_send(init, BOX_NOTE_CALL, notif->data.nr, notif->pid, text,
	    strlen(text));
}

static const struct file_call *
file_call_find(const struct seccomp_notif *notif)
{
	for (size_t i = 0; i < ARRAY_LEN(file_calls); i++)
		if (file_calls[i].nr == notif->data.nr)
			return &file_calls[i];
	return NULL;
}

/* The mode of an open or mkdir that the filter refused for its bits. */
static bool
has_suid_bits(const struct seccomp_notif *notif)
{
	static const struct {
		int nr;
		int mode;
	} modes[] = {
#if defined(SYS_open)
		{ SYS_open, 2 },
		{ SYS_creat, 1 },
		{ SYS_mkdir, 1 },
		{ SYS_mknod, 1 },
#endif
		{ SYS_openat, 3 },
		{ SYS_mkdirat, 2 },
		{ SYS_mknodat, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].nr == notif->data.nr)
			return (notif->data.args[modes[i].mode] & 06000) != 0;
	return false;
}

void
box_notice_take(struct box_init *init)
{
	static struct seccomp_notif notif;
	struct seccomp_notif_resp response;

	memset(&notif, 0, sizeof(notif));
	if (ioctl(init->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
		return; /* who asked is gone */
	const struct file_call *call = file_call_find(&notif);
	response = (struct seccomp_notif_resp){ .id = notif.id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	if (init->is_guarded && notif.data.nr == SYS_bind) {
		(void)box_guard_take(init, &notif);
		return;
	}
	if (call != NULL && !has_suid_bits(&notif)) {
		if (init->spec->notes >= BOX_NOTES_FILES)
			file_notice(init, &notif, call);
		if (init->is_guarded && box_guard_take(init, &notif))
			return;
	} else if (notif.data.nr == SYS_connect) {
		connect_notice(init, &notif);
	} else {
		call_notice(init, &notif);
		response.flags = 0;
		response.error = -payload_call_errno(notif.data.nr);
	}
	(void)ioctl(init->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}
