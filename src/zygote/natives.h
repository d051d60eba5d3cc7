// SPDX-License-Identifier: Apache-2.0
#pragma once

// The native functions of the platform (js/README.md), for engine.cc only.

#include <v8.h>

#include "wire/egress.h"

// The `native` object. random_state is a Uint32Array(4) of the caller's.
v8::Local<v8::Object>
natives_new(v8::Local<v8::Context> context, v8::Local<v8::Value> random_state);

// Those of fetches and their decoding (natives_fetch.cc).
void
natives_fetch_add(v8::Local<v8::Context> context, v8::Local<v8::Object> native);

// What egress says of a fetch: the platform's function that hears it, and its
// third argument. nullptr: it is misshapen; or an exception (no memory).
const char *natives_fetched(enum wire_egress_frame type, const uint8_t *bytes,
    size_t len, v8::Local<v8::Value> *value);

struct Bytes {
	uint8_t *data = nullptr;
	size_t size = 0;
};

// Those of a view; none of anything else.
Bytes bytes_of(v8::Local<v8::Value> value);

// A string, or an empty handle when it is too long for V8.
v8::MaybeLocal<v8::String>
natives_string(v8::Isolate *isolate, const char *text, size_t len);

// Bytes of a string in UTF-8; lone surrogates become U+FFFD.
class Utf8 {
      public:
	Utf8(v8::Isolate *isolate, v8::Local<v8::Value> value);
	~Utf8();
	Utf8(const Utf8 &) = delete;
	Utf8 &operator=(const Utf8 &) = delete;
	const char *
	data() const
	{
		return data_;
	}
	size_t
	size() const
	{
		return size_;
	}

      private:
	char small_[1024];
	char *data_;
	size_t size_;
};
