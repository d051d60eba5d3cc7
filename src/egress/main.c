/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cordon-egress --settings FD --channel FD
 * cordon-egress --authority FOLDER
 *
 * settings: a sealed memfd (wire/egress.h); channel: of whoever started it (the
 * supervisor, `cordon wrap`), who says whose the descriptors are that come over
 * it. It ends with that channel, or when told.
 *
 * authority: makes what TLS is ended with inside boxes (doors/authority.h), as
 * the user, and ends.
 */

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"
#include "egress/doors/authority.h"
#include "egress/egress.h"
#include "egress/records.h"

#define SETTINGS_MAX (16u << 20)

static int channel_fd = -1, settings_fd = -1;
static const char *authority_folder;

static bool
options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "settings", required_argument, NULL, 's' },
		{ "channel", required_argument, NULL, 'c' },
		{ "authority", required_argument, NULL, 'a' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 's' && c != 'c' && c != 'a')
			return false;
		if (c == 'a')
			authority_folder = optarg;
		else
			*(c == 's' ? &settings_fd : &channel_fd) = atoi(optarg);
	}
	return optind == argc &&
	    (authority_folder != NULL || (settings_fd >= 3 && channel_fd >= 3));
}

/* ---- settings ------------------------------------------------------------- */

static const uint8_t *
settings_read(size_t *len)
{
	const off_t end = lseek(settings_fd, 0, SEEK_END);
	uint8_t *bytes = NULL;

	if (end < (off_t)sizeof(struct wire_egress_settings) ||
	    end > (off_t)SETTINGS_MAX ||
	    (bytes = sodium_malloc((size_t)end)) == NULL)
		return NULL;
	*len = (size_t)end;
	if (pread(settings_fd, bytes, *len, 0) == (ssize_t)*len)
		return bytes;
	sodium_free(bytes);
	return NULL;
}

static bool
settings_are_good(const struct wire_egress_settings *settings, size_t len)
{
	return settings->magic == WIRE_EGRESS_MAGIC &&
	    settings->n_nameservers <= WIRE_NAMESERVERS_MAX &&
	    settings->n_nat64 <= WIRE_NAT64_MAX &&
	    settings->n_denied <= WIRE_DENIED_MAX &&
	    settings->ca_len <= SETTINGS_MAX &&
	    settings->authority_len <= SETTINGS_MAX &&
	    settings->records_len <= SETTINGS_MAX &&
	    len ==
	    sizeof(*settings) + settings->ca_len + settings->authority_len +
		settings->records_len;
}

static int
settings_take(struct egress *egress, struct err *err)
{
	size_t len;
	const uint8_t *bytes = settings_read(&len);

	if (bytes != NULL)
		memcpy(&egress->settings, bytes, sizeof(egress->settings));
	const struct wire_egress_settings *settings = &egress->settings;
	if (bytes == NULL || !settings_are_good(settings, len))
		return err_set(err, -EINVAL,
		    "the settings are of another version: install cordon's "
		    "programs together");
	bytes += sizeof(*settings);
	egress->ca_pem = (const char *)bytes;
	egress->ca_len = settings->ca_len;
	bytes += settings->ca_len;
	egress->authority_pem =
	    settings->authority_len > 0 ? (const char *)bytes : NULL;
	egress->authority_len = settings->authority_len;
	bytes += settings->authority_len;
	return records_take(egress->servers, bytes, settings->records_len) == 0
	    ? 0
	    : err_set(err, -EINVAL, "a record of the settings is none");
}

/* ---- the supervisor ------------------------------------------------------- */

