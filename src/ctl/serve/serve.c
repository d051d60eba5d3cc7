/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon serve: reads servers and configuration as the person who typed it,
 * binds the listeners, starts the supervisor and stays as its shadow: it feeds
 * it what is served, reads that anew at SIGHUP, passes other signals down, and
 * brings the exit status up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "client/client.h"
#include "ctl/serve/bounds.h"
#include "ctl/serve/catalog.h"
#include "ctl/serve/config.h"
#include "ctl/authority.h"
#include "ctl/serve/egress.h"
#include "ctl/libexec.h"
#include "ctl/core.h"
#include "ctl/ctl.h"
#include "ctl/serve/feed.h"
#include "ctl/serve/listen.h"
#include "ctl/serve/program.h"
#include "ctl/option.h"
#include "ctl/serve/served.h"
#include "ctl/host/state.h"
#include "ctl/serve/supervisor.h"
#include "ctl/text.h"
#include "ctl/serve/tls.h"
#include "ctl/host/token.h"
#include "ctl/secret/vault.h"
#include "package/package.h"
#include "wire/wire.h"

#define READY_MS 10000
#define READY_STEP_MS 5

/* As given on the command line: wins over the settings, at each reading. */
struct command {
	const char *config_path, *listen, *token_path;
	const char *tls_cert, *tls_key;
	bool no_auth, log_json, verbose, json;
	struct ctl_list hosts, origins;
	uint64_t memory_budget;
	uint32_t cells;
	char **paths;
	int n_paths;
};

/* What was read, once: what is served and how. */
struct reading {
	char config_found[PATH_MAX];
	struct ctl_config config;
	struct ctl_catalog catalog;
	const char *listen; /* borrowed of command or config */
	bool has_tls;
	int tls_fd;
	struct ctl_settings egress;
	struct ctl_authority authority;
	int egress_fd; /* sealed */
	struct vault_ring vault;
	int vault_fd; /* the same, sealed */
	uint8_t egress_hash[32];
};

struct host {
	const struct command *command;
	struct ctl_listener listener;
	struct ctl_token token;
	struct ctl_state state;
	struct ctl_supervisor supervisor;
	int operator_fd; /* ours */
	int stop_fd; /* SIGINT, SIGTERM: readable, never read */
	bool has_tls;
	uint8_t egress_hash[32]; /* of its settings, as it has them */
	char listen[sizeof(
	    (struct ctl_config){ 0 }.listen)]; /* as it was given */
	sigset_t waited;
};

static const char notes[] =
    "Every .js or .mjs file and every folder with a bundle in DIR is a "
    "server, named by\nits stem, at http://ADDRESS/s/NAME/mcp, and approved "
    "by having been put there.\nOther servers come from cordon upstream add. "
    "Settings are read from --config or\nfrom DIR/cordon.json; options win "
    "over them; SIGHUP reads both anew. See\ncordon-serve(1).";

/* DIR/cordon.json of the folders given; one at most. */
static int
config_find(
    const struct command *command, struct reading *reading, struct err *err)
{
	char path[PATH_MAX];

	for (int i = 0; i < command->n_paths; i++) {
		if (snprintf(path, sizeof(path), "%s/cordon.json",
			command->paths[i]) >= PATH_MAX ||
		    access(path, F_OK) < 0)
			continue;
		if (reading->config_found[0] != '\0')
			return err_set(err, CTL_E_CONFIG,
			    "%s and %s: say which with --config",
			    reading->config_found, path);
		strcpy(reading->config_found, path);
	}
	return 0;
}

static int
names_take(char list[CTL_NAMES_MAX], const struct ctl_list *given,
    const char *option, struct err *err)
{
	for (size_t i = 0; i < given->n_items; i++) {
		if (ctl_names_add(list, given->items[i]) != 0)
			return err_set(err, CTL_E_CONFIG,
			    "--%s %s: empty, with a comma, or too many", option,
			    given->items[i]);
	}
	return 0;
}

