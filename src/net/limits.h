/* How many connections there are: in all, and per source address (IPv6 by /64).
 *
 * One table for all workers, striped; a source that has no connection has no entry, so the memory is bounded by the connections.
 * Thread: any. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct limits;

enum limits_answer { LIMITS_GRANTED, LIMITS_TOO_MANY, LIMITS_TOO_MANY_OF_SOURCE, LIMITS_NO_MEMORY };

int limits_new(struct limits **out);
/* Every grant has to be returned. */
void limits_free(struct limits **limits);
/* Counts a connection from `peer` against the two bounds. Only LIMITS_GRANTED was counted. Unix sockets and AF_UNSPEC count in all only. */
enum limits_answer limits_acquire(struct limits *limits, const struct sockaddr *peer,
                                  uint64_t connections, uint64_t per_source);
/* A connection that was granted for `from` counts for the source `to` from now on: in all it counts once as before. Anything but
 * LIMITS_GRANTED leaves it where it was. */
enum limits_answer limits_move(struct limits *limits, const struct sockaddr *from,
                               const struct sockaddr *to, uint64_t per_source);
/* A few words on what was not granted, static. */
const char *limits_refusal(enum limits_answer answer);
void limits_release(struct limits *limits, const struct sockaddr *peer);
/* Connections now. */
uint64_t limits_count(const struct limits *limits);
