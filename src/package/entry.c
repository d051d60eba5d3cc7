/* SPDX-License-Identifier: Apache-2.0 */
#include "package/entry.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "package/file.h"
#include "package/package.h"

#define MANIFEST_BYTES_MAX (4u << 20)
#define HEAD_BYTES 256
#define LIST_MAX 256

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool
ends_with(const char *text, const char *end)
{
	const size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* -- what runs a file ----------------------------------------------------- */

static bool
is_node(const char *name)
{
	return strcmp(name, "node") == 0 || strcmp(name, "nodejs") == 0;
}

/* What runs a package's file is granted to its box. A name is found in the
 * host's PATH; a path is a stranger's word on what of the host that may be. */
static bool
is_of_the_system(const char *word)
{
	return strchr(word, '/') == NULL ||
	    ((starts_with(word, "/usr/") || starts_with(word, "/bin/")) &&
		strstr(word, "/..") == NULL);
}

/* "#!/usr/bin/env [-S] NAME flags…", "#!/path/NAME flag". */
static int
hashbang_read(
    char *line, const char *path, struct words *words, struct err *err)
{
	char *save, *word = strtok_r(line, " \t\r", &save);

	if (word != NULL && strcmp(base_name(word), "env") == 0) {
		word = strtok_r(NULL, " \t\r", &save);
		if (word != NULL && strcmp(word, "-S") == 0)
			word = strtok_r(NULL, " \t\r", &save);
	}
	if (word == NULL || strchr(word, '=') != NULL || word[0] == '-')
		return err_set(err, -ENOEXEC,
		    "%s: its first line names no interpreter that cordon "
		    "understands; run it by hand with cordon wrap -- "
		    "INTERPRETER "
		    "FILE",
		    path);
	if (!is_node(base_name(word)) && !is_of_the_system(word))
		return err_set(err, -EPERM,
		    "%s: its interpreter %s is not the system's: a package "
		    "does not say what of this machine its box may have",
		    path, word);
	words_add(words, "%s", is_node(base_name(word)) ? "node" : word);
	while ((word = strtok_r(NULL, " \t\r", &save)) != NULL)
		words_add(words, "%s", word);
	return 0;
}

static int
runner_add(int fd, const char *path, struct words *words, struct err *err)
{
	char head[HEAD_BYTES + 1];

	const ssize_t n = read(fd, head, HEAD_BYTES);
	if (n < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	head[n] = '\0';
	if (starts_with(head, "#!")) {
		head[strcspn(head, "\n")] = '\0';
		return hashbang_read(head + 2, path, words, err);
	}
	if (starts_with(head,
		"\x7f"
		"ELF"))
		return 0;
	if (ends_with(path, ".js") || ends_with(path, ".mjs") ||
	    ends_with(path, ".cjs")) {
		words_add(words, "node");
		return 0;
	}
	return err_set(err, -ENOEXEC,
	    "%s is no program: neither a first line with #! nor the name of a "
	    "JavaScript file",
	    path);
}

static int
file_add(int tree_fd, const char *path, const char *shown, struct words *words,
    struct err *err)
{
	auto_close int fd = -1;

	int r = file_open(tree_fd, path, &fd);
	if (r == -ELOOP || r == -EXDEV)
		return err_set(err, r, "%s: its program (%s) is behind a link",
		    shown, path);
	if (r < 0)
		return err_set(err, r,
		    "%s: its program (%s) is not in the package", shown, path);
	r = runner_add(fd, path, words, err);
	if (r < 0)
		return r;
	words_add(words, PACKAGE_PLACE "/%s", path);
	return words->has_failed ? err_set(err, -ENOMEM, "no memory") : 0;
}

/* -- npm ------------------------------------------------------------------ */

/* What node_modules/.bin has under a name: a link to one of the packages. */
static int
bin_link_add(int tree_fd, const char *name, const char *program,
    struct words *words, struct err *err)
{
	char link[PATH_MAX], target[PATH_MAX], path[PATH_MAX];

	const int n =
	    snprintf(link, sizeof(link), "node_modules/.bin/%s", program);
	if (n < 0 || (size_t)n >= sizeof(link))
		return err_set(err, -ENAMETOOLONG, "%s: too long", program);
	const ssize_t len =
	    readlinkat(tree_fd, link, target, sizeof(target) - 1);
	if (len < 0)
		return err_set(err, -ENOENT, "%s brings no program named %s",
		    name, program);
	target[len] = '\0';
	if (file_path_join("node_modules/.bin", target, path, sizeof(path)) <
		0 ||
	    !starts_with(path, "node_modules/"))
		return err_set(err, -EXDEV,
		    "%s: its program %s lies outside the package", name,
		    program);
	return file_add(tree_fd, path, name, words, err);
}

static bool
all_are_equal(struct json_span bin)
{
	struct json_span key, value, first = { 0 };
	struct json_iter iter;

	if (json_iter_init(&iter, bin) != 0)
		return false;
	while (json_iter_member(&iter, &key, &value)) {
		if (first.at == NULL)
			first = value;
		if (first.len != value.len ||
		    memcmp(first.at, value.at, value.len) != 0)
			return false;
	}
	return first.at != NULL;
}

static int
several_refuse(const char *name, struct json_span bin, struct err *err)
{
	char list[LIST_MAX] = "", word[64];
	struct json_span key, value;
	struct json_iter iter;
	size_t len = 0;

	json_iter_init(&iter, bin);
	while (json_iter_member(&iter, &key, &value)) {
		if (json_string_copy(key, word, sizeof(word), NULL) != 0 ||
		    len + strlen(word) + 3 > sizeof(list))
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		    len == 0 ? "" : ", ", word);
	}
	return err_set(err, -EINVAL,
	    "%s brings several programs (%s): write npx -p %s PROGRAM", name,
	    list, name);
}

/* As npx chooses: the only one, else the one with the package's own name. */
static int
bin_choose(const char *name, struct json_span bin, struct json_span *chosen,
    struct err *err)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(bin) == JSON_KIND_STRING) {
		*chosen = bin;
		return 0;
	}
	const bool is_one = all_are_equal(bin);
	if (json_iter_init(&iter, bin) == 0)
		while (json_iter_member(&iter, &key, &value))
			if (is_one ||
			    json_string_equals(key, base_name(name))) {
				*chosen = value;
				return 0;
			}
	return several_refuse(name, bin, err);
}

