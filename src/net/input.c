#include "net/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/err.h"

void input_init(struct input *in, uint64_t budget)
{
	*in = (struct input){.budget = budget};
}

void input_release(struct input *in)
{
	if (in->own) {
		free(in->data);
	}
	in->data = NULL;
	in->own = false;
	in->off = in->len = 0;
}

bool input_fill(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN])
{
	BUG_IF(input_unread(in) != 0);
	return input_more(in, fd, scratch);
}

bool input_more(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN])
{
	size_t rest = input_unread(in);
	BUG_IF(rest >= INPUT_SCRATCH_LEN);
	if (in->eof || in->error != 0 || in->dry) {
		return false;
	}
	if (rest > 0) { /* it may be in the scratch memory already */
		memmove(scratch, in->data + in->off, rest);
	}
	input_release(in);
	if (rest > 0) {
		in->data = scratch;
		in->len = rest;
	}
	ssize_t n;
	do {
		n = recv(fd, scratch + rest, INPUT_SCRATCH_LEN - rest, 0);
	} while (n == -1 && errno == EINTR);
	if (n == -1) {
		if (errno == EAGAIN) {
			in->dry = true;
		} else {
			in->error = errno;
		}
		return false;
	}
	if (n == 0) {
		in->eof = true;
		return false;
	}
	in->data = scratch;
	in->len = rest + (size_t)n;
	in->received += (uint64_t)n;
	in->dry = in->len < INPUT_SCRATCH_LEN;
	return true;
}

ssize_t input_pull(struct input *in, int fd, uint8_t scratch[static INPUT_SCRATCH_LEN], void *to,
                   size_t len)
{
	if (in->over) {
		errno = EMSGSIZE;
		return -1;
	}
	if (input_unread(in) == 0 && !input_fill(in, fd, scratch)) {
		if (in->eof) {
			return 0;
		}
		errno = in->error != 0 ? in->error : EAGAIN;
		return -1;
	}
	size_t n = input_unread(in) < len ? input_unread(in) : len;
	if (n > in->budget) {
		in->over = true;
		errno = EMSGSIZE;
		return -1;
	}
	in->budget -= n;
	memcpy(to, in->data + in->off, n);
	in->off += n;
	return (ssize_t)n;
}

int input_settle(struct input *in)
{
	size_t rest = input_unread(in);
	if (rest == 0) {
		input_release(in);
		return E_OK;
	}
	if (in->own) {
		return E_OK;
	}
	uint8_t *data = malloc(rest);
	if (data == NULL) {
		return E_NOMEM;
	}
	memcpy(data, in->data + in->off, rest);
	in->data = data;
	in->off = 0;
	in->len = rest;
	in->own = true;
	return E_OK;
}
