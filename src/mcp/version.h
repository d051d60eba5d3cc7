/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Two eras share one endpoint. Up to 2025-11-25 (legacy) a client opens with
 * initialize; from 2026-07-28 on (modern) every request carries its version, in
 * its params' _meta and in headers that must agree with the body.
 */

#include "mcp/message.h"

#define MCP_VERSION_OLDEST "2024-11-05"
#define MCP_VERSION_BATCH "2025-03-26" /* also what no header at all means */
#define MCP_VERSION_LEGACY "2025-11-25"
#define MCP_VERSION_MODERN "2026-07-28"

#define MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MCP_META_SERVER_INFO "io.modelcontextprotocol/serverInfo"

#define MCP_META_CLIENT_INFO "io.modelcontextprotocol/clientInfo"
#define MCP_META_LOG_LEVEL "io.modelcontextprotocol/logLevel"
#define MCP_META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

/* What a client declared that it can be asked. */
#define MCP_CAN_ELICIT 1u /* elicitation, form */
#define MCP_CAN_ELICIT_URL 2u
#define MCP_CAN_SAMPLE 4u
#define MCP_CAN_SAMPLE_TOOLS 8u
#define MCP_CAN_ROOTS 16u
#define MCP_CAN_ROOTS_CHANGED 32u /* says so when they changed */

enum mcp_era {
	MCP_LEGACY,
	MCP_MODERN,
};

/* The headers that the eras' rules are about; NULL where there is none. */
struct mcp_headers {
	const char *version; /* MCP-Protocol-Version */
	const char *method; /* Mcp-Method */
	const char *name; /* Mcp-Name */
};

bool mcp_version_is_legacy(const char *version);

/* Legacy revisions by number, the oldest 0; -1 and NULL: there is none. */
int mcp_version_number(const char *version);
const char *mcp_version_name(int number);
#define MCP_VERSION_PRIMES                                                     \
	3 /* from this one on, streams open with an empty
			      * event that a client can come back to */

/* Whether this header lets the body be an array of messages. */
bool mcp_version_has_batches(const char *version_header);

/*
 * Finds the era of one message, and holds it to that era's rules about
 * versions and headers. MCP_E_REFUSED; *era is set in any case.
 */
int mcp_era_admit(const struct mcp_message *message,
    const struct mcp_headers *headers, enum mcp_era *era,
    struct mcp_error *error);

/* ["2026-07-28"] */
void mcp_modern_versions_write(struct json_out *out);

/*
 * Whether a header's value, plain or as "=?base64?…?=", is this string.
 */
bool mcp_header_says(const char *raw_header, struct json_span string);
