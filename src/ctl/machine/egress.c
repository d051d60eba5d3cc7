/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what is granted can be reached from here: what egress would be
 * started with. Nobody outside is asked.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/libexec.h"
#include "ctl/machine/probe.h"
#include "ctl/settings.h"

#define RESOLV_PATH "/etc/resolv.conf"

/* The first remark, without its newline. */
static void
remark_advise(struct ctl_finding *finding, const char *remarks)
{
	snprintf(finding->advice, sizeof(finding->advice), "%.*s",
	    (int)strcspn(remarks, "\n"), remarks);
}

void
ctl_probe_names(struct ctl_finding *finding)
{
	struct ctl_settings settings;
	char ip[ADDR_IP_TEXT_MAX];
	size_t len = 0;

	ctl_settings_init(&settings);
	ctl_settings_resolv(&settings, RESOLV_PATH);
	const struct wire_egress_settings *head = &settings.head;
	for (uint32_t i = 0; i < head->n_nameservers; i++) {
		addr_ip_put(&head->nameservers[i].ip, ip);
		len += (size_t)snprintf(finding->text + len,
		    sizeof(finding->text) - len, "%s%s",
		    i > 0 ? ", " : "name servers of " RESOLV_PATH ": ", ip);
	}
	remark_advise(finding, settings.remarks);
	if (head->n_nameservers == 0) {
		finding->state = CTL_PROBE_MISSING;
		snprintf(finding->text, sizeof(finding->text),
		    "no name server: nothing is reached by name");
		snprintf(finding->advice, sizeof(finding->advice),
		    "name one in " RESOLV_PATH
		    ", or for a host in egress.nameservers of its settings");
	}
	ctl_settings_fini(&settings);
}

void
ctl_probe_certificates(struct ctl_finding *finding)
{
	const char *path = ctl_settings_ca_path();
	struct ctl_settings settings;
	struct err err = { "no file of certificates where distributions "
			   "have one" };

	ctl_settings_init(&settings);
	if (path != NULL && ctl_settings_ca(&settings, path, &err) == 0) {
		snprintf(finding->text, sizeof(finding->text), "%s", path);
	} else {
		finding->state = CTL_PROBE_MISSING;
		snprintf(finding->text, sizeof(finding->text), "%s", err.text);
		snprintf(finding->advice, sizeof(finding->advice),
		    "no https is verified, and so none is spoken: install "
		    "ca-certificates, or name a file in egress.ca");
	}
	ctl_settings_fini(&settings);
}

void
ctl_probe_egress_program(struct ctl_finding *finding)
{
	struct err err = { "" };
	char path[PATH_MAX];

	if (ctl_libexec_find("cordon-egress", path, &err) == 0) {
		snprintf(finding->text, sizeof(finding->text), "%.900s", path);
		return;
	}
	finding->state = CTL_PROBE_MISSING;
	snprintf(finding->text, sizeof(finding->text), "%.900s", err.text);
}
