#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "http/head.h"
#include "http/identity_private.h"

struct header {
	const struct identity_row *row;
	const char *name; /* of the table or the configuration */
	struct mark at;   /* of the name, if it is the configuration's */
	struct identity_use use;
};

struct identity_headers {
	size_t count;
	struct header items[];
};

/* No status is longer: there is always room for it. */
#define IDENTITY_STATUS_MAX 256

void identity_omit(struct identity_omitted *omitted, const char *name)
{
	if (omitted->count < IDENTITY_OMITTED_MAX) {
		omitted->names[omitted->count++] = name;
	}
}

/* `_` and `-` are one character to many back ends. */
static bool is_same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		char x = *a == '_' ? '-' : *a;
		char y = *b == '_' ? '-' : *b;
		if (!http_equal_fold(slice_of(&x, 1), slice_of(&y, 1))) {
			return false;
		}
		if (x == '\0') {
			return true;
		}
	}
}

static enum identity_preset preset_of(const char *word)
{
	for (int i = 0; i < PRESET_COUNT; i++) {
		if (strcmp(identity_preset_word((enum identity_preset)i), word) == 0) {
			return (enum identity_preset)i;
		}
	}
	return PRESET_COUNT;
}

static bool has_header(enum identity_preset preset, const char *name)
{
	for (size_t i = 0; i < identity_row_count(); i++) {
		const struct identity_row *row = identity_row_at(i);
		if (row->preset == preset && is_same_name(row->name, name)) {
			return true;
		}
	}
	return false;
}

static bool is_wanted(const struct config_identity *config, const char *name)
{
	for (size_t i = 0; i < config->only.count; i++) {
		if (is_same_name(config->only.items[i].text, name)) {
			return true;
		}
	}
	return config->only.count == 0;
}

static const struct config_label *renamed(const struct config_identity *config, const char *name)
{
	for (size_t i = 0; i < config->names.count; i++) {
		if (is_same_name(config->names.items[i].name.text, name)) {
			return &config->names.items[i];
		}
	}
	return NULL;
}

static void refuse_unknown(enum identity_preset preset, const struct config_text *name,
                           const char *file, struct diag *diag)
{
	if (has_header(preset, name->text)) {
		return;
	}
	if (http_is_token(slice_text(name->text))) {
		diag_error(diag, file, name->at, "preset %s has no header %.100s",
		           identity_preset_word(preset), name->text);
	} else {
		diag_error(diag, file, name->at, "preset %s has no header of this name",
		           identity_preset_word(preset));
	}
}

static void check_names(const struct config_identity *config, enum identity_preset preset,
                        const char *file, struct diag *diag)
{
	for (size_t i = 0; i < config->only.count; i++) {
		refuse_unknown(preset, &config->only.items[i], file, diag);
	}
	for (size_t i = 0; i < config->names.count; i++) {
		const struct config_text *name = &config->names.items[i].name;
		refuse_unknown(preset, name, file, diag);
		if (has_header(preset, name->text) && !is_wanted(config, name->text)) {
			diag_error(diag, file, name->at,
			           "%s gets another name, but is not among `only`", name->text);
		}
		for (size_t j = 0; j < i; j++) {
			if (is_same_name(name->text, config->names.items[j].name.text)) {
				diag_error(diag, file, name->at,
				           "this header got another name already");
			}
		}
	}
}

/* With `only` the status may be left out. */
static bool is_told(const struct config_identity *config, enum identity_preset preset)
{
	for (size_t i = 0; i < identity_row_count(); i++) {
		const struct identity_row *row = identity_row_at(i);
		if (row->preset == preset && row->kind == IDENTITY_STATUS &&
		    is_wanted(config, row->name)) {
			return true;
		}
	}
	return false;
}

static unsigned attributes_of(const struct config_identity *config, const char *file,
                              struct diag *diag)
{
	static const struct {
		const char *word;
		unsigned bit;
	} known[] = {
		{"subject", AKAMAI_SUBJECT},
		{"cn", AKAMAI_CN},
		{"sha256", AKAMAI_SHA256},
		{"issuer", AKAMAI_ISSUER},
	};
	unsigned bits = 0;
	for (size_t i = 0; i < config->attributes.count; i++) {
		const struct config_text *word = &config->attributes.items[i];
		size_t k = 0;
		while (k < 4 && strcmp(known[k].word, word->text) != 0) {
			k++;
		}
		if (k == 4) {
			diag_error(diag, file, word->at,
			           "an attribute is one of subject, cn, sha256 and issuer");
		} else {
			bits |= known[k].bit;
		}
	}
	return bits;
}

static struct identity_use use_of(const struct config_identity *config, enum identity_preset preset,
                                  const char *file, struct diag *diag)
{
	struct identity_use use = {.absent = config->absent, .told = is_told(config, preset)};
	if (use.absent == ABSENT_DEFAULT) {
		use.absent = identity_preset_absent(preset);
	}
	/* RFC 9440 2.4: without a certificate the fields must not be there. */
	if (preset == PRESET_RFC9440 && use.absent != ABSENT_OMIT) {
		diag_error(diag, file, config->at,
		           "absent: preset rfc9440 can only omit, because RFC 9440 forbids its "
		           "headers "
		           "without a certificate");
	}
	if (config->attributes.count > 0 && preset != PRESET_AKAMAI) {
		diag_error(diag, file, config->attributes.at,
		           "attributes belongs to preset akamai, not to %s",
		           identity_preset_word(preset));
	} else {
		use.attributes = attributes_of(config, file, diag);
	}
	return use;
}