static int
config_take(
    const struct command *command, struct reading *reading, struct err *err)
{
	struct ctl_config *config = &reading->config;
	int r = 0;

	if (command->config_path == NULL)
		r = config_find(command, reading, err);
	else if (strlen(command->config_path) >= PATH_MAX)
		r = err_set(err, CTL_E_CONFIG, "--config: too long a path");
	else
		strcpy(reading->config_found, command->config_path);
	if (r == 0 && reading->config_found[0] != '\0')
		r = ctl_config_read(config, reading->config_found, err);
	if (r == 0)
		r = names_take(config->hosts, &command->hosts, "host", err);
	if (r == 0)
		r = names_take(
		    config->origins, &command->origins, "origin", err);
	if (r != 0)
		return r;

	reading->listen =
	    command->listen != NULL ? command->listen : config->listen;
	if (command->memory_budget != 0)
		config->memory_budget = command->memory_budget;
	if (command->cells != 0)
		config->cells = command->cells;
	config->log_json |= command->log_json;
	config->verbose |= command->verbose;
	return 0;
}

static bool
is_served(void *arg, const char *name)
{
	return ctl_catalog_find(arg, name) != NULL;
}

struct named {
	struct ctl_catalog *catalog;
	struct err *err;
};

static int
named_take(void *arg, const char *name, enum wire_kind kind)
{
	const struct named *named = arg;

	return ctl_catalog_named_add(named->catalog, name, kind, named->err);
}

static int
programs_take(struct reading *reading, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < reading->catalog.n_servers; i++)
		if (reading->catalog.servers[i].kind == WIRE_KIND_BOX)
			r = ctl_program_read(&reading->config,
			    &reading->catalog.servers[i], err);
	return r;
}

static int
catalog_take(
    const struct command *command, struct reading *reading, struct err *err)
{
	struct named named = { &reading->catalog, err };
	int r = 0;

	for (int i = 0; i < command->n_paths && r == 0; i++)
		r = ctl_catalog_add(&reading->catalog, command->paths[i], err);
	if (r == 0)
		r = ctl_config_named(&reading->config, named_take, &named);
	if (r == 0 && command->n_paths > 0 && reading->catalog.n_servers == 0)
		return err_set(err, CTL_E_CATALOG,
		    "no server in %s%s: there is neither a .js or .mjs file "
		    "nor a folder with one",
		    command->paths[0],
		    command->n_paths > 1 ? " and the others" : "");
	if (r == 0)
		r = ctl_config_names_check(
		    &reading->config, is_served, &reading->catalog, err);
	if (r == 0)
		r = ctl_catalog_read(&reading->catalog, err);
	return r == 0 ? programs_take(reading, err) : r;
}

static int
tls_take(
    const struct command *command, struct reading *reading, struct err *err)
{
	const struct ctl_config *config = &reading->config;
	char cert[PATH_MAX], key[PATH_MAX];

	if ((command->tls_cert != NULL) != (command->tls_key != NULL))
		return err_set(err, CTL_E_CONFIG,
		    "--tls-cert and --tls-key: one needs the other");
	if (command->tls_cert != NULL)
		return ctl_tls_read(
		    command->tls_cert, command->tls_key, &reading->tls_fd, err);
	if (config->tls_cert[0] == '\0')
		return 0;
	ctl_path_beside(reading->config_found, config->tls_cert, cert);
	ctl_path_beside(reading->config_found, config->tls_key, key);
	return ctl_tls_read(cert, key, &reading->tls_fd, err);
}

static int
networks_take(struct reading *reading, struct err *err)
{
	struct ctl_catalog *catalog = &reading->catalog;
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalog->n_servers; i++) {
		struct ctl_server *server = &catalog->servers[i];
		struct ctl_server_config own;
		char name[PATH_MAX + 128];

		ctl_config_server(&reading->config, server->name, &own);
		snprintf(name, sizeof(name), "%s: /servers/%s",
		    reading->config_found, server->name);
		r = ctl_network_text(own.network, name, &server->network, err);
	}
	return r;
}

