// SPDX-License-Identifier: Apache-2.0
//
// What JavaScript cannot do, or not fast: bytes, text, digests, URLs, the
// answer. Arguments come from the platform (js/), never from a tool directly;
// they are checked all the same.
#include "zygote/natives.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cstdlib>
#include <cstring>

#include "zygote/answer.h"

// ada's C interface (ada_c.h), exported by the engine; its header is not part
// of the engine's package.
extern "C" {
typedef void *ada_url;
struct ada_string {
	const char *data;
	size_t length;
};
struct ada_url_components {
	uint32_t protocol_end, username_end, host_start, host_end, port,
	    pathname_start, search_start, hash_start;
};
ada_url ada_parse(const char *input, size_t length);
ada_url ada_parse_with_base(
    const char *input, size_t length, const char *base, size_t base_length);
bool ada_is_valid(ada_url url);
void ada_free(ada_url url);
ada_string ada_get_href(ada_url url);
const ada_url_components *ada_get_components(ada_url url);
bool ada_set_href(ada_url url, const char *input, size_t length);
bool ada_set_protocol(ada_url url, const char *input, size_t length);
bool ada_set_username(ada_url url, const char *input, size_t length);
bool ada_set_password(ada_url url, const char *input, size_t length);
bool ada_set_host(ada_url url, const char *input, size_t length);
bool ada_set_hostname(ada_url url, const char *input, size_t length);
bool ada_set_port(ada_url url, const char *input, size_t length);
bool ada_set_pathname(ada_url url, const char *input, size_t length);
void ada_set_search(ada_url url, const char *input, size_t length);
void ada_set_hash(ada_url url, const char *input, size_t length);
void ada_clear_hash(ada_url url);
void ada_clear_search(ada_url url);
}

using Args = v8::FunctionCallbackInfo<v8::Value>;

Utf8::Utf8(v8::Isolate *isolate, v8::Local<v8::Value> value)
    : data_(small_), size_(0)
{
	v8::Local<v8::String> string;
	if (!value->ToString(isolate->GetCurrentContext()).ToLocal(&string))
		return;
	size_t capacity = sizeof(small_);
	if (string->Length() > (int)sizeof(small_) / 3) {
		capacity = string->Utf8LengthV2(isolate);
		data_ = (char *)malloc(capacity + 1);
		if (data_ == nullptr) {
			data_ = small_;
			return;
		}
	}
	size_ = string->WriteUtf8V2(isolate, data_, capacity,
	    v8::String::WriteFlags::kReplaceInvalidUtf8);
}

Utf8::~Utf8()
{
	if (data_ != small_)
		free(data_);
}

v8::MaybeLocal<v8::String>
natives_string(v8::Isolate *isolate, const char *text, size_t len)
{
	if (len > (size_t)v8::String::kMaxLength)
		return {};
	return v8::String::NewFromUtf8(
	    isolate, text, v8::NewStringType::kNormal, (int)len);
}

Bytes
bytes_of(v8::Local<v8::Value> value)
{
	if (!value->IsArrayBufferView())
		return {};
	auto view = value.As<v8::ArrayBufferView>();
	return { (uint8_t *)view->Buffer()->Data() + view->ByteOffset(),
		view->ByteLength() };
}

