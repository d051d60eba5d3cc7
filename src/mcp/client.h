/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a client declares and wants: what it can be asked, and how much of a
 * log it reads.
 */

#include "mcp/message.h"
#include "mcp/version.h"

/* A ClientCapabilities object as MCP_CAN_… bits; what is no object is none. */
uint32_t mcp_can_read(struct json_span capabilities);

/* Appends the ClientCapabilities object that says these bits. */
void mcp_can_write(struct json_out *out, uint32_t can);

/* What a client must have declared to be asked this: 0 for a method that no
 * client can be asked. */
uint32_t mcp_can_needed(struct json_span method, struct json_span params);

/* -32021 with HTTP 400, its data naming what is missing. */
int mcp_missing_capability(struct mcp_error *error, uint32_t missing);

/* 0 (debug) to 7 (emergency); -1: not a level. */
#define MCP_LEVEL_LEAST 0
int mcp_level_read(struct json_span level);
/* The other way, as a JSON string; static. */
struct json_span mcp_level_text(int level);
