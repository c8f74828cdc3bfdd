#include "policy/tolerate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/buf.h"
#include "base/err.h"

#define NAME_MAX_LEN 63 /* longer than any known name: not compared further */

struct item {
	enum peer_class class;
	unsigned code; /* 0: any of the class */
	int depth;     /* -1: any */
	int64_t for_s; /* -1: any */
	int64_t until_s;
};

struct tolerate {
	enum tolerate_mode mode;
	size_t count;
	struct item items[];
};

static const struct openssl_name {
	const char *name;
	unsigned number;
	enum peer_class class;
	unsigned code;
	bool part; /* says less than the class */
} openssl_names[] = {
#define X509_V_ERR(name, number, class, code) \
	{"X509_V_ERR_" #name, number, CLASS_##class, code, false},
#define X509_V_PART(name, number, class) {"X509_V_ERR_" #name, number, CLASS_##class, 0, true},
#include "peer/x509_v_err.def"
#undef X509_V_ERR
#undef X509_V_PART
};
#define OPENSSL_NAMES (sizeof(openssl_names) / sizeof(openssl_names[0]))

/* How many characters to insert, delete or exchange (Levenshtein); both at most NAME_MAX_LEN
 * long. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1];
	size_t b_len = strlen(b);
	for (size_t k = 0; k <= b_len; k++) {
		row[k] = (unsigned)k;
	}
	for (size_t i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t k = 0; k < b_len; k++) {
			unsigned change = diagonal + (a[i] == b[k] ? 0 : 1);
			unsigned other = (row[k] < row[k + 1] ? row[k] : row[k + 1]) + 1;
			diagonal = row[k + 1];
			row[k + 1] = change < other ? change : other;
		}
	}
	return row[b_len];
}

/* May `tolerate` have it? */
static bool is_taken(const struct openssl_name *name)
{
	return !name->part && peer_class_row(name->class)->tolerable;
}

/* The tolerable name that is most like it; NULL if none is. */
static const char *nearest(const char *name)
{
	const char *best = NULL;
	size_t len = strlen(name);
	/* Half of it wrong is another word. */
	unsigned least = (unsigned)len / 2 + 1;
	if (len == 0 || len > NAME_MAX_LEN) {
		return NULL;
	}
	for (unsigned i = 0; i < CLASS_COUNT + OPENSSL_NAMES; i++) {
		bool is_class = i < CLASS_COUNT;
		const char *known = is_class ? peer_class_row((enum peer_class)i)->name
		                             : openssl_names[i - CLASS_COUNT].name;
		if (is_class ? !peer_class_row((enum peer_class)i)->tolerable
		             : !is_taken(&openssl_names[i - CLASS_COUNT])) {
			continue;
		}
		unsigned far = distance(name, known);
		if (far < least) {
			least = far;
			best = known;
		}
	}
	return best;
}

/* Decimal digits alone, below a million. */
static bool read_number(const char *text, unsigned *out)
{
	size_t len = strlen(text);
	if (len == 0 || len > 6 || strspn(text, "0123456789") != len) {
		return false;
	}
	*out = (unsigned)strtoul(text, NULL, 10);
	return true;
}

/* By name or number; NULL. */
static const struct openssl_name *find_openssl(const char *text)
{
	unsigned number;
	bool is_number = read_number(text, &number);
	for (size_t i = 0; i < OPENSSL_NAMES; i++) {
		if (is_number ? openssl_names[i].number == number
		              : strcmp(openssl_names[i].name, text) == 0) {
			return &openssl_names[i];
		}
	}
	return NULL;
}

/* A class by its name or its code; CLASS_COUNT. */
static enum peer_class find_class(const char *text)
{
	unsigned number;
	if (!read_number(text, &number)) {
		return peer_class_by_name(text);
	}
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		const struct peer_class_row *row = peer_class_row((enum peer_class)i);
		if (row->code_leaf == number || row->code_issuer == number) {
			return (enum peer_class)i;
		}
	}
	return CLASS_COUNT;
}

