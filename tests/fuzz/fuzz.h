/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A fuzz target is this one function, as libFuzzer wants it. It aborts when a
 * promise is broken. Linked with replay.c it is an ordinary program for every
 * test run; without it, `clang -fsanitize=fuzzer` drives it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
