/* An HTTP server on the loopback interface for tests: a thread a connection, and each test says what it answers. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct http_server;

struct http_request {
	char head[4096]; /* whole, NUL-terminated */
	char method[16];
	char path[512];
	struct slice body;
};

/* Answers one request on its connection's thread, with http_server_reply() or by itself; may also hang. */
struct http_server *http_server_start(void (*serve)(struct http_server *, int fd,
                                                    const struct http_request *, void *),
                                      void *arg);
/* Ends its connections, also those that hang, and waits for their threads. */
void http_server_stop(struct http_server **server);
/* "http://127.0.0.1:PORT" and the path, in one of a few buffers of the server. */
const char *http_server_url(struct http_server *server, const char *path);
/* `headers`: whole lines with CRLF, or "". */
void http_server_reply(int fd, int status, const char *headers, struct slice body);
void http_server_write(int fd, struct slice bytes);
/* Until http_server_stop(). */
void http_server_hang(struct http_server *server);
unsigned http_server_requests(struct http_server *server);
unsigned http_server_connections(struct http_server *server);
/* Until so many requests came since the start. */
void http_server_wait_requests(struct http_server *server, unsigned count);
