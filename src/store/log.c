/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "store/store.h"

static bool log_json;

void
store_log_as_json(bool json)
{
	log_json = json;
}

void
store_log(const char *level, const char *format, ...)
{
	char sentence[1200], time_text[32];
	const time_t now = time(NULL);
	struct tm utc;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	for (char *c = sentence; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
			*c = '\'';
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&now, &utc));
	if (log_json)
		dprintf(2,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"store\","
		    "\"message\":\"%s\"}\n",
		    time_text, level, sentence);
	else
		dprintf(2, "%s %s store: %s\n", time_text, level, sentence);
}
