/* The one input buffer of a connection: socket -> here -> sniff and GnuTLS, counted.
 *
 * GnuTLS 3.7.9 buffers 14 MB for one unauthenticated ClientHello header before any hook runs: the budget here is what bounds
 * it. Reading in pieces of 16 KiB also makes 2-3 recv() calls of a handshake's 10. Between events the buffer
 * is almost always empty, so bytes are read into the worker's scratch memory and only a rest is copied.
 *
 * Thread: the worker of its connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INPUT_SCRATCH_LEN 16640 /* a full TLS record and its header */

struct input {
	uint8_t *data; /* scratch or own */
	size_t off;
	size_t len; /* unread bytes are data[off..len) */
	bool own;   /* data is heap memory of this buffer */
	bool eof;
	bool dry;  /* the last recv() took all there was: the socket is level-triggered, so wait */
	int error; /* errno of the socket, for good; 0: none */
	uint64_t received; /* bytes in all */
	uint64_t budget; /* bytes that may still be pulled; input_pull() fails with EMSGSIZE beyond */
	bool over;       /* the budget was exceeded */
};

void input_init(struct input *in, uint64_t budget);
void input_release(struct input *in);
static inline size_t input_unread(const struct input *in)
{
	return in->len - in->off;
}
/* recv() once into `scratch` when nothing is unread. False: nothing came (see eof, error). */
bool input_fill(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN]);
/* The same behind what is unread, which is kept and has to be shorter than the scratch memory. It is not counted against the budget:
 * the caller bounds it. */
bool input_more(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN]);
/* As recv(2), from the buffer, filling it when empty. -1 with EAGAIN, EMSGSIZE (over budget) or the socket's errno. */
ssize_t input_pull(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN], void *to,
                   size_t len);
/* Before the scratch memory serves another connection: keeps the rest. E_NOMEM: it is lost, end the connection. */
int input_settle(struct input *in);
/* A new event on the socket: it may hold more again. */
static inline void input_ready(struct input *in)
{
	in->dry = false;
}