namespace {

void
throw_type(v8::Isolate *isolate, const char *sentence)
{
	isolate->ThrowException(v8::Exception::TypeError(
	    v8::String::NewFromUtf8(isolate, sentence).ToLocalChecked()));
}

// A fresh Uint8Array; throws RangeError when there is no memory.
bool
u8_new(const Args &args, size_t size, Bytes *out)
{
	v8::Isolate *isolate = args.GetIsolate();
	v8::Local<v8::ArrayBuffer> buffer;
	if (!v8::ArrayBuffer::MaybeNew(isolate, size).ToLocal(&buffer)) {
		isolate->ThrowException(
		    v8::Exception::RangeError(v8::String::NewFromUtf8Literal(
			isolate, "Array buffer allocation failed")));
		return false;
	}
	args.GetReturnValue().Set(v8::Uint8Array::New(buffer, 0, size));
	*out = { (uint8_t *)buffer->Data(), size };
	return true;
}

void
native_log(const Args &args)
{
	if (answer_is_muted())
		return;
	Utf8 text(args.GetIsolate(), args[1]);
	const int level =
	    args[0]->IsInt32() ? args[0].As<v8::Int32>()->Value() : 1;
	answer_log(
	    level < 0 || level > 3 ? 1 : level, text.data(), text.size());
}

void
native_result(const Args &args)
{
	Utf8 text(args.GetIsolate(), args[0]);
	answer_result(text.data(), text.size());
}

// The engine's own memory refusals reach the tool as exceptions: what they
// were is said by the code.
enum wire_code
code_named(const Utf8 &name)
{
	static const struct {
		const char *name;
		enum wire_code code;
	} codes[] = {
		{ "exception", WIRE_CODE_EXCEPTION },
		{ "stack", WIRE_CODE_STACK },
		{ "memory", WIRE_CODE_MEMORY },
		{ "timeout", WIRE_CODE_TIMEOUT_WALL },
		{ "invalid_result", WIRE_CODE_INVALID_RESULT },
		{ "result_too_large", WIRE_CODE_RESULT_TOO_LARGE },
	};
	for (const auto &entry : codes)
		if (name.size() == strlen(entry.name) &&
		    memcmp(name.data(), entry.name, name.size()) == 0)
			return entry.code;
	return WIRE_CODE_EXCEPTION;
}

void
native_fail(const Args &args)
{
	Utf8 code(args.GetIsolate(), args[0]), json(args.GetIsolate(), args[1]);
	answer_fail(code_named(code), json.data(), json.size());
}

void
native_head(const Args &args)
{
	Utf8 json(args.GetIsolate(), args[0]);
	answer_head(json.data(), json.size());
}

void
native_chunk(const Args &args)
{
	const Bytes bytes = bytes_of(args[0]);
	answer_chunk(bytes.data, bytes.size);
}

void
native_end(const Args &)
{
	answer_end();
}

void
native_done(const Args &)
{
	answer_done();
}

void
native_note(const Args &args)
{
	Utf8 json(args.GetIsolate(), args[0]);
	answer_note(json.data(), json.size());
}

void
native_ask(const Args &args)
{
	Utf8 json(args.GetIsolate(), args[1]);
	args.GetReturnValue().Set(args[0]->IsUint32() &&
	    answer_ask(
		args[0].As<v8::Uint32>()->Value(), json.data(), json.size()));
}

void
native_random(const Args &args)
{
	Bytes bytes = bytes_of(args[0]);
	while (bytes.size > 0) {
		const ssize_t n = getrandom(bytes.data, bytes.size, 0);
		if (n < 0 && errno != EINTR)
			abort(); // no randomness is not an answer
		if (n > 0) {
			bytes.data += n;
			bytes.size -= (size_t)n;
		}
	}
}

void
native_now(const Args &args)
{
	args.GetReturnValue().Set(answer_clock_ms());
}

void
native_utf8_encode(const Args &args)
{
	v8::Isolate *isolate = args.GetIsolate();
	v8::Local<v8::String> string;
	if (!args[0]->ToString(isolate->GetCurrentContext()).ToLocal(&string))
		return;
	Bytes out;
	if (u8_new(args, string->Utf8LengthV2(isolate), &out) && out.size > 0)
		string->WriteUtf8V2(isolate, (char *)out.data, out.size,
		    v8::String::WriteFlags::kReplaceInvalidUtf8);
}

void
native_utf8_encode_into(const Args &args)
{
	v8::Isolate *isolate = args.GetIsolate();
	const Bytes out = bytes_of(args[1]);
	v8::Local<v8::String> string;
	if (!args[0]->ToString(isolate->GetCurrentContext()).ToLocal(&string))
		return;
	size_t read = 0;
	const size_t written = out.size == 0
	    ? 0
	    : string->WriteUtf8V2(isolate, (char *)out.data, out.size,
		  v8::String::WriteFlags::kReplaceInvalidUtf8, &read);
	v8::Local<v8::Value> pair[] = { v8::Number::New(isolate, (double)read),
		v8::Number::New(isolate, (double)written) };
	args.GetReturnValue().Set(v8::Array::New(isolate, pair, 2));
}

// Well-formed UTF-8 per the WHATWG table (no overlongs, no surrogates).
bool
utf8_is_valid(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		const uint8_t c = s[i];
		if (c < 0x80) {
			i++;
			continue;
		}
		const size_t n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		if (c < 0xc2 || c > 0xf4 || len - i <= n)
			return false;
		const uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
		const uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
		if (s[i + 1] < low || s[i + 1] > high)
			return false;
		for (size_t k = 2; k <= n; k++)
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
		i += n + 1;
	}
	return true;
}

