#include "proxy/announced.h"

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "proxy/conn.h"
#include "proxy/endpoint.h"
#include "proxy/shard.h"

bool announced_wanted(const struct conn *c, const struct sockaddr *peer)
{
	return networks_have(snapshot_listener(c->snapshot, c->listener)->proxies, peer);
}

static struct announced failed(enum peer_class class, const char *detail)
{
	return (struct announced){ANNOUNCED_FAILED, class, detail};
}

static struct announced gone(const struct input *in)
{
	if (input_unread(in) > 0) {
		return failed(CLASS_PEER_CLOSED, in->eof ? "inside of the PROXY header"
		                                         : "reset inside of the PROXY header");
	}
	return failed(CLASS_PEER_CLOSED,
	              in->eof ? "before the first byte" : "reset before the first byte");
}

static void believe(struct conn *c, const struct proxy_header *header,
                    struct sockaddr_storage *counts_for)
{
	struct handshake *hs = c->hs;
	if (header->local) {
		endpoint_sockaddr(counts_for, &hs->source);
		return;
	}
	hs->peer = c->announcer = hs->source;
	endpoint_of(&hs->source, (const struct sockaddr *)&header->source);
	endpoint_of(&hs->destination, (const struct sockaddr *)&header->destination);
	c->source = hs->source;
	c->destination = hs->destination;
	*counts_for = header->source;
}

struct announced announced_read(struct conn *c, struct sockaddr_storage *counts_for)
{
	struct input *in = &c->input;
	struct proxy_header header;
	while (input_more(in, c->fd, c->shard->input)) {
		switch (proxy_header_parse(&header, slice_of(in->data + in->off, input_unread(in)))) {
		case PROXY_DONE:
			in->off += header.bytes;
			believe(c, &header, counts_for);
			return (struct announced){.step = ANNOUNCED_READ};
		case PROXY_LONG:
			return failed(CLASS_LIMIT_EXCEEDED, "the PROXY header is too long");
		case PROXY_BAD:
			return failed(CLASS_PROTOCOL_ERROR, header.bad);
		case PROXY_MORE:
			break;
		}
	}
	if (in->eof || in->error != 0) {
		return gone(in);
	}
	if (input_settle(in) != E_OK) {
		return failed(CLASS_INTERNAL_ERROR, "out of memory");
	}
	return (struct announced){.step = ANNOUNCED_MORE};
}
