/* Objects that several kinds of entries have. Only for event/. */
#pragma once

#include "event/encoder.h"
#include "event/handshake.h"
#include "event/message.h"

/* What is known of the two ends of a connection. */
struct ends {
	const struct endpoint *source, *destination;
	struct slice domain; /* that was asked for; may be empty */
	bool counted;        /* the bytes are known: */
	uint64_t source_bytes, destination_bytes;
	const char *server;   /* of an upstream, as configured; NULL */
	bool egress;          /* we are the source */
	const char *protocol; /* "tls", "http"; NULL: not known */
};

/* Addresses as text, made once: they stand in two places. */
struct ips {
	struct slice source, destination, peer;
	char text[3][ENDPOINT_IP_MAX];
};

void ips_format(struct ips *ips, const struct endpoint *source, const struct endpoint *destination,
                const struct endpoint *peer);
/* The labels of a service, or of the node where there is none. */
struct slice labels_of(const struct event_source *from, const struct event_service *service);
/* source, destination, server and network. */
void put_ends(struct encoder *e, const struct ends *ends, const struct ips *ips);
/* service.name. */
void put_service(struct encoder *e, const struct event_service *service);
/* tlscribe.peer, where a PROXY header changed the source. */
void put_peer(struct encoder *e, const struct ips *ips, const struct endpoint *peer);
/* related.ip: each address once. */
void put_related_ips(struct encoder *e, const struct ips *ips);
/* @timestamp and message. */
void put_when_and_what(struct encoder *e, int64_t at_us, const struct message *message);
/* user and related of a handshake: the user of a verified client alone. */
void put_identity(struct encoder *e, const struct handshake *hs, const struct ips *ips);
/* The whole `tlscribe` object of a handshake, or of what became of one; the end of its line.
 * `revoked` is NULL for a handshake. */
void put_tlscribe(struct encoder *e, const struct handshake *hs, const struct ips *ips,
                  const struct connection_revoked *revoked);
