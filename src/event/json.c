#include "event/json.h"

#include "base/clock.h"
#include "base/err.h"

#define FIRST_ROOM 4096 /* an event with a certificate takes 2-3 KiB: one allocation */
#define ESCAPE_MAX 12   /* a surrogate pair */
#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* From the room that `out` has. */
static void set_end(struct json *j)
{
	struct buf *out = j->out;
	size_t most = j->start + j->limit;
	j->end = out->data + (out->cap < most ? out->cap : most);
}

void json_begin(struct json *j, struct buf *out, size_t limit)
{
	size_t room = out->max > out->len ? out->max - out->len : 0;
	*j = (struct json){.out = out, .start = out->len, .limit = limit < room ? limit : room};
	buf_reserve(out, j->limit < FIRST_ROOM ? j->limit : FIRST_ROOM);
	j->at = out->data + out->len;
	set_end(j);
	if (out->err != E_OK) {
		j->limit = 0;
		j->end = j->at;
	}
}

static size_t written(const struct json *j)
{
	return (size_t)(j->at - j->out->data) - j->start;
}

size_t json_total(const struct json *j)
{
	return written(j) + j->lost;
}

static void lose(struct json *j, const uint8_t *data, size_t len)
{
	j->lost += len;
	j->last = data[len - 1];
	j->end = j->at; /* what comes later must not close the gap */
}

void json_raw_slow(struct json *j, const void *data, size_t len)
{
	if (len == 0) {
		return;
	}
	size_t have = written(j);
	if (j->lost > 0 || len > j->limit - have) {
		lose(j, data, len);
		return;
	}
	j->out->len = j->start + have;
	uint8_t *room = buf_reserve(j->out, len);
	j->at = j->out->data + j->start + have;
	j->out->len = j->start;
	if (room == NULL) {
		lose(j, data, len);
		return;
	}
	set_end(j);
	memcpy(j->at, data, len);
	j->at += len;
}

static uint8_t last_byte(const struct json *j)
{
	if (j->lost > 0) {
		return j->last;
	}
	return written(j) > 0 ? j->at[-1] : 0;
}

/* Of the comma at the end, which is there. */
static void replace_last(struct json *j, uint8_t byte)
{
	if (j->lost > 0) {
		j->last = byte;
	} else {
		j->at[-1] = byte;
	}
}

struct json_mark json_open(struct json *j, const void *opening, size_t len)
{
	struct json_mark mark = {json_total(j), last_byte(j)};
	json_raw(j, opening, len);
	return mark;
}

bool json_close(struct json *j, struct json_mark mark, uint8_t bracket)
{
	if (last_byte(j) == ',') {
		replace_last(j, bracket);
		json_raw(j, ",", 1);
		return true;
	}
	size_t have = written(j);
	if (mark.total >= have) {
		j->lost = mark.total - have;
		j->last = mark.last;
	} else {
		j->lost = 0;
		j->at = j->out->data + j->start + mark.total;
	}
	return false;
}

int json_finish(struct json *j)
{
	struct buf *out = j->out;
	size_t len = written(j);
	if (out->err == E_OK && j->lost > 0) {
		/* A comma at the end would have gone: then nothing is lost. */
		if (j->lost > 1 || j->last != ',') {
			out->err = E_LIMIT;
		}
	} else if (len > 0 && j->at[-1] == ',') {
		len--;
	}
	if (out->err != E_OK) {
		out->len = j->start;
		return out->err;
	}
	out->len = j->start + len;
	return E_OK;
}

/* The code point at `in` and its length; 0: no UTF-8. RFC 3629 4: no overlong forms, no
 * surrogates, nothing beyond U+10FFFF. */
static size_t decode(const uint8_t *in, size_t len, uint32_t *point)
{
	size_t need;
	uint32_t least;
	if (in[0] >= 0xc2 && in[0] <= 0xdf) {
		need = 2;
		least = 0x80;
		*point = in[0] & 0x1fu;
	} else if (in[0] >= 0xe0 && in[0] <= 0xef) {
		need = 3;
		least = 0x800;
		*point = in[0] & 0x0fu;
	} else if (in[0] >= 0xf0 && in[0] <= 0xf4) {
		need = 4;
		least = 0x10000;
		*point = in[0] & 0x07u;
	} else {
		return 0;
	}
	if (len < need) {
		return 0;
	}
	for (size_t i = 1; i < need; i++) {
		if ((in[i] & 0xc0) != 0x80) {
			return 0;
		}
		*point = *point << 6 | (in[i] & 0x3fu);
	}
	if (*point < least || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff)) {
		return 0;
	}
	return need;
}

static size_t unicode(uint8_t *out, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	out[0] = '\\';
	out[1] = 'u';
	for (int i = 0; i < 4; i++) {
		out[2 + i] = (uint8_t)digits[unit >> (12 - 4 * i) & 15];
	}
	return 6;
}