void
native_utf8_decode(const Args &args)
{
	v8::Isolate *isolate = args.GetIsolate();
	const Bytes bytes = bytes_of(args[0]);
	if (args[1]->IsTrue() && !utf8_is_valid(bytes.data, bytes.size))
		return throw_type(isolate,
		    "The encoded data was not valid for encoding utf-8");
	v8::Local<v8::String> string;
	if (bytes.size == 0)
		return args.GetReturnValue().SetEmptyString();
	if (natives_string(isolate, (const char *)bytes.data, bytes.size)
		.ToLocal(&string))
		return args.GetReturnValue().Set(string);
	isolate->ThrowException(v8::Exception::RangeError(
	    v8::String::NewFromUtf8Literal(isolate, "Invalid string length")));
}

const EVP_MD *
digest_named(v8::Isolate *isolate, v8::Local<v8::Value> value)
{
	static const struct {
		const char *name;
		const EVP_MD *(*md)(void);
	} digests[] = {
		{ "SHA-1", EVP_sha1 },
		{ "SHA-256", EVP_sha256 },
		{ "SHA-384", EVP_sha384 },
		{ "SHA-512", EVP_sha512 },
	};
	Utf8 name(isolate, value);
	for (const auto &digest : digests)
		if (name.size() == strlen(digest.name) &&
		    memcmp(name.data(), digest.name, name.size()) == 0)
			return digest.md();
	throw_type(isolate, "no such digest");
	return nullptr;
}

void
digest_return(const Args &args, const uint8_t *digest, unsigned int len)
{
	Bytes out;
	if (u8_new(args, len, &out))
		memcpy(out.data, digest, len);
}

void
native_digest(const Args &args)
{
	const EVP_MD *md = digest_named(args.GetIsolate(), args[0]);
	const Bytes in = bytes_of(args[1]);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	if (md == nullptr)
		return;
	if (EVP_Digest(in.data, in.size, digest, &len, md, nullptr) != 1)
		return throw_type(args.GetIsolate(), "digest failed");
	digest_return(args, digest, len);
}

void
native_hmac(const Args &args)
{
	const EVP_MD *md = digest_named(args.GetIsolate(), args[0]);
	const Bytes key = bytes_of(args[1]), in = bytes_of(args[2]);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	if (md == nullptr)
		return;
	if (key.size > INT32_MAX ||
	    HMAC(md, key.size > 0 ? (const void *)key.data : "", (int)key.size,
		in.data, in.size, digest, &len) == nullptr)
		return throw_type(args.GetIsolate(), "hmac failed");
	digest_return(args, digest, len);
}

