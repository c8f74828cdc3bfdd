#include "peer/der.h"

#include <stdio.h>

bool der_any(struct slice *in, uint8_t *tag, struct slice *content, struct slice *whole)
{
	if (in->len < 2 || (in->data[0] & 0x1f) == 0x1f) {
		return false;
	}
	size_t head = 2;
	size_t len = in->data[1];
	if (len >= 0x80) {
		size_t octets = len & 0x7f;
		/* X.690 10.1: no indefinite length; four octets are more than any certificate
		 * needs. */
		if (octets == 0 || octets > 4 || in->len < 2 + octets) {
			return false;
		}
		len = 0;
		for (size_t i = 0; i < octets; i++) {
			len = len << 8 | in->data[2 + i];
		}
		if (len < 0x80 || in->data[2] == 0) {
			return false;
		}
		head += octets;
	}
	/* X.690 8.8.2: nothing is in a NULL */
	if (len > in->len - head || (in->data[0] == DER_NULL && len > 0)) {
		return false;
	}
	*tag = in->data[0];
	if (content != NULL) {
		*content = slice_of(in->data + head, len);
	}
	if (whole != NULL) {
		*whole = slice_of(in->data, head + len);
	}
	*in = slice_of(in->data + head + len, in->len - head - len);
	return true;
}

/* X.690 8.19.2: arcs end within it, and none begins with a needless octet. */
static bool is_oid(struct slice content)
{
	bool begins = true;
	for (size_t i = 0; i < content.len; i++) {
		if (begins && content.data[i] == 0x80) {
			return false;
		}
		begins = content.data[i] < 0x80;
	}
	return content.len > 0 && begins;
}

bool der_get_whole(struct slice *in, uint8_t tag, struct slice *content, struct slice *whole)
{
	uint8_t found;
	struct slice rest = *in;
	struct slice bytes;
	if (!der_next_is(rest, tag) || !der_any(&rest, &found, &bytes, whole) ||
	    (tag == DER_OID && !is_oid(bytes))) {
		return false;
	}
	if (content != NULL) {
		*content = bytes;
	}
	*in = rest;
	return true;
}

bool der_get(struct slice *in, uint8_t tag, struct slice *content)
{
	return der_get_whole(in, tag, content, NULL);
}

bool der_next_is(struct slice in, uint8_t tag)
{
	return in.len > 0 && in.data[0] == tag;
}

bool der_bool(struct slice content, bool *out)
{
	if (content.len != 1 || (content.data[0] != 0x00 && content.data[0] != 0xff)) {
		return false;
	}
	*out = content.data[0] != 0;
	return true;
}

bool der_uint(struct slice content, uint32_t *out)
{
	if (content.len == 0 || content.data[0] >= 0x80) {
		return false;
	}
	if (content.len > 1 && content.data[0] == 0 && content.data[1] < 0x80) {
		return false;
	}
	uint64_t n = 0;
	for (size_t i = 0; i < content.len && n <= UINT32_MAX; i++) {
		n = n << 8 | content.data[i];
	}
	*out = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	return true;
}

bool der_bits(struct slice content, struct slice *octets, unsigned *unused)
{
	if (content.len == 0 || content.data[0] > 7 || (content.len == 1 && content.data[0] != 0)) {
		return false;
	}
	/* X.690 11.2.1: unused bits are zero. */
	if (content.data[0] != 0 &&
	    (content.data[content.len - 1] & ((1U << content.data[0]) - 1)) != 0) {
		return false;
	}
	*unused = content.data[0];
	*octets = slice_of(content.data + 1, content.len - 1);
	return true;
}

/* Two decimal digits, -1 if they are none. */
static int two(const uint8_t *p)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') {
		return -1;
	}
	return (p[0] - '0') * 10 + (p[1] - '0');
}

/* Days from 1970-01-01 in the Gregorian calendar, by counting in years that begin in March: leap
 * days come last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

bool der_time(uint8_t tag, struct slice content, int64_t *out)
{
	const uint8_t *p = content.data;
	int year;
	if (tag == DER_UTC_TIME && content.len == 13) {
		int yy = two(p);
		if (yy < 0) {
			return false;
		}
		year = yy >= 50 ? 1900 + yy : 2000 + yy;
		p += 2;
	} else if (tag == DER_GENERALIZED_TIME && content.len == 15) {
		int high = two(p);
		int low = two(p + 2);
		if (high < 0 || low < 0) {
			return false;
		}
		year = high * 100 + low;
		p += 4;
	} else {
		return false;
	}
	int month = two(p);
	int day = two(p + 2);
	int hour = two(p + 4);
	int minute = two(p + 6);
	int second = two(p + 8);
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || p[10] != 'Z') {
		return false;
	}
	*out = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

static bool append_arc(char *out, size_t cap, size_t *len, unsigned __int128 arc)
{
	char digits[40];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + (int)(arc % 10));
		arc /= 10;
	} while (arc != 0);
	size_t n = sizeof(digits) - at;
	size_t dot = *len > 0 ? 1 : 0;
	if (cap - *len <= n + dot) {
		return false;
	}
	if (dot != 0) {
		out[(*len)++] = '.';
	}
	memcpy(out + *len, digits + at, n);
	*len += n;
	out[*len] = '\0';
	return true;
}

bool der_oid_text(struct slice content, char *out, size_t cap)
{
	size_t len = 0;
	unsigned __int128 arc = 0;
	if (content.len == 0 || content.data[content.len - 1] >= 0x80) {
		return false;
	}
	for (size_t i = 0; i < content.len; i++) {
		/* 128 bits: OIDs made of a UUID (X.667) have one arc of that size. */
		if ((arc == 0 && content.data[i] == 0x80) || arc >> 121 != 0) {
			return false;
		}
		arc = arc << 7 | (content.data[i] & 0x7f);
		if (content.data[i] >= 0x80) {
			continue;
		}
		if (len == 0) {
			unsigned first = arc < 40 ? 0 : arc < 80 ? 1 : 2;
			if (!append_arc(out, cap, &len, first)) {
				return false;
			}
			arc -= first * 40;
		}
		if (!append_arc(out, cap, &len, arc)) {
			return false;
		}
		arc = 0;
	}
	return true;
}

/* One decimal arc without leading zeros; moves `text` behind it. */
static bool read_arc(const char **text, uint64_t *out)
{
	const char *p = *text;
	uint64_t n = 0;
	if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9')) {
		return false;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (UINT64_MAX >> 8) / 10) {
			return false;
		}
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*text = p;
	*out = n;
	return true;
}

static size_t put_arc(uint8_t *out, size_t cap, size_t len, uint64_t arc)
{
	size_t n = 1;
	for (uint64_t rest = arc >> 7; rest != 0; rest >>= 7) {
		n++;
	}
	if (n > cap - len) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		out[len + n - 1 - i] = (uint8_t)((arc & 0x7f) | (i > 0 ? 0x80 : 0));
		arc >>= 7;
	}
	return len + n;
}

size_t der_oid_from_text(const char *text, uint8_t *out, size_t cap)
{
	uint64_t first;
	uint64_t arc;
	if (!read_arc(&text, &first) || first > 2 || *text++ != '.' || !read_arc(&text, &arc) ||
	    (first < 2 && arc > 39)) {
		return 0;
	}
	size_t len = put_arc(out, cap, 0, first * 40 + arc);
	while (len > 0 && *text == '.') {
		text++;
		if (!read_arc(&text, &arc)) {
			return 0;
		}
		len = put_arc(out, cap, len, arc);
	}
	return *text == '\0' ? len : 0;
}
