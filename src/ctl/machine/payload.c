/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/machine/payload.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "box/launch.h"
#include "box/payload.h"

static const char duty[] =
    "a program in a box: whatever it is, with what was granted";

/* In the order in which they are built (box/launch.h). */
static const char *const layers[] = {
	"user, mount, pid, network, ipc, uts and cgroup namespaces of its own; "
	"host uid 0 is never mapped; a control group where one can be written",
	"a root of its own: the files below read-only, private /tmp, home and "
	"/dev, a masked /proc, the grants; nothing else is left",
	"descriptors 0, 1 and 2; the environment that the policy names",
	"rlimits",
	"no capability, in no set; no new privileges; no core dumps",
	"Landlock: the same files once more; signals and abstract sockets stay "
	"inside",
	"the system calls below; any of another ABI (i386, x32) kills",
	"exec",
};

/* A row of base.def. */
static const struct file {
	const char *kind; /* of a group, with the first of it */
	const char *path;
	const char *why;
} files[] = {
#define BASE_TREE(path, why) { "held", path, why },
#define BASE_TEXT(path, text, why) { "held", path, why },
#define BASE_RESOLVER(path, without, with, why) { "held", path, why },
#define BASE_DEVICE(path, why) { "held", path, why },
#define BASE_LINK(path, target) { "held", path, "a link to " target },
#define BASE_HABIT(path, why)
#define BASE_MASK(path, why) { "masked", "/proc/" path, why },
#define BASE_MASK_FOLDER(path, why) { "masked", "/proc/" path, why },
#include "box/base.def"
};

static void
files_print(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(files[i].kind, kind) == 0)
			printf("    %-26s %s\n", files[i].path, files[i].why);
	}
}

void
ctl_payload_print(void)
{
	const struct payload_call *call;

	printf("%s: %s\n", CTL_PAYLOAD, duty);
	printf("  started by root it is host uid %u + its launcher's pid; else "
	       "its user's own\n  its walls, each of which stands without the "
	       "others:\n",
	    BOX_PAYLOAD_UID_BASE);
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		printf("    %zu %s\n", i + 1, layers[i]);
	puts("  files that every box holds, where this machine has them:");
	files_print("held");
	puts("  files that it hides:");
	files_print("masked");
	puts("  system calls; one that is not here is unknown to it (ENOSYS):");
	for (size_t i = 0; (call = payload_call_at(i)) != NULL; i++)
		printf("    %-20s %s%s%s%s\n", call->name, call->why,
		    strcmp(call->rule, "allowed") != 0 ? " [" : "",
		    strcmp(call->rule, "allowed") != 0 ? call->rule : "",
		    strcmp(call->rule, "allowed") != 0 ? "]" : "");
}

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
files_add(struct json_out *out, const char *kind)
{
	const char *before = "{\"path\":";

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(files[i].kind, kind) != 0)
			continue;
		text_add(out, before, files[i].path);
		text_add(out, ",\"why\":", files[i].why);
		json_out_text(out, "}");
		before = ",{\"path\":";
	}
}

void
ctl_payload_put(struct json_out *out)
{
	const struct payload_call *call;

	text_add(out, "{\"name\":", CTL_PAYLOAD);
	text_add(out, ",\"duty\":", duty);
	json_out_text(out, ",\"uid\":");
	json_out_uint(out, BOX_PAYLOAD_UID_BASE);
	json_out_text(out, ",\"capabilities\":0,\"layers\":[");
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		text_add(out, i > 0 ? "," : "", layers[i]);
	json_out_text(out, "],\"files\":[");
	files_add(out, "held");
	json_out_text(out, "],\"masked\":[");
	files_add(out, "masked");
	json_out_text(out, "],\"calls\":[");
	for (size_t i = 0; (call = payload_call_at(i)) != NULL; i++) {
		text_add(out, i > 0 ? ",{\"name\":" : "{\"name\":", call->name);
		text_add(out, ",\"rule\":", call->rule);
		text_add(out, ",\"why\":", call->why);
		json_out_text(out, "}");
	}
	json_out_text(out, "]}");
}
