/* The plain back end that every server under test shares, and the syslog receiver of those that log.
 *
 *   backend TCP_PORT UDP_PORT
 *
 * Answers each HTTP request with 200 and two bytes, or as many as its path says (/1024); closes if asked to. Counts
 * requests and received datagrams, prints {"requests": N, "datagrams": N} for each line on stdin, ends with stdin. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char closing[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
static const char keeping[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static unsigned long requests, datagrams;

/* What is left to send of an answer, by descriptor. */
static uint64_t left[1 << 16];

static void die(const char *what)
{
	fprintf(stderr, "backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(int type, const char *port, int epoll)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1, room = 4 << 20;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) == -1 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    (type == SOCK_STREAM && listen(fd, 4096) == -1)) {
		die("socket");
	}
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
		die("epoll_ctl");
	}
	return fd;
}

static void accept_all(int listener, int epoll)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if (fd >= (int)(sizeof(left) / sizeof(left[0]))) {
			die("too many connections");
		}
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
			die("epoll_ctl");
		}
	}
}

static void end(int fd)
{
	left[fd] = 0;
	close(fd);
}

/* EPOLLOUT is asked for while something is left. */
static void send_rest(int fd, int epoll, bool waited)
{
	static const char zeros[65536];
	while (left[fd] > 0) {
		size_t len = left[fd] < sizeof(zeros) ? (size_t)left[fd] : sizeof(zeros);
		ssize_t n = send(fd, zeros, len, MSG_NOSIGNAL);
		if (n == -1) {
			break;
		}
		left[fd] -= (uint64_t)n;
	}
	if ((left[fd] > 0) != waited) {
		struct epoll_event ev = {.events = left[fd] > 0 ? EPOLLOUT : EPOLLIN, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &ev);
	}
}

static void answer(int fd, int epoll, uint64_t size)
{
	static const char zeros[1400];
	char bytes[2048];
	int head = snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
	                    (unsigned long long)size);
	size_t first = size < sizeof(zeros) ? (size_t)size : 0; /* a small one goes in one piece */
	memcpy(bytes + head, zeros, first);
	send(fd, bytes, (size_t)head + first, MSG_NOSIGNAL | (first < size ? MSG_MORE : 0));
	left[fd] = size - first;
	send_rest(fd, epoll, false);
}

/* The load sends each request whole, and every proxy passes so few bytes on at once. */
static void serve(int fd, int epoll)
{
	char bytes[8192];
	ssize_t n = recv(fd, bytes, sizeof(bytes) - 1, 0);
	if (n == -1 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		end(fd);
		return;
	}
	requests++;
	bytes[n] = '\0';
	unsigned long long size = 0;
	if (memmem(bytes, (size_t)n, "onnection: close", 16) != NULL) {
		send(fd, closing, sizeof(closing) - 1, MSG_NOSIGNAL);
		/* Read on until the proxy closes, too: a reset could overtake the answer. */
		shutdown(fd, SHUT_WR);
	} else if (sscanf(bytes, "GET /%llu ", &size) == 1) {
		answer(fd, epoll, size);
	} else {
		send(fd, keeping, sizeof(keeping) - 1, MSG_NOSIGNAL);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: backend TCP_PORT UDP_PORT\n");
		return 2;
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = open_socket(SOCK_STREAM, argv[1], epoll);
	int syslog = open_socket(SOCK_DGRAM, argv[2], epoll);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1) {
		die("stdin has to be a pipe");
	}
	for (;;) {
		struct epoll_event ready[256];
		int n = epoll_wait(epoll, ready, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			char bytes[8192];
			if (fd == listener) {
				accept_all(listener, epoll);
			} else if (fd == syslog) {
				while (recv(syslog, bytes, sizeof(bytes), 0) >= 0) {
					datagrams++;
				}
			} else if (fd != STDIN_FILENO) {
				if ((ready[i].events & EPOLLOUT) != 0 && left[fd] > 0) {
					send_rest(fd, epoll, true);
				} else {
					serve(fd, epoll);
				}
			} else if (read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0) {
				return 0;
			} else {
				printf("{\"requests\": %lu, \"datagrams\": %lu}\n", requests,
				       datagrams);
				fflush(stdout);
			}
		}
	}
}