static void
nonsense_drop(const struct wire_message *message, const int *fds)
{
	fprintf(stderr, "cordon-egress: the supervisor says nonsense (%u)\n",
	    message->type);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
channel_take(
    struct egress *egress, const struct wire_message *message, const int *fds)
{
	const struct egress_unit link = { .kind = WIRE_UNIT_LINK,
		.number = (uint32_t)message->status };

	if (message->type == WIRE_EGRESS_STORE)
		records_start(egress, fds[0]);
	else if (message->type == WIRE_EGRESS_EVENTS)
		events_to(egress->events, fds[0]);
	else if (message->type == WIRE_EGRESS_CELLS)
		cells_start(egress, fds[0], message->id);
	else if (message->type == WIRE_EGRESS_CALLER)
		caller_start(
		    egress, fds[0], message->id, &link, true, NULL, NULL);
	else if (message->type == WIRE_EGRESS_BOX)
		box_serve(
		    egress, fds[0], message->id, (uint32_t)message->status);
	else
		nonsense_drop(message, fds);
}

static void
on_channel(evutil_socket_t fd, short what, void *arg)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct egress *egress = arg;
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	(void)what;
	const int code = wire_receive(fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return;
	if (code == WIRE_E_LOST)
		fprintf(stderr,
		    "cordon-egress: too many files are open: what the "
		    "supervisor handed over is lost\n");
	else if (code != 0)
		event_base_loopbreak(egress->base);
	else
		channel_take(egress, &message, fds);
}

static void
on_terminate(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	event_base_loopbreak(((struct egress *)arg)->base);
}

/* ---- start ---------------------------------------------------------------- */

static int
libraries_start(struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium does not start");
	/* Its settings are a file: read now, or never. */
	if (OPENSSL_init_ssl(0, NULL) != 1)
		return err_set(err, -EIO, "OpenSSL does not start");
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
	    ? 0
	    : err_set(err, -EIO, "libcurl does not start");
}

static int
parts_make(struct egress *egress, struct err *err)
{
	egress->base = event_base_new();
	int code =
	    egress->base == NULL ? -ENOMEM : servers_new(&egress->servers);
	if (code == 0)
		code = events_new(&egress->events, egress);
	if (code == 0)
		code = asks_new(&egress->asks, egress);
	if (code == 0)
		code = own_new(&egress->own, egress->base);
	if (code != 0)
		return err_set(err, code,
		    "the addresses of this host cannot "
		    "be listed: %s",
		    strerror(-code));
	code = settings_take(egress, err);
	if (code == 0 && (code = resolver_new(&egress->resolver, egress)) != 0)
		err_set(err, code, "the resolver does not start: %s",
		    strerror(-code));
	return code;
}

static int
watch(struct egress *egress)
{
	struct event *terminate =
	    evsignal_new(egress->base, SIGTERM, on_terminate, egress);

	egress->door = event_new(
	    egress->base, channel_fd, EV_READ | EV_PERSIST, on_channel, egress);
	return egress->door != NULL && terminate != NULL &&
		event_add(egress->door, NULL) == 0 &&
		event_add(terminate, NULL) == 0
	    ? 0
	    : -ENOMEM;
}

static int
start(struct egress *egress, struct err *err)
{
	int code = libraries_start(err);
	if (code == 0)
		code = parts_make(egress, err);
	if (code == 0)
		code = box_enter("egress", err);
	if (code == 0 && (code = watch(egress)) != 0)
		err_set(err, code, "out of memory");
	return code;
}

static int
authority(struct err *err)
{
	if (authority_make(authority_folder, err) == 0)
		return 0;
	fprintf(stderr, "cordon-egress: %s\n", err->text);
	return 1;
}

int
main(int argc, char **argv)
{
	static struct egress egress;
	struct err err = { "" };

	if (!options_parse(argc, argv)) {
		fprintf(stderr,
		    "usage: cordon-egress --settings FD --channel FD\n"
		    "       cordon-egress --authority FOLDER\n");
		return 2;
	}
	if (authority_folder != NULL)
		return authority(&err);
	/* Pieces of bodies come and go: not a mapping for each. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "cordon-egress");
	if (start(&egress, &err) != 0) {
		fprintf(stderr, "cordon-egress: %s\n", err.text);
		return 1;
	}
	event_base_dispatch(egress.base);
	/* The kernel takes back the rest; what is secret is wiped first. */
	servers_free(egress.servers);
	return 0;
}
