/* SPDX-License-Identifier: Apache-2.0
 *
 * The flat form of a spec: a head of numbers, the grants' numbers, ports,
 * addresses, then all strings, each with its NUL, in the order of the struct.
 */
#include "box/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"

#define SPEC_MAGIC 0x32584f42u /* "BOX2" */

struct head {
	uint32_t magic;
	uint32_t n_argv;
	uint32_t n_env;
	uint32_t n_grants;
	uint32_t flags;
	uint32_t notes;
	uint32_t strings_len;
	uint32_t n_ports;
	uint32_t n_addresses;
	uint32_t reserved;
	struct box_limits limits;
};

struct flat_grant {
	uint32_t access;
	uint32_t flags;
};

/* ---- what a good one is --------------------------------------------------- */

/* Absolute, without an empty, "." or ".." part: a path of the box is made of
 * it as it stands. */
static bool
path_is_good(const char *path)
{
	const size_t len = strnlen(path, BOX_PATH_MAX);

	if (path[0] != '/' || len == BOX_PATH_MAX)
		return false;
	if (len == 1)
		return true;
	for (const char *part = path + 1;; part++) {
		const size_t n = strcspn(part, "/");
		if (n == 0 || (n == 1 && part[0] == '.') ||
		    (n == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part += n;
		if (*part == '\0')
			return true;
	}
}

static const char *
place_get(const struct box_grant *grant)
{
	return grant->at[0] != '\0' ? grant->at : grant->path;
}

static const char *
grant_complaint(const struct box_grant *grant)
{
	const uint32_t known = BOX_GRANT_OPTIONAL | BOX_GRANT_GUARD;

	if (!path_is_good(grant->path) ||
	    (grant->at[0] != '\0' && !path_is_good(grant->at)))
		return "has a path that is not absolute and plain";
	if (strcmp(place_get(grant), "/") == 0)
		return "grants the root folder itself";
	if (grant->access > BOX_ACCESS_WRITE || (grant->flags & ~known) != 0)
		return "has a grant of an unknown kind";
	return NULL;
}

static bool
is_of_loopback(uint32_t address)
{
	return address >> 24 == 127;
}

static bool
is_of_box_net(uint32_t address)
{
	return address >> (32 - BOX_NET_BITS) == BOX_NET >> (32 - BOX_NET_BITS);
}

static const char *
network_complaint(const struct box_spec *spec)
{
	if (spec->n_ports > BOX_PORTS_MAX || spec->n_addresses > BOX_PORTS_MAX)
		return "has too many ports or addresses";
	if (spec->n_ports > 0 && (spec->flags & BOX_HOST_NETWORK) != 0)
		return "has ports that lead out, and the host's network";
	if (spec->n_ports == 0 && spec->n_addresses > 0)
		return "has addresses, but no port that leads out";
	for (uint32_t i = 0; i < spec->n_ports; i++)
		if (spec->ports[i] <= (i > 0 ? spec->ports[i - 1] : 0))
			return "has ports out of order, or one twice";
	for (uint32_t i = 0; i < spec->n_addresses; i++) {
		const uint32_t address = spec->addresses[i];
		if (address <= (i > 0 ? spec->addresses[i - 1] : 0))
			return "has addresses out of order, or one twice";
		if (is_of_loopback(address) || is_of_box_net(address))
			return "has an address of the box's own";
	}
	return NULL;
}

const char *
box_spec_complaint(const struct box_spec *spec)
{
	const uint32_t known =
	    BOX_UNIX_SOCKETS | BOX_HOST_NETWORK | BOX_OWN_SESSION;

	if (spec->n_argv == 0 || spec->argv[0][0] == '\0')
		return "has no command";
	if (spec->n_argv > BOX_WORDS_MAX || spec->n_env > BOX_WORDS_MAX ||
	    spec->n_argv + spec->n_env > BOX_WORDS_MAX ||
	    spec->n_grants > BOX_GRANTS_MAX)
		return "has too many words or grants";
	if ((spec->flags & ~known) != 0 || spec->notes > BOX_NOTES_ALL)
		return "has flags that this version does not know";
	if (!path_is_good(spec->cwd) || !path_is_good(spec->home) ||
	    strcmp(spec->home, "/") == 0)
		return "has a folder that is not absolute and plain";
	for (uint32_t i = 0; i < spec->n_env; i++)
		if (strchr(spec->env[i], '=') == NULL || spec->env[i][0] == '=')
			return "has an environment word that is not NAME=value";
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const char *complaint = grant_complaint(&spec->grants[i]);
		if (complaint != NULL)
			return complaint;
		if (i > 0 &&
		    strcmp(place_get(&spec->grants[i - 1]),
			place_get(&spec->grants[i])) >= 0)
			return "has grants out of order, or one twice";
	}
	return network_complaint(spec);
}

/* ---- writing -------------------------------------------------------------- */

/* Of what stands between the head and the strings. */
static size_t
numbers_len(uint32_t n_grants, uint32_t n_ports, uint32_t n_addresses)
{
	return n_grants * sizeof(struct flat_grant) +
	    n_ports * sizeof(uint16_t) + n_addresses * sizeof(uint32_t);
}

struct writer {
	char *bytes; /* NULL: only counted */
	size_t len;
};

static void
put(struct writer *writer, const void *bytes, size_t len)
{
	if (writer->bytes != NULL)
		memcpy(writer->bytes + writer->len, bytes, len);
	writer->len += len;
}

static void
put_string(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text) + 1);
}

