/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon serve: reads servers and configuration as the person who typed it,
 * binds the listener, starts the supervisor and stays as its shadow: signals
 * go down, the exit status comes up.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "ctl/catalog.h"
#include "ctl/config.h"
#include "ctl/ctl.h"
#include "ctl/bounds.h"
#include "ctl/listen.h"
#include "ctl/option.h"
#include "ctl/supervisor.h"
#include "ctl/text.h"
#include "ctl/token.h"
#include "json/out.h"

struct command {
	/* As given on the command line. */
	const char *config_path, *listen, *token_path;
	bool no_auth, log_json, verbose, json;
	struct ctl_list hosts, origins;
	uint64_t memory_budget;
	uint32_t cells;
	/* What became of it. */
	char config_found[PATH_MAX];
	struct ctl_config config;
	struct ctl_catalog catalog;
	struct ctl_listener listener;
	struct ctl_token token;
};

static const char notes[] =
    "Every .js or .mjs file and every folder with a bundle in DIR is a "
    "server, named by\nits stem, at http://ADDRESS/s/NAME/mcp. Settings are "
    "read from --config or from\nDIR/cordon.json; options win over them. See "
    "cordon-serve(1).";

/* DIR/cordon.json of the folders given; one at most. */
static int
config_find(struct command *command, char **paths, int n, struct err *err)
{
	char path[PATH_MAX];

	for (int i = 0; i < n && command->config_path == NULL; i++) {
		if (snprintf(path, sizeof(path), "%s/cordon.json", paths[i]) >=
			PATH_MAX ||
		    access(path, F_OK) < 0)
			continue;
		if (command->config_found[0] != '\0')
			return err_set(err, CTL_E_CONFIG,
			    "%s and %s: say which with --config",
			    command->config_found, path);
		strcpy(command->config_found, path);
	}
	if (command->config_path == NULL && command->config_found[0] != '\0')
		command->config_path = command->config_found;
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
config_take(struct command *command, char **paths, int n, struct err *err)
{
	struct ctl_config *config = &command->config;

	int r = config_find(command, paths, n, err);
	if (r == 0 && command->config_path != NULL)
		r = ctl_config_read(config, command->config_path, err);
	if (r == 0)
		r = names_take(config->hosts, &command->hosts, "host", err);
	if (r == 0)
		r = names_take(
		    config->origins, &command->origins, "origin", err);
	if (r != 0)
		return r;

	if (command->listen == NULL)
		command->listen = config->listen;
	if (command->memory_budget == 0)
		command->memory_budget = config->memory_budget;
	if (command->cells == 0)
		command->cells = config->cells;
	return 0;
}

static bool
is_served(void *arg, const char *name)
{
	return ctl_catalog_find(arg, name) != NULL;
}

static int
catalog_take(struct command *command, char **paths, int n, struct err *err)
{
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = ctl_catalog_add(&command->catalog, paths[i], err);
	if (r == 0 && command->catalog.n_servers == 0)
		return err_set(err, CTL_E_CATALOG,
		    "no server in %s%s: there is neither a .js or .mjs file "
		    "nor a folder with one",
		    paths[0], n > 1 ? " and the others" : "");
	if (r == 0)
		r = ctl_config_names_check(
		    &command->config, is_served, &command->catalog, err);
	return r == 0 ? ctl_catalog_read(&command->catalog, err) : r;
}

static int
deployments_fill(
    const struct command *command, struct wire_deployment *deployments)
{
	for (size_t i = 0; i < command->catalog.n_servers; i++) {
		const struct ctl_server *server = &command->catalog.servers[i];
		struct ctl_server_config own;

		ctl_config_server(&command->config, server->name, &own);
		const int r = ctl_deployment_set(&deployments[i], server->name,
		    server->bundle.fd, own.pool_max, &own.limits);
		if (r < 0)
			return r;
	}
	return 0;
}

static void
plan_fill(const struct command *command, struct wire_plan *plan)
{
	*plan = (struct wire_plan){
		.magic = WIRE_PLAN_MAGIC,
		.n_deployments = (uint32_t)command->catalog.n_servers,
		.client_fd = -1,
		.listen_fd = command->listener.fd,
		.admin_fd = -1,
		.operator_fd = -1,
		.store_fd = -1,
		.tls_fd = -1,
		.sessions = WIRE_SESSIONS_DEFAULT,
		.memory_budget = command->memory_budget,
		.cells_max = command->cells,
		.flags = (command->no_auth ? WIRE_PLAN_NO_AUTH : 0) |
		    (command->log_json ? WIRE_PLAN_LOG_JSON : 0) |
		    (command->verbose ? WIRE_PLAN_VERBOSE : 0),
	};
	memcpy(plan->token_hash, command->token.hash, CTL_TOKEN_HASH);
	strcpy(plan->hosts, command->config.hosts);
	strcpy(plan->origins, command->config.origins);
}

static int
supervisor_start(const struct command *command,
    struct ctl_supervisor *supervisor, struct err *err)
{
	auto_free struct wire_deployment *deployments =
	    calloc(command->catalog.n_servers, sizeof(*deployments));
	struct wire_plan plan;

	if (deployments == NULL)
		return err_set(err, -ENOMEM, "no memory for the plan");

	const int r = deployments_fill(command, deployments);
	if (r < 0)
		return err_set(err, r, "no plan can be made: %s", strerror(-r));
	plan_fill(command, &plan);
	return ctl_supervisor_start(&plan, deployments, false, supervisor, err);
}

static const char *
kind_name(const struct ctl_server *server)
{
	return server->bundle.is_folder ? "bundle" : "file";
}

static void
served_print_json(const struct command *command)
{
	const struct ctl_catalog *catalog = &command->catalog;
	const char *address = command->listener.address;
	struct json_out out;

	json_out_init(&out, 8u << 20);
	json_out_text(&out, "{\"url\":\"http://");
	json_out_text(&out, address);
	json_out_text(&out, "\",\"token_file\":");
	if (command->no_auth)
		json_out_text(&out, "null");
	else
		json_out_string(
		    &out, command->token.path, strlen(command->token.path));
	json_out_text(&out, ",\"servers\":[");
	for (size_t i = 0; i < catalog->n_servers; i++) {
		const struct ctl_server *server = &catalog->servers[i];
		char text[512];

		snprintf(text, sizeof(text),
		    "%s{\"name\":\"%s\",\"kind\":\"%s\","
		    "\"url\":\"http://%s/s/%s/mcp\"}",
		    i > 0 ? "," : "", server->name, kind_name(server), address,
		    server->name);
		json_out_text(&out, text);
	}
	json_out_text(&out, "]}\n");
	fwrite(out.bytes, 1, out.len, stdout);
	json_out_fini(&out);
}

static void
token_print(const struct command *command)
{
	const struct ctl_token *token = &command->token;

	if (command->no_auth)
		printf("\nNo authentication: every local program may call "
		       "these servers.\n");
	else if (token->is_new)
		printf("\nBearer token, made now and kept in %s:\n\n"
		       "  %s\n",
		    token->path, token->text);
	else
		printf("\nThe bearer token is in %s.\n", token->path);
	if (!command->listener.is_loopback)
		printf("Other machines can reach this address, and it does "
		       "not speak TLS:\nlet them come through a proxy that "
		       "does.\n");
}

static void
served_print(const struct command *command)
{
	const struct ctl_catalog *catalog = &command->catalog;
	int width = 4;

	for (size_t i = 0; i < catalog->n_servers; i++) {
		const int len = (int)strlen(catalog->servers[i].name);
		width = len > width ? len : width;
	}
	printf("%-*s  KIND    URL\n", width, "NAME");
	for (size_t i = 0; i < catalog->n_servers; i++)
		printf("%-*s  %-6s  http://%s/s/%s/mcp\n", width,
		    catalog->servers[i].name, kind_name(&catalog->servers[i]),
		    command->listener.address, catalog->servers[i].name);
	token_print(command);
	printf("\nCtrl-C ends it.\n");
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
	    0 ||
	    info.si_pid == pid;
}

/* Signals go down until the child has ended. */
static int
shadow(struct ctl_supervisor *supervisor, const sigset_t *waited)
{
	int status, number;

	for (;;) {
		if (sigwait(waited, &number) != 0)
			continue;
		if (number != SIGCHLD)
			kill(supervisor->pid, number);
		else if (has_ended(supervisor->pid))
			break;
	}
	status = ctl_supervisor_end(supervisor, -1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
prepare(struct command *command, char **paths, int n, struct err *err)
{
	int r = config_take(command, paths, n, err);
	if (r == 0)
		r = catalog_take(command, paths, n, err);
	if (r == 0)
		r = ctl_listen(
		    command->listen, command->no_auth, &command->listener, err);
	if (r == 0 && !command->no_auth)
		r = ctl_token_get(&command->token, command->token_path, err);
	return r;
}

static void
command_fini(struct command *command)
{
	if (command->listener.fd >= 0)
		close(command->listener.fd);
	command->listener.fd = -1;
	ctl_catalog_fini(&command->catalog);
	ctl_config_fini(&command->config);
	ctl_token_fini(&command->token);
}

static int
command_run(void *values, int n, char **paths)
{
	struct command *command = values;
	struct ctl_supervisor supervisor;
	struct err err = { "no memory" };
	sigset_t waited;

	ctl_files_raise();
	ctl_config_init(&command->config);
	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, SIGHUP);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGTERM);

	int r = prepare(command, paths, n, &err);
	if (r != 0) {
		fprintf(stderr, "cordon serve: %s\n", err.text);
		command_fini(command);
		return CTL_EXIT_USAGE;
	}
	sigprocmask(SIG_BLOCK, &waited, NULL);
	r = supervisor_start(command, &supervisor, &err);
	if (r != 0) {
		fprintf(stderr, "cordon serve: %s\n", err.text);
		command_fini(command);
		return CTL_EXIT_INTERNAL;
	}
	if (command->json)
		served_print_json(command);
	else
		served_print(command);
	fflush(stdout);
	command_fini(command); /* the supervisor has what it needs */
	return shadow(&supervisor, &waited);
}

#define AT(member) offsetof(struct command, member)

static const struct ctl_option options[] = {
	{ "listen", 0, CTL_TEXT, AT(listen), "ADDRESS:PORT",
	    "where to listen (127.0.0.1:7330); port 0: any" },
	{ "config", 0, CTL_TEXT, AT(config_path), "FILE",
	    "settings (DIR/cordon.json)" },
	{ "token-file", 0, CTL_TEXT, AT(token_path), "FILE",
	    "the bearer token; made if it is not there" },
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

static const struct ctl_command serve = { "cordon serve", "DIR...",
	"Serves tools as MCP servers over HTTP, each call in a fresh isolate "
	"in a fresh,\nlocked-down process.",
	options, ARRAY_LEN(options), notes, 1, CTL_OPERANDS_ANY, command_run };

int
ctl_serve(int argc, char **argv)
{
	struct command command = { .listener.fd = -1 };

	return ctl_command_run(&serve, &command, argc, argv);
}
