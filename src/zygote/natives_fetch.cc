// SPDX-License-Identifier: Apache-2.0
//
// Fetches, as the platform makes them (js/web/exchange.js): requests out by
// way.h, answers in, and the decoding of what they are packed in.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "zygote/inflate.h"
#include "zygote/natives.h"
#include "zygote/way.h"

using Args = v8::FunctionCallbackInfo<v8::Value>;

namespace {

// ---- what is heard --------------------------------------------------------

// "URL\0name\0value\0…": whole strings of bytes, a URL and pairs.
bool
head_value(const uint8_t *bytes, size_t len, v8::Local<v8::Value> *out)
{
	v8::Isolate *isolate = v8::Isolate::GetCurrent();
	std::vector<v8::Local<v8::Value>> parts;

	if (len == 0 || bytes[len - 1] != '\0')
		return false;
	for (size_t at = 0; at < len;) {
		const size_t n = strlen((const char *)bytes + at);
		v8::Local<v8::String> part;
		if (!v8::String::NewFromOneByte(
			isolate, bytes + at, v8::NewStringType::kNormal, (int)n)
			 .ToLocal(&part))
			return false;
		parts.push_back(part);
		at += n + 1;
	}
	*out = v8::Array::New(isolate, parts.data(), parts.size());
	return parts.size() % 2 == 1;
}

bool
data_value(const uint8_t *bytes, size_t len, v8::Local<v8::Value> *out)
{
	v8::Local<v8::ArrayBuffer> buffer;

	if (!v8::ArrayBuffer::MaybeNew(v8::Isolate::GetCurrent(), len,
		v8::BackingStoreInitializationMode::kUninitialized)
		 .ToLocal(&buffer))
		return false;
	memcpy(buffer->Data(), bytes, len);
	*out = v8::Uint8Array::New(buffer, 0, len);
	return true;
}

bool
text_value(const uint8_t *bytes, size_t len, v8::Local<v8::Value> *out)
{
	v8::Local<v8::String> string;
	if (!natives_string(v8::Isolate::GetCurrent(), (const char *)bytes, len)
		 .ToLocal(&string))
		return false;
	*out = string;
	return true;
}

bool
no_value(const uint8_t *, size_t, v8::Local<v8::Value> *)
{
	return true;
}

const struct {
	enum wire_egress_frame type;
	const char *entry;
	bool (*value)(const uint8_t *, size_t, v8::Local<v8::Value> *);
} fetch_news[] = {
	{ WIRE_EGRESS_HEAD, "fetchHead", head_value },
	{ WIRE_EGRESS_DATA, "fetchData", data_value },
	{ WIRE_EGRESS_END, "fetchEnd", no_value },
	{ WIRE_EGRESS_FAIL, "fetchFail", text_value },
	{ WIRE_EGRESS_ROOM, "fetchRoom", no_value },
};

// ---- fetches (way.h) ------------------------------------------------------

uint32_t
number_of(v8::Local<v8::Value> value)
{
	return value->IsUint32() ? value.As<v8::Uint32>()->Value() : 0;
}

// Header values are bytes; so is the whole request.
void
native_fetch_start(const Args &args)
{
	v8::Isolate *isolate = args.GetIsolate();
	v8::Local<v8::String> request;
	if (!args[2]->ToString(isolate->GetCurrentContext()).ToLocal(&request))
		return;
	const size_t len = (size_t)request->Length();
	if (len > WIRE_FETCH_HEAD_MAX)
		return args.GetReturnValue().Set((int)WAY_TOO_LONG);
	uint8_t small[2048];
	uint8_t *bytes = len <= sizeof(small) ? small : (uint8_t *)malloc(len);
	if (bytes == nullptr)
		return args.GetReturnValue().Set((int)WAY_TOO_LONG);
	request->WriteOneByteV2(isolate, 0, (uint32_t)len, bytes);
	args.GetReturnValue().Set((int)way_fetch(number_of(args[0]),
	    args[1]->IsTrue() ? WIRE_FETCH_BODY : 0, bytes, len));
	if (bytes != small)
		free(bytes);
}

void
native_fetch_body(const Args &args)
{
	const Bytes bytes = bytes_of(args[1]);
	args.GetReturnValue().Set(
	    (int)way_body(number_of(args[0]), bytes.data, bytes.size));
}

void
native_fetch_room(const Args &args)
{
	way_room(number_of(args[0]), number_of(args[1]));
}

void
native_fetch_cancel(const Args &args)
{
	way_cancel(number_of(args[0]));
}

void
native_fetch_end_name(const Args &args)
{
	static const char *const names[WIRE_EGRESS_N_ENDS] = {
		"OK",
		"BAD",
		"NO_RULE",
		"ADDRESS",
		"BUDGET",
		"DNS",
		"CONNECT",
		"TLS",
		"PROTOCOL",
		"TIMEOUT",
		"TOO_LARGE",
		"REDIRECT",
		"MISMATCH",
		"SECRET",
		"CANCELLED",
		"CUT",
		"INTERNAL",
	};
	const uint32_t end = number_of(args[0]);
	args.GetReturnValue().Set(v8::String::NewFromUtf8(args.GetIsolate(),
	    names[end < WIRE_EGRESS_N_ENDS ? end
					   : (uint32_t)WIRE_EGRESS_INTERNAL])
				      .ToLocalChecked());
}

// ---- gzip and deflate (inflate.h) -----------------------------------------

void
native_inflate_new(const Args &args)
{
	args.GetReturnValue().Set(inflate_open(args[0]->IsTrue()));
}

void
native_inflate_feed(const Args &args)
{
	const Bytes bytes = bytes_of(args[1]);
	args.GetReturnValue().Set(
	    inflate_feed(number_of(args[0]), bytes.data, bytes.size));
}

// A piece of what comes out; null: nothing more comes out of what was fed;
// false: it is broken; true: it is complete.
void
native_inflate_take(const Args &args)
{
	static uint8_t piece[INFLATE_PIECE];
	size_t len = 0;
	const enum inflate_said said =
	    inflate_take(number_of(args[0]), piece, &len);
	v8::Local<v8::Value> out;
	if (len > 0) {
		if (data_value(piece, len, &out))
			args.GetReturnValue().Set(out);
		else
			args.GetReturnValue().Set(false);
	} else if (said == INFLATE_HUNGRY) {
		args.GetReturnValue().SetNull();
	} else {
		args.GetReturnValue().Set(said == INFLATE_COMPLETE);
	}
}

void
native_inflate_free(const Args &args)
{
	inflate_close(number_of(args[0]));
}

const struct {
	const char *name;
	v8::FunctionCallback call;
} natives[] = {
	{ "fetchStart", native_fetch_start },
	{ "fetchBody", native_fetch_body },
	{ "fetchRoom", native_fetch_room },
	{ "fetchCancel", native_fetch_cancel },
	{ "fetchEndName", native_fetch_end_name },
	{ "inflateNew", native_inflate_new },
	{ "inflateFeed", native_inflate_feed },
	{ "inflateTake", native_inflate_take },
	{ "inflateFree", native_inflate_free },
};

} // namespace

const char *
natives_fetched(enum wire_egress_frame type, const uint8_t *bytes, size_t len,
    v8::Local<v8::Value> *value)
{
	for (const auto &news : fetch_news)
		if (news.type == type)
			return news.value(bytes, len, value) ? news.entry
							     : nullptr;
	return nullptr;
}

void
natives_fetch_add(v8::Local<v8::Context> context, v8::Local<v8::Object> native)
{
	v8::Isolate *isolate = v8::Isolate::GetCurrent();

	for (const auto &entry : natives)
		native
		    ->Set(context,
			v8::String::NewFromUtf8(isolate, entry.name)
			    .ToLocalChecked(),
			v8::Function::New(context, entry.call).ToLocalChecked())
		    .Check();
}