/* Two fields of one name would be read as one list, or one of them not at all. */
static void refuse_repeated(const struct identity_headers *headers, const struct header *header,
                            const struct config_identity *config, const char *file,
                            struct diag *diag)
{
	struct mark at = header->at.line != 0 ? header->at : config->at;
	for (size_t i = 0; i < headers->count; i++) {
		const struct header *other = &headers->items[i];
		if (is_same_name(other->name, header->name)) {
			diag_error(
				diag, file, at,
				"the header %s of preset %s is one of preset %s already: leave one "
				"out with `only`, or rename it with `names`",
				header->name, identity_preset_word(header->row->preset),
				identity_preset_word(other->row->preset));
			return;
		}
	}
}

/* Names of the configuration's own are compared with each other where it is read. */
static void refuse_custom(const struct config_service *service, const struct header *header,
                          const char *file, struct diag *diag)
{
	if (header->at.line != 0) {
		return;
	}
	for (size_t i = 0; i < service->header_count; i++) {
		const struct config_text *name = &service->headers[i].name;
		if (is_same_name(name->text, header->name)) {
			diag_error(diag, file, name->at, "the header %s is one of preset %s already",
			           name->text, identity_preset_word(header->row->preset));
		}
	}
	const struct config_text *event_id = &service->event_id_header;
	if (event_id->text != NULL && is_same_name(event_id->text, header->name)) {
		diag_error(diag, file, event_id->at, "the header %s is one of preset %s already",
		           event_id->text, identity_preset_word(header->row->preset));
	}
}

static bool takes_unverified(const struct config_service *service)
{
	const struct config_client *client = &service->client;
	return client->verify != VERIFY_NONE &&
	       (client->verify == VERIFY_PASSTHROUGH || client->tolerate.mode != TOLERATE_NONE ||
	        service->quarantine.at.line != 0);
}

static void add_preset(struct identity_headers *headers, const struct config_service *service,
                       const struct config_identity *config, const char *file, struct diag *diag)
{
	enum identity_preset preset = preset_of(config->preset.text);
	if (preset == PRESET_COUNT) {
		diag_error(diag, file, config->preset.at, "there is no such preset");
		return;
	}
	check_names(config, preset, file, diag);
	struct identity_use use = use_of(config, preset, file, diag);
	for (size_t i = 0; i < identity_row_count(); i++) {
		const struct identity_row *row = identity_row_at(i);
		if (row->preset != preset || !is_wanted(config, row->name)) {
			continue;
		}
		const struct config_label *other = renamed(config, row->name);
		struct header header = {.row = row, .name = row->name, .use = use};
		if (other != NULL) {
			header.name = other->value.text;
			header.at = other->value.at;
		}
		refuse_repeated(headers, &header, config, file, diag);
		refuse_custom(service, &header, file, diag);
		headers->items[headers->count++] = header;
	}
	if (!use.told && takes_unverified(service)) {
		diag_warn(diag, file, config->at,
		          "clients that were not verified get in here, too, and preset %s tells "
		          "nothing of them without a header of status",
		          identity_preset_word(preset));
	}
}

int identity_headers_new(struct identity_headers **out, const struct config_service *service,
                         const char *file, struct diag *diag)
{
	size_t most = service->identity_count * identity_row_count();
	struct identity_headers *headers =
		calloc(1, sizeof(*headers) + most * sizeof(headers->items[0]));
	if (headers == NULL) {
		return E_NOMEM;
	}
	unsigned before = diag->errors;
	for (size_t i = 0; i < service->identity_count; i++) {
		add_preset(headers, service, &service->identities[i], file, diag);
	}
	if (diag->errors != before) {
		identity_headers_free(&headers);
		return E_INVALID;
	}
	*out = headers;
	return E_OK;
}

void identity_headers_free(struct identity_headers **headers)
{
	free(*headers);
	*headers = NULL;
}

/* Appends the value to `v`. False: the header is not to be written. */
static bool render(const struct header *header, struct identity_value *v)
{
	enum identity_absent absent = header->use.absent;
	if (!v->identity->used) {
		if (absent == ABSENT_OMIT ||
		    (absent == ABSENT_NONE && header->row->kind == IDENTITY_DATA)) {
			return false;
		}
		return header->row->kind == IDENTITY_DATA || header->row->render(v);
	}
	/* What the certificate does not have is absent, too; so is what nobody says that it was not verified. */
	bool hidden =
		header->row->kind == IDENTITY_DATA && !v->identity->verified && !header->use.told;
	bool there = !hidden && header->row->render(v);
	if (v->out.err != E_OK) {
		identity_omit(v->omitted, header->name);
		return false;
	}
	if (!there) {
		buf_reset(&v->out);
	}
	return there || absent == ABSENT_EMPTY;
}

void identity_headers_write(const struct identity_headers *headers, struct buf *out,
                            const struct identity *identity, struct identity_omitted *omitted)
{
	BUG_IF(identity->verified && !identity->used);
	uint8_t room[IDENTITY_VALUE_MAX];
	for (size_t i = 0; i < headers->count; i++) {
		const struct header *header = &headers->items[i];
		struct identity_value v = {
			.identity = identity, .use = &header->use, .omitted = omitted};
		size_t left = out->len < IDENTITY_TOTAL_MAX ? IDENTITY_TOTAL_MAX - out->len : 0;
		left = left < IDENTITY_STATUS_MAX ? IDENTITY_STATUS_MAX : left;
		buf_init_fixed(&v.out, room, left < sizeof(room) ? left : sizeof(room));
		if (!render(header, &v)) {
			continue;
		}
		buf_append_text(out, header->name);
		buf_append_text(out, ": ");
		buf_append_slice(out, buf_slice(&v.out));
		buf_append_text(out, "\r\n");
	}
}
