/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/egress.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "ctl/libexec.h"
#include "json/out.h"
#include "policy/policy.h"

#define RESOLV_PATH "/etc/resolv.conf"
#define ITEM_MAX 128

typedef int
item_fn(struct ctl_settings *settings, const char *raw_text, struct err *err);

/* A list of texts, each handed to the function that has the words for it. */
static int
items_take(const struct ctl_config *config, const char *name,
    struct json_span list, item_fn *take, struct ctl_settings *settings,
    struct err *err)
{
	struct json_span item;
	struct json_iter iter;
	struct err why;

	if (list.at == NULL)
		return 0;
	if (json_kind_of(list) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, list) != 0)
		return err_set(err, CTL_E_CONFIG,
		    "%s: /egress/%s must be a list", config->path, name);
	for (size_t i = 0; json_iter_element(&iter, &item); i++) {
		char text[ITEM_MAX] = "";
		if (json_kind_of(item) != JSON_KIND_STRING ||
		    json_string_copy(item, text, sizeof(text), NULL) != 0)
			text[0] = '\0'; /* refused below, with its words */
		if (take(settings, text, &why) != 0)
			return err_set(err, CTL_E_CONFIG,
			    "%s: /egress/%s/%zu %s", config->path, name, i,
			    why.text);
	}
	return 0;
}

/* The system's certificates, and those of a network that has its own. */
static int
certificates_take(const struct ctl_config *config,
    struct ctl_settings *settings, struct err *err)
{
	const struct json_span own = config->egress.ca;
	const char *system = ctl_settings_ca_path();
	char name[CTL_FILE_MAX], path[PATH_MAX];

	int r = system != NULL ? ctl_settings_ca(settings, system, err) : 0;
	if (r != 0 || own.at == NULL)
		return r;
	if (json_kind_of(own) != JSON_KIND_STRING ||
	    json_string_copy(own, name, sizeof(name), NULL) != 0 ||
	    name[0] == '\0')
		return err_set(err, CTL_E_CONFIG,
		    "%s: /egress/ca must be the path of a file", config->path);
	ctl_path_beside(config->path, name, path);
	return ctl_settings_ca(settings, path, err);
}

int
ctl_egress_take(const struct ctl_config *config, struct ctl_settings *settings,
    struct err *err)
{
	const struct {
		const char *name;
		struct json_span list;
		item_fn *take;
	} lists[] = {
		{ "nameservers", config->egress.nameservers,
		    ctl_settings_nameserver },
		{ "nat64", config->egress.nat64, ctl_settings_nat64 },
		{ "denied", config->egress.denied, ctl_settings_denied },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++)
		r = items_take(config, lists[i].name, lists[i].list,
		    lists[i].take, settings, err);
	if (r == 0 && config->egress.nameservers.at == NULL)
		ctl_settings_resolv(settings, RESOLV_PATH);
	return r == 0 ? certificates_take(config, settings, err) : r;
}

int
ctl_egress_seal(const struct ctl_settings *settings, uint8_t hash[32], int *fd)
{
	auto_close int memfd = -1;
	struct stat stat;

	const int r = ctl_settings_seal(settings, &memfd);
	if (r < 0)
		return r;
	if (fstat(memfd, &stat) < 0)
		return -errno;
	const size_t len = (size_t)stat.st_size;
	void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, memfd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	crypto_hash_sha256(hash, bytes, len);
	munmap(bytes, len);
	*fd = fd_steal(&memfd);
	return 0;
}

/* ---- what one server may reach ---------------------------------------------
 */

static int
network_write(struct json_span network, const char *name, struct json_out *out,
    struct err *err)
{
	struct policy *policy = NULL;
	struct json_out whole;
	size_t len = 0;

	json_out_init(&whole, CTL_CONFIG_BYTES_MAX + 64);
	json_out_text(&whole, "{\"network\":");
	json_out_span(&whole, network);
	json_out_text(&whole, "}");
	auto_free char *text = json_out_steal(&whole, &len);
	json_out_fini(&whole);
	int r = text == NULL ? -ENOMEM : policy_new(&policy);
	if (r != 0)
		return err_set(err, r, "%s: no memory", name);
	r = policy_json(policy, text, len, false, name, err);
	if (r == 0 && policy_put(policy, out) != 0)
		r = err_set(err, -E2BIG,
		    "%s: /network has more rules than %u bytes of them", name,
		    CTL_NETWORK_MAX);
	policy_free(policy);
	return r;
}

int
ctl_network_text(
    struct json_span network, const char *name, char **textp, struct err *err)
{
	struct json_out out;
	size_t len = 0;

	*textp = NULL;
	if (network.at == NULL)
		return 0;
	json_out_init(&out, CTL_NETWORK_MAX);
	const int r = network_write(network, name, &out, err);
	json_out_raw(&out, "", 1); /* what is stolen has no end of its own */
	char *text = r == 0 ? json_out_steal(&out, &len) : NULL;
	json_out_fini(&out);
	if (text != NULL && strcmp(text, "{}") == 0) {
		free(text); /* nothing is allowed, and nothing was */
		text = NULL;
	}
	*textp = text;
	return r;
}