static void
put_spec(
    struct writer *writer, const struct box_spec *spec, uint32_t strings_len)
{
	const struct head head = { .magic = SPEC_MAGIC,
		.n_argv = spec->n_argv,
		.n_env = spec->n_env,
		.n_grants = spec->n_grants,
		.flags = spec->flags,
		.notes = spec->notes,
		.strings_len = strings_len,
		.n_ports = spec->n_ports,
		.n_addresses = spec->n_addresses,
		.limits = spec->limits };

	put(writer, &head, sizeof(head));
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct flat_grant flat = { spec->grants[i].access,
			spec->grants[i].flags };
		put(writer, &flat, sizeof(flat));
	}
	for (uint32_t i = 0; i < spec->n_ports; i++)
		put(writer, &spec->ports[i], sizeof(spec->ports[i]));
	for (uint32_t i = 0; i < spec->n_addresses; i++)
		put(writer, &spec->addresses[i], sizeof(spec->addresses[i]));
	for (uint32_t i = 0; i < spec->n_argv; i++)
		put_string(writer, spec->argv[i]);
	for (uint32_t i = 0; i < spec->n_env; i++)
		put_string(writer, spec->env[i]);
	put_string(writer, spec->cwd);
	put_string(writer, spec->home);
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		put_string(writer, spec->grants[i].path);
		put_string(writer, spec->grants[i].at);
	}
}

