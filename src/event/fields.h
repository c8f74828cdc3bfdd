/* The fields of an event: one row each in fields.def. Encoder, JSON Schema, field list, filters
 * and mappings to other schemas are made from it or held to it. Thread: any, constant. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The version of fields.def; every entry says it as tlscribe.schema. Grows when a field changes
 * or goes. */
#define FIELDS_VERSION "1"
#define FIELDS_ECS_VERSION "9.4.0"

/* In the order of the bytes. */
enum event_field {
#define FIELD(symbol, parent, name, type, flags, actions, required, ocsf, cef, doc) FIELD_##symbol,
#include "event/fields.def"
#undef FIELD
	FIELD_COUNT,
};

enum field_type {
	FIELD_TYPE_K,   /* keyword */
	FIELD_TYPE_N,   /* integer */
	FIELD_TYPE_B,   /* boolean */
	FIELD_TYPE_T,   /* time: UTC, RFC 3339, microseconds */
	FIELD_TYPE_IP,  /* address */
	FIELD_TYPE_MAP, /* object of keywords with names of the operator's */
	FIELD_TYPE_KS,  /* arrays: of keywords, */
	FIELD_TYPE_IPS, /* of addresses, */
	FIELD_TYPE_OS,  /* of objects, whose members are the rows that follow */
};

/* Bits of field_row.flags. */
#define FIELD_INDEXED 1u  /* for queries */
#define FIELD_ECS 2u      /* a field of the Elastic Common Schema; all others are our own */
#define FIELD_RESERVED 4u /* no encoder fills it in this version: the name is taken */
#define FIELD_UNCUT 8u    /* not held to 1,024 bytes, or to 32 elements */

/* Bits of field_row.actions and .required: event.action of an entry. */
enum event_action {
	ACTION_TLS_HANDSHAKE,
	ACTION_REQUEST,
	ACTION_REQUEST_DENIED,
	ACTION_CONNECTION_END,
	ACTION_AUDIT_START,
	ACTION_AUDIT_STOP,
	ACTION_AUDIT_HEARTBEAT,
	ACTION_AUDIT_CONFIG,
	ACTION_AUDIT_GAP,
	ACTION_CONNECTION_REVOKED,
	ACTION_BUILT_COUNT, /* the ones below are reserved as the rows are */
	ACTION_CERTIFICATE_SEEN = ACTION_BUILT_COUNT,
	ACTION_COUNT,
};

struct field_row {
	const char *path; /* "tls.client.x509.subject.common_name" */
	const char *name; /* the last part of it */
	enum field_type type;
	unsigned flags;
	unsigned actions; /* bit (1 << action): the entries it may stand in */
	unsigned required; /* those that always have it; of a row within FIELD_TYPE_OS: the elements that have it */
	const char *ocsf; /* where the value goes in an OCSF 4001 event; "" */
	const char *cef;  /* key of the CEF extension; "" */
	const char *doc;
};

const struct field_row *field_row(enum event_field field);
/* FIELD_COUNT if there is none. */
enum event_field field_by_path(struct slice path);
/* "tls-handshake" */
const char *action_name(enum event_action action);
/* ACTION_COUNT if there is none. */
enum event_action action_by_name(const char *name);

static inline bool field_is_array(enum field_type type)
{
	return type >= FIELD_TYPE_KS;
}
