// SPDX-License-Identifier: Apache-2.0
#pragma once

// The modules of one bundle: found by path inside the bundle, or among the
// platform's built-ins; nowhere else. For engine.cc only.

#include <v8.h>

#include "base/pack.h"

enum modules_goal { MODULES_ERROR, MODULES_MODULE, MODULES_SCRIPT };

// Once: the callbacks for import() and import.meta.
void modules_init(v8::Isolate *isolate, v8::Local<v8::Object> entry);

// The bundle's files, borrowed for good.
void modules_files(const struct pack_file *files, uint32_t n_files);

// NULL when the bundle has no such file.
const struct pack_file *modules_file(const char *path, size_t len);

// Which file is the entry. False: an exception is pending.
bool modules_pick(v8::Local<v8::Context> context, uint32_t *index);

// Compiles (and links) the entry as the module or the classic script that it
// is. MODULES_ERROR: an exception is pending.
enum modules_goal modules_entry(v8::Local<v8::Context> context, uint32_t index,
    v8::Local<v8::Module> *module, v8::Local<v8::Script> *script);
