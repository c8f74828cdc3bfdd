/* What identity.c, identity_names.c and the renderers share. Private to http/identity*. */
#pragma once

#include "http/identity.h"

enum identity_preset {
#define PRESET(symbol, word, absent) PRESET_##symbol,
#define HEADER(preset, name, renderer, kind)
#include "http/identity.def"
#undef HEADER
#undef PRESET
	PRESET_COUNT,
};

/* Attributes of `akamai`: bits of identity_use.attributes. */
enum identity_akamai {
	AKAMAI_SUBJECT = 1 << 0,
	AKAMAI_CN = 1 << 1,
	AKAMAI_SHA256 = 1 << 2,
	AKAMAI_ISSUER = 1 << 3,
};

/* How one service uses a preset. */
struct identity_use {
	enum identity_absent absent; /* never ABSENT_DEFAULT */
	unsigned attributes;         /* 0: the complete certificate */
	bool told; /* a status is among the headers: else there is no data of unverified certificates */
};

/* STATUS tells whether the certificate was verified, PRESENCE only that there was one. */
enum identity_kind { IDENTITY_DATA, IDENTITY_STATUS, IDENTITY_PRESENCE };

/* A value is written into memory of IDENTITY_VALUE_MAX bytes: what does not fit is seen as E_LIMIT of `out`. */
struct identity_value {
	struct buf out;
	const struct identity *identity;
	const struct identity_use *use;
	struct identity_omitted *omitted;
};

/* False: the certificate has no such thing, or there is no room for it. */
typedef bool identity_renderer(struct identity_value *v);

struct identity_row {
	enum identity_preset preset;
	const char *name;
	enum identity_kind kind;
	identity_renderer *render;
};

size_t identity_row_count(void);
const struct identity_row *identity_row_at(size_t i);
const char *identity_preset_word(enum identity_preset preset);
enum identity_absent identity_preset_absent(enum identity_preset preset);

void identity_omit(struct identity_omitted *omitted, const char *name);

/* The first one of the subject, as in user.name of the event; empty: none. */
struct slice identity_common_name(const struct identity *identity);

/* A file each: values with parts of which some can be left out. */
identity_renderer identity_render_xfcc;
identity_renderer identity_render_akamai;
identity_renderer identity_render_traefik_cert;
identity_renderer identity_render_traefik_info;
