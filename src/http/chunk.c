#include "http/chunk.h"

#include "base/err.h"
#include "http/syntax.h"

/* chunk = size [ extensions ] CRLF data CRLF; the last one has size 0 and the trailer section in place of data. */
enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* at the start of a line */
	TRAILER_LINE,
	TRAILER_LF,
	END_LF,
	OVER,
	BROKEN
};

void http_chunked_init(struct http_chunked *c, size_t trailer_max)
{
	*c = (struct http_chunked){.state = SIZE};
	buf_init(&c->trailer, trailer_max);
}

void http_chunked_release(struct http_chunked *c)
{
	buf_release(&c->trailer);
}

struct slice http_chunked_trailer(const struct http_chunked *c)
{
	return buf_slice(&c->trailer);
}

static void broken(struct http_chunked *c, const char *why)
{
	c->state = BROKEN;
	c->bad = why;
}

static int hex_digit(uint8_t byte)
{
	uint8_t lower = http_lower(byte);
	if (http_is(byte, HTTP_CLASS_DIGIT)) {
		return byte - '0';
	}
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void size_byte(struct http_chunked *c, uint8_t byte)
{
	int digit = hex_digit(byte);
	if (digit >= 0) {
		if (c->digits == 16 || c->left > (uint64_t)INT64_MAX >> 4) {
			broken(c, "a chunk size beyond 2^63 - 1");
			return;
		}
		c->left = c->left << 4 | (unsigned)digit;
		c->digits++;
	} else if (c->digits == 0) {
		broken(c, "a chunk without size");
	} else if (byte == '\r') {
		c->state = SIZE_LF;
	} else if (byte == ';') {
		c->state = EXTENSION;
		c->extension = 1;
	} else {
		/* White space, too: RFC 9112 7.1.1 has BWS there, which nobody sends and some take for a part of the size. */
		broken(c, byte == '\n' ? "a chunk's line ends with LF alone"
		                       : "a malformed chunk size");
	}
}

static void extension_byte(struct http_chunked *c, uint8_t byte)
{
	if (byte == '\r') {
		c->state = SIZE_LF;
	} else if (http_is(byte, HTTP_CLASS_CONTROL)) {
		broken(c, "a control byte in a chunk extension");
	} else if (++c->extension > HTTP_CHUNK_EXTENSIONS) {
		broken(c, "chunk extensions that are too long");
	}
}

/* A byte that can only be this one, then `next`. */
static void exactly(struct http_chunked *c, uint8_t byte, uint8_t expected, enum state next,
                    const char *why)
{
	if (byte != expected) {
		broken(c, why);
		return;
	}
	c->state = next;
}

/* Keeps the section for the reader of fields, and finds no more out than where it ends. */
static void keep(struct http_chunked *c, uint8_t byte)
{
	buf_append_byte(&c->trailer, byte);
	if (c->trailer.err != E_OK) {
		broken(c, c->trailer.err == E_LIMIT ? "the trailer section is too long"
		                                    : "no memory for the trailer section");
	}
}

static void trailer_byte(struct http_chunked *c, uint8_t byte)
{
	if (byte != '\r') {
		c->state = TRAILER_LINE;
		if (http_is(byte, HTTP_CLASS_CONTROL)) {
			broken(c, "a control byte in the trailer section");
			return;
		}
	} else {
		c->state = c->state == TRAILER ? END_LF : TRAILER_LF;
		if (c->state == END_LF && c->trailer.len == 0) {
			return; /* there is no section */
		}
	}
	keep(c, byte);
}

static void line_feed(struct http_chunked *c, uint8_t byte)
{
	enum state next = c->state == END_LF ? OVER : TRAILER;
	exactly(c, byte, '\n', next, "a CR without LF in the trailer section");
	if (c->state == TRAILER || (c->state == OVER && c->trailer.len > 0)) {
		keep(c, byte);
	}
}

static void step(struct http_chunked *c, uint8_t byte)
{
	switch ((enum state)c->state) {
	case SIZE:
		size_byte(c, byte);
		break;
	case EXTENSION:
		extension_byte(c, byte);
		break;
	case SIZE_LF:
		exactly(c, byte, '\n', c->left == 0 ? TRAILER : DATA,
		        "a CR without LF behind a chunk size");
		break;
	case DATA_CR:
		exactly(c, byte, '\r', DATA_LF, "chunk data longer than its size");
		break;
	case DATA_LF:
		exactly(c, byte, '\n', SIZE, "chunk data longer than its size");
		c->digits = 0;
		break;
	case TRAILER:
	case TRAILER_LINE:
		trailer_byte(c, byte);
		break;
	case TRAILER_LF:
	case END_LF:
		line_feed(c, byte);
		break;
	case DATA:
	case OVER:
	case BROKEN:
		break;
	}
}

enum http_chunk http_chunked_next(struct http_chunked *c, struct slice *bytes, struct slice *data)
{
	while (c->state != OVER && c->state != BROKEN && bytes->len > 0) {
		size_t taken = 1;
		if (c->state == DATA) {
			taken = c->left < bytes->len ? (size_t)c->left : bytes->len;
			*data = slice_of(bytes->data, taken);
			c->left -= taken;
			c->state = c->left == 0 ? DATA_CR : DATA;
		} else {
			step(c, *bytes->data);
			data->len = 0;
		}
		*bytes = slice_of(bytes->data + taken, bytes->len - taken);
		if (data->len > 0) {
			return HTTP_CHUNK_DATA;
		}
	}
	if (c->state == BROKEN) {
		return HTTP_CHUNK_BAD;
	}
	return c->state == OVER ? HTTP_CHUNK_END : HTTP_CHUNK_MORE;
}
