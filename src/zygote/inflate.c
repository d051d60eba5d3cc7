/* SPDX-License-Identifier: Apache-2.0 */
#include "zygote/inflate.h"

#include <stdlib.h>
#include <string.h>

/* zlib's interface (zlib.h), exported by the engine; its header is not part of
 * the engine's package. */
struct z_stream {
	const uint8_t *next_in;
	unsigned int avail_in;
	unsigned long total_in;
	uint8_t *next_out;
	unsigned int avail_out;
	unsigned long total_out;
	const char *msg;
	void *state;
	void *(*zalloc)(void *, unsigned int, unsigned int);
	void (*zfree)(void *, void *);
	void *opaque;
	int data_type;
	unsigned long adler;
	unsigned long reserved;
};

int inflateInit2_(struct z_stream *stream, int window_bits, const char *version,
    int stream_size);
int inflate(struct z_stream *stream, int flush);
int inflateReset(struct z_stream *stream);
int inflateEnd(struct z_stream *stream);

#define Z_OK 0
#define Z_STREAM_END 1
#define Z_BUF_ERROR (-5)
#define GZIP_BITS (15 + 16)
#define ZLIB_BITS 15
#define RAW_BITS (-15)

struct stream {
	struct z_stream z;
	uint8_t *fed; /* malloc'ed */
	bool is_used;
	bool is_gzip;
	bool has_begun;
	bool is_complete;
	bool is_broken;
};

static struct stream streams[INFLATE_MAX];

static struct stream *
stream_at(uint32_t i)
{
	return i < INFLATE_MAX && streams[i].is_used ? &streams[i] : NULL;
}

int
inflate_open(bool is_gzip)
{
	for (uint32_t i = 0; i < INFLATE_MAX; i++) {
		if (streams[i].is_used)
			continue;
		streams[i] =
		    (struct stream){ .is_used = true, .is_gzip = is_gzip };
		return (int)i;
	}
	return -1;
}

void
inflate_close(uint32_t i)
{
	struct stream *stream = stream_at(i);

	if (stream == NULL)
		return;
	if (stream->has_begun)
		inflateEnd(&stream->z);
	free(stream->fed);
	*stream = (struct stream){ 0 };
}

/* What calls itself deflate is zlib's format by RFC 9110; some send it bare. */
static int
bits_of(const struct stream *stream, uint8_t first)
{
	if (stream->is_gzip)
		return GZIP_BITS;
	return (first & 0x0f) == 8 ? ZLIB_BITS : RAW_BITS;
}

bool
inflate_feed(uint32_t i, const uint8_t *bytes, size_t len)
{
	struct stream *stream = stream_at(i);

	if (stream == NULL || len == 0 || len > UINT32_MAX / 2)
		return stream != NULL && len == 0;
	uint8_t *fed = realloc(stream->fed, len);
	if (fed == NULL)
		return false;
	memcpy(fed, bytes, len);
	stream->fed = fed;
	if (!stream->has_begun &&
	    inflateInit2_(&stream->z, bits_of(stream, fed[0]), "1.2.11",
		sizeof(stream->z)) != Z_OK)
		return false;
	stream->has_begun = true;
	stream->z.next_in = fed;
	stream->z.avail_in = (unsigned int)len;
	return true;
}

/* gzip may have several members, one behind the other (RFC 1952, 2.2); what is
 * no member is passed over, as everybody does. */
static void
stream_end(struct stream *stream)
{
	stream->is_complete = true;
	if (stream->is_gzip && stream->z.avail_in > 0 &&
	    stream->z.next_in[0] == 0x1f && inflateReset(&stream->z) == Z_OK)
		stream->is_complete = false;
	else
		stream->z.avail_in = 0;
}

enum inflate_said
inflate_take(uint32_t i, uint8_t piece[INFLATE_PIECE], size_t *len)
{
	struct stream *stream = stream_at(i);

	*len = 0;
	if (stream == NULL || stream->is_broken)
		return INFLATE_BROKEN;
	if (!stream->has_begun)
		return INFLATE_HUNGRY;
	stream->z.next_out = piece;
	stream->z.avail_out = INFLATE_PIECE;
	while (!stream->is_complete && stream->z.avail_out > 0) {
		const int code = inflate(&stream->z, 0);
		if (code == Z_STREAM_END) {
			stream_end(stream);
		} else if (code == Z_BUF_ERROR) {
			break;
		} else if (code != Z_OK) {
			stream->is_broken = true;
			break;
		}
	}
	*len = INFLATE_PIECE - stream->z.avail_out;
	if (stream->is_broken)
		return INFLATE_BROKEN;
	return stream->is_complete ? INFLATE_COMPLETE : INFLATE_HUNGRY;
}
