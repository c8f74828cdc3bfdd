#include "event/template.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "event/fields.h"
#include "event/lookup.h"

#define PARTS_MAX 64
#define PATH_SHOWN 100 /* of an unknown name, in a sentence */

/* Text as it stands, or the value of a field behind it. */
struct part {
	char *text; /* may be empty */
	size_t len;
	enum event_field field; /* FIELD_COUNT: none, the end */
};

struct template
{
	size_t count;
	struct part parts[PARTS_MAX];
};

/* --- compiling --- */

struct source {
	const char *at; /* what is left of the text */
	const char *file;
	struct mark mark;
	struct diag *diag;
};

#define complain(s, ...) diag_error((s)->diag, (s)->file, (s)->mark, __VA_ARGS__)

/* Levenshtein's distance, one row at a time; no path is longer than the row. */
static size_t distance(const char *a, struct slice b)
{
	size_t row[PATH_SHOWN + 1];
	BUG_IF(b.len > PATH_SHOWN);
	for (size_t j = 0; j <= b.len; j++) {
		row[j] = j;
	}
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t cost = diagonal + (a[i - 1] != (char)b.data[j - 1]);
			diagonal = row[j];
			size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = cost < gap ? cost : gap;
		}
	}
	return row[b.len];
}

/* Has a value that is known when headers are written, and can be one. */
static bool is_usable(const struct field_row *row, enum event_field field)
{
	return field != FIELD_EVENT_SEQUENCE && (row->flags & FIELD_RESERVED) == 0 &&
	       (row->actions & (1u << ACTION_TLS_HANDSHAKE)) != 0 && row->type != FIELD_TYPE_MAP &&
	       row->type != FIELD_TYPE_OS;
}

/* Members of the elements of an array stand below its path: there is no single value. */
static bool is_in_elements(const struct field_row *row)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *array = field_row((enum event_field)i);
		size_t len = strlen(array->path);
		if (array->type == FIELD_TYPE_OS && strncmp(row->path, array->path, len) == 0 &&
		    row->path[len] == '.') {
			return true;
		}
	}
	return false;
}

static const char *nearest(struct slice name)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		if (!is_usable(row, (enum event_field)i) || is_in_elements(row)) {
			continue;
		}
		size_t d = distance(row->path, name);
		if (d < least) {
			least = d;
			best = row->path;
		}
	}
	return best;
}

static bool is_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < ' ' || text.data[i] > '~') {
			return false;
		}
	}
	return true;
}

static int find_field(const struct source *s, struct slice name, enum event_field *out)
{
	enum event_field field = field_by_path(name);
	if (field == FIELD_COUNT) {
		if (name.len == 0 || name.len > PATH_SHOWN || !is_visible(name)) {
			complain(s, "no field of an event has the name in the braces");
		} else {
			complain(s, "there is no event field %.*s; the nearest one is %s",
			         (int)name.len, (const char *)name.data, nearest(name));
		}
		return E_INVALID;
	}
	const struct field_row *row = field_row(field);
	if (row->type == FIELD_TYPE_MAP || row->type == FIELD_TYPE_OS || is_in_elements(row)) {
		complain(s, "the event field %s has no single value", row->path);
		return E_INVALID;
	}
	if (field == FIELD_EVENT_SEQUENCE) {
		complain(s, "event.sequence is not known when headers are written; event.id names "
		            "the same entry");
		return E_INVALID;
	}
	if (!is_usable(row, field)) {
		complain(s, "no event of a handshake has the field %s", row->path);
		return E_INVALID;
	}
	*out = field;
	return E_OK;
}

/* The text up to a field or the end. E_INVALID: a brace without its partner, or a character that is not allowed. */
static int read_text(struct source *s, struct part *part)
{
	part->text = malloc(strlen(s->at) + 1);
	if (part->text == NULL) {
		return E_NOMEM;
	}
	for (; *s->at != '\0'; s->at++) {
		char c = *s->at;
		if (c < ' ' || c > '~') {
			complain(s,
			         "a header's value has visible ASCII characters and spaces only");
			return E_INVALID;
		}
		if ((c == '{' || c == '}') && s->at[1] == c) {
			s->at++;
		} else if (c == '{') {
			break;
		} else if (c == '}') {
			complain(s, "} without {; write }} for the character");
			return E_INVALID;
		}
		part->text[part->len++] = c;
	}
	return E_OK;
}

static int read_part(struct source *s, struct part *part)
{
	part->field = FIELD_COUNT;
	int err = read_text(s, part);
	if (err != E_OK || *s->at == '\0') {
		return err;
	}
	const char *name = s->at + 1;
	const char *end = strchr(name, '}');
	if (end == NULL) {
		complain(s, "{ without }; write {{ for the character");
		return E_INVALID;
	}
	s->at = end + 1;
	return find_field(s, slice_of(name, (size_t)(end - name)), &part->field);
}

int template_new(struct template **out, const char *text, const char *file, struct mark at,
                 struct diag *diag)
{
	struct template *t = calloc(1, sizeof(*t));
	if (t == NULL) {
		return E_NOMEM;
	}
	struct source s = {text, file, at, diag};
	int err = E_OK;
	while (err == E_OK && *s.at != '\0') {
		if (t->count == PARTS_MAX) {
			complain(&s, "more than %d fields in one header", PARTS_MAX);
			err = E_INVALID;
			break;
		}
		err = read_part(&s, &t->parts[t->count++]);
	}
	if (err != E_OK) {
		template_free(&t);
		return err;
	}
	*out = t;
	return E_OK;
}