/* The escape for what begins at `in`; *used bytes of it. At most ESCAPE_MAX bytes. */
static size_t escape_one(uint8_t *out, const uint8_t *in, size_t len, size_t *used)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t point;
	*used = 1;
	if (in[0] == '"' || in[0] == '\\') {
		out[0] = '\\';
		out[1] = in[0];
		return 2;
	}
	if (in[0] != 0 && in[0] < 0x80) {
		return unicode(out, in[0]);
	}
	size_t n = in[0] == 0 ? 0 : decode(in, len, &point);
	if (n == 0) {
		out[0] = '\\';
		out[1] = '\\';
		out[2] = (uint8_t)digits[in[0] >> 4];
		out[3] = (uint8_t)digits[in[0] & 15];
		return 4;
	}
	*used = n;
	if (point <= 0xffff) {
		return unicode(out, point);
	}
	point -= 0x10000;
	unicode(out, 0xd800 | point >> 10);
	unicode(out + 6, 0xdc00 | (point & 0x3ff));
	return 12;
}

static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Of eight bytes at once: is there one that needs an escape? (x - ONES) & ~x & HIGHS is not 0
 * when x has a zero byte. */
static bool has_special(uint64_t x)
{
	uint64_t quote = x ^ ONES * '"';
	uint64_t backslash = x ^ ONES * '\\';
	uint64_t del = x ^ ONES * 0x7f;
	uint64_t found = (x - ONES * 0x20) | ((quote - ONES) & ~quote) |
	                 ((backslash - ONES) & ~backslash) | ((del - ONES) & ~del) | x;
	return (found & HIGHS) != 0;
}

size_t json_escape(uint8_t *out, size_t max, struct slice text, size_t *used)
{
	*used = 0;
	if (text.len == 0) {
		return 0;
	}
	const uint8_t *in = text.data;
	const uint8_t *in_end = in + text.len;
	uint8_t *to = out;
	uint8_t *to_end = out + max;

	while (in < in_end) {
		while (in_end - in >= 8 && to_end - to >= 8) {
			uint64_t eight;
			memcpy(&eight, in, 8);
			if (has_special(eight)) {
				break;
			}
			memcpy(to, &eight, 8);
			in += 8;
			to += 8;
		}
		while (in < in_end && to < to_end && is_plain(*in)) {
			*to++ = *in++;
		}
		if (in == in_end || to == to_end) {
			break;
		}
		uint8_t escape[ESCAPE_MAX];
		size_t taken;
		size_t room = (size_t)(to_end - to);
		uint8_t *place = room >= ESCAPE_MAX ? to : escape;
		size_t n = escape_one(place, in, (size_t)(in_end - in), &taken);
		if (n > room) {
			break;
		}
		if (place == escape) {
			memcpy(to, escape, n);
		}
		to += n;
		in += taken;
	}
	*used = (size_t)(in - text.data);
	return (size_t)(to - out);
}

void json_escaped(struct json *j, const uint8_t *text, size_t len)
{
	json_raw(j, "\"", 1);
	json_raw(j, text, len);
	json_raw(j, "\",", 2);
}

bool json_text(struct json *j, struct slice text)
{
	/* No byte takes more than six. */
	size_t most = text.len > JSON_TEXT_MAX / 6 ? JSON_TEXT_MAX : text.len * 6;
	size_t used;
	if ((size_t)(j->end - j->at) >= most + 3) {
		uint8_t *to = j->at;
		*to++ = '"';
		to += json_escape(to, most, text, &used);
		*to++ = '"';
		*to++ = ',';
		j->at = to;
	} else {
		uint8_t escaped[JSON_TEXT_MAX];
		json_escaped(j, escaped, json_escape(escaped, most, text, &used));
	}
	return used < text.len;
}

bool json_hex(struct json *j, struct slice bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t text[JSON_TEXT_MAX];
	size_t n = bytes.len > sizeof(text) / 2 ? sizeof(text) / 2 : bytes.len;
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[bytes.data[i] & 15];
	}
	json_escaped(j, text, 2 * n);
	return n < bytes.len;
}

/* Decimal digits, right-aligned before `end`; gives the first. */
static uint8_t *decimal(uint8_t *end, uint64_t n)
{
	do {
		*--end = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	return end;
}

void json_u64(struct json *j, uint64_t n)
{
	uint8_t text[21];
	uint8_t *end = text + sizeof(text);
	*--end = ',';
	uint8_t *first = decimal(end, n);
	json_raw(j, first, (size_t)(text + sizeof(text) - first));
}

void json_i64(struct json *j, int64_t n)
{
	if (n < 0) {
		json_raw(j, "-", 1);
		json_u64(j, -(uint64_t)n);
	} else {
		json_u64(j, (uint64_t)n);
	}
}

void json_u64_text(struct json *j, uint64_t n)
{
	uint8_t text[20];
	uint8_t *first = decimal(text + sizeof(text), n);
	json_escaped(j, first, (size_t)(text + sizeof(text) - first));
}

void json_bool(struct json *j, bool yes)
{
	if (yes) {
		json_raw(j, "true,", 5);
	} else {
		json_raw(j, "false,", 6);
	}
}

void json_time(struct json *j, int64_t wall_us)
{
	char text[CLOCK_TEXT_LEN + 1];
	clock_format(text, wall_us);
	json_escaped(j, (const uint8_t *)text, CLOCK_TEXT_LEN);
}