int
box_spec_seal(const struct box_spec *spec, int *fdp)
{
	const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct writer count = { NULL, 0 };

	if (box_spec_complaint(spec) != NULL)
		return BOX_E_FORMAT;
	put_spec(&count, spec, 0);
	if (count.len > BOX_SPEC_BYTES_MAX)
		return BOX_E_FORMAT;
	auto_free char *bytes = malloc(count.len);
	if (bytes == NULL)
		return -ENOMEM;
	struct writer writer = { bytes, 0 };
	put_spec(&writer, spec,
	    (uint32_t)(count.len - sizeof(struct head) -
		numbers_len(spec->n_grants, spec->n_ports, spec->n_addresses)));

	auto_close int fd =
	    memfd_create("cordon-box", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	const ssize_t n = pwrite(fd, bytes, writer.len, 0);
	if (n != (ssize_t)writer.len)
		return n < 0 ? -errno : -EIO;
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	*fdp = fd_steal(&fd);
	return 0;
}

/* ---- reading -------------------------------------------------------------- */

struct reader {
	const char *at;
	const char *end;
	bool is_bad;
};

static const char *
string_read(struct reader *reader)
{
	const char *text = reader->at;
	const char *nul =
	    memchr(text, '\0', (size_t)(reader->end - reader->at));

	if (reader->is_bad || nul == NULL) {
		reader->is_bad = true;
		return "";
	}
	reader->at = nul + 1;
	return text;
}

/* Everything in one block: the bytes as they came, then the pointers. */
struct block {
	/* offsets behind the bytes */
	size_t argv, env, grants, addresses, ports, len;
};

static struct block
block_plan(const struct head *head, size_t bytes_len)
{
	struct block block;

	block.argv = (bytes_len + 15u) & ~(size_t)15u;
	block.env = block.argv + (head->n_argv + 1) * sizeof(char *);
	block.grants = block.env + (head->n_env + 1) * sizeof(char *);
	block.addresses =
	    block.grants + head->n_grants * sizeof(struct box_grant);
	block.ports = block.addresses + head->n_addresses * sizeof(uint32_t);
	block.len = block.ports + head->n_ports * sizeof(uint16_t);
	return block;
}

static bool
head_is_good(const struct head *head, size_t len)
{
	if (len < sizeof(*head) || head->magic != SPEC_MAGIC ||
	    head->n_argv > BOX_WORDS_MAX || head->n_env > BOX_WORDS_MAX ||
	    head->n_grants > BOX_GRANTS_MAX || head->n_ports > BOX_PORTS_MAX ||
	    head->n_addresses > BOX_PORTS_MAX)
		return false;
	return len ==
	    sizeof(*head) +
	    numbers_len(head->n_grants, head->n_ports, head->n_addresses) +
	    (size_t)head->strings_len;
}

/* Out of the bytes, where they may lie anyhow. */
static void
network_place(char *memory, const struct head *head, const struct block *block,
    struct box_spec *spec)
{
	const size_t ports_len = head->n_ports * sizeof(uint16_t);
	const char *flat =
	    memory + sizeof(*head) + numbers_len(head->n_grants, 0, 0);

	memcpy(memory + block->ports, flat, ports_len);
	memcpy(memory + block->addresses, flat + ports_len,
	    head->n_addresses * sizeof(uint32_t));
	spec->ports = (const uint16_t *)(void *)(memory + block->ports);
	spec->addresses = (const uint32_t *)(void *)(memory + block->addresses);
	spec->n_ports = head->n_ports;
	spec->n_addresses = head->n_addresses;
}

static void
strings_place(char *memory, const struct head *head, const struct block *block,
    size_t len, struct box_spec *spec, struct reader *reader)
{
	const char **argv = (const char **)(void *)(memory + block->argv);
	const char **env = (const char **)(void *)(memory + block->env);
	struct box_grant *grants =
	    (struct box_grant *)(void *)(memory + block->grants);
	const char *flat = memory + sizeof(*head);

	*reader = (struct reader){ flat +
		    numbers_len(
			head->n_grants, head->n_ports, head->n_addresses),
		memory + len, false };
	for (uint32_t i = 0; i < head->n_argv; i++)
		argv[i] = string_read(reader);
	for (uint32_t i = 0; i < head->n_env; i++)
		env[i] = string_read(reader);
	argv[head->n_argv] = env[head->n_env] = NULL;
	spec->cwd = string_read(reader);
	spec->home = string_read(reader);
	for (uint32_t i = 0; i < head->n_grants; i++) {
		struct flat_grant numbers;
		memcpy(&numbers, flat + i * sizeof(numbers), sizeof(numbers));
		grants[i] = (struct box_grant){ .access = numbers.access,
			.flags = numbers.flags };
		grants[i].path = string_read(reader);
		grants[i].at = string_read(reader);
	}
	spec->argv = argv;
	spec->env = env;
	spec->grants = grants;
}

static int
spec_parse(char *memory, const struct head *head, const struct block *block,
    size_t len, struct box_spec *spec)
{
	struct box_spec parsed = { .n_argv = head->n_argv,
		.n_env = head->n_env,
		.n_grants = head->n_grants,
		.flags = head->flags,
		.notes = head->notes,
		.limits = head->limits };
	struct reader reader;

	strings_place(memory, head, block, len, &parsed, &reader);
	network_place(memory, head, block, &parsed);
	if (reader.is_bad || reader.at != reader.end ||
	    box_spec_complaint(&parsed) != NULL)
		return BOX_E_FORMAT;
	*spec = parsed;
	return 0;
}

int
box_spec_read(int fd, struct box_spec *spec, void **memoryp)
{
	struct head head;
	const off_t len = lseek(fd, 0, SEEK_END);

	if (len < 0)
		return -errno;
	if (len > (off_t)BOX_SPEC_BYTES_MAX)
		return BOX_E_FORMAT;
	const ssize_t n = pread(fd, &head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(head) || !head_is_good(&head, (size_t)len))
		return BOX_E_FORMAT;

	const struct block block = block_plan(&head, (size_t)len);
	auto_free char *memory = malloc(block.len);
	if (memory == NULL)
		return -ENOMEM;
	if (pread(fd, memory, (size_t)len, 0) != len)
		return BOX_E_FORMAT;
	/* What was sealed cannot have changed since; what was not, may. */
	if (memcmp(memory, &head, sizeof(head)) != 0)
		return BOX_E_FORMAT;
	const int code = spec_parse(memory, &head, &block, (size_t)len, spec);
	if (code == 0)
		*memoryp = steal_ptr(&memory);
	return code;
}