void template_free(struct template **t)
{
	if (*t == NULL) {
		return;
	}
	for (size_t i = 0; i < (*t)->count; i++) {
		free((*t)->parts[i].text);
	}
	free(*t);
	*t = NULL;
}

static bool begins(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

/* What comes from the ClientHello alone is not the certificate's; everything that is not known to be harmless is. */
static bool is_of_certificate(enum event_field field)
{
	static const char *const others[] = {"tls.client.server_name", "tls.client.ja3"};
	const char *path = field_row(field)->path;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(path, others[i]) == 0) {
			return false;
		}
	}
	return begins(path, "tls.client.") || begins(path, "user.") ||
	       begins(path, "related.hash") || begins(path, "related.user") ||
	       begins(path, "tlscribe.certificate.") || begins(path, "tlscribe.path") ||
	       begins(path, "tlscribe.revocation.") || strcmp(path, "message") == 0 ||
	       strcmp(path, "tlscribe.anchor_file") == 0 ||
	       strcmp(path, "tlscribe.days_left") == 0 ||
	       strcmp(path, "tlscribe.spki_sha256") == 0 ||
	       strcmp(path, "tlscribe.evidence.chain_sha256") == 0;
}

bool template_tells_of_certificate(const struct template *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->parts[i].field != FIELD_COUNT && is_of_certificate(t->parts[i].field)) {
			return true;
		}
	}
	return false;
}

/* --- rendering --- */

static void put_byte(struct buf *out, uint8_t c)
{
	if (c > ' ' && c <= '~' && strchr("%,;\"\\", c) == NULL) {
		buf_append_byte(out, c);
		return;
	}
	buf_append_byte(out, '%');
	buf_append_hex(out, slice_of(&c, 1), true);
}

static void put_character(struct buf *out, uint32_t point)
{
	if (point < 0x80) {
		put_byte(out, (uint8_t)point);
		return;
	}
	if (point < 0x800) {
		put_byte(out, (uint8_t)(0xc0 | point >> 6));
	} else {
		if (point < 0x10000) {
			put_byte(out, (uint8_t)(0xe0 | point >> 12));
		} else {
			put_byte(out, (uint8_t)(0xf0 | point >> 18));
			put_byte(out, (uint8_t)(0x80 | (point >> 12 & 63)));
		}
		put_byte(out, (uint8_t)(0x80 | (point >> 6 & 63)));
	}
	put_byte(out, (uint8_t)(0x80 | (point & 63)));
}

static bool read_hex4(struct lookup *r, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		if (r->at >= r->text.len) {
			return false;
		}
		uint8_t c = r->text.data[r->at++];
		uint32_t digit = c >= '0' && c <= '9'   ? c - (uint32_t)'0'
		                 : c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10
		                 : c >= 'A' && c <= 'F' ? c - (uint32_t)'A' + 10
		                                        : 16;
		if (digit == 16) {
			return false;
		}
		*out = *out << 4 | digit;
	}
	return true;
}

/* \uXXXX, the two first characters of which are taken; a surrogate with its partner. */
static bool read_point(struct lookup *r, uint32_t *point)
{
	if (!read_hex4(r, point)) {
		return false;
	}
	if (*point < 0xd800 || *point > 0xdfff) {
		return true;
	}
	uint32_t low;
	if (*point > 0xdbff || !lookup_take(r, '\\') || !lookup_take(r, 'u') ||
	    !read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff) {
		return false;
	}
	*point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool put_escaped(struct buf *out, struct slice text)
{
	struct lookup r = {text, 0};
	while (r.at < text.len) {
		uint8_t c = text.data[r.at++];
		if (c != '\\') {
			put_byte(out, c);
			continue;
		}
		uint32_t point;
		if (lookup_take(&r, 'u')) {
			if (!read_point(&r, &point)) {
				return false;
			}
			put_character(out, point);
		} else if (lookup_take(&r, '"')) {
			put_byte(out, '"');
		} else if (lookup_take(&r, '\\')) {
			put_byte(out, '\\');
		} else {
			return false; /* the encoder writes no other escape */
		}
	}
	return true;
}

/* Of an array only the one element. */
static bool put_value(struct buf *out, struct slice value)
{
	struct lookup r = {value, 0};
	bool array = lookup_take(&r, '[');
	struct slice text;
	if (r.at < value.len && value.data[r.at] == '"') {
		return lookup_string(&r, &text) && (!array || lookup_take(&r, ']')) &&
		       r.at == value.len && put_escaped(out, text);
	}
	return !array && put_escaped(out, value);
}

static bool render(const struct template *t, struct buf *out, struct slice body)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct part *part = &t->parts[i];
		buf_append(out, part->text, part->len);
		if (part->field == FIELD_COUNT) {
			continue;
		}
		const char *path = field_row(part->field)->path;
		struct slice value;
		if (!lookup_value(body, path, &value) || lookup_is_cut(body, path) ||
		    !put_value(out, value)) {
			return false;
		}
	}
	return true;
}

bool template_render(const struct template *t, struct buf *out, struct slice event_body)
{
	size_t before = out->len;
	if (!render(t, out, event_body)) {
		buf_truncate(out, before);
		return false;
	}
	return true;
}