/* Why a class is never tolerated, where there is another way to what was meant. */
static const char *why_never(enum peer_class class)
{
	switch (class) {
	case CLASS_REVOCATION_UNKNOWN:
		return ": `soft` in revocation and ocsp.mode lets in whom nothing is known of";
	case CLASS_ISSUER_NOT_ALLOWED:
		return ": name the CA among the issuers of the service";
	case CLASS_NOT_ALLOWLISTED:
		return ": put the certificate on a list of the service";
	case CLASS_WRONG_NAME:
		return ": it is a fault of back ends alone";
	default:
		return "";
	}
}

/* Is this a class with a date to count from? */
static bool has_date(enum peer_class class)
{
	return class == CLASS_EXPIRED || class == CLASS_NOT_YET_VALID;
}

static bool compile(struct item *out, const struct config_tolerate_item *from, const char *file,
                    struct diag *diag)
{
	*out = (struct item){.depth = from->depth, .for_s = from->for_s, .until_s = from->until_s};
	const char *name = from->name.text == NULL ? "" : from->name.text;
	const struct openssl_name *openssl = find_openssl(name);
	out->class = openssl != NULL ? openssl->class : find_class(name);
	out->code = openssl != NULL ? openssl->code : 0;
	if (out->class == CLASS_COUNT) {
		const char *like = nearest(name);
		diag_error(diag, file, from->name.at, "tolerate: there is no class \"%s\"%s%s%s",
		           name, like == NULL ? "" : "; did you mean ", like == NULL ? "" : like,
		           like == NULL ? "" : "?");
		return false;
	}
	if (!peer_class_row(out->class)->tolerable) {
		diag_error(diag, file, from->name.at, "tolerate: %s can never be tolerated%s",
		           peer_class_row(out->class)->name, why_never(out->class));
		return false;
	}
	if (openssl != NULL && openssl->part) {
		diag_error(diag, file, from->name.at,
		           "tolerate: %s (%u) is only a part of %s, which is not divided here: "
		           "name the class if all of it is meant",
		           openssl->name, openssl->number, peer_class_row(out->class)->name);
		return false;
	}
	if (out->for_s >= 0 && !has_date(out->class)) {
		diag_error(diag, file, from->name.at,
		           "tolerate: `for` needs a date to count from, which expired and "
		           "not_yet_valid have, not %s",
		           peer_class_row(out->class)->name);
		return false;
	}
	if (out->class == CLASS_ISSUER_NOT_CA) {
		diag_warn(diag, file, from->name.at,
		          "tolerate: issuer_not_ca lets everybody who holds a certificate of these "
		          "CAs issue more of them");
	}
	return true;
}

int tolerate_new(struct tolerate **out, const struct config_tolerate *config, const char *file,
                 struct diag *diag)
{
	size_t count = config->mode == TOLERATE_LIST ? config->count : 0;
	if (count > (SIZE_MAX - sizeof(struct tolerate)) / sizeof(struct item)) {
		return E_NOMEM;
	}
	struct tolerate *tolerate =
		calloc(1, sizeof(*tolerate) + count * sizeof(tolerate->items[0]));
	if (tolerate == NULL) {
		return E_NOMEM;
	}
	tolerate->mode = config->mode;
	tolerate->count = count;
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		good = compile(&tolerate->items[i], &config->items[i], file, diag) && good;
	}
	if (!good) {
		free(tolerate);
		return E_INVALID;
	}
	*out = tolerate;
	return E_OK;
}

void tolerate_free(struct tolerate **tolerate)
{
	free(*tolerate);
	*tolerate = NULL;
}

static bool forgives(const struct item *item, const struct finding *finding, int64_t now_s)
{
	if (item->class != finding->class || (item->code != 0 && item->code != finding->code) ||
	    (item->depth >= 0 && item->depth != finding->depth) || now_s >= item->until_s) {
		return false;
	}
	if (item->for_s < 0) {
		return true;
	}
	int64_t age =
		finding->class == CLASS_EXPIRED ? now_s - finding->at_s : finding->at_s - now_s;
	return age <= item->for_s;
}

static bool is_forgiven(const struct tolerate *tolerate, const struct finding *finding,
                        int64_t now_s)
{
	/* The table has the last word, whatever was compiled. */
	if (!peer_class_row(finding->class)->tolerable) {
		return false;
	}
	if (tolerate->mode == TOLERATE_ALL) {
		return true;
	}
	for (size_t i = 0; i < tolerate->count; i++) {
		if (forgives(&tolerate->items[i], finding, now_s)) {
			return true;
		}
	}
	return false;
}

