/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/registry.h"

struct store;

/* Answers one admin request over the link: always exactly one REPLY. */
void admin_answer(struct store *store, uint32_t id,
    const struct wire_admin *admin, const char *raw_body, size_t len);
