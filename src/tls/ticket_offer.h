/* Whether a ClientHello can be answered with a resumed session, and its client be given a ticket.
 *
 * Two things have to be sure before GnuTLS 3.7.9 is let near a ticket:
 *
 *   - psk_dhe_ke is on offer: forward secrecy, and RFC 8446 4.2.9 forbids tickets that fit no mode of the client's.
 *   - No HelloRetryRequest follows. GnuTLS reads the tickets of both ClientHellos and keeps what the first one left
 *     behind: a second hello with somebody else's ticket would put their certificates beside the first one's secret.
 *
 * Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* `body` is the handshake message without its 4-byte header, `groups` are the service's by IANA number, in its order;
 * `client_order`: it is sure that the client's counts instead. False also for what is malformed, and for finite field
 * groups, which GnuTLS has rules of its own for. */
bool ticket_offer_fits(struct slice body, const uint16_t *groups, size_t count, bool client_order);