uint32_t tolerate_match(const struct tolerate *tolerate, const struct verdict *verdict,
                        int64_t now_s)
{
	_Static_assert(VERDICT_FINDINGS_MAX <= 32, "a bit each");
	uint32_t forgiven = 0;
	for (size_t i = 0; i < verdict->finding_count; i++) {
		if (is_forgiven(tolerate, &verdict->findings[i], now_s)) {
			forgiven |= UINT32_C(1) << i;
		}
	}
	return forgiven;
}

static void narrow(int64_t moment_s, int64_t now_s, int64_t *from_s, int64_t *until_s)
{
	if (moment_s <= now_s && moment_s > *from_s) {
		*from_s = moment_s;
	}
	if (moment_s > now_s && moment_s < *until_s) {
		*until_s = moment_s;
	}
}

void tolerate_narrow(const struct tolerate *tolerate, const struct verdict *verdict, int64_t now_s,
                     int64_t *from_s, int64_t *until_s)
{
	for (size_t i = 0; i < verdict->finding_count; i++) {
		const struct finding *finding = &verdict->findings[i];
		for (size_t k = 0; k < tolerate->count; k++) {
			const struct item *item = &tolerate->items[k];
			if (item->class != finding->class) {
				continue;
			}
			narrow(item->until_s, now_s, from_s, until_s);
			if (item->for_s >= 0) {
				narrow(finding->class == CLASS_EXPIRED
				               ? finding->at_s + item->for_s + 1
				               : finding->at_s - item->for_s,
				       now_s, from_s, until_s);
			}
		}
	}
}

/* In the largest unit that goes up: 7d, 90m. */
static void put_duration(struct buf *b, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;
	while (seconds % units[i].seconds != 0) {
		i++;
	}
	if (seconds == 0) {
		i = 3;
	}
	buf_append_i64(b, seconds / units[i].seconds);
	buf_append_byte(b, (uint8_t)units[i].unit);
}

/* A date, with the time of day if it is not midnight UTC. */
static void put_time(struct buf *b, int64_t when_s)
{
	time_t when = (time_t)when_s;
	struct tm tm;
	char text[64];
	if (gmtime_r(&when, &tm) == NULL) {
		buf_append_i64(b, when_s);
		return;
	}
	size_t len = strftime(text, sizeof(text),
	                      when_s % 86400 == 0 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_append(b, text, len);
}

static void put_condition(struct buf *b, bool *opened)
{
	buf_append_text(b, *opened ? ", " : " (");
	*opened = true;
}

static void put_item(struct buf *b, const struct item *item)
{
	bool opened = false;
	buf_append_text(b, peer_class_row(item->class)->name);
	if (item->code != 0) {
		put_condition(b, &opened);
		buf_append_text(b, "code ");
		buf_append_u64(b, item->code);
	}
	if (item->depth >= 0) {
		put_condition(b, &opened);
		buf_append_text(b, "depth ");
		buf_append_i64(b, item->depth);
	}
	if (item->for_s >= 0) {
		put_condition(b, &opened);
		buf_append_text(b, "for ");
		put_duration(b, item->for_s);
	}
	if (item->until_s != INT64_MAX) {
		put_condition(b, &opened);
		buf_append_text(b, "until ");
		put_time(b, item->until_s);
	}
	if (opened) {
		buf_append_byte(b, ')');
	}
}

void tolerate_describe(const struct tolerate *tolerate, char *out, size_t cap)
{
	BUG_IF(cap == 0);

	struct buf b;
	buf_init_fixed(&b, out, cap - 1);
	if (tolerate->mode == TOLERATE_ALL) {
		buf_append_text(&b, "all");
	} else if (tolerate->count == 0) {
		buf_append_text(&b, "none");
	}
	for (size_t i = 0; i < tolerate->count; i++) {
		if (i > 0) {
			buf_append_text(&b, ", ");
		}
		put_item(&b, &tolerate->items[i]);
	}
	out[b.len] = '\0';
}
