/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* doc/openapi.json, NUL-terminated. */
extern const char openapi_json[];
