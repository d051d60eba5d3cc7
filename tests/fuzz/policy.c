/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policies and launch documents: what is refused has a sentence, what is
 * accepted reads back as the same policy, and a document's spec grants nothing
 * but plain paths, parents before children, each once, and never the root.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "policy/path.h"
#include "policy/policy.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define OUT_MAX (1u << 22)

static void
put(const struct policy *policy, struct json_out *out)
{
	struct json_span value;

	json_out_init(out, OUT_MAX);
	CHECK(policy_put(policy, out) == 0);
	CHECK(json_check(out->bytes, out->len, &value, NULL) == 0);
}

static void
policy_check(const char *text, size_t len, bool is_srt)
{
	struct policy *policy, *again;
	struct json_out out, out_again;
	struct err err = { "" };

	CHECK(policy_new(&policy) == 0 && policy_new(&again) == 0);
	if (policy_json(policy, text, len, is_srt, "test", &err) != 0) {
		CHECK(err.text[0] != '\0');
	} else {
		put(policy, &out);
		CHECK(policy_json(again, out.bytes, out.len, false, "again",
			  &err) == 0);
		put(again, &out_again);
		CHECK(out.len == out_again.len &&
		    memcmp(out.bytes, out_again.bytes, out.len) == 0);
		json_out_fini(&out);
		json_out_fini(&out_again);
	}
	policy_free(policy);
	policy_free(again);
}

static const char *
place_of(const struct box_grant *grant)
{
	return grant->at[0] != '\0' ? grant->at : grant->path;
}

static void
grants_check(const struct box_spec *spec)
{
	CHECK(spec->n_grants <= BOX_GRANTS_MAX);
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];

		CHECK(policy_path_is_normal(grant->path));
		CHECK(strcmp(place_of(grant), "/") != 0);
		CHECK(i == 0 ||
		    strcmp(place_of(&spec->grants[i - 1]), place_of(grant)) <
			0);
	}
}

/* What the store seals is what the launcher reads. */
static void
sealed_check(const struct box_spec *spec)
{
	struct box_spec read;
	void *memory;
	int fd;

	CHECK(box_spec_seal(spec, &fd) == 0);
	CHECK(box_spec_read(fd, &read, &memory) == 0);
	close(fd);
	CHECK(read.n_argv == spec->n_argv && read.n_env == spec->n_env &&
	    read.n_grants == spec->n_grants && read.flags == spec->flags &&
	    read.notes == spec->notes);
	CHECK(memcmp(&read.limits, &spec->limits, sizeof(read.limits)) == 0);
	for (uint32_t i = 0; i < read.n_grants; i++)
		CHECK(strcmp(read.grants[i].path, spec->grants[i].path) == 0 &&
		    read.grants[i].access == spec->grants[i].access);
	free(memory);
}

static void
document_check(const char *text, size_t len)
{
	struct policy_memory *memory;
	struct box_spec spec;
	struct err err = { "" };

	if (policy_document_spec(
		text, len, "/packages", &spec, &memory, &err) != 0) {
		CHECK(err.text[0] != '\0');
		return;
	}
	CHECK(box_spec_complaint(&spec) == NULL);
	grants_check(&spec);
	sealed_check(&spec);
	policy_spec_free(memory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	policy_check((const char *)bytes, len, false);
	policy_check((const char *)bytes, len, true);
	document_check((const char *)bytes, len);
	return 0;
}