static int
bin_add(int tree_fd, const char *name, struct json_span bin,
    struct words *words, struct err *err)
{
	char folder[PATH_MAX], value[PATH_MAX], path[PATH_MAX];
	struct json_span chosen;

	int r = bin_choose(name, bin, &chosen, err);
	if (r < 0)
		return r;
	if (json_string_copy(chosen, value, sizeof(value), NULL) != 0)
		return err_set(err, -EBADMSG,
		    "%s: bin in its package.json is no path", name);
	snprintf(folder, sizeof(folder), "node_modules/%s/", name);
	/* "/dist/x.js" is meant from the package's folder: npm reads it so. */
	r = file_path_join(
	    folder, value + strspn(value, "/"), path, sizeof(path));
	if (r < 0 || !starts_with(path, folder))
		return err_set(err, -EXDEV,
		    "%s: its program (%s) lies outside the package", name,
		    value);
	return file_add(tree_fd, path, name, words, err);
}

int
entry_npm(int tree_fd, const char *name, const char *program,
    struct words *words, struct err *err)
{
	char path[PATH_MAX];
	struct file_json json = { 0 };

	if (program != NULL)
		return bin_link_add(tree_fd, name, program, words, err);
	snprintf(path, sizeof(path), "node_modules/%s/package.json", name);
	int r = file_json_read(tree_fd, path, MANIFEST_BYTES_MAX, &json);
	if (r < 0)
		return err_set(err, r, "%s: its package.json: %s", name,
		    r == -EBADMSG ? "no JSON" : strerror(-r));
	const struct json_span bin = file_json_member(json.value, "bin");
	if (json_kind_of(bin) == JSON_KIND_STRING ||
	    json_kind_of(bin) == JSON_KIND_OBJECT)
		r = bin_add(tree_fd, name, bin, words, err);
	else
		r = bin_link_add(tree_fd, name, base_name(name), words, err);
	free(json.text);
	return r;
}

/* -- Python --------------------------------------------------------------- */

#define ENTRY_FILE "lib/__cordon_entry__.py"

static bool
is_dotted_name(const char *text)
{
	if (text[0] == '\0' || (text[0] >= '0' && text[0] <= '9'))
		return false;
	for (; *text != '\0'; text++)
		if (*text != '.' && *text != '_' &&
		    !(*text >= '0' && *text <= '9') &&
		    !((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z'))
			return false;
	return true;
}

/* "name = module:attribute [extras]" of [console_scripts]; true: found. */
static bool
console_script_find(
    char *text, const char *program, char **module, char **attribute)
{
	bool is_here = false;
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *inner, *name, *value;
		if (line[0] == '[') {
			is_here = starts_with(line, "[console_scripts]");
			continue;
		}
		name = strtok_r(line, " \t\r=", &inner);
		if (!is_here || name == NULL || strcmp(name, program) != 0)
			continue;
		value = strtok_r(NULL, " \t\r=", &inner);
		*module = value == NULL ? NULL : strtok_r(value, ":", &inner);
		*attribute =
		    *module == NULL ? NULL : strtok_r(NULL, ":", &inner);
		return *attribute != NULL;
	}
	return false;
}

static int
entry_write(int tree_fd, const char *module, const char *attribute)
{
	auto_free char *text = NULL;

	const int n = asprintf(&text,
	    "import importlib\nimport sys\n\n"
	    "entry = importlib.import_module('%s')\n"
	    "for name in '%s'.split('.'):\n"
	    "    entry = getattr(entry, name)\n"
	    "sys.exit(entry())\n",
	    module, attribute);
	return n < 0 ? -ENOMEM
		     : file_make(tree_fd, ENTRY_FILE, text, (size_t)n, 0644);
}

int
entry_python(int tree_fd, const char *info, const char *program,
    const char *python, struct words *words, struct err *err)
{
	auto_free char *text = NULL;
	char path[PATH_MAX], *module = NULL, *attribute = NULL;
	size_t len;

	snprintf(path, sizeof(path), "lib/%s/entry_points.txt", info);
	int r = file_read(tree_fd, path, MANIFEST_BYTES_MAX, &text, &len);
	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	if (r < 0 || strlen(text) != len ||
	    !console_script_find(text, program, &module, &attribute) ||
	    !is_dotted_name(module) || !is_dotted_name(attribute))
		return err_set(err, -ENOENT,
		    "%s brings no program named %s: write uvx --from PACKAGE "
		    "PROGRAM",
		    info, program);
	r = entry_write(tree_fd, module, attribute);
	if (r < 0)
		return err_set(err, r, "%s: %s", ENTRY_FILE, strerror(-r));
	words_add(words, "%s", python);
	words_add(words, PACKAGE_PLACE "/" ENTRY_FILE);
	return words->has_failed ? err_set(err, -ENOMEM, "no memory") : 0;
}