void
url_return(const Args &args, ada_url url)
{
	v8::Isolate *isolate = args.GetIsolate();
	if (!ada_is_valid(url)) {
		ada_free(url);
		return;
	}
	const ada_string href = ada_get_href(url);
	const ada_url_components *c = ada_get_components(url);
	const uint32_t parts[] = { c->protocol_end, c->username_end,
		c->host_start, c->host_end, c->port, c->pathname_start,
		c->search_start, c->hash_start };
	v8::Local<v8::Value> out[1 + 8];
	v8::Local<v8::String> text;
	if (natives_string(isolate, href.data, href.length).ToLocal(&text)) {
		out[0] = text;
		for (int i = 0; i < 8; i++)
			out[1 + i] = v8::Number::New(isolate, parts[i]);
		args.GetReturnValue().Set(v8::Array::New(isolate, out, 9));
	}
	ada_free(url);
}

void
native_url_parse(const Args &args)
{
	Utf8 input(args.GetIsolate(), args[0]);
	if (args.Length() < 2 || args[1]->IsUndefined())
		return url_return(args, ada_parse(input.data(), input.size()));
	Utf8 base(args.GetIsolate(), args[1]);
	url_return(args,
	    ada_parse_with_base(
		input.data(), input.size(), base.data(), base.size()));
}

bool
url_set_search(ada_url url, const char *value, size_t len)
{
	if (len == 0)
		ada_clear_search(url);
	else
		ada_set_search(url, value, len);
	return true;
}

bool
url_set_hash(ada_url url, const char *value, size_t len)
{
	if (len == 0)
		ada_clear_hash(url);
	else
		ada_set_hash(url, value, len);
	return true;
}

void
native_url_set(const Args &args)
{
	static const struct {
		const char *part;
		bool (*set)(ada_url, const char *, size_t);
	} setters[] = {
		{ "href", ada_set_href },
		{ "protocol", ada_set_protocol },
		{ "username", ada_set_username },
		{ "password", ada_set_password },
		{ "host", ada_set_host },
		{ "hostname", ada_set_hostname },
		{ "port", ada_set_port },
		{ "pathname", ada_set_pathname },
		{ "search", url_set_search },
		{ "hash", url_set_hash },
	};
	v8::Isolate *isolate = args.GetIsolate();
	Utf8 href(isolate, args[0]), part(isolate, args[1]),
	    value(isolate, args[2]);
	ada_url url = ada_parse(href.data(), href.size());
	if (!ada_is_valid(url))
		return ada_free(url);

	for (const auto &setter : setters) {
		if (part.size() != strlen(setter.part) ||
		    memcmp(part.data(), setter.part, part.size()) != 0)
			continue;
		const bool ok = setter.set(url, value.data(), value.size());
		// Only a failed href is an error; other setters ignore nonsense.
		if (!ok && setter.set == ada_set_href)
			return ada_free(url);
		return url_return(args, url);
	}
	ada_free(url);
}

class CloneDelegate : public v8::ValueSerializer::Delegate {
      public:
	explicit CloneDelegate(v8::Isolate *isolate) : isolate_(isolate)
	{
	}

	void
	ThrowDataCloneError(v8::Local<v8::String> message) override
	{
		auto error = v8::Exception::Error(message).As<v8::Object>();
		(void)error->Set(isolate_->GetCurrentContext(),
		    v8::String::NewFromUtf8Literal(isolate_, "name"),
		    v8::String::NewFromUtf8Literal(isolate_, "DataCloneError"));
		isolate_->ThrowException(error);
	}

      private:
	v8::Isolate *isolate_;
};

