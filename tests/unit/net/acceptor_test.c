#include "net/acceptor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

struct seen {
	int count;
	int fds[16];
};

static void on_accepted(void *arg, unsigned listener, int fd, const struct sockaddr *peer,
                        socklen_t len)
{
	struct seen *seen = arg;
	CU_ASSERT_EQUAL(listener, 7);
	CU_ASSERT_EQUAL(peer->sa_family, AF_INET);
	CU_ASSERT_EQUAL(len, sizeof(struct sockaddr_in));
	seen->fds[seen->count++] = fd;
}

static int listen_here(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(*at);
	CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)at, len) == 0 && listen(fd, 16) == 0);
	CU_ASSERT_FATAL(getsockname(fd, (struct sockaddr *)at, &len) == 0);
	return fd;
}

static int dial(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_FATAL(connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0);
	return fd;
}

static void without_descriptors_it_pauses_and_comes_back(void)
{
	struct sockaddr_in at;
	int listening = listen_here(&at);
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct seen seen = {0};
	struct acceptor *a = NULL;
	CU_ASSERT_FATAL(acceptor_new(&a, loop, listening, 7, on_accepted, &seen) == 0);
	ev_run(loop, EVRUN_NOWAIT);
	int client = dial(&at);

	struct rlimit before, none;
	getrlimit(RLIMIT_NOFILE, &before);
	int probe = dup(listening);
	close(probe);
	none = before;
	none.rlim_cur = (rlim_t)probe;
	setrlimit(RLIMIT_NOFILE, &none);
	ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(seen.count, 0);
	/* Paused: the connection is still queued, yet the loop has nothing but the timer to do. */
	CU_ASSERT_EQUAL(ev_pending_count(loop), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	for (int turns = 0; seen.count == 0 && turns < 10; turns++) {
		ev_run(loop, EVRUN_ONCE);
	}
	CU_ASSERT_EQUAL(seen.count, 1);
	close(seen.fds[0]);
	close(client);
	acceptor_free(&a);
	ev_loop_destroy(loop);
	close(listening);
}

static void a_drain_takes_all_that_is_queued_even_when_paused(void)
{
	struct sockaddr_in at;
	int listening = listen_here(&at);
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct seen seen = {0};
	struct acceptor *a = NULL;
	CU_ASSERT_FATAL(acceptor_new(&a, loop, listening, 7, on_accepted, &seen) == 0);
	acceptor_pause(a, true);
	int clients[3];
	for (int i = 0; i < 3; i++) {
		clients[i] = dial(&at);
	}
	ev_run(loop, EVRUN_NOWAIT);
	CU_ASSERT_EQUAL(seen.count, 0);
	acceptor_drain(a);
	CU_ASSERT_EQUAL(seen.count, 3);
	for (int i = 0; i < 3; i++) {
		close(clients[i]);
		close(seen.fds[i]);
	}
	acceptor_free(&a);
	ev_loop_destroy(loop);
	close(listening);
}

static const struct unit_test tests[] = {
	{"without descriptors it pauses and comes back",
         without_descriptors_it_pauses_and_comes_back},
	{"a drain takes all that is queued, even when paused",
         a_drain_takes_all_that_is_queued_even_when_paused},
};
UNIT_MAIN("net/acceptor", tests)
