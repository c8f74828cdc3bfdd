/* Accepts on one listening socket for one worker, and knows when to stop for a while.
 *
 * Without file descriptors (EMFILE, ENFILE) or memory accepting pauses for 100 ms instead of spinning; the owner pauses it
 * while the journal's queue is full. Thread: the worker that started it. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include <ev.h>

struct acceptor;

/* A new connection: the callee owns fd (non-blocking, close-on-exec). */
typedef void acceptor_accepted(void *arg, unsigned listener, int fd, const struct sockaddr *peer,
                               socklen_t len);

int acceptor_new(struct acceptor **out, struct ev_loop *loop, int fd, unsigned listener,
                 acceptor_accepted *accepted, void *arg);
/* Stops; the socket stays open. */
void acceptor_free(struct acceptor **acceptor);
int acceptor_fd(const struct acceptor *acceptor);
/* The number that `accepted` gets: a reload may move a listener. */
void acceptor_renumber(struct acceptor *acceptor, unsigned listener);
void acceptor_pause(struct acceptor *acceptor, bool pause);
/* Accepts what is queued now, until it is empty, pause or not. Bounded, as others may go on connecting. */
void acceptor_drain(struct acceptor *acceptor);
