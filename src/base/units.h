/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sizes and durations as people write them. A number may have a fraction
 * ("1.5GiB", "0.25s") and stands directly before its unit.
 *
 *   sizes      B K KiB M MiB G GiB T TiB (powers of 1024), kB MB GB TB (of
 *              1000); no unit: bytes
 *   durations  ns us ms s m h; the unit is required, since "50" has been taken
 *              for seconds by too many
 */

#include <stddef.h>
#include <stdint.h>

#define UNITS_E_FORMAT 1 /* not a number with a unit of the list */
#define UNITS_E_RANGE 2 /* does not fit 64 bits */

#define UNITS_TEXT_MAX 32

int units_size_parse(const char *text, uint64_t *bytes);
int units_duration_parse(const char *text, uint64_t *ns);

/* "1.5": 1500; no unit. */
int units_milli_parse(const char *text, uint64_t *thousandths);

/* The shortest exact form: "128MiB", "50ms", "1536KiB". */
void units_size_format(uint64_t bytes, char text[UNITS_TEXT_MAX]);
void units_duration_format(uint64_t ns, char text[UNITS_TEXT_MAX]);