/* What of this machine's settings is of no use to egress. */
static void
remarks_say(const char *lines)
{
	while (*lines != '\0') {
		const size_t len = strcspn(lines, "\n");
		fprintf(
		    stderr, "cordon serve: egress: %.*s\n", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static int
egress_take(struct reading *reading, struct err *err)
{
	int r = ctl_egress_take(&reading->config, &reading->egress, err);
	if (r == 0)
		r = ctl_authority_take(
		    &reading->egress, &reading->authority, err);

	if (r == 0 &&
	    (r = ctl_egress_seal(&reading->egress, reading->egress_hash,
		 &reading->egress_fd)) < 0)
		err_set(err, r, "no memory file for egress: %s", strerror(-r));
	remarks_say(reading->egress.remarks);
	return r;
}

static int
vault_take(struct reading *reading, struct err *err)
{
	char path[PATH_MAX] = "";

	if (reading->config.vault_key[0] != '\0')
		ctl_path_beside(
		    reading->config_found, reading->config.vault_key, path);
	return ctl_vault_find(path, &reading->vault, &reading->vault_fd, err);
}

static int
reading_take(
    const struct command *command, struct reading *reading, struct err *err)
{
	*reading =
	    (struct reading){ .tls_fd = -1, .egress_fd = -1, .vault_fd = -1 };
	ctl_config_init(&reading->config);
	ctl_settings_init(&reading->egress);
	int r = config_take(command, reading, err);
	if (r == 0)
		r = catalog_take(command, reading, err);
	if (r == 0)
		r = tls_take(command, reading, err);
	if (r == 0)
		r = networks_take(reading, err);
	if (r == 0)
		r = egress_take(reading, err);
	if (r == 0)
		r = vault_take(reading, err);
	reading->has_tls = reading->tls_fd >= 0;
	return r;
}

static void
reading_fini(struct reading *reading)
{
	ctl_catalog_fini(&reading->catalog);
	ctl_config_fini(&reading->config);
	if (reading->tls_fd >= 0)
		close(reading->tls_fd);
	if (reading->egress_fd >= 0)
		close(reading->egress_fd);
	if (reading->vault_fd >= 0)
		close(reading->vault_fd);
	reading->tls_fd = reading->egress_fd = reading->vault_fd = -1;
	vault_ring_fini(&reading->vault);
	ctl_settings_fini(&reading->egress);
}

static void
plan_fill(const struct host *host, const struct reading *reading,
    int operator_fd, struct wire_plan *plan)
{
	const struct ctl_config *config = &reading->config;
	char packages[PATH_MAX];

	*plan = (struct wire_plan){
		.magic = WIRE_PLAN_MAGIC,
		.client_fd = -1,
		.listen_fd = host->listener.fd,
		.memory_budget = config->memory_budget,
		.cells_max = config->cells,
		.flags = (host->command->no_auth ? WIRE_PLAN_NO_AUTH : 0) |
		    (config->log_json ? WIRE_PLAN_LOG_JSON : 0) |
		    (config->verbose ? WIRE_PLAN_VERBOSE : 0),
		.admin_fd = host->state.admin_fd,
		.operator_fd = operator_fd,
		.store_fd = host->state.store_fd,
		.tls_fd = reading->tls_fd,
		.egress_fd = reading->egress_fd,
		.vault_fd = reading->vault_fd,
		.sessions = config->sessions,
	};
	memcpy(plan->token_hash, host->token.hash, CTL_TOKEN_HASH);
	strcpy(plan->hosts, config->hosts);
	strcpy(plan->origins, config->origins);
	/* Without such a folder, what needs a package is refused. */
	if (ctl_packages_path(packages, NULL) == 0)
		strcpy(plan->packages, packages);
	if (strlen(reading->authority.bundle) < sizeof(plan->certificates))
		strcpy(plan->certificates, reading->authority.folder);
	if (reading->authority.over_system)
		plan->flags |= WIRE_PLAN_SYSTEM_BUNDLE;
}

static int
supervisor_start(
    struct host *host, const struct reading *reading, struct err *err)
{
	struct wire_plan plan;
	int pair[2];

	int r = wire_pair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return err_set(err, r, "no socket pair: %s", strerror(-r));
	auto_close int theirs = pair[1];
	host->operator_fd = pair[0];
	fcntl(host->operator_fd, F_SETFL, O_NONBLOCK);
	plan_fill(host, reading, theirs, &plan);
	return ctl_supervisor_host(
	    &plan, host->state.lock_fd, &host->supervisor, err);
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
	    0 ||
	    info.si_pid == pid;
}

/* Everything that can change while it runs, as one. */
static int
changes_feed(
    const struct host *host, const struct reading *reading, struct err *err)
{
	const struct ctl_feed feed = { host->operator_fd, host->stop_fd };
	auto_close int plan_fd = -1;
	struct wire_plan plan;

	plan_fill(host, reading, -1, &plan);
	int r = ctl_plan_seal(&plan, NULL, &plan_fd);
	if (r < 0)
		return err_set(
		    err, r, "no memory file for the plan: %s", strerror(-r));
	r = ctl_feed_servers(&feed, &reading->catalog, &reading->config, err);
	if (r == 0)
		r = ctl_feed_file(&feed, WIRE_SETTINGS, plan_fd, err);
	if (r == 0 && reading->has_tls)
		r = ctl_feed_file(&feed, WIRE_TLS, reading->tls_fd, err);
	/* Whoever has a way out loses it for a moment: not for nothing. */
	if (r == 0 &&
	    memcmp(host->egress_hash, reading->egress_hash,
		sizeof(host->egress_hash)) != 0)
		r = ctl_feed_file(
		    &feed, WIRE_EGRESS_SETTINGS, reading->egress_fd, err);
	return r == 0 ? ctl_feed_file(&feed, WIRE_VAULT, reading->vault_fd, err)
		      : r;
}

/* The old state stays in force unless all of the new one is good. */
static void
reload(struct host *host)
{
	struct reading reading;
	struct err err = { "no memory" };

	int r = reading_take(host->command, &reading, &err);
	if (r == 0 && reading.has_tls != host->has_tls)
		r = err_set(&err, CTL_E_CONFIG,
		    "TLS is %s in the new settings: that needs a new start",
		    reading.has_tls ? "on" : "off");
	if (r == 0 &&
	    strncmp(reading.listen, host->listen, sizeof(host->listen) - 1) !=
		0)
		r = err_set(&err, CTL_E_CONFIG,
		    "listen is %s in the new settings, and was %s: that needs "
		    "a new start",
		    reading.listen, host->listen);
	if (r == 0)
		r = changes_feed(host, &reading, &err);
	if (r == 0)
		memcpy(host->egress_hash, reading.egress_hash,
		    sizeof(host->egress_hash));
	if (r == 0)
		fprintf(stderr,
		    "cordon serve: settings and %zu servers are read anew\n",
		    reading.catalog.n_servers);
	else if (r != CTL_E_FEED_STOPPED)
		fprintf(stderr,
		    "cordon serve: %s\ncordon serve: nothing is changed\n",
		    err.text);
	reading_fini(&reading);
}

/* Signals go down until the child has ended. */
static int
shadow(struct host *host)
{
	struct ctl_supervisor *supervisor = &host->supervisor;
	int number;

	for (;;) {
		if (sigwait(&host->waited, &number) != 0)
			continue;
		if (number == SIGHUP)
			reload(host);
		else if (number != SIGCHLD)
			kill(supervisor->pid, number);
		else if (has_ended(supervisor->pid))
			break;
	}
	const int status = ctl_supervisor_end(supervisor, -1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
package_say(const char *sentence)
{
	fputs("cordon serve: ", stderr);
	ctl_line_print(stderr, sentence, strlen(sentence));
	fputs("; no server of it starts until then\n", stderr);
}

/* Those that start packages later do not look at them: the launcher has the
 * rights for it, and should read nothing of a stranger's; the store sees no
 * file. */
static int
packages_check(struct err *err)
{
	char folder[PATH_MAX];

	return ctl_packages_path(folder, NULL) == 0
	    ? package_check_all(folder, package_say, err)
	    : 0;
}

static int
prepare(struct host *host, struct reading *reading, struct err *err)
{
	const struct command *command = host->command;

	int r = reading_take(command, reading, err);
	if (r == 0)
		r = ctl_listen(
		    reading->listen, command->no_auth, &host->listener, err);
	if (r == 0)
		r = ctl_token_get(&host->token, command->token_path, err);
	if (r == 0)
		r = ctl_state_open(&host->state, err);
	if (r == 0)
		r = packages_check(err);
	host->has_tls = reading->has_tls;
	memcpy(
	    host->egress_hash, reading->egress_hash, sizeof(host->egress_hash));
	if (r == 0)
		snprintf(
		    host->listen, sizeof(host->listen), "%s", reading->listen);
	return r;
}

/* What the supervisor has by now, or what is of no more use. */
static void
handed_on(struct host *host, struct reading *reading)
{
	if (host->listener.fd >= 0)
		close(host->listener.fd);
	host->listener.fd = -1;
	ctl_state_handed_on(&host->state);
	ctl_token_fini(&host->token);
	reading_fini(reading);
}

static void
signals_take(struct host *host)
{
	sigset_t stopping;

	sigemptyset(&stopping);
	sigaddset(&stopping, SIGINT);
	sigaddset(&stopping, SIGTERM);
	host->waited = stopping;
	sigaddset(&host->waited, SIGCHLD);
	sigaddset(&host->waited, SIGHUP);
	sigprocmask(SIG_BLOCK, &host->waited, NULL);
	host->stop_fd = signalfd(-1, &stopping, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
failed(const struct err *err, int exit_code)
{
	fprintf(stderr, "cordon serve: %s\n", err->text);
	return exit_code;
}

/* Until the gateway has the registry: who is told the address may come at once.
 * One that never has it is shown as what it is, by its answers. */
static void
ready_wait(const struct host *host)
{
	const struct client_request request = {
		.method = "GET", .path = "/readyz", .timeout_ms = READY_MS
	};
	const struct client_place place = { .socket_path =
						host->state.socket_path,
		.token = host->token.text };
	struct pollfd stop = { .fd = host->stop_fd, .events = POLLIN };
	struct client *client = NULL;
	long status = 0;

	if (client_new(&client, &place, NULL) != 0)
		return;
	for (unsigned i = 0; i < READY_MS / READY_STEP_MS && status != 200;
	     i++) {
		struct client_answer answer;

		(void)client_ask(client, &request, &answer, NULL);
		status = answer.status;
		client_answer_fini(&answer);
		if (has_ended(host->supervisor.pid) ||
		    poll(&stop, 1, status == 200 ? 0 : READY_STEP_MS) != 0)
			break;
	}
	client_free(client);
}

/* From the start to the first word, then to the end. */
static int
host_run(struct host *host, struct reading *reading)
{
	const struct ctl_served served = { &host->listener, &host->token,
		&reading->catalog, host->state.socket_path,
		host->command->no_auth, host->has_tls };
	const struct ctl_feed feed = { host->operator_fd, host->stop_fd };
	struct err err = { "no memory" };

	const int r =
	    ctl_feed_servers(&feed, &reading->catalog, &reading->config, &err);
	if (r == CTL_E_FEED_LOST || r == CTL_E_FEED_STOPPED) {
		handed_on(host, reading);
		return shadow(host); /* it has told why, or will be told */
	}
	if (r != 0) {
		kill(host->supervisor.pid, SIGTERM);
		handed_on(host, reading);
		(void)shadow(host);
		return failed(&err, CTL_EXIT_USAGE);
	}
	ready_wait(host);
	if (host->command->json)
		ctl_served_print_json(&served);
	else
		ctl_served_print(&served);
	fflush(stdout);
	handed_on(host, reading);
	return shadow(host);
}

static int
command_run(void *values, int n, char **paths)
{
	struct command *command = values;
	struct host host = { .command = command,
		.listener.fd = -1,
		.state = CTL_STATE_NONE,
		.operator_fd = -1,
		.stop_fd = -1 };
	struct err err = { "no memory" };
	struct reading reading;
	int exit_code;

	command->paths = paths;
	command->n_paths = n;
	ctl_core_forbid(); /* keys of the vault, of TLS, of the authority */
	ctl_vault_env_take();
	ctl_files_raise();
	if (prepare(&host, &reading, &err) != 0) {
		exit_code = failed(&err, CTL_EXIT_USAGE);
	} else {
		signals_take(&host);
		exit_code = supervisor_start(&host, &reading, &err) == 0
		    ? host_run(&host, &reading)
		    : failed(&err, CTL_EXIT_INTERNAL);
	}
	handed_on(&host, &reading);
	ctl_state_fini(&host.state);
	return exit_code;
}

#define AT(member) offsetof(struct command, member)

static const struct ctl_option options[] = {
	{ "listen", 0, CTL_TEXT, AT(listen), "ADDRESS:PORT",
	    "where to listen (127.0.0.1:7330); port 0: any" },
	{ "config", 0, CTL_TEXT, AT(config_path), "FILE",
	    "settings (DIR/cordon.json)" },
	{ "token-file", 0, CTL_TEXT, AT(token_path), "FILE",
	    "the bearer token; made if it is not there" },
	{ "tls-cert", 0, CTL_TEXT, AT(tls_cert), "FILE",
	    "the certificate and its chain, in PEM" },
	{ "tls-key", 0, CTL_TEXT, AT(tls_key), "FILE",
	    "its key, in PEM, readable by its owner only" },
	{ "no-auth", 0, CTL_FLAG, AT(no_auth), NULL,
	    "no token; on loopback addresses only" },
	{ "host", 0, CTL_LIST, AT(hosts), "NAME",
	    "a Host to accept besides loopback; may be repeated" },
	{ "origin", 0, CTL_LIST, AT(origins), "ORIGIN",
	    "a browser's Origin to accept; may be repeated" },
	{ "memory-budget", 0, CTL_SIZE, AT(memory_budget), "SIZE",
	    "memory for resident templates (1GiB)" },
	{ "cells", 0, CTL_COUNT, AT(cells), "N",
	    "live cells at most, all servers together (256)" },
	{ "log-json", 0, CTL_FLAG, AT(log_json), NULL,
	    "log lines as JSON objects" },
	{ "verbose", 'v', CTL_FLAG, AT(verbose), NULL, "log more" },
	{ "json", 0, CTL_FLAG, AT(json), NULL,
	    "one JSON line when listening: url, token_file, servers" },
};

static const struct ctl_command serve = { "cordon serve", "[DIR...]",
	"Runs the host: serves tools as MCP servers over HTTP, each call in a "
	"fresh isolate\nin a fresh, locked-down process.",
	options, ARRAY_LEN(options), notes, 0, CTL_OPERANDS_ANY, command_run };

int
ctl_serve(int argc, char **argv)
{
	struct command command = { 0 };

	return ctl_command_run(&serve, &command, argc, argv);
}
