#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX 65536
#define URLS 8

struct connection {
	struct connection *next;
	struct http_server *server;
	pthread_t thread;
	int fd;
};

struct http_server {
	void (*serve)(struct http_server *, int, const struct http_request *, void *);
	void *arg;
	int fd;
	unsigned port;
	pthread_t thread;
	char urls[URLS][1024];
	unsigned url_count;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct connection *connections; /* guarded by the lock, with all that follows */
	unsigned connection_count, request_count;
	bool stop;
};

static void need(bool fine, const char *what)
{
	if (!fine) {
		perror(what);
		abort();
	}
}

void http_server_write(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		if (n <= 0) {
			return; /* the client has left: some tests want that */
		}
		bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
	}
}

void http_server_reply(int fd, int status, const char *headers, struct slice body)
{
	char head[1024];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Some\r\nContent-Length: %zu\r\n%s\r\n",
	                 status, body.len, headers);
	need(n > 0 && (size_t)n < sizeof(head), "reply");
	http_server_write(fd, slice_of(head, (size_t)n));
	http_server_write(fd, body);
}

void http_server_hang(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	while (!server->stop) {
		pthread_cond_wait(&server->news, &server->lock);
	}
	pthread_mutex_unlock(&server->lock);
}

/* False: the client has left. */
static bool read_request(int fd, struct http_request *request, uint8_t *body)
{
	size_t have = 0, length = 0;
	char *end = NULL;
	*request = (struct http_request){0};
	while (end == NULL) {
		/* A byte at a time: nothing of the body is read here. */
		if (have + 1 == sizeof(request->head) || recv(fd, request->head + have, 1, 0) != 1) {
			return false;
		}
		request->head[++have] = '\0';
		end = strstr(request->head, "\r\n\r\n");
	}
	if (sscanf(request->head, "%15s %511s", request->method, request->path) != 2) {
		return false;
	}
	const char *field = strcasestr(request->head, "\r\nContent-Length:");
	if (field != NULL) {
		length = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
	}
	need(length <= BODY_MAX, "body");
	size_t got = 0;
	while (got < length) {
		ssize_t n = recv(fd, body + got, length - got, 0);
		if (n <= 0) {
			return false;
		}
		got += (size_t)n;
	}
	request->body = slice_of(body, length);
	return true;
}

static void *run_connection(void *arg)
{
	struct connection *connection = arg;
	struct http_server *server = connection->server;
	struct http_request *request = malloc(sizeof(*request));
	uint8_t *body = malloc(BODY_MAX);
	need(request != NULL && body != NULL, "malloc");
	while (read_request(connection->fd, request, body)) {
		pthread_mutex_lock(&server->lock);
		server->request_count++;
		pthread_cond_broadcast(&server->news);
		pthread_mutex_unlock(&server->lock);
		server->serve(server, connection->fd, request, server->arg);
	}
	free(body);
	free(request);
	/* The descriptor stays open until the stop, so that nobody shuts another one; the client sees the end now. */
	shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static void *run(void *arg)
{
	struct http_server *server = arg;
	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		pthread_mutex_lock(&server->lock);
		if (fd == -1 || server->stop) {
			pthread_mutex_unlock(&server->lock);
			if (fd != -1) {
				close(fd);
			}
			return NULL;
		}
		struct connection *connection = calloc(1, sizeof(*connection));
		need(connection != NULL, "calloc");
		connection->server = server;
		connection->fd = fd;
		connection->next = server->connections;
		server->connections = connection;
		server->connection_count++;
		need(pthread_create(&connection->thread, NULL, run_connection, connection) == 0,
		     "pthread_create");
		pthread_mutex_unlock(&server->lock);
	}
}

struct http_server *http_server_start(void (*serve)(struct http_server *, int fd,
                                                    const struct http_request *, void *),
                                      void *arg)
{
	struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	need(server != NULL, "calloc");
	server->serve = serve;
	server->arg = arg;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(server->fd != -1 && bind(server->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	             listen(server->fd, 256) == 0 &&
	             getsockname(server->fd, (struct sockaddr *)&at, &len) == 0,
	     "listen");
	server->port = ntohs(at.sin_port);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->news, NULL);
	need(pthread_create(&server->thread, NULL, run, server) == 0, "pthread_create");
	return server;
}

void http_server_stop(struct http_server **out)
{
	struct http_server *server = *out;
	pthread_mutex_lock(&server->lock);
	server->stop = true;
	pthread_cond_broadcast(&server->news);
	pthread_mutex_unlock(&server->lock);
	shutdown(server->fd, SHUT_RDWR); /* accept(2) returns */
	pthread_join(server->thread, NULL);
	close(server->fd);
	while (server->connections != NULL) {
		struct connection *connection = server->connections;
		server->connections = connection->next;
		shutdown(connection->fd, SHUT_RDWR);
		pthread_join(connection->thread, NULL);
		close(connection->fd);
		free(connection);
	}
	pthread_cond_destroy(&server->news);
	pthread_mutex_destroy(&server->lock);
	free(server);
	*out = NULL;
}

const char *http_server_url(struct http_server *server, const char *path)
{
	char *url = server->urls[server->url_count++ % URLS];
	snprintf(url, sizeof(server->urls[0]), "http://127.0.0.1:%u%s", server->port, path);
	return url;
}

unsigned http_server_requests(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	unsigned count = server->request_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}

unsigned http_server_connections(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	unsigned count = server->connection_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}

void http_server_wait_requests(struct http_server *server, unsigned count)
{
	pthread_mutex_lock(&server->lock);
	while (server->request_count < count) {
		pthread_cond_wait(&server->news, &server->lock);
	}
	pthread_mutex_unlock(&server->lock);
}
