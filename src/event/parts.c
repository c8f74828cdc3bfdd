#include "event/parts.h"

#include <sys/socket.h>

void ips_format(struct ips *ips, const struct endpoint *source, const struct endpoint *destination,
                const struct endpoint *peer)
{
	ips->source = slice_of(ips->text[0], endpoint_ip(ips->text[0], source));
	ips->destination = slice_of(ips->text[1], endpoint_ip(ips->text[1], destination));
	ips->peer = slice_of(ips->text[2], endpoint_ip(ips->text[2], peer));
}

struct slice labels_of(const struct event_source *from, const struct event_service *service)
{
	return service != NULL ? service->labels : from->labels;
}

void put_ends(struct encoder *e, const struct ends *ends, const struct ips *ips)
{
	struct json_mark source = open_object(e, "source");
	put_text(e, FIELD_SOURCE_IP, ips->source);
	if (ips->source.len > 0) {
		put_u64(e, FIELD_SOURCE_PORT, ends->source->port);
	}
	if (ends->counted) {
		put_u64(e, FIELD_SOURCE_BYTES, ends->source_bytes);
	}
	close_object(e, source);

	struct json_mark destination = open_object(e, "destination");
	put_text(e, FIELD_DESTINATION_IP, ips->destination);
	if (ips->destination.len > 0) {
		put_u64(e, FIELD_DESTINATION_PORT, ends->destination->port);
	}
	put_text(e, FIELD_DESTINATION_DOMAIN, ends->domain);
	if (ends->counted) {
		put_u64(e, FIELD_DESTINATION_BYTES, ends->destination_bytes);
	}
	close_object(e, destination);

	struct json_mark server = open_object(e, "server");
	put_string(e, FIELD_SERVER_ADDRESS, ends->server);
	close_object(e, server);

	struct json_mark network = open_object(e, "network");
	put_string(e, FIELD_NETWORK_DIRECTION, ends->egress ? "egress" : "ingress");
	if (ends->source->family == AF_INET) {
		put_literal(e, FIELD_NETWORK_TRANSPORT, "tcp");
		put_literal(e, FIELD_NETWORK_TYPE, "ipv4");
	} else if (ends->source->family == AF_INET6) {
		put_literal(e, FIELD_NETWORK_TRANSPORT, "tcp");
		put_literal(e, FIELD_NETWORK_TYPE, "ipv6");
	}
	put_string(e, FIELD_NETWORK_PROTOCOL, ends->protocol);
	close_object(e, network);
}

void put_service(struct encoder *e, const struct event_service *service)
{
	struct json_mark object = open_object(e, "service");
	put_string(e, FIELD_SERVICE_NAME, service != NULL ? service->name : NULL);
	close_object(e, object);
}

void put_peer(struct encoder *e, const struct ips *ips, const struct endpoint *peer)
{
	if (ips->peer.len > 0) {
		struct json_mark object = open_object(e, "peer");
		put_text(e, FIELD_TLSCRIBE_PEER_IP, ips->peer);
		put_u64(e, FIELD_TLSCRIBE_PEER_PORT, peer->port);
		close_object(e, object);
	}
}

void put_related_ips(struct encoder *e, const struct ips *ips)
{
	struct json_mark mark;
	if (!open_array(e, FIELD_RELATED_IP, &mark)) {
		return;
	}
	unsigned put = 0;
	put_element(e, FIELD_RELATED_IP, ips->source, &put);
	if (!slice_equal(ips->destination, ips->source)) {
		put_element(e, FIELD_RELATED_IP, ips->destination, &put);
	}
	if (!slice_equal(ips->peer, ips->source) && !slice_equal(ips->peer, ips->destination)) {
		put_element(e, FIELD_RELATED_IP, ips->peer, &put);
	}
	close_array(e, FIELD_RELATED_IP, mark);
}

void put_when_and_what(struct encoder *e, int64_t at_us, const struct message *message)
{
	put_time(e, FIELD_TIMESTAMP, at_us);
	put_key(e, FIELD_MESSAGE);
	json_escaped(&e->json, message->text, message->len);
}
