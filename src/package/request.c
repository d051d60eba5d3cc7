/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "json/out.h"
#include "package/file.h"
#include "package/keep.h"

#define REQUEST_BYTES_MAX (1u << 20)
#define WORD_BYTES_MAX 8192

void
package_put(const struct package *package, struct json_out *out)
{
	const struct {
		const char *name;
		const char *value;
	} texts[] = {
		{ "{\"name\":", package->name },
		{ ",\"version\":", package->version },
		{ ",\"digest\":", package->digest },
	};
	const struct {
		const char *name;
		char *const *items;
	} lists[] = {
		{ ",\"command\":[", package->argv },
		{ "],\"scriptsNotRun\":[", package->scripts },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_out_text(out, texts[i].name);
		json_out_string(out, texts[i].value, strlen(texts[i].value));
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		json_out_text(out, lists[i].name);
		for (char *const *item = lists[i].items; *item != NULL;
		     item++) {
			if (item != lists[i].items)
				json_out_text(out, ",");
			json_out_string(out, *item, strlen(*item));
		}
	}
	json_out_text(out, "],\"packages\":");
	json_out_uint(out, package->n_packages);
	json_out_text(out, ",\"files\":");
	json_out_uint(out, package->n_files);
	json_out_text(out, ",\"bytes\":");
	json_out_uint(out, package->bytes);
	json_out_text(out, "}");
}

struct request_name {
	char name[PACKAGE_DIGEST_HEX + 16];
};

static struct request_name
request_name(const char *key)
{
	struct request_name made;

	snprintf(made.name, sizeof(made.name), "%.64s.request", key);
	return made;
}

int
keep_request_put(const struct keep *keep, const struct staging *staging,
    const char *key, const struct package *package, struct err *err)
{
	struct json_out out;

	json_out_init(&out, REQUEST_BYTES_MAX);
	package_put(package, &out);
	json_out_text(&out, "\n");
	int r = json_out_status(&out) == 0 ? 0 : -ENOMEM;
	if (r == 0)
		r = file_make(staging->fd, "request", out.bytes, out.len, 0600);
	if (r == 0 &&
	    renameat(staging->fd, "request", keep->fd, request_name(key).name) <
		0)
		r = -errno;
	json_out_fini(&out);
	return r == 0 ? 0 : err_set(err, r, "%s: %s", keep->path, strerror(-r));
}

static bool
list_read(struct json_span value, char ***list)
{
	char word[WORD_BYTES_MAX];
	struct words words = { 0 };
	struct json_span item;
	struct json_iter iter;

	if (json_kind_of(value) != JSON_KIND_ARRAY)
		return false;
	json_iter_init(&iter, value);
	while (json_iter_element(&iter, &item)) {
		if (json_string_copy(item, word, sizeof(word), NULL) != 0) {
			words_fini(&words);
			return false;
		}
		words_add(&words, "%s", word);
	}
	*list = words_steal(&words);
	return *list != NULL;
}

static uint64_t
number_read(struct json_span value)
{
	return json_value_is_integer(value) ? strtoull(value.at, NULL, 10) : 0;
}

static bool
request_read(struct json_span value, struct package *package)
{
	struct json_want wants[] = { { "name" }, { "version" }, { "digest" },
		{ "command" }, { "scriptsNotRun" }, { "packages" }, { "files" },
		{ "bytes" } };

	if (json_members_find(value, wants, ARRAY_LEN(wants)) != 0)
		return false;
	package->n_packages = (uint32_t)number_read(wants[5].value);
	package->n_files = (uint32_t)number_read(wants[6].value);
	package->bytes = number_read(wants[7].value);
	return json_string_copy(wants[0].value, package->name,
		   sizeof(package->name), NULL) == 0 &&
	    json_string_copy(wants[1].value, package->version,
		sizeof(package->version), NULL) == 0 &&
	    json_string_copy(wants[2].value, package->digest,
		sizeof(package->digest), NULL) == 0 &&
	    list_read(wants[3].value, &package->argv) &&
	    package->argv[0] != NULL &&
	    list_read(wants[4].value, &package->scripts);
}

int
keep_request_get(
    const struct keep *keep, const char *key, struct package *package)
{
	struct file_json json;
	struct package found = { 0 };

	const int r = file_json_read(
	    keep->fd, request_name(key).name, REQUEST_BYTES_MAX, &json);
	if (r < 0)
		return r;
	const bool is_good = request_read(json.value, &found);
	free(json.text);
	if (!is_good) {
		package_fini(&found);
		return -EBADMSG;
	}
	*package = found;
	return 0;
}

static bool
is_request_for(const struct keep *keep, const char *name, const char *digest)
{
	static const char end[] = ".request";
	char key[PACKAGE_DIGEST_HEX];
	const size_t len = strlen(name);
	struct package package;

	if (len != sizeof(key) - 1 + strlen(end) ||
	    strcmp(name + sizeof(key) - 1, end) != 0)
		return false;
	snprintf(key, sizeof(key), "%.64s", name);
	if (keep_request_get(keep, key, &package) != 0)
		return false;
	const bool is_it = strcmp(package.digest, digest) == 0;
	package_fini(&package);
	return is_it;
}

void
keep_requests_remove(const struct keep *keep, const char *digest)
{
	const int dir_fd =
	    openat(keep->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);

	if (dir == NULL)
		return;
	for (struct dirent *item; (item = readdir(dir)) != NULL;)
		if (is_request_for(keep, item->d_name, digest))
			unlinkat(keep->fd, item->d_name, 0);
	closedir(dir);
}
