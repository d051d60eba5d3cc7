/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the character that starts at raw_bytes (RFC 3629: no overlong form,
 * no surrogate, nothing over U+10FFFF). Returns how many bytes it takes (1 to
 * 4), or 0 where the bytes are no character or len is 0.
 */
size_t utf8_next(const uint8_t *raw_bytes, size_t len, uint32_t *character);

/* Whether all of it is UTF-8. */
bool utf8_is_valid(const uint8_t *raw_bytes, size_t len);
