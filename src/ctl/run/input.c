/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/text.h"

static int
input_read(const char *argument, char **text, struct err *err)
{
	const bool is_file = argument[0] == '@';
	const char *name = is_file ? argument + 1 : "standard input";
	auto_close int opened = -1;
	size_t len;

	if (!is_file && strcmp(argument, "-") != 0) {
		*text = strdup(argument);
		return *text != NULL ? 0 : -ENOMEM;
	}
	if (is_file) {
		opened = open(name, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return err_set(
			    err, -errno, "%s: %s", name, strerror(errno));
	}
	const int r = fd_read_all(is_file ? opened : STDIN_FILENO,
	    CTL_INPUT_MAX, (uint8_t **)text, &len);
	if (r == -EFBIG)
		return err_set(err, r, "%s: more than %u MiB of input", name,
		    CTL_INPUT_MAX >> 20);
	if (r < 0)
		return err_set(err, r, "%s: %s", name, strerror(-r));
	if (strlen(*text) != len)
		return err_set(
		    err, -EINVAL, "%s is not JSON: it holds a NUL byte", name);
	return 0;
}

static const char *
input_name(const char *argument)
{
	if (argument[0] == '@')
		return argument + 1;
	return strcmp(argument, "-") == 0 ? "standard input" : "the input";
}

int
ctl_input_take(
    const char *argument, char **text, struct json_span *value, struct err *err)
{
	unsigned int line, column;
	size_t offset = 0;

	*text = NULL;
	int r = input_read(argument, text, err);
	if (r != 0)
		return r;

	r = json_check(*text, strlen(*text), value, &offset);
	if (r == JSON_E_DEPTH)
		return err_set(err, r, "%s is deeper than %d levels",
		    input_name(argument), JSON_DEPTH_MAX);
	if (r == 0)
		return 0;

	ctl_text_position(*text, offset, &line, &column);
	return err_set(err, r, "%s is not JSON: line %u, column %u%s",
	    input_name(argument), line, column,
	    (*text)[offset] == '\0' ? ", where it ends" : "");
}