// Clones within one context: what is transferred leaves its old owner.
void
native_structured_clone(const Args &args)
{
	v8::Isolate *isolate = args.GetIsolate();
	v8::Local<v8::Context> context = isolate->GetCurrentContext();
	CloneDelegate delegate(isolate);
	v8::ValueSerializer out(isolate, &delegate);
	v8::Local<v8::Array> transfer;
	uint32_t n = 0;

	if (args[1]->IsArray()) {
		transfer = args[1].As<v8::Array>();
		n = transfer->Length();
	}
	for (uint32_t i = 0; i < n; i++) {
		v8::Local<v8::Value> item;
		if (!transfer->Get(context, i).ToLocal(&item))
			return;
		if (!item->IsArrayBuffer() ||
		    !item.As<v8::ArrayBuffer>()->IsDetachable())
			return delegate.ThrowDataCloneError(
			    v8::String::NewFromUtf8Literal(
				isolate, "Value not transferable"));
		out.TransferArrayBuffer(i, item.As<v8::ArrayBuffer>());
	}
	out.WriteHeader();
	if (!out.WriteValue(context, args[0]).FromMaybe(false))
		return;

	const auto bytes = out.Release();
	v8::ValueDeserializer in(isolate, bytes.first, bytes.second);
	for (uint32_t i = 0; i < n; i++) {
		v8::Local<v8::Value> item;
		if (!transfer->Get(context, i).ToLocal(&item))
			break;
		auto old = item.As<v8::ArrayBuffer>();
		in.TransferArrayBuffer(
		    i, v8::ArrayBuffer::New(isolate, old->GetBackingStore()));
		(void)old->Detach(v8::Local<v8::Value>());
	}
	v8::Local<v8::Value> clone;
	if (in.ReadHeader(context).FromMaybe(false) &&
	    in.ReadValue(context).ToLocal(&clone))
		args.GetReturnValue().Set(clone);
	free(bytes.first);
}

void
native_get_continuation(const Args &args)
{
	auto data = args.GetIsolate()->GetContinuationPreservedEmbedderDataV2();
	if (!data.IsEmpty() && data->IsValue())
		args.GetReturnValue().Set(data.As<v8::Value>());
}

void
native_set_continuation(const Args &args)
{
	args.GetIsolate()->SetContinuationPreservedEmbedderDataV2(args[0]);
}

template <bool (v8::Value::*test)() const>
void
native_is(const Args &args)
{
	args.GetReturnValue().Set(((*args[0])->*test)());
}

const struct {
	const char *name;
	v8::FunctionCallback call;
} natives[] = {
	{ "log", native_log },
	{ "result", native_result },
	{ "fail", native_fail },
	{ "head", native_head },
	{ "chunk", native_chunk },
	{ "end", native_end },
	{ "done", native_done },
	{ "note", native_note },
	{ "ask", native_ask },
	{ "random", native_random },
	{ "now", native_now },
	{ "utf8Encode", native_utf8_encode },
	{ "utf8EncodeInto", native_utf8_encode_into },
	{ "utf8Decode", native_utf8_decode },
	{ "digest", native_digest },
	{ "hmac", native_hmac },
	{ "urlParse", native_url_parse },
	{ "urlSet", native_url_set },
	{ "structuredClone", native_structured_clone },
	{ "getContinuation", native_get_continuation },
	{ "setContinuation", native_set_continuation },
	{ "isPromise", native_is<&v8::Value::IsPromise> },
	{ "isProxy", native_is<&v8::Value::IsProxy> },
	{ "isArrayBuffer", native_is<&v8::Value::IsArrayBuffer> },
	{ "isUint8Array", native_is<&v8::Value::IsUint8Array> },
};

} // namespace

v8::Local<v8::Object>
natives_new(v8::Local<v8::Context> context, v8::Local<v8::Value> random_state)
{
	v8::Isolate *isolate = v8::Isolate::GetCurrent();
	v8::Local<v8::Object> native = v8::Object::New(isolate);
	const auto set = [&](const char *name, v8::Local<v8::Value> value) {
		native
		    ->Set(context,
			v8::String::NewFromUtf8(isolate, name).ToLocalChecked(),
			value)
		    .Check();
	};

	for (const auto &entry : natives)
		set(entry.name,
		    v8::Function::New(context, entry.call).ToLocalChecked());
	set("randomState", random_state);
	natives_fetch_add(context, native);
	return native;
}
