/* Which events of a descriptor its watcher waits for; touches epoll only when that changes. Thread: the loop's. */
#pragma once

#include <ev.h>

/* events: EV_READ | EV_WRITE, 0 for none. The watcher was set up by ev_io_init(). */
static inline void io_wait(struct ev_loop *loop, struct ev_io *io, int fd, int events)
{
	int now = ev_is_active(io) ? io->events & (EV_READ | EV_WRITE) : 0;
	if (now == events) {
		return;
	}
	ev_io_stop(loop, io);
	ev_io_set(io, fd, events);
	if (events != 0) {
		ev_io_start(loop, io);
	}
}
